//! What the benchmarks share: a network in a folder of its own, topics watched from outside, and
//! figures beside their floor.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

pub mod played;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serai_bus::{Bus, Settings as BusSettings, Start};
use serai_devnet::binaries::Binaries;
use serai_devnet::cluster::{Cluster, Layout, Settings};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, KeyPair, Name, Record, Sequence, Topic, VERSION,
    ValidatorSet,
};
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

    /// Waits until a coordinator has read a coin's first set from Serai.
    pub async fn knows_validators(&self, name: &Name, coin: Coin) {
        let begun = Instant::now();
        loop {
            let status = self.cluster.ask(name, &["status"]).await.unwrap_or_default();
            let mut steps = status["start"].as_array().into_iter().flatten();
            if steps.any(|step| {
                step["step"] == "read validators"
                    && step["coin"] == coin.name()
                    && step["state"] == "ok"
            }) {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "{name} does not know the validators of {coin}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Records that appear on every validator's topic of a coin from now on, with when and whose.
    pub async fn watch(&self, coin: Coin) -> mpsc::UnboundedReceiver<(Name, Instant, Record)> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for name in self.names() {
            let path = self.cluster.layout().bus(&name);
            let bus = bus(&path);
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

/// The embedded bus at a path, as one more program has it.
pub fn bus(path: &Path) -> Arc<dyn Bus> {
    serai_bus::connect(&BusSettings::embedded(path.to_owned()), false).unwrap()
}

/// A record in the clear.
pub fn record(id: &str, body: Vec<u8>) -> Record {
    Record {
        id: IntentId::new(id).unwrap(),
        kind: "bench".to_owned(),
        from: Endpoint::Coordinator,
        to: Endpoint::Anyone,
        session: String::new(),
        incarnation: Incarnation(1),
        sequence: Sequence(1),
        version: VERSION,
        sealed: false,
        body,
    }
}
