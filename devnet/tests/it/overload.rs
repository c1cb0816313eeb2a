//! More deposits and burns than can be signed, while the keys of a new set are made: queues stay within
//! their bounds, memory stays flat, signing goes on at its pace, and when the load stops everything is
//! paid and the queues run empty by themselves.
//!
//! `OVERLOAD_SECONDS=600 cargo test -p serai-devnet --test it -- overload --nocapture`: as long as a
//! release has to stand.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serai_coordinator::processes::network::tables::{MAX_QUEUED_BYTES, MAX_QUEUED_ROWS};
use serai_devnet::cluster::{Cluster, Settings};
use serai_devnet::external::History;
use serai_devnet::payee::Payee;
use serai_messages::{Coin, Name};
use serai_processor::signing::MAX_PAYMENTS_AT_ONCE;
use subxt::rpcs::{RpcClient, rpc_params};

use crate::gauges::{HEADER, Look, look};
use crate::purse::Purse;
use crate::setup::{DEADLINE, Network, find, find_for, keys, name, set};

const COIN: Coin = Coin::Btc;

/// Seconds of load where `OVERLOAD_SECONDS` does not say otherwise.
const SECONDS: u64 = 20;

/// What is burned at a time.
const PART: u64 = 20_000;

/// Burns by which the pace without overload is measured.
const CALM: u64 = 60;

/// So many burns for each payment that is signed without overload in the same time.
const TIMES: f64 = 2.0;

/// Burns a second at least: what was measured on a busy machine may be less than it can do.
const LEAST_RATE: f64 = 40.0;

/// Most burns that are not paid at any time: so many take minutes.
const BACKLOG: u64 = 1_500;

/// Time between two looks at the programs.
const LOOK: Duration = Duration::from_secs(1);

/// Deposits made between two looks.
const DEPOSITS: u64 = 8;

/// The pace under load, against that without: the rotation, its forwardings and the deposits' batches
/// share the machine with it.
const LEAST_PACE: f64 = 0.2;

/// Things beside payments that run at the same time in a coordinator: batches, forwardings, slash
/// reports. And payments of a set that is replaced have a turn of their own.
const SIGNINGS: u64 = 2 * MAX_PAYMENTS_AT_ONCE as u64 + 16;

/// Inputs of one signing of four: requests, preprocesses, sessions and shares of each opener.
const INPUTS: u64 = 80;

/// Records in an outbox: those of the transaction and of the one after it, for the bus takes them at once.
/// Observation stops reading when there are so many more.
const OUTBOX: u64 = 4_096 + 1_024;

/// By so much the largest program may grow from the first third of the load to the last, in MiB.
const GROWTH: u64 = 48;

