//! One validator: its coordinator, its processor, and the topics between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serai_bus::exchange::{self, Consumer};
use serai_bus::{Database, DatabaseError, Delivered, SecretKey};
use serai_coordinator::processes::signature::driven::{self as coordinator, Driven as Coordinator};
use serai_messages::observation::Event;
use serai_messages::{
    BlockHash, Coin, Endpoint, Incarnation, Name, Record, Sequence, Topic, ValidatorKey, Versions,
    decode,
};
use serai_processor::crypto::Engines;
use serai_processor::driven::{self as processor, Driven as Processor};
use serai_processor::keystore::Cipher;
use serai_sr25519::Signer;
use zeroize::Zeroizing;

/// All speak the newest message version.
const SPEAKS: Versions = Versions::only(Versions::SPOKEN.newest);

/// The coin of the simulated vaults.
pub const COIN: Coin = Coin::Btc;

/// Length of a key generation's attempt, in blocks.
const ATTEMPT_BLOCKS: u64 = 12;

/// Why a run cannot go on, or must not.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Something that must never be.
    #[error("{0}")]
    Violation(String),
    /// A database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A coordinator.
    #[error("coordinator {0} cannot start: {1}")]
    Coordinator(Name, String),
    /// A processor.
    #[error("processor of {0} cannot start: {1}")]
    Processor(Name, String),
    /// The machine.
    #[error("{0}")]
    System(String),
}

/// Who reads which topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// The coordinator, `{name}-serai`.
    Serai,
    /// The coordinator, `{name}-{coin}`.
    Coin,
    /// The processor, `{name}-{coin}`.
    Processor,
}

impl Reading {
    /// All.
    pub const ALL: [Reading; 3] = [Reading::Serai, Reading::Coin, Reading::Processor];

    /// Whether it is the coordinator's.
    pub fn is_coordinators(self) -> bool {
        self != Reading::Processor
    }
}

/// Whose outbox goes to which topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Publishing {
    /// The coordinator's, to `{name}-serai`.
    Serai,
    /// The coordinator's, to `{name}-{coin}`.
    Coin,
    /// The processor's, to `{name}-{coin}`.
    Processor,
}

impl Publishing {
    /// All.
    pub const ALL: [Publishing; 3] = [Publishing::Serai, Publishing::Coin, Publishing::Processor];
}

/// A record that was handled: reader, sender, life, sequence.
type Handled = (Reading, Endpoint, Incarnation, Sequence);

/// See the module.
pub struct Node {
    /// Its name.
    pub name: Name,
    /// Its validator key.
    pub key: ValidatorKey,
    /// For its signatures.
    pub signer: Arc<Signer>,
    /// The coordinator's state.
    pub database: Database,
    /// The processor's.
    pub processor_database: Database,
    /// Running or not.
    pub coordinator: Option<Coordinator>,
    /// Running or not.
    pub processor: Option<Processor>,
    /// Counts the coordinator's starts: what was under way to an earlier one is lost.
    pub life: u64,
    /// Counts its dead letters.
    pub dead_letters: usize,
    serai: Vec<Record>,
    coin: Vec<Record>,
    next: BTreeMap<Reading, usize>,
    handled: BTreeSet<Handled>,
    sealing: [[u8; 32]; 2],
    keystore: [u8; 32],
    backups: PathBuf,
    genesis: BlockHash,
    engines: Engines,
}

/// What a node is made of.
pub struct Birth {
    /// Its place among the validators.
    pub index: usize,
    /// Secrets.
    pub secrets: [[u8; 32]; 4],
    /// An empty state of each.
    pub states: [Database; 2],
    /// For the processor's files.
    pub folder: PathBuf,
    /// Hash of Serai's block 0.
    pub genesis: BlockHash,
    /// The cryptography.
    pub engines: Engines,
}

/// Its validator key's signer.
///
/// # Errors
/// When the seed is none.
pub fn signer(secret: &[u8; 32]) -> Result<Arc<Signer>, Broken> {
    Signer::from_seed(secret).map(Arc::new).map_err(|error| Broken::System(error.to_string()))
}

