//! The ledger in the processor's database: its snapshot, events that wait, plans, reports that are
//! due.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::Migration;
use serai_messages::signing::{SigningId, Thing};
use serai_messages::vault::{CoordinatorMessage, Holdings, ProcessorMessage};
use serai_messages::{DecodeError, InvalidId, SignatureBytes, decode, encode};

use super::scale::blake2_256;
use super::{Effect, HoldingsAt, Input, Ledger};
use crate::chain::{Block, Network, Plan};
use crate::signing::Due;

/// The tables. Plans are never deleted.
pub const MIGRATION: Migration = Migration {
    component: "ledger",
    steps: &[
        "CREATE TABLE ledger (snapshot BLOB NOT NULL) STRICT;
        CREATE TABLE ledger_events (number INTEGER PRIMARY KEY, event BLOB NOT NULL) STRICT;
        CREATE TABLE due (id TEXT PRIMARY KEY, due BLOB NOT NULL) STRICT;
        CREATE TABLE plans (
            id TEXT PRIMARY KEY, hash BLOB NOT NULL, plan BLOB NOT NULL, raw BLOB,
            state TEXT NOT NULL) STRICT;
        CREATE INDEX plans_by_state ON plans (state);
        CREATE TABLE holdings (batch INTEGER PRIMARY KEY, due BLOB NOT NULL) STRICT;
        CREATE TABLE external_chain (genesis BLOB NOT NULL) STRICT;",
        "CREATE TABLE seen_events (intent TEXT PRIMARY KEY, digest BLOB NOT NULL)
            STRICT, WITHOUT ROWID;",
    ],
};

/// What stops the processor: its own storage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A query in the processor's database.
    #[error("processor's database: {0}")]
    Query(#[from] rusqlite::Error),
    /// A stored value is none.
    #[error("ledger in the processor's database: {0}")]
    Damaged(#[from] DecodeError),
    /// A stored id is none.
    #[error("ledger in the processor's database: {0}")]
    Id(#[from] InvalidId),
}

/// What an input has led to, outside of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// To be signed.
    pub due: Vec<Due>,
    /// To be said to the coordinator.
    pub told: Vec<ProcessorMessage>,
    /// To be forgotten by who signs.
    pub done: Vec<SigningId>,
}

/// A signed transaction that is in no finalized block yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// What it pays or forwards.
    pub id: SigningId,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its bytes.
    pub raw: Vec<u8>,
    /// Whether the chain is known to have had it.
    pub published: bool,
}

/// A plan, for people and checks from outside.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlanReport {
    /// What it pays or forwards.
    pub id: String,
    /// The transaction's hash, hex.
    pub transaction: String,
    /// `planned`, `signed`, `published`, `final` (in a finalized block), `completed` (in a block that
    /// Serai acknowledges).
    pub state: String,
}

/// A ledger and its database.
pub struct Book {
    network: &'static dyn Network,
    ledger: Ledger,
    /// Whether the ledger is ahead of its snapshot.
    changed: bool,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Book").field(&self.ledger).finish()
    }
}

impl Book {
    /// As stored; a new one where nothing is.
    ///
    /// # Errors
    /// [`Error`]
    pub fn open(network: &'static dyn Network, connection: &Connection) -> Result<Self, Error> {
        let snapshot: Option<Vec<u8>> =
            connection.query_row("SELECT snapshot FROM ledger", (), |row| row.get(0)).optional()?;
        let ledger = match snapshot {
            Some(snapshot) => Ledger::restore(network, &snapshot)?,
            None => Ledger::new(network),
        };
        Ok(Self { network, ledger, changed: false })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes the next of Serai's events, now or once the external chain is as far. An event counts
    /// once, whoever relays it again: a coordinator that was restored relays all of them from block 0.
    /// [`Book::store`] ends the transaction.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn event(
        &mut self,
        transaction: &Transaction<'_>,
        event: &CoordinatorMessage,
    ) -> Result<Taken, Error> {
        let (intent, bytes) = (event.intent(), encode(event));
        let digest = blake2_256(&bytes);
        let seen: Option<[u8; 32]> = transaction
            .query_row("SELECT digest FROM seen_events WHERE intent = ?1", [&intent], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(seen) = seen {
            if seen != digest {
                tracing::error!(intent, "relayed again with another content, which is not taken");
            }
            return Ok(Taken::default());
        }
        transaction.execute(
            "INSERT INTO seen_events (intent, digest) VALUES (?1, ?2)",
            (&intent, digest),
        )?;
        transaction.execute("INSERT INTO ledger_events (event) VALUES (?1)", [bytes])?;
        let mut effects = Vec::new();
        self.drain(transaction, &mut effects)?;
        self.save(transaction, effects)
    }

    /// Takes finalized blocks, in order, as long as they are those that the ledger wants. [`Book::store`]
    /// ends the transaction.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn blocks(
        &mut self,
        transaction: &Transaction<'_>,
        blocks: impl IntoIterator<Item = Block>,
    ) -> Result<Taken, Error> {
        let mut effects = Vec::new();
        for block in blocks {
            if self.ledger.wants() != Some(block.height) {
                break;
            }
            effects.extend(self.ledger.handle(Input::Block(block)));
            self.drain(transaction, &mut effects)?;
        }
        self.save(transaction, effects)
    }

