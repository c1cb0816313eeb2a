//! A processor by hand, for simulations: one step at a time.
//!
//! # Promises
//! Each step is the running processor's own: the same transaction. What it stores for its topics stays in
//! the database's outbox until the driver carries it. Dropping a [`Driven`] between two steps is a crash;
//! one that is made on the same database is the restart.
//!
//! # Limits
//! No external chain is seen: what is due comes from the driver, beside what the ledger makes of Serai's
//! events. No heartbeats. Each step is of one record, where the running processor takes several into one
//! transaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serai_bus::exchange::Consumer;
use serai_bus::{Database, Delivered, Detached, Migration, SecretKey};
use serai_messages::{Coin, Name, ProcessorKey, Topic, Versions};

use crate::actor::Actor;
use crate::crypto::Engines;
use crate::external::External;
use crate::keystore::Cipher;
use crate::settings::{Error, Settings};
use crate::signing::Due;
use crate::{chain, state, watcher};

/// The name under which a processor reads its topic.
pub const READER: &str = crate::actor::READER;

/// The tables of a processor's database.
pub const MIGRATIONS: &[Migration] = &state::MIGRATIONS;

/// Whose processor it is.
pub struct Setup {
    /// The validator's name.
    pub name: Name,
    /// Its coin.
    pub coin: Coin,
    /// Its database, with the tables of [`MIGRATIONS`].
    pub database: Database,
    /// Where vaults' backups go.
    pub backups: PathBuf,
    /// The sealing key.
    pub secret: SecretKey,
    /// The keystore key.
    pub cipher: Cipher,
    /// The coordinator's key.
    pub coordinator: ProcessorKey,
    /// Message versions that it speaks.
    pub speaks: Versions,
    /// Its cryptography.
    pub engines: Engines,
    /// The next offset of its topic.
    pub next: u64,
}

/// The processor between two steps.
#[derive(Debug)]
pub struct Driven {
    actor: Actor,
    topic: String,
}

impl Driven {
    /// Starts on what the database holds.
    ///
    /// # Errors
    /// [`Error`].
    pub fn start(setup: Setup) -> Result<Self, Error> {
        let Setup {
            name,
            coin,
            database,
            backups,
            secret,
            cipher,
            coordinator,
            speaks,
            engines,
            next,
        } = setup;
        let topic = Topic::Chain(coin).full_name(&name);
        let incarnation = state::claim(&database, Path::new("memory"), &name, coin, &cipher)?;
        let watch = watcher::Settings::default();
        let settings = Settings {
            name,
            external: External { network: chain::network(coin), chain: None, watch },
            folder: PathBuf::new(),
            backups,
            secret,
            cipher,
            coordinator: Some(coordinator),
            accept: None,
            speaks,
            heartbeat: Duration::MAX,
        };
        let mut actor = Actor::over(settings, Arc::new(Detached), database, incarnation)?;
        actor.set_engines(engines);
        actor.begin(next)?;
        Ok(Self { actor, topic })
    }

    /// Handles a record of its topic.
    ///
    /// # Errors
    /// [`Error`]: the processor has ended, and the database is as of the last commit.
    pub fn read(&mut self, delivered: &Delivered) -> Result<(), Error> {
        let consumer = Consumer { reader: READER, topic: &self.topic };
        self.actor.handle_delivered(consumer, std::slice::from_ref(delivered))
    }

    /// Something is due to be signed.
    ///
    /// # Errors
    /// As of [`Driven::read`].
    pub fn due(&mut self, due: Due) -> Result<(), Error> {
        self.actor.handle_due(due)
    }
}