impl Node {
    /// Not running yet.
    ///
    /// # Errors
    /// [`Broken::System`].
    pub fn new(birth: Birth) -> Result<Self, Broken> {
        let Birth { index, secrets, states, folder, genesis, engines } = birth;
        let [validator, own, processor, keystore] = secrets;
        let [database, processor_database] = states;
        let name = format!("v{}", index + 1)
            .parse()
            .map_err(|error| Broken::System(format!("name: {error}")))?;
        let signer = signer(&validator)?;
        Ok(Self {
            name,
            key: ValidatorKey(signer.public()),
            signer,
            database,
            processor_database,
            coordinator: None,
            processor: None,
            life: 0,
            dead_letters: 0,
            serai: Vec::new(),
            coin: Vec::new(),
            next: BTreeMap::new(),
            handled: BTreeSet::new(),
            sealing: [own, processor],
            keystore,
            backups: folder,
            genesis,
            engines,
        })
    }

    fn topic(&self, topic: Topic) -> String {
        topic.full_name(&self.name)
    }

    /// `{name}-serai`.
    pub fn serai_topic(&self) -> String {
        self.topic(Topic::Serai)
    }

    fn coin_topic(&self) -> String {
        self.topic(Topic::Chain(COIN))
    }

    /// Starts the coordinator on its state.
    ///
    /// # Errors
    /// [`Broken::Coordinator`].
    pub async fn start_coordinator(&mut self) -> Result<(), Broken> {
        let own = SecretKey::from_bytes(&self.sealing[0]);
        let setup = coordinator::Setup {
            name: self.name.clone(),
            validator: Arc::clone(&self.signer),
            conversations: BTreeMap::from([(COIN, own)]),
            attempt_blocks: ATTEMPT_BLOCKS,
            genesis: self.genesis,
            speaks: SPEAKS,
            first: Incarnation(1),
            database: self.database.clone(),
        };
        let started = Coordinator::start(setup).await;
        self.coordinator = Some(
            started.map_err(|error| Broken::Coordinator(self.name.clone(), error.to_string()))?,
        );
        self.life += 1;
        for (reading, topic) in
            [(Reading::Serai, self.serai_topic()), (Reading::Coin, self.coin_topic())]
        {
            self.resume(reading, coordinator::READER, &topic)?;
        }
        Ok(())
    }

    /// Starts the processor on its state.
    ///
    /// # Errors
    /// [`Broken::Processor`].
    pub fn start_processor(&mut self) -> Result<(), Broken> {
        let [own, secret] = self.sealing.map(|bytes| SecretKey::from_bytes(&bytes));
        let setup = processor::Setup {
            name: self.name.clone(),
            coin: COIN,
            database: self.processor_database.clone(),
            backups: self.backups.clone(),
            secret,
            cipher: Cipher::new(Zeroizing::new(self.keystore)),
            coordinator: own.public(),
            speaks: SPEAKS,
            engines: self.engines,
            next: self.coin.len() as u64,
        };
        let started = Processor::start(setup);
        self.processor =
            Some(started.map_err(|error| Broken::Processor(self.name.clone(), error.to_string()))?);
        let topic = self.coin_topic();
        self.resume(Reading::Processor, processor::READER, &topic)
    }

    /// After a start reading goes on behind what was committed.
    fn resume(&mut self, reading: Reading, reader: &str, topic: &str) -> Result<(), Broken> {
        let database = match reading {
            Reading::Processor => &self.processor_database,
            _ => &self.database,
        };
        let position = database.read(|c| exchange::position(c, Consumer { reader, topic }))?;
        let next = position.map_or(0, |position| position.offset as usize + 1);
        self.next.insert(reading, next);
        Ok(())
    }

    /// The coordinator's state is another one's copy from now on; it does not run.
    pub fn replace(&mut self, database: Database) {
        self.coordinator = None;
        self.database = database;
        self.handled.retain(|(reading, ..)| !reading.is_coordinators());
    }

    /// Whether it has something to read.
    pub fn is_behind(&self, reading: Reading) -> bool {
        let log = if reading == Reading::Serai { &self.serai } else { &self.coin };
        let running = match reading {
            Reading::Processor => self.processor.is_some(),
            _ => self.coordinator.is_some(),
        };
        running && self.next.get(&reading).is_some_and(|next| *next < log.len())
    }

    /// Whether records wait for the topic.
    ///
    /// # Errors
    /// The database's.
    pub fn has_outgoing(&self, publishing: Publishing) -> Result<bool, DatabaseError> {
        let (database, topic, running) = self.outbox(publishing);
        Ok(running && database.read(|c| exchange::waiting(c, &topic))? > 0)
    }

    fn outbox(&self, publishing: Publishing) -> (&Database, String, bool) {
        let (own, other) = (self.coordinator.is_some(), self.processor.is_some());
        match publishing {
            Publishing::Serai => (&self.database, self.serai_topic(), own),
            Publishing::Coin => (&self.database, self.coin_topic(), own),
            Publishing::Processor => (&self.processor_database, self.coin_topic(), other),
        }
    }

