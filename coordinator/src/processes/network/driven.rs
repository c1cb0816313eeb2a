//! The exchange with peers by hand, for simulations: what this process does around its connections, for
//! whoever carries batches and acknowledgements himself.
//!
//! # Promises
//! What is judged, stored and forgotten is judged, stored and forgotten by the functions that the
//! running process calls, in the same order.
//!
//! # Limits
//! Who is at the other end is believed: no proof of identity is asked for, and none says which message
//! versions a peer speaks.

use std::sync::Arc;

use serai_bus::{Database, DatabaseError};
use serai_messages::{BlockHash, Incarnation, Sequence, ValidatorKey, Versions};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::inbound::{Inbound, Rule, judge};
use super::mailbox::{Command, Mailbox, QUEUE, Reach};
use super::tables::{self, RefusedStatement};
use super::wire::{Batch, MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS};

/// Statements on their way to a peer, in order and without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The sender's life.
    pub incarnation: Incarnation,
    /// Sequence of the first statement.
    pub first: Sequence,
    /// Encoded signed statements; at least one.
    pub bodies: Vec<Vec<u8>>,
}

/// The oldest statements that wait for `to`; none where none waits.
///
/// # Errors
/// The database's.
pub fn outgoing(
    database: &Database,
    incarnation: Incarnation,
    to: ValidatorKey,
) -> Result<Option<Parcel>, DatabaseError> {
    let pending = database.read(|connection| {
        tables::pending(connection, to, MAX_BATCH_STATEMENTS, MAX_BATCH_BYTES)
    })?;
    Ok(pending.map(|pending| Parcel { incarnation, first: pending.first, bodies: pending.bodies }))
}

/// Peers for which something waits.
///
/// # Errors
/// The database's.
pub fn waiting(database: &Database) -> Result<Vec<ValidatorKey>, DatabaseError> {
    database.read(tables::waiting)
}

/// The peer has acknowledged what it was sent up to `through`.
///
/// # Errors
/// The database's.
pub fn acknowledged(
    database: &Database,
    to: ValidatorKey,
    through: Sequence,
) -> Result<(), DatabaseError> {
    database.lazy_transaction(|transaction| {
        tables::confirm(transaction, to, through).map_err(|source| database.error(source))
    })
}

/// What a new life of this validator does first: nothing of a former one is sent.
///
/// # Errors
/// The database's.
pub fn begin(database: &Database, incarnation: Incarnation) -> Result<(), DatabaseError> {
    tables::begin(database, incarnation).map(drop)
}

/// How far the statements of `from` are accepted; of its newest life.
///
/// # Errors
/// The database's.
pub fn accepted(
    database: &Database,
    from: ValidatorKey,
) -> Result<Option<(Incarnation, Sequence)>, DatabaseError> {
    let cursor = database.read(|connection| tables::cursor(connection, from))?;
    Ok(cursor.map(|cursor| (cursor.incarnation, cursor.sequence)))
}

/// A parcel that has arrived, judged.
#[derive(Debug)]
pub struct Arrived {
    /// For the signature process; none where nothing in the parcel is new.
    pub inbound: Option<Inbound>,
    /// Its answer, once it has committed.
    pub committed: oneshot::Receiver<Sequence>,
    from: ValidatorKey,
    incarnation: Incarnation,
    through: Sequence,
    refused: Vec<RefusedStatement>,
}

/// Judges a parcel of `from` on the chain of `genesis`, by a program that reads `reads`; none where it is of
/// a life that another one has followed.
///
/// # Errors
/// The database's.
pub fn arrive(
    database: &Database,
    (genesis, reads): (BlockHash, Versions),
    from: ValidatorKey,
    parcel: Parcel,
) -> Result<Option<Arrived>, DatabaseError> {
    let Parcel { incarnation, first, bodies } = parcel;
    let cursor = database.read(|connection| tables::cursor(connection, from))?;
    if cursor.as_ref().is_some_and(|cursor| cursor.incarnation > incarnation) {
        return Ok(None);
    }
    let batch = Batch { incarnation, first, bodies };
    let through = batch.last();
    let judged = judge(batch, from, cursor.as_ref(), Rule { genesis, reads });
    let (accepted, committed) = oneshot::channel();
    let inbound = (!judged.fresh.is_empty()).then_some(Inbound {
        from,
        incarnation,
        statements: judged.fresh,
        accepted,
    });
    let refused = judged.refused;
    Ok(Some(Arrived { inbound, committed, from, incarnation, through, refused }))
}

impl Arrived {
    /// What was new in it is committed, if anything was: puts aside what was refused, and returns what
    /// the sender is told.
    ///
    /// # Errors
    /// The database's.
    pub fn through(self, database: &Database) -> Result<Sequence, DatabaseError> {
        if !self.refused.is_empty() {
            database.transaction(|transaction| {
                let Self { from, incarnation, through, refused, .. } = &self;
                tables::put_aside(transaction, refused, *from, *incarnation, *through)
                    .map_err(|source| database.error(source))
            })?;
        }
        Ok(self.through)
    }
}

/// A mailbox at whose other end everybody may be connected with, and nobody is. Runs on the caller's
/// runtime, until all its handles are gone.
pub fn mailbox() -> Mailbox {
    let (commands, mut taken) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        while let Some(command) = taken.recv().await {
            match command {
                // Who asks has gone where these fail.
                Command::Connect(_, answer) => drop(answer.send(Ok(()))),
                Command::Disconnect(_, done) | Command::Announce(_, done) => drop(done.send(())),
                Command::Status(answer) => drop(answer),
            }
        }
    });
    Mailbox { commands, wake: Arc::new(Notify::new()), reach: watch::channel(Reach::default()).1 }
}
