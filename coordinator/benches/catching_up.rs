//! Catching up on finalized blocks, beside a plain subxt loop over the same blocks in the same run
//! (DESIGN section 6: at least 0.8 of its blocks per second).
//!
//! `cargo bench -p serai-coordinator --bench catching_up -- [BLOCKS]`, on a machine that does nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::{Duration, Instant};

use serai_bus::{Database, Publisher, Settings as BusSettings, connect, exchange};
use serai_coordinator::processes::observation::{self, Profile, Settings, Wakers, tables};
use serai_devchain::{Chain, Finality, Genesis, RpcServer};
use serai_messages::{Coin, Incarnation, Name};
use subxt::{OnlineClient, SubstrateConfig};
use tokio_util::sync::CancellationToken;

fn main() {
    let blocks = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000);
    // The node has threads of its own, as it has in life.
    let node = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let genesis = Genesis::development(&["//Alice", "//Bob"], &["Bitcoin", "Ethereum", "Monero"]);
    let chain = Chain::open(folder.path(), &genesis, Finality::Lag(0)).unwrap();
    for _ in 0..blocks {
        chain.author(Vec::new()).unwrap();
    }
    let server = node.block_on(RpcServer::start(chain, "127.0.0.1:0".parse().unwrap())).unwrap();
    for round in 1..=3 {
        let floor = rate(blocks, own.block_on(plain_loop(&server.url(), blocks)));
        let observed = rate(blocks, own.block_on(observation(&server.url(), blocks)));
        println!(
            "round {round}: plain loop {floor:.0} blocks/s, observation {observed:.0} blocks/s, \
             ratio {:.2} (bound 0.80)",
            observed / floor
        );
    }
}

fn rate(blocks: u64, took: Duration) -> f64 {
    blocks as f64 / took.as_secs_f64()
}

/// Reads every block's events, one block after the other.
async fn plain_loop(url: &str, blocks: u64) -> Duration {
    let client = OnlineClient::<SubstrateConfig>::from_insecure_url(url).await.unwrap();
    let begin = Instant::now();
    let mut seen = 0;
    for number in 0..=blocks {
        let at = client.at_block(number).await.unwrap();
        let events = at.events().fetch().await.unwrap();
        seen += events.iter().map(|event| event.unwrap().event_name().len()).sum::<usize>();
    }
    assert!(seen > 0);
    begin.elapsed()
}

/// The process from an empty database to the head, everything committed.
async fn observation(url: &str, blocks: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let migrations = [exchange::MIGRATION, tables::MIGRATION];
    let database = Database::open(&folder.path().join("state.sqlite"), &migrations).unwrap();
    let bus = connect(&BusSettings::embedded(folder.path().join("bus.sqlite")), false).unwrap();
    let topic = "alice-serai".to_owned();
    bus.create_topics(std::slice::from_ref(&topic)).await.unwrap();
    let (publisher, waker) = Publisher::new(bus.clone(), database.clone(), topic);
    let coins = Coin::ALL.to_vec();
    let settings = Settings::new(vec![url.to_owned()], Profile::Development, coins, Incarnation(1));
    let name: Name = "alice".parse().unwrap();
    let wakers = Wakers { serai: waker, ..Wakers::default() };
    let (actor, mailbox) = observation::new(settings, &name, bus, database, wakers).unwrap();
    let shutdown = CancellationToken::new();
    let begin = Instant::now();
    let process = tokio::spawn(actor.run(shutdown.clone()));
    let publisher = tokio::spawn(publisher.run());
    loop {
        let status = mailbox.status().await.unwrap();
        if status.cursor.is_some_and(|cursor| cursor.number.0 >= blocks) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begin.elapsed();
    shutdown.cancel();
    process.await.unwrap().unwrap();
    publisher.abort();
    took
}
