//! A bus under test, what a test may do to it behind its back, and records to put on it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serai_bus::{
    Bus, BusError, Database, DatabaseError, Delivered, Reader, Settings, connect, exchange,
};
use serai_messages::{Coin, Endpoint, Incarnation, IntentId, Name, Record, Sequence, Topic};
use tokio::sync::RwLock;

/// How long anything may take before the test says what is missing.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Held for reading by tests that need the broker, for writing by the one that stops it.
pub static BROKER: RwLock<()> = RwLock::const_new(());

/// A bus, or a part of one: the topics of a validator of its own.
pub struct Setup {
    pub bus: Arc<dyn Bus>,
    pub settings: Settings,
    pub name: Name,
    /// `{name}-btc`; exists.
    pub topic: String,
    behind: Behind,
}

enum Behind {
    Embedded { path: PathBuf, _folder: tempfile::TempDir },
    Kafka { brokers: String },
}

impl Setup {
    pub async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sqlite");
        let settings = Settings::embedded(&path);
        Self::new(settings, Behind::Embedded { path, _folder: folder }).await
    }

    /// `None`, with a word, where no broker is named.
    pub async fn kafka() -> Option<Self> {
        let Ok(brokers) = std::env::var("SERAI_TEST_KAFKA") else {
            eprintln!("not run against Kafka: SERAI_TEST_KAFKA names no broker");
            return None;
        };
        let (host, port) = brokers.rsplit_once(':').expect("SERAI_TEST_KAFKA is HOST:PORT");
        let settings = Settings::kafka(host, port.parse().unwrap());
        Some(Self::new(settings, Behind::Kafka { brokers }).await)
    }

    async fn new(settings: Settings, behind: Behind) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name: Name = format!("alice-{now}-{count}").parse().unwrap();
        let bus = connect(&settings, false).unwrap();
        let topic = Topic::Chain(Coin::Btc).full_name(&name);
        let letters = Topic::DeadLetter.full_name(&name);
        bus.create_topics(&[topic.clone(), letters]).await.unwrap();
        Self { bus, settings, name, topic, behind }
    }

    /// The bus as another process of the validator has it.
    pub fn apart(&self) -> Arc<dyn Bus> {
        connect(&self.settings, false).unwrap()
    }

    /// Puts on the topic what is no record: one header and a body.
    pub async fn put_garbage(&self, header: &str, value: &str, body: &[u8]) {
        match &self.behind {
            Behind::Embedded { path, .. } => {
                let mut connection = rusqlite::Connection::open(path).unwrap();
                let transaction = connection.transaction().unwrap();
                let sql = format!(
                    "INSERT INTO records (topic, \"offset\", \"{header}\", body)
                     SELECT topic, next, ?2, ?3 FROM topics WHERE name = ?1"
                );
                transaction.execute(&sql, (&self.topic, value, body)).unwrap();
                transaction
                    .execute("UPDATE topics SET next = next + 1 WHERE name = ?1", [&self.topic])
                    .unwrap();
                transaction.commit().unwrap();
            }
            Behind::Kafka { brokers } => {
                let producer: FutureProducer = ClientConfig::new()
                    .set("bootstrap.servers", brokers)
                    .set("message.max.bytes", "4000000")
                    .create()
                    .unwrap();
                let headers =
                    OwnedHeaders::new().insert(Header { key: header, value: Some(value) });
                let message =
                    FutureRecord::<(), [u8]>::to(&self.topic).headers(headers).payload(body);
                producer.send(message, DEADLINE).await.unwrap();
            }
        }
    }

    /// Deletes the topic and makes another one of the same name.
    pub async fn recreate_topic(&self) {
        match &self.behind {
            Behind::Embedded { path, .. } => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.execute("DELETE FROM topics WHERE name = ?1", [&self.topic]).unwrap();
            }
            Behind::Kafka { brokers } => {
                let admin: AdminClient<DefaultClientContext> =
                    ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
                let deleted =
                    admin.delete_topics(&[&self.topic], &AdminOptions::new()).await.unwrap();
                deleted.into_iter().for_each(|result| drop(result.unwrap()));
                until("the topic is gone", || async {
                    matches!(self.bus.info(&self.topic).await, Err(BusError::UnknownTopic { .. }))
                })
                .await;
            }
        }
        self.bus.create_topics(std::slice::from_ref(&self.topic)).await.unwrap();
    }

    /// Runs `meanwhile` with the bus away for a while. `false`, with a word, where it cannot.
    pub async fn take_away(&self, meanwhile: impl Future<Output = ()>) -> bool {
        let seconds = std::env::var("SERAI_TEST_AWAY_SECONDS").ok();
        let away = |default| {
            Duration::from_secs(seconds.as_ref().map_or(default, |text| text.parse().unwrap()))
        };
        match &self.behind {
            Behind::Embedded { path, .. } => {
                // Longer than the log waits for a lock.
                let away = away(3);
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.busy_timeout(DEADLINE).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                tokio::join!(meanwhile, tokio::time::sleep(away));
                connection.execute_batch("ROLLBACK").unwrap();
            }
            Behind::Kafka { brokers } => {
                let Ok(control) = std::env::var("SERAI_TEST_KAFKA_CONTROL") else {
                    eprintln!("not run against Kafka: SERAI_TEST_KAFKA_CONTROL is not set");
                    return false;
                };
                let away = away(30);
                let (script, folder) = control.split_once(' ').expect("SCRIPT DIR");
                run(script, "stop", folder);
                tokio::join!(meanwhile, tokio::time::sleep(away));
                assert_eq!(run(script, "start", folder).trim(), brokers);
            }
        }
        true
    }
}

fn run(script: &str, command: &str, folder: &str) -> String {
    // From the workspace's root, where a relative path of the script is meant.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(script).args([command, folder]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{script} {command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until `condition` holds.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "not within the deadline: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
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

/// Changes a program's database in one transaction.
pub fn change<T>(
    database: &Database,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
) -> T {
    database
        .transaction(|transaction| work(transaction).map_err(|e| database.error(e)))
        .map_err(|error: DatabaseError| error.to_string())
        .unwrap()
}
