//! Programs of all kinds are killed again and again while money goes in and out: every payment is made
//! exactly once, every batch executed exactly once, no payment has two transactions, and no preprocess
//! signs twice.
//!
//! `KILLS=200 SEED=7 cargo test -p serai-devnet --test it -- kills --nocapture`: as many as a release
//! has to stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng as _};
use serai_devnet::cluster::{Cluster, Program, Settings};
use serai_devnet::payee::Payee;
use serai_messages::Coin;
use serde_json::Value;

use crate::purse::{Purse, history};
use crate::setup::{Network, find, keys, report, set};

/// Kills where `KILLS` does not say otherwise.
const KILLS: u64 = 24;

fn from_environment(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_goes_on_beside_kills() {
    let kills = from_environment("KILLS").unwrap_or(KILLS);
    let seed = from_environment("SEED").unwrap_or_else(|| OsRng.next_u64() % 1_000_000);
    println!("kills: {kills}, seed: {seed}");
    let network = Network::start(Settings::new(4, &Coin::ALL)).await;
    for coin in Coin::ALL {
        keys(&network, set(coin, 0)).await;
    }
    let done = AtomicBool::new(false);
    let (_, payments) = tokio::join!(kill(&network, kills, seed, &done), money(&network, &done));

    let purse = Purse::new(&network);
    for (coin, to, amount) in &payments {
        let found = purse.paid(*coin, to).await;
        assert_eq!(found.pays(&to.text) + found.fee, *amount, "{coin} to {}", to.text);
    }
    // What the report checks: batches in order, each once, all transactions of vaults accounted for.
    let report = report(&network).await;
    assert_eq!(report["payments"].as_array().unwrap().len(), payments.len());
    for coin in Coin::ALL {
        let history = history(&network, coin).await;
        for (_, to, _) in payments.iter().filter(|(of, _, _)| *of == coin) {
            let paying = history.paying(&to.text).count();
            assert_eq!(paying, 1, "transactions of {coin} to {}", to.text);
        }
    }
    signed_once(&network).await;
    network.stop().await;
}

/// Kills programs, one after the other, at random times.
async fn kill(network: &Cluster, kills: u64, seed: u64, done: &AtomicBool) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let names = network.layout().settings().validators.clone();
    for number in 1..=kills {
        let pause = Duration::from_millis(200 + rng.next_u64() % 1_300);
        tokio::time::sleep(pause).await;
        let coin = Coin::ALL[(rng.next_u64() % 3) as usize];
        let name = names[(rng.next_u64() % names.len() as u64) as usize].clone();
        let what = match rng.next_u64() % 8 {
            0 => {
                network.kill(&Program::Chain).await;
                "the chain".to_owned()
            }
            1 => {
                network.kill(&Program::Simulated(coin)).await;
                format!("the {coin} network")
            }
            2..=4 => {
                network.kill(&Program::Coordinator(name.clone())).await;
                format!("{name}'s coordinator")
            }
            _ => {
                let lived = network.kill_processor(&name, coin);
                format!("{name}'s {coin} processor{}", if lived { "" } else { " (down already)" })
            }
        };
        println!("kill {number} after {pause:?}: {what}");
        assert_eq!(network.failure(), None);
    }
    done.store(true, Ordering::Relaxed);
}

/// Deposits and burns of all coins until told to stop, at least one round.
async fn money(network: &Cluster, done: &AtomicBool) -> Vec<(Coin, Payee, u64)> {
    const PART: u64 = 40_000_000;
    let purse = Purse::new(network);
    let scale = |coin: Coin| if coin == Coin::Xmr { 10_000 } else { 1 };
    let mut payments = Vec::new();
    loop {
        for coin in Coin::ALL {
            purse.deposit(coin, PART * scale(coin)).await;
        }
        for coin in Coin::ALL {
            let amount = PART / 4 * scale(coin);
            purse.minted(coin, amount).await;
            let to = purse.burn(coin, amount).await;
            payments.push((coin, to, amount));
        }
        if done.load(Ordering::Relaxed) {
            println!("{} payments", payments.len());
            return payments;
        }
    }
}

/// By the processors' own records: one transaction for each payment, whoever signed it, and no
/// preprocess in two places.
async fn signed_once(network: &Cluster) {
    for coin in Coin::ALL {
        let mut transactions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for name in &network.layout().settings().validators {
            let signings = find(&format!("the signings of {name}'s {coin} processor"), || async {
                network.signings(name, coin).await.ok()
            })
            .await;
            planned(&signings, &mut transactions);
            let mut used = Vec::new();
            preprocesses(&signings, false, &mut used);
            assert!(!used.is_empty(), "{name} signed {coin}: {signings}");
            let different: BTreeSet<&String> = used.iter().collect();
            assert_eq!(different.len(), used.len(), "{name} used a {coin} preprocess twice");
        }
        assert!(!transactions.is_empty(), "processors planned payments of {coin}");
        for (id, hashes) in transactions {
            assert_eq!(hashes.len(), 1, "transactions of {id}: {hashes:?}");
        }
    }
}

/// Transactions by payment, wherever an object has an id of a payment and a hash.
fn planned(value: &Value, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| planned(value, found)),
        Value::Object(fields) => {
            let text = |keys: &[&str]| {
                keys.iter().find_map(|key| Some(fields.get(*key)?.as_str()?.to_owned()))
            };
            let id = text(&["id", "thing"]).filter(|id| id.contains("payment/"));
            if let (Some(id), Some(hash)) = (id, text(&["transaction", "hash"])) {
                found.entry(id).or_default().insert(hash);
            }
            fields.values().for_each(|value| planned(value, found));
        }
        _ => {}
    }
}

/// Preprocesses in whatever is called used.
fn preprocesses(value: &Value, used: bool, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|one| preprocesses(one, used, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if used && key.contains("preprocess") => {
                        found.push(text.clone());
                    }
                    _ => preprocesses(value, used || key.contains("used"), found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn a_preprocess_used_twice_is_seen() {
    let row = |text: &str| serde_json::json!({ "preprocess": text, "thing": "sign/btc-0/batch/1" });
    let signings = serde_json::json!({
        "things": [{ "id": "sign/btc-0/payment/3-1", "hash": "aa" }],
        "plans": [{ "id": "sign/btc-0/payment/3-1", "transaction": "bb" }],
        "used_preprocesses": [row("1"), row("2"), row("1")],
    });
    let mut used = Vec::new();
    preprocesses(&signings, false, &mut used);
    assert_eq!(used, ["1", "2", "1"]);
    let mut transactions = BTreeMap::new();
    planned(&signings, &mut transactions);
    assert_eq!(transactions["sign/btc-0/payment/3-1"].len(), 2);
}
