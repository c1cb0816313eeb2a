//! The signature process by hand, for simulations: one step at a time, on a clock that whoever drives it
//! holds.
//!
//! # Promises
//! Each step is the running process' own: the same transaction, and after it the same answers. What a step
//! stores for the topics and for peers stays in the database's outboxes until the driver carries it.
//! Dropping a [`Driven`] between two steps is a crash; one that is made on the same database is the
//! restart.
//!
//! # Limits
//! Sets are not compared with a node, and coins are never short. Each step is of one input, where the
//! running process takes several into one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use serai_bus::{Database, DatabaseError, Delivered, Detached, Migration, OffsetReset, SecretKey};
use serai_messages::signing::SigningId;
use serai_messages::{
    BlockHash, BlockNumber, Coin, Incarnation, Name, Sequence, SignatureBytes, ValidatorKey,
    Versions,
};
use serai_sr25519::Signer;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::actor::{Actor, Error, Settings, Surroundings};
use super::answers;
use super::inputs::Item;
use super::intake::Read;
use super::running::Running;
use super::tables;
use crate::processes::core::keys::Keys;
use crate::processes::core::status::Board;
use crate::processes::core::store;
use crate::processes::network::driven::{self as exchange, Parcel};
use crate::processes::{lifecycle, network, observation};

/// The name under which this process reads topics.
pub const READER: &str = super::actor::READER;

/// Whose process it is.
pub struct Setup {
    /// The validator's name.
    pub name: Name,
    /// Its key.
    pub validator: Arc<Signer>,
    /// Sealing keys of its conversations with processors, one for each coin.
    pub conversations: BTreeMap<Coin, SecretKey>,
    /// Length of a key generation's attempt, in Serai blocks.
    pub attempt_blocks: u64,
    /// Hash of Serai's block 0.
    pub genesis: BlockHash,
    /// Message versions that it speaks.
    pub speaks: Versions,
    /// The incarnation of a new state.
    pub first: Incarnation,
    /// The coordinator's state, with the tables of [`migrations`].
    pub database: Database,
}

/// The tables of a coordinator's state.
pub fn migrations() -> Vec<Migration> {
    let others = [observation::tables::MIGRATION, network::tables::MIGRATION, super::MIGRATION];
    store::migrations(&others)
}

/// Makes a state one that was restored from a backup at `at_ms` (since the Unix epoch), of a life later than
/// `last`, whose first look at Serai finds `newest`.
///
/// # Errors
/// The database's.
pub fn restore(
    database: &Database,
    at_ms: i64,
    last: Incarnation,
    newest: BlockNumber,
) -> Result<Incarnation, DatabaseError> {
    database.transaction(|transaction| {
        let begin = || {
            let life = Incarnation(at_ms.unsigned_abs());
            let incarnation = store::begin_anew_as(transaction, at_ms, life, last)?;
            store::set_restored_block(transaction, newest)?;
            Ok(incarnation)
        };
        begin().map_err(|source| database.error(source))
    })
}

/// The signatures of a thing, once they are there.
///
/// # Errors
/// The database's.
pub fn signatures(
    database: &Database,
    id: SigningId,
) -> Result<Option<Vec<SignatureBytes>>, DatabaseError> {
    let ended = database.read(|connection| Ok(tables::ended_signing(connection, id)))??;
    Ok(ended.map(|ended| ended.signatures))
}

/// What came of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Its sender is told that this validator holds all up to here.
    Acknowledged(Sequence),
    /// It waits in memory for something else; the sender is told nothing, and sends it again.
    Waits,
    /// It is of a life that another one has followed.
    Replaced,
}

/// The process between two steps.
pub struct Driven {
    running: Running,
    database: Database,
    genesis: BlockHash,
    speaks: Versions,
    /// Statements of peers that were put aside.
    pub refused: usize,
}

impl Driven {
    /// Starts on what the database holds. Runs on a runtime of tokio, whose clock is the process'.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(setup: Setup) -> Result<Self, Error> {
        let Setup {
            name,
            validator,
            conversations,
            attempt_blocks,
            genesis,
            speaks,
            first,
            database,
        } = setup;
        let incarnation = store::incarnation_or(&database, first)?;
        exchange::begin(&database, incarnation)?;
        let board = Board::default();
        let surroundings = Surroundings {
            bus: Arc::new(Detached),
            database: database.clone(),
            board: board.clone(),
            wakers: BTreeMap::new(),
            observation: observation::driven::mailbox(),
            network: exchange::mailbox(),
            inbound: mpsc::channel(1).1,
            lifecycle: lifecycle::new(Vec::new(), board).1,
        };
        let settings = Settings {
            name,
            coins: conversations.keys().copied().collect(),
            speaks,
            attempt_blocks,
            offset_reset: OffsetReset::Earliest,
            pinned: BTreeMap::new(),
            members: Vec::new(),
        };
        let identity = Zeroizing::new(validator.public());
        let keys = Keys { validator, identity, processors: conversations };
        let actor = Actor { settings, keys, incarnation, surroundings };
        let running = Running::start(actor, genesis).await?;
        Ok(Self { running, database, genesis, speaks, refused: 0 })
    }

    /// This life.
    pub fn incarnation(&self) -> Incarnation {
        self.running.incarnation
    }

    /// Handles a record of a topic.
    ///
    /// # Errors
    /// [`Error`]: the process has ended, and the database is as of the last commit.
    pub async fn read(&mut self, topic: &str, delivered: Delivered) -> Result<(), Error> {
        let read = Read { topic: topic.to_owned(), delivered, refused: None };
        self.running.handle(vec![Item::Read(read)]).await
    }

    /// Handles what a peer has sent.
    ///
    /// # Errors
    /// As of [`Driven::read`], and beside it what the peer was told all the same.
    pub async fn hear(
        &mut self,
        from: ValidatorKey,
        parcel: Parcel,
    ) -> Result<Heard, (Error, Option<Sequence>)> {
        let none = |error: DatabaseError| (Error::from(error), None);
        let rule = (self.genesis, self.speaks);
        let arrived = exchange::arrive(&self.database, rule, from, parcel).map_err(none)?;
        let Some(mut arrived) = arrived else { return Ok(Heard::Replaced) };
        if let Some(inbound) = arrived.inbound.take() {
            let last = inbound.statements.last().map(|(sequence, _)| *sequence);
            if let Err(error) = self.running.handle(vec![Item::Inbound(inbound)]).await {
                return Err((error, arrived.committed.try_recv().ok()));
            }
            match arrived.committed.try_recv() {
                Ok(committed) if Some(committed) >= last => {}
                _ => return Ok(Heard::Waits),
            }
        }
        arrived.through(&self.database).map(Heard::Acknowledged).map_err(none)
    }

    /// Every key generation and signing, as people are told of them.
    ///
    /// # Errors
    /// The database's.
    pub fn sessions(&self) -> Result<Value, DatabaseError> {
        answers::sessions(&self.database)
    }

    /// When the next clock of a signing rings.
    pub fn next_ring(&self) -> Option<Instant> {
        self.running.alarms.first()
    }

    /// Handles the clocks that ring now.
    ///
    /// # Errors
    /// As of [`Driven::read`].
    pub async fn ring(&mut self) -> Result<(), Error> {
        self.running.handle_alarms().await
    }
}