fn seconds() -> u64 {
    std::env::var("OVERLOAD_SECONDS").map_or(SECONDS, |seconds| seconds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overload_passes() {
    let settings = Settings { set_size: 4, ..Settings::new(5, &[COIN]) };
    let network = Network::start(settings).await;
    let names = network.layout().settings().validators.clone();
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    // Outputs enough that payments do not all hang on each other's change.
    for _ in 0..8 {
        purse.deposit(COIN, 100_000_000).await;
    }
    purse.minted(COIN, 799_000_000).await;

    let calm = calm_pace(&network, &names, &purse).await;
    println!("without overload: {calm:.1} payments a second");
    let load = Duration::from_secs(seconds());
    let (looks, payees) =
        under_load(&network, &names, &purse, load, (calm * TIMES).max(LEAST_RATE)).await;
    println!("{HEADER}");
    let step = looks.len().div_ceil(60);
    for one in looks.iter().step_by(step) {
        println!("{one}");
    }
    let pace = pace(&looks);
    let burned = payees.len() as f64 / load.as_secs_f64();
    println!("under load: {pace:.1} signed a second, of {burned:.1} burned a second");

    let left = (payees.len() as f64).min(BACKLOG as f64) / (calm * LEAST_PACE);
    let deadline = DEADLINE + Duration::from_secs_f64(left);
    let begun = Instant::now();
    paid(&network, &payees, deadline).await;
    println!("{} payments, the last of them {:?} after the load", payees.len(), begun.elapsed());
    let empty = drained(&network, &names).await;
    println!("{HEADER}\n{empty}");

    check(&looks);
    assert!(pace >= calm * LEAST_PACE, "{pace:.1} a second under load, {calm:.1} without");
    network.stop().await;
}

/// Payments signed a second, when a few at a time are asked for.
async fn calm_pace(network: &Cluster, names: &[Name], purse: &Purse<'_>) -> f64 {
    let begun = Instant::now();
    let signed = || look(network, names, COIN, begun.elapsed()).signed;
    let before = signed();
    let burned = purse.burn_many(COIN, PART, CALM).await;
    assert_eq!(burned.len() as u64, CALM);
    let first = find("the first of the payments signed", || async {
        (signed() > before).then(Instant::now)
    })
    .await;
    find("all payments signed", || async { (signed() >= before + CALM).then_some(()) }).await;
    CALM as f64 / first.elapsed().as_secs_f64()
}

/// Burns and deposits at a steady rate, a rotation after a third of the time, and looks all the while.
async fn under_load(
    network: &Cluster,
    names: &[Name],
    purse: &Purse<'_>,
    load: Duration,
    rate: f64,
) -> (Vec<Look>, Vec<Payee>) {
    let begun = Instant::now();
    let (over, burned, signed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let burning = async {
        let mut payees = Vec::new();
        while begun.elapsed() < load {
            let wanted = (begun.elapsed().as_secs_f64() * rate) as u64;
            let most = signed.load(Ordering::Relaxed).saturating_add(BACKLOG);
            let missing = wanted.min(most).saturating_sub(payees.len() as u64).min(200);
            if missing == 0 {
                tokio::time::sleep(LOOK / 10).await;
                continue;
            }
            payees.extend(purse.burn_many(COIN, PART, missing).await);
            burned.store(payees.len() as u64, Ordering::Relaxed);
        }
        over.store(true, Ordering::Relaxed);
        payees
    };
    let depositing = async {
        let mut beats = tokio::time::interval(LOOK);
        while !over.load(Ordering::Relaxed) {
            beats.tick().await;
            for _ in 0..DEPOSITS {
                purse.deposit(COIN, PART).await;
            }
        }
    };
    let rotating = async {
        tokio::time::sleep(load / 3).await;
        let members = ["alice", "bob", "charlie", "eve"]
            .map(|one| network.identity(&name(one)).unwrap().validator.to_string());
        let rpc = RpcClient::from_insecure_url(network.layout().rpc_url()).await.unwrap();
        let _: serde_json::Value =
            rpc.request("dev_rotate", rpc_params!["Bitcoin", members]).await.unwrap();
        let asked = Instant::now();
        keys(network, set(COIN, 1)).await;
        println!("keys of the new set {:?} after it was asked for", asked.elapsed());
    };
    let looking = async {
        let mut looks = Vec::new();
        let mut beats = tokio::time::interval(LOOK);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !over.load(Ordering::Relaxed) {
            beats.tick().await;
            assert_eq!(network.failure(), None);
            looks.push(look(network, names, COIN, begun.elapsed()));
            let (first, last) = (looks.first().unwrap(), looks.last().unwrap());
            signed.store(last.signed - first.signed, Ordering::Relaxed);
        }
        looks
    };
    let (payees, (), (), looks) = tokio::join!(burning, depositing, rotating, looking);
    println!("burned {} in {:?}", burned.load(Ordering::Relaxed), begun.elapsed());
    (looks, payees)
}

/// Signed a second, from the first look to the last.
fn pace(looks: &[Look]) -> f64 {
    let (first, last) = (looks.first().unwrap(), looks.last().unwrap());
    (last.signed - first.signed) as f64 / (last.at - first.at).max(1.0)
}

/// Waits until all are paid, once.
async fn paid(network: &Cluster, payees: &[Payee], deadline: Duration) {
    let external = network.external(COIN).unwrap();
    let history = tokio::sync::Mutex::new(History::default());
    let wanted: BTreeSet<&str> = payees.iter().map(|payee| payee.text.as_str()).collect();
    let what = format!("{} payments", wanted.len());
    let paid = find_for(deadline, &what, || async {
        assert_eq!(network.failure(), None);
        let mut history = history.lock().await;
        history.advance(&external).await.ok()?;
        let outputs = history.found().iter().flat_map(|found| &found.transfer.outputs);
        let paid: Vec<String> = outputs
            .filter(|output| wanted.contains(output.address.as_str()))
            .map(|output| output.address.clone())
            .collect();
        if paid.len() < wanted.len() {
            tokio::time::sleep(LOOK).await;
            return None;
        }
        Some(paid)
    })
    .await;
    let different: BTreeSet<&String> = paid.iter().collect();
    assert_eq!((different.len(), paid.len()), (wanted.len(), wanted.len()), "paid twice");
}

/// Waits until nothing waits any more.
async fn drained(network: &Cluster, names: &[Name]) -> Look {
    find("empty queues", || async {
        let look = look(network, names, COIN, Duration::ZERO);
        let (c, p) = (&look.coordinator, &look.processor);
        // A batch may be under way at any time.
        let empty = c.peers <= 16
            && c.outbox <= 16
            && c.running <= 2
            && c.parked <= 16
            && c.log <= 2 * INPUTS
            && p.outbox <= 16
            && p.unsigned <= 2
            && p.waiting == 0
            && p.events <= 4;
        empty.then_some(look)
    })
    .await
}

/// The stated bounds, at every look; memory from the first third to the last.
fn check(looks: &[Look]) {
    for look in looks {
        let (c, p) = (&look.coordinator, &look.processor);
        let bounds = [
            ("statements for a peer", c.peers, MAX_QUEUED_ROWS / 10),
            ("bytes of statements for a peer", c.peers_bytes, MAX_QUEUED_BYTES / 4),
            ("statements dropped", c.dropped, 0),
            ("statements of one signer parked", c.parked, 256),
            ("signings under way", c.running, SIGNINGS),
            ("inputs in logs", c.log, SIGNINGS * INPUTS),
            ("records in a coordinator's outbox", c.outbox, OUTBOX),
            ("records in a processor's outbox", p.outbox, OUTBOX),
            ("things being signed", p.unsigned, SIGNINGS),
            ("preprocesses of them", p.preprocesses, SIGNINGS * 5),
        ];
        for (what, found, most) in bounds {
            assert!(found <= most, "{what}: {found} are over {most}: {look}");
        }
    }
    let third = looks.len() / 3;
    let most = |looks: &[Look], of: fn(&Look) -> u64| looks.iter().map(of).max().unwrap_or(0);
    for (whose, of) in [
        ("coordinators", (|look| look.coordinator_mib) as fn(&Look) -> u64),
        ("processors", |look| look.processor_mib),
    ] {
        let (early, late) = (most(&looks[..third], of), most(&looks[looks.len() - third..], of));
        println!("{whose}: {early} MiB at most in the first third, {late} MiB in the last");
        assert!(late <= early + GROWTH, "{whose} grow from {early} MiB to {late} MiB");
    }
}