    /// Hands over events that have waited.
    fn drain(
        &mut self,
        transaction: &Transaction<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        loop {
            let next: Option<(i64, Vec<u8>)> = transaction
                .query_row(
                    "SELECT number, event FROM ledger_events ORDER BY number LIMIT 1",
                    (),
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((number, event)) = next else { return Ok(()) };
            let event: CoordinatorMessage = decode(&event)?;
            if !self.ledger.takes(&event) {
                return Ok(());
            }
            effects.extend(self.ledger.handle(Input::Event(event)));
            transaction.execute("DELETE FROM ledger_events WHERE number = ?1", [number])?;
        }
    }

    fn save(
        &mut self,
        transaction: &Transaction<'_>,
        effects: Vec<Effect>,
    ) -> Result<Taken, Error> {
        self.changed = true;
        let mut taken = Taken::default();
        for effect in effects {
            match effect {
                Effect::Due { id, reference, content, messages } => {
                    // Not what events that had waited have made pointless already.
                    if self.ledger.is_due(id) {
                        transaction.execute(
                            "INSERT OR REPLACE INTO due (id, due) VALUES (?1, ?2)",
                            (id.to_string(), encode(&(id, reference, &content, &messages))),
                        )?;
                        taken.due.push(Due { id, reference, content, messages });
                    }
                }
                Effect::Planned { id, plan } => {
                    transaction.execute(
                        "INSERT OR IGNORE INTO plans (id, hash, plan, state)
                         VALUES (?1, ?2, ?3, 'planned')",
                        (id.to_string(), plan.hash, encode(&plan)),
                    )?;
                }
                Effect::Tell(message) => taken.told.push(message),
                Effect::Done(id) => {
                    if !matches!(id.thing, Thing::Batch(_) | Thing::Slashes) {
                        transaction.execute(
                            "UPDATE plans SET state = 'completed' WHERE id = ?1",
                            [id.to_string()],
                        )?;
                    }
                    transaction.execute("DELETE FROM due WHERE id = ?1", [id.to_string()])?;
                    taken.done.push(id);
                }
                Effect::HoldingsAt(due) => {
                    transaction.execute(
                        "INSERT OR REPLACE INTO holdings (batch, due) VALUES (?1, ?2)",
                        (due.batch, encode(&due)),
                    )?;
                }
            }
        }
        Ok(taken)
    }

    /// Stores the ledger as it is after all that was taken: once, at the end of a transaction, for it is as
    /// large as what is open.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn store(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let snapshot = self.ledger.snapshot();
        if transaction.execute("UPDATE ledger SET snapshot = ?1", [&snapshot])? == 0 {
            transaction.execute("INSERT INTO ledger (snapshot) VALUES (?1)", [&snapshot])?;
        }
        Ok(())
    }

    /// All that is to be signed now: said again where a vault's share comes later than its events.
    ///
    /// # Errors
    /// [`Error`]
    pub fn due(&self, connection: &Connection) -> Result<Vec<Due>, Error> {
        let mut statement = connection.prepare("SELECT due FROM due ORDER BY rowid")?;
        let rows = statement.query_map((), |row| row.get::<_, Vec<u8>>(0))?;
        let mut all = Vec::new();
        for row in rows {
            let (id, reference, content, messages) = decode(&row?)?;
            if self.ledger.is_due(id) {
                all.push(Due { id, reference, content, messages });
            }
        }
        Ok(all)
    }

