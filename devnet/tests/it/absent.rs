//! A processor, and then the bus, are away for long while money goes in and out: the others pay
//! meanwhile, what waits is bounded and shown, and all is made up for, nothing lost and nothing twice.
//!
//! `ABSENT_BLOCKS=2000` makes the processor miss so many of Serai's blocks, `AWAY_SECONDS=180` takes the
//! bus away for so long.

use std::path::Path;
use std::time::Duration;

use serai_devnet::cluster::{Cluster, Program, Settings};
use serai_messages::{Coin, Name};
use serde_json::Value;

use crate::gauges::{coordinator, processor};
use crate::purse::{Purse, paid_once};
use crate::setup::{Network, binaries, find, find_for, keys, name, nobody_accused, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

/// Blocks of Serai that the processor misses, where `ABSENT_BLOCKS` does not say otherwise.
const BLOCKS: u64 = 40;

/// Seconds for which the bus is away, where `AWAY_SECONDS` does not say otherwise: longer than the
/// embedded one waits for a lock, and until it shows.
const SECONDS: u64 = 15;

/// Most records that may wait in an outbox while the bus is away: with 4,096 of them Serai's chain is not
/// read on, and what is under way comes on top.
pub const OUTBOX: u64 = 4_096 + 256;

pub fn from_environment(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

async fn vault(settings: Settings) -> Network {
    let network = Network::start(settings).await;
    keys(&network, set(COIN, 0)).await;
    network
}

/// A processor that waits before its start for as long as a file is there.
fn held_by(mark: &Path) -> Vec<String> {
    let script = format!(
        "while [ -e '{}' ]; do sleep 0.2; done; exec '{}' \"$@\"",
        mark.display(),
        binaries().processor.display()
    );
    ["/bin/sh", "-c", &script, "serai-processor"].map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_makes_up_for_a_long_absence() {
    let (alice, bob) = (name("alice"), name("bob"));
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("away");
    let mut settings = Settings::new(4, &[COIN]);
    settings.odd_processors.insert(alice.clone(), held_by(&mark));
    let network = vault(settings).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 20 * PART).await;
    purse.minted(COIN, 19 * PART).await;

    std::fs::write(&mark, "").unwrap();
    find("the end of alice's processor", || async {
        (!network.kill_processor(&alice, COIN)).then_some(())
    })
    .await;
    let blocks = from_environment("ABSENT_BLOCKS", BLOCKS);
    let (begun, mut payees) = (height(&network).await, Vec::new());
    // In pairs, at least one; the others are three, as many as a signature needs.
    while payees.is_empty() || height(&network).await < begun + blocks {
        purse.deposit(COIN, PART).await;
        payees.extend(purse.burn_many(COIN, PART / 100, 2).await);
        purse.paid(COIN, payees.last().unwrap()).await;
    }
    println!("{} payments in {} blocks without alice's processor", payees.len(), blocks);
    let status = network.ask(&alice, &["status"]).await.unwrap().to_string();
    assert!(status.contains("btc processor"), "{status}");

    std::fs::remove_file(&mark).unwrap();
    let made_up = std::time::Instant::now();
    find("alice's processor where bob's is", || async {
        let (of_alice, of_bob) = (plans(&network, &alice).await?, plans(&network, &bob).await?);
        let done = of_alice.iter().filter(|plan| plan["state"] == "completed").count();
        (hashes(&of_alice) == hashes(&of_bob) && done >= payees.len()).then_some(())
    })
    .await;
    println!("made up for in {:?}", made_up.elapsed());

    // Now it is needed.
    network.hold(&Program::Coordinator(name("dave"))).await;
    payees.push(purse.burn(COIN, PART).await);
    purse.paid(COIN, payees.last().unwrap()).await;
    network.release(&Program::Coordinator(name("dave"))).await;
    paid_once(&network, COIN, &payees).await;
    nobody_accused(&network).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_was_away_takes_all_that_waited() {
    let alice = name("alice");
    let network = vault(Settings::new(4, &[COIN])).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 20 * PART).await;
    purse.minted(COIN, 19 * PART).await;
    let pid = network.processors().iter().find(|one| one.name == alice).unwrap().pid;

    let away = Duration::from_secs(from_environment("AWAY_SECONDS", SECONDS));
    let begun = std::time::Instant::now();
    let bus = rusqlite::Connection::open(network.layout().bus(&alice)).unwrap();
    bus.busy_timeout(Duration::from_secs(30)).unwrap();
    bus.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut payees, mut most, mut said) = (Vec::new(), 0, false);
    while begun.elapsed() < away || !said {
        purse.deposit(COIN, PART).await;
        payees.extend(purse.burn_many(COIN, PART / 100, 2).await);
        purse.paid(COIN, payees.last().unwrap()).await;
        let layout = network.layout();
        most = most
            .max(coordinator(&layout.data(&alice).join("state.sqlite")).outbox)
            .max(processor(&layout.processor(&alice, COIN).join("state.sqlite")).outbox);
        let status = network.ask(&alice, &["status"]).await.unwrap().to_string();
        said |= status.contains("what is to be said waits");
        assert!(begun.elapsed() < away + Duration::from_secs(240), "nothing of it in {status}");
    }
    bus.execute_batch("ROLLBACK").unwrap();
    drop(bus);
    let lived = network.processors().iter().any(|one| one.pid == pid);
    println!(
        "{} payments in {:?} without alice's bus; {most} records waited at most",
        payees.len(),
        begun.elapsed()
    );
    assert!(most <= OUTBOX, "{most} records waited");
    assert!(lived, "alice's processor was restarted for the silence of the bus");

    find_for(
        Duration::from_secs(120),
        "alice's queues empty, and nothing said of the bus",
        || async {
            let layout = network.layout();
            let left = coordinator(&layout.data(&alice).join("state.sqlite")).outbox
                + processor(&layout.processor(&alice, COIN).join("state.sqlite")).outbox;
            let status = network.ask(&alice, &["status"]).await.ok()?.to_string();
            (left <= 8 && !status.contains("what is to be said waits")).then_some(())
        },
    )
    .await;
    network.hold(&Program::Coordinator(name("dave"))).await;
    payees.push(purse.burn(COIN, PART).await);
    purse.paid(COIN, payees.last().unwrap()).await;
    network.release(&Program::Coordinator(name("dave"))).await;
    paid_once(&network, COIN, &payees).await;
    nobody_accused(&network).await;
    network.stop().await;
}

async fn height(network: &Cluster) -> u64 {
    find("the chain's height", || async {
        Some(network.chain().await.ok()?.finalized().await.ok()?.0)
    })
    .await
}

async fn plans(network: &Cluster, name: &Name) -> Option<Vec<Value>> {
    let signings = network.signings(name, COIN).await.ok()?;
    signings["plans"].as_array().cloned()
}

fn hashes(plans: &[Value]) -> Vec<(&Value, &Value)> {
    plans.iter().map(|plan| (&plan["id"], &plan["transaction"])).collect()
}
