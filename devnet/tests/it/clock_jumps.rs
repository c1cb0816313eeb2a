//! The clock of one coordinator, or of one processor, jumps by hours while a payment is signed that needs
//! it: it is signed, nobody is accused, and the operator is told where the clock is wrong.

use serai_bus::wall_clock;
use serai_devnet::cluster::{Program, Settings};
use serai_messages::Coin;
use serde_json::Value;

use crate::purse::{Purse, history};
use crate::setup::{Network, faulty, find, keys, name, nobody_accused, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;
const HOURS: i64 = 5 * 3_600_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_signed_whatever_the_clock_says() {
    let alice = name("alice");
    let programs = faulty();
    let mut settings = Settings::new(4, &[COIN]);
    let path = |path: &std::path::Path| vec![path.to_str().unwrap().to_owned()];
    settings.odd_coordinators.insert(alice.clone(), path(&programs.coordinator));
    settings.odd_processors.insert(alice.clone(), path(&programs.processor));
    let network = Network::start(settings).await;
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 20 * PART).await;
    purse.minted(COIN, 19 * PART).await;
    // Nothing is signed without alice.
    network.hold(&Program::Coordinator(name("dave"))).await;

    let layout = network.layout();
    let folders = [layout.data(&alice), layout.processor(&alice, COIN)];
    let mut payees = Vec::new();
    for (whose, folder) in ["coordinator", "processor"].into_iter().zip(&folders) {
        for offset in [HOURS, -HOURS, 0] {
            let burned = purse.burn_many(COIN, PART / 10, 3).await;
            std::fs::write(folder.join(wall_clock::FILE), offset.to_string()).unwrap();
            for payee in burned {
                purse.paid(COIN, &payee).await;
                payees.push(payee);
            }
            if whose == "coordinator" {
                let expected = match offset {
                    HOURS => Some("ahead of the time that Serai's newest block"),
                    0 => None,
                    _ => Some("behind the time that Serai's block"),
                };
                find(&format!("{expected:?} in alice's status"), || async {
                    let status = network.ask(&alice, &["status"]).await.ok()?;
                    let fact = clock(&status);
                    match expected {
                        Some(words) => fact?.contains(words).then_some(()),
                        None => fact.is_none().then_some(()),
                    }
                })
                .await;
            }
            println!("{whose} {offset} ms: paid");
        }
    }
    // A start with a clock that is wrong, too.
    std::fs::write(folders[0].join(wall_clock::FILE), (-HOURS).to_string()).unwrap();
    network.kill(&Program::Coordinator(alice.clone())).await;
    let last = purse.burn(COIN, PART).await;
    purse.paid(COIN, &last).await;
    payees.push(last);
    network.release(&Program::Coordinator(name("dave"))).await;
    nobody_accused(&network).await;
    let history = history(&network, COIN).await;
    for payee in payees {
        assert_eq!(history.paying(&payee.text).count(), 1, "transactions to {}", payee.text);
    }
    network.stop().await;
}

/// What status says of the clock.
fn clock(status: &Value) -> Option<String> {
    let mut facts = status["facts"].as_array()?.iter();
    let fact = facts.find(|fact| fact["fact"] == "this machine's clock")?;
    fact["reason"].as_str().map(str::to_owned)
}