    /// A thing's signatures are known: its transaction is to be published. Returns why it cannot be
    /// made, if so.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn signed(
        &mut self,
        transaction: &Transaction<'_>,
        id: SigningId,
        signatures: &[SignatureBytes],
    ) -> Result<Option<String>, Error> {
        let plan: Option<Vec<u8>> = transaction
            .query_row("SELECT plan FROM plans WHERE id = ?1", [id.to_string()], |row| row.get(0))
            .optional()?;
        let Some(plan) = plan else { return Ok(None) };
        let plan: Plan = decode(&plan)?;
        match self.network.assemble(&plan.unsigned, signatures) {
            Ok(raw) => {
                transaction.execute(
                    "UPDATE plans SET raw = ?2,
                         state = CASE state WHEN 'planned' THEN 'signed' ELSE state END
                     WHERE id = ?1",
                    (id.to_string(), raw),
                )?;
                Ok(None)
            }
            Err(error) => Ok(Some(format!("{id}: {error}"))),
        }
    }

    /// The chain has a transaction. Returns what the coordinator is told, the first time.
    ///
    /// # Errors
    /// SQLite's.
    pub fn published(
        &self,
        transaction: &Transaction<'_>,
        id: SigningId,
        hash: [u8; 32],
    ) -> Result<Option<ProcessorMessage>, Error> {
        let changed = transaction.execute(
            "UPDATE plans SET state = 'published' WHERE id = ?1 AND state = 'signed'",
            [id.to_string()],
        )?;
        Ok((changed == 1).then_some(ProcessorMessage::Published { id, transaction: hash }))
    }

    /// A transaction is in a finalized block: nobody has to publish it again.
    ///
    /// # Errors
    /// SQLite's.
    pub fn finalized(&self, transaction: &Transaction<'_>, id: SigningId) -> Result<(), Error> {
        transaction.execute(
            "UPDATE plans SET state = 'final' WHERE id = ?1 AND state IN ('signed', 'published')",
            [id.to_string()],
        )?;
        Ok(())
    }

    /// What the chain says of the vaults' holdings. Returns what the coordinator is told, once.
    ///
    /// # Errors
    /// [`Error`]
    pub fn held(
        &self,
        transaction: &Transaction<'_>,
        batch: u32,
        holdings: u64,
    ) -> Result<Option<Holdings>, Error> {
        let due: Option<Vec<u8>> = transaction
            .query_row("SELECT due FROM holdings WHERE batch = ?1", [batch], |row| row.get(0))
            .optional()?;
        let Some(due) = due else { return Ok(None) };
        transaction.execute("DELETE FROM holdings WHERE batch = ?1", [batch])?;
        let due: HoldingsAt = decode(&due)?;
        Ok(Some(due.with(self.network.coin(), holdings)))
    }

    /// Signed transactions that are in no finalized block yet, oldest first.
    ///
    /// # Errors
    /// [`Error`]
    pub fn publications(connection: &Connection) -> Result<Vec<Publication>, Error> {
        let mut statement = connection.prepare(
            "SELECT id, hash, raw, state = 'published' FROM plans
             WHERE state IN ('signed', 'published') AND raw IS NOT NULL ORDER BY rowid",
        )?;
        let rows = statement.query_map((), |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.map(|row| {
            let (id, hash, raw, published) = row?;
            Ok(Publication { id: id.parse()?, hash, raw, published })
        })
        .collect()
    }

    /// What the chain is to be asked for, oldest first.
    ///
    /// # Errors
    /// [`Error`]
    pub fn holdings_due(connection: &Connection) -> Result<Vec<HoldingsAt>, Error> {
        let mut statement = connection.prepare("SELECT due FROM holdings ORDER BY batch")?;
        let rows = statement.query_map((), |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| Ok(decode(&row?)?)).collect()
    }
}

/// Hash of the chain's block 0, once it was seen.
///
/// # Errors
/// SQLite's.
pub fn genesis(connection: &Connection) -> rusqlite::Result<Option<[u8; 32]>> {
    connection.query_row("SELECT genesis FROM external_chain", (), |row| row.get(0)).optional()
}

/// Remembers the chain.
///
/// # Errors
/// SQLite's.
pub fn set_genesis(transaction: &Transaction<'_>, genesis: [u8; 32]) -> rusqlite::Result<()> {
    transaction.execute("INSERT INTO external_chain (genesis) VALUES (?1)", [genesis])?;
    Ok(())
}

/// All plans that were ever made.
///
/// # Errors
/// SQLite's.
pub fn plans(connection: &Connection) -> rusqlite::Result<Vec<PlanReport>> {
    let mut statement = connection.prepare("SELECT id, hash, state FROM plans ORDER BY rowid")?;
    let rows = statement.query_map((), |row| {
        Ok(PlanReport {
            id: row.get(0)?,
            transaction: row.get::<_, Vec<u8>>(1).map(hex::encode)?,
            state: row.get(2)?,
        })
    })?;
    rows.collect()
}