    /// Appends at most `count` records to the topic, and forgets them if `confirmed`. Returns what of
    /// them observation submits to Serai.
    ///
    /// # Errors
    /// The database's.
    pub fn publish(
        &mut self,
        publishing: Publishing,
        count: u32,
        confirmed: bool,
    ) -> Result<Vec<Event>, DatabaseError> {
        let (database, topic, _) = self.outbox(publishing);
        let (database, topic) = (database.clone(), topic);
        let pending = database.read(|c| exchange::pending(c, &topic, count))?;
        let Some(last) = pending.last().map(|outgoing| outgoing.row) else {
            return Ok(Vec::new());
        };
        let mut submitted = Vec::new();
        for outgoing in pending {
            if publishing == Publishing::Serai {
                submitted.extend(decode::<Event>(&outgoing.record.body).ok());
                self.serai.push(outgoing.record);
            } else {
                self.coin.push(outgoing.record);
            }
        }
        if confirmed {
            database.lazy_transaction(|transaction| {
                exchange::confirm(transaction, &topic, last)
                    .map_err(|source| database.error(source))
            })?;
        }
        Ok(submitted)
    }

    /// Counts and drops what nobody reads here.
    ///
    /// # Errors
    /// The database's.
    pub fn drain(&mut self) -> Result<(), DatabaseError> {
        let letters = self.topic(Topic::DeadLetter);
        let public = self.topic(Topic::Public);
        for database in [&self.database, &self.processor_database] {
            let letters_here = database.read(|c| exchange::waiting(c, &letters))?;
            self.dead_letters += usize::try_from(letters_here).unwrap_or(usize::MAX);
            database.lazy_transaction(|transaction| {
                exchange::confirm(transaction, &letters, i64::MAX)
                    .and_then(|()| exchange::confirm(transaction, &public, i64::MAX))
                    .map_err(|source| database.error(source))
            })?;
        }
        Ok(())
    }

    /// Handles the next record of a topic. The inner error is how the program ended.
    ///
    /// # Errors
    /// [`Broken::Violation`] where a record that came again had an effect again.
    pub async fn read(&mut self, reading: Reading) -> Result<Result<(), String>, Broken> {
        let (log, topic) = match reading {
            Reading::Serai => (&self.serai, self.serai_topic()),
            _ => (&self.coin, self.coin_topic()),
        };
        let next = self.next.get(&reading).copied().unwrap_or_default();
        let Some(record) = log.get(next).cloned() else { return Ok(Ok(())) };
        let handled = (reading, record.from, record.incarnation, record.sequence);
        // An announced key is no effect, and looked at each time.
        let again = record.kind != "control.key" && self.handled.contains(&handled);
        let before = if again { self.effects(reading)? } else { 0 };
        let kind = record.kind.clone();
        let delivered = Delivered { offset: next as u64, record: Ok(record) };
        let done = match (reading, &mut self.coordinator, &mut self.processor) {
            (Reading::Processor, _, Some(processor)) => {
                processor.read(&delivered).map_err(|error| error.to_string())
            }
            (Reading::Serai | Reading::Coin, Some(coordinator), _) => {
                let read = coordinator.read(&topic, delivered).await;
                read.map_err(|error| error.to_string())
            }
            _ => return Ok(Ok(())),
        };
        if done.is_err() {
            return Ok(done);
        }
        self.next.insert(reading, next + 1);
        if again && self.effects(reading)? != before {
            return Err(Broken::Violation(format!(
                "{}: a {kind} on {topic} that was handled before had an effect again",
                self.name
            )));
        }
        self.handled.insert(handled);
        Ok(done)
    }

    /// Grows with every input that is kept and every record that is stored.
    fn effects(&self, reading: Reading) -> Result<i64, DatabaseError> {
        let count = |connection: &rusqlite::Connection, sql| {
            connection.query_row(sql, (), |row| row.get::<_, i64>(0))
        };
        const STORED: &str =
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'";
        match reading {
            Reading::Processor => self.processor_database.read(|c| count(c, STORED)),
            _ => self
                .database
                .read(|c| Ok(count(c, STORED)? + count(c, "SELECT count(*) FROM inputs")?)),
        }
    }
}

/// The next commit fails, as if the program had ended just before it.
///
/// # Errors
/// The database's.
pub fn fail_next_commit(database: &Database, fails: bool) -> Result<(), DatabaseError> {
    database.read(|connection| {
        connection.commit_hook(fails.then_some(|| true));
        Ok(())
    })
}
