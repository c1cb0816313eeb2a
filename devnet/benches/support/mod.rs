//! What the benchmarks share: a network in a folder of its own, topics watched from outside, and
//! figures beside their floor.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use serai_bus::{Settings as BusSettings, Start};
use serai_devnet::binaries::Binaries;
use serai_devnet::cluster::{Cluster, Layout, Settings};
use serai_messages::{Coin, KeyPair, Name, Record, Topic, ValidatorSet};
use tokio::sync::mpsc;

/// Time for anything that is waited for.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// A running network; its programs end and its folder goes when it is dropped.
pub struct Network {
    pub cluster: Cluster,
    _folder: tempfile::TempDir,
}

impl Network {
    pub async fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::open(folder.path(), false, settings).unwrap();
        let cluster = Cluster::start(layout, Binaries::ready().unwrap()).await.unwrap();
        Self { cluster, _folder: folder }
    }

    pub fn names(&self) -> Vec<Name> {
        self.cluster.layout().settings().validators.clone()
    }

    pub async fn keys(&self, set: ValidatorSet) -> KeyPair {
        let begun = Instant::now();
        loop {
            if let Ok(chain) = self.cluster.chain().await
                && let Ok(Some(keys)) = chain.keys(set).await
            {
                return keys;
            }
            assert!(begun.elapsed() < DEADLINE, "no keys of {set} within {DEADLINE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Records that appear on every validator's topic of a coin from now on, with when and whose.
    pub async fn watch(&self, coin: Coin) -> mpsc::UnboundedReceiver<(Name, Instant, Record)> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for name in self.names() {
            let path = self.cluster.layout().bus(&name);
            let bus = serai_bus::connect(&BusSettings::embedded(path), false).unwrap();
            let topic = Topic::Chain(coin).full_name(&name);
            let mut reader = bus.read(&topic, Start::Latest).await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let _bus = bus;
                while let Ok(delivered) = reader.next().await {
                    let Ok(record) = delivered.record else { continue };
                    if sender.send((name.clone(), Instant::now(), record)).is_err() {
                        return;
                    }
                }
            });
        }
        receiver
    }
}

/// The median.
pub fn p50(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// One row: what was measured, beside its floor, against its bound.
pub fn row(what: &str, floor: Duration, ours: Duration, bound: &str, met: bool) {
    println!(
        "{what}: floor {:.1} ms, measured {:.1} ms, ratio {:.2}, over the floor {:.1} ms \
         (bound: {bound}): {}",
        floor.as_secs_f64() * 1e3,
        ours.as_secs_f64() * 1e3,
        ours.as_secs_f64() / floor.as_secs_f64(),
        (ours.as_secs_f64() - floor.as_secs_f64()) * 1e3,
        if met { "met" } else { "NOT MET" }
    );
}

/// What a relayed message cannot do without: to a bus and out of it, a commit, a round trip over
/// loopback, a commit, to a bus and out of it. The median of `rounds`.
pub async fn hops(rounds: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut stations = Vec::new();
    for side in ["from", "to"] {
        let path = folder.path().join(format!("{side}.bus"));
        let bus = serai_bus::connect(&BusSettings::embedded(path), false).unwrap();
        let topic = format!("{side}-btc");
        bus.create_topics(std::slice::from_ref(&topic)).await.unwrap();
        let reader = bus.read(&topic, Start::Earliest).await.unwrap();
        let migration = serai_bus::Migration {
            component: "bench",
            steps: &["CREATE TABLE messages (body BLOB NOT NULL) STRICT;"],
        };
        let path = folder.path().join(format!("{side}.sqlite"));
        let database = serai_bus::Database::open(&path, &[migration]).unwrap();
        stations.push((bus, topic, reader, database));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (mut read, mut write) = socket.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let mut samples = Vec::new();
    for round in 1..=rounds {
        let begun = Instant::now();
        for (station, (bus, topic, reader, database)) in stations.iter_mut().enumerate() {
            bus.append(topic, &[sample(round)]).await.unwrap();
            let delivered = reader.next().await.unwrap();
            let body = delivered.record.unwrap().body;
            database
                .transaction(|transaction| {
                    transaction
                        .execute("INSERT INTO messages (body) VALUES (?1)", [&body])
                        .map_err(|source| database.error(source))
                })
                .unwrap();
            if station == 0 {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                socket.write_all(&body).await.unwrap();
                let mut echo = vec![0; body.len()];
                socket.read_exact(&mut echo).await.unwrap();
            }
        }
        samples.push(begun.elapsed());
    }
    p50(samples)
}

fn sample(number: usize) -> Record {
    Record {
        id: serai_messages::IntentId::new(format!("bench/{number}")).unwrap(),
        kind: "bench".to_owned(),
        from: serai_messages::Endpoint::Coordinator,
        to: serai_messages::Endpoint::Anyone,
        session: String::new(),
        incarnation: serai_messages::Incarnation(1),
        sequence: serai_messages::Sequence(number as u64),
        version: serai_messages::VERSION,
        sealed: false,
        body: vec![7; 1024],
    }
}
