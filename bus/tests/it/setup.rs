//! A bus under test, and records to put on it.

use std::sync::Arc;
use std::time::Duration;

use serai_bus::{Bus, BusError, Database, Delivered, Reader, Settings, connect, exchange};
use serai_messages::{Coin, Endpoint, Incarnation, IntentId, Record, Sequence};

/// How long anything may take before the test says what is missing.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A bus of its own, or a part of one: a topic that no other test uses.
pub struct Setup {
    pub bus: Arc<dyn Bus>,
    pub settings: Settings,
    pub topic: String,
    _folder: tempfile::TempDir,
}

impl Setup {
    pub async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::embedded(folder.path().join("log.sqlite"));
        let bus = connect(&settings, false).unwrap();
        let topic = "alice-btc".to_owned();
        bus.create_topics(std::slice::from_ref(&topic)).await.unwrap();
        Self { bus, settings, topic, _folder: folder }
    }
}

/// The `n`th record, with a body of `bytes` bytes.
pub fn record(n: u64, bytes: usize) -> Record {
    Record {
        id: IntentId::new(format!("test/{n}")).unwrap(),
        kind: "test".to_owned(),
        from: Endpoint::Processor(Coin::Btc),
        to: Endpoint::Coordinator,
        session: String::new(),
        incarnation: Incarnation(1),
        sequence: Sequence(n),
        version: 1,
        sealed: false,
        body: (0..bytes).map(|i| (i as u64).wrapping_mul(n + 1) as u8).collect(),
    }
}

pub async fn next(reader: &mut dyn Reader) -> Result<Delivered, BusError> {
    tokio::time::timeout(DEADLINE, reader.next()).await.expect("no record within the deadline")
}

pub async fn next_record(reader: &mut dyn Reader) -> Record {
    next(reader).await.unwrap().record.unwrap()
}

/// A program's own database with the bookkeeping of the bus.
pub fn database() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let database = Database::open(&path, &[exchange::MIGRATION]).unwrap();
    (folder, database)
}
