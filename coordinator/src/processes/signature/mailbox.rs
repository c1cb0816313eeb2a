//! The signature process' verbs. They read its tables, so that a person gets an answer also while
//! the process waits for something else.

use serai_bus::{Database, DatabaseError};
use serai_messages::ValidatorKey;
use serde_json::Value;

use super::answers;
use super::versions::Spoken;

/// Asks about sessions and vaults. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailbox(Database, Spoken);

impl Mailbox {
    pub(super) fn new(database: Database, spoken: Spoken) -> Self {
        Self(database, spoken)
    }

    /// Message versions: what this program speaks, what peers are told, what is spoken with each set of
    /// `own`, and what each processor speaks.
    ///
    /// # Errors
    /// The database's.
    pub fn versions(&self, own: ValidatorKey) -> Result<Value, DatabaseError> {
        self.0.read(|connection| Ok(self.1.show(connection, own)))?
    }

    /// Every key generation, every signing under way and the newest that have ended: id, kind, coin,
    /// stage, what it waits for, faults, start, end.
    ///
    /// # Errors
    /// The database's.
    pub fn sessions(&self) -> Result<Value, DatabaseError> {
        answers::sessions(&self.0)
    }

    /// One session in full, with faults and their evidence; without an id, every session that is
    /// not done or has a fault. The inner error says that no session has this id.
    ///
    /// # Errors
    /// The database's.
    pub fn explain(&self, id: Option<&str>) -> Result<Result<Value, String>, DatabaseError> {
        answers::explain(&self.0, id)
    }

    /// How many signings run, are held, are done; which coins' processors cannot go on, and why.
    ///
    /// # Errors
    /// The database's.
    pub fn signings(&self) -> Result<Value, DatabaseError> {
        answers::signings(&self.0)
    }

    /// Every vault: set, both keys, state, block of its `KeyGen`, who holds no share of it.
    ///
    /// # Errors
    /// The database's.
    pub fn vaults(&self) -> Result<Value, DatabaseError> {
        answers::vaults(&self.0)
    }
}
