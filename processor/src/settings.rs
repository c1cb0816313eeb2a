//! What a processor is started with, and why it stops.

use std::path::PathBuf;
use std::time::Duration;

use serai_bus::{BusError, DatabaseError, PublishError, SecretKey, SubscribeError};
use serai_messages::{Name, ProcessorKey, Versions};

use crate::external::External;
use crate::handlers;
use crate::keystore::Cipher;
use crate::ledger;
use crate::outbox::OutboxError;
use crate::state::StateError;

/// What a processor is started with.
#[derive(Debug)]
pub struct Settings {
    /// The validator's name.
    pub name: Name,
    /// The coin and its chain.
    pub external: External,
    /// The data folder, locked by the caller.
    pub folder: PathBuf,
    /// Where vaults' backups go.
    pub backups: PathBuf,
    /// Message versions that this program speaks.
    pub speaks: Versions,
    /// The sealing key.
    pub secret: SecretKey,
    /// The keystore key.
    pub cipher: Cipher,
    /// The coordinator's key; where none is given, the first one seen on the topic is kept.
    pub coordinator: Option<ProcessorKey>,
    /// A key to be taken in place of the one kept.
    pub accept: Option<ProcessorKey>,
    /// Time between two heartbeats.
    pub heartbeat: Duration,
}

/// Why a processor stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A query.
    #[error("processor's database: {0}")]
    Query(#[from] rusqlite::Error),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The topic cannot be read.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The publisher.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A record could not be made.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The storage of what handles the messages.
    #[error(transparent)]
    Handler(#[from] handlers::Error),
    /// The stored ledger.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A record that this program must not go past.
    #[error("{0}")]
    Stopped(String),
}
