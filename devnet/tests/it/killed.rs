//! A process of each kind is killed in the middle of key generation: the vault still comes, from at
//! most one more attempt, and there is never more than one processor per coin and validator.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serai_bus::connect;
use serai_devnet::cluster::{Cluster, Processor, Program, Settings, processors};
use serai_devnet::report::{bus_settings, read_topic};
use serai_messages::{Coin, Name, Topic};

use crate::setup::{Network, find, keys, name, report, set, signal, stage};

/// The middle of key generation: begun, and the keys are not on the chain.
const MIDDLE: [&str; 9] = [
    "commitments",
    "agreement",
    "shares",
    "proof-preprocesses",
    "proof-shares",
    "proof",
    "musig-preprocesses",
    "musig-shares",
    "musig-signature",
];

/// Watches the operating system's list of processes until told to stop; returns whatever it saw too
/// many of.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Processor>>,
}

impl Watch {
    fn start(network: &Cluster) -> Self {
        let (root, stop) = (network.layout().root().to_owned(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut twice = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let living = processors(&root);
                let pairs = living.iter().zip(living.iter().skip(1));
                let same = pairs.filter(|(a, b)| (&a.name, a.coin) == (&b.name, b.coin));
                twice.extend(same.map(|(_, second)| second.clone()));
                std::thread::sleep(Duration::from_millis(20));
            }
            twice
        });
        Self { stop, thread }
    }

    fn end(self) -> Vec<Processor> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Waits until dave's processor was told to begin, and freezes it: the others then stand still in
/// the middle of key generation for as long as it takes.
async fn freeze(network: &Cluster) -> Processor {
    let dave = name("dave");
    let bus = connect(&bus_settings(network.layout(), &dave), false).unwrap();
    let topic = Topic::Chain(Coin::Btc).full_name(&dave);
    find("the start of dave's key generation", || async {
        let records = read_topic(bus.as_ref(), &topic).await.ok()?;
        let mut records = records.into_iter().filter_map(|delivered| delivered.record.ok());
        records.find(|record| record.kind == "keygen.start")
    })
    .await;
    let of_dave = network.processors().into_iter().find(|one| one.name == dave).unwrap();
    signal(of_dave.pid, Signal::STOP);
    of_dave
}

/// Lives through the loss of what `kill` takes away, in the middle of key generation.
async fn survive(kill: impl AsyncFnOnce(&Cluster, Name)) {
    let network = Network::start(Settings::new(4, &[Coin::Btc])).await;
    let watch = Watch::start(&network);
    let btc = set(Coin::Btc, 0);
    let frozen = freeze(&network).await;
    let at = stage(&network, &name("alice"), btc, &MIDDLE).await;
    kill(&network, name("bob")).await;
    let early = network.chain().await.unwrap().keys(btc).await.unwrap();
    assert_eq!(early, None, "killed at {at}, and the keys were there already");
    signal(frozen.pid, Signal::CONT);

    keys(&network, btc).await;
    let report = report(&network).await;
    let session = &report["sessions"][0];
    println!("killed at {at}, attempts {}", session["attempts"]);
    assert!(session["attempts"].as_u64() <= Some(2), "{session}");
    find("one processor per validator", || async {
        (network.processors().len() == 4).then_some(())
    })
    .await;
    assert_eq!(watch.end(), [], "two processors of one coin and validator at a time");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain() {
    survive(async |network: &Cluster, _| {
        let before = network.pid(&Program::Chain);
        network.kill(&Program::Chain).await;
        find("the chain, started again", || async {
            network.pid(&Program::Chain).filter(|pid| Some(*pid) != before)
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator() {
    survive(async |network: &Cluster, bob| {
        let program = Program::Coordinator(bob);
        let before = network.pid(&program);
        network.kill(&program).await;
        find("the coordinator, started again", || async {
            network.pid(&program).filter(|pid| Some(*pid) != before)
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor() {
    survive(async |network: &Cluster, bob| {
        let of_bob = || network.processors().into_iter().find(|one| one.name == bob);
        let before = of_bob().unwrap();
        assert!(network.kill_processor(&bob, Coin::Btc));
        find("the processor, started again", || async {
            of_bob().filter(|one| one.pid != before.pid)
        })
        .await;
    })
    .await;
}
