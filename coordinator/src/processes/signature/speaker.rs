//! What this validator says: the one place where its statements are signed, and from where they go to
//! other validators and to `{name}-serai`.

use std::sync::Arc;

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::observation::Event;
use serai_messages::{
    BlockHash, Body, Incarnation, STATEMENT_CONTEXT, SignatureBytes, SignedStatement, Statement,
    ValidatorKey,
};
use serai_sr25519::Signer;

use super::versions::Spoken;
use crate::processes::{network, observation};

/// Speaks for the validator, for all kinds of sessions.
pub struct Speaker {
    genesis: BlockHash,
    signer: Arc<Signer>,
    incarnation: Incarnation,
    serai_topic: String,
    spoken: Spoken,
}

impl Speaker {
    /// Speaks with `signer`'s key on the chain of `genesis`.
    pub fn new(
        genesis: BlockHash,
        signer: Arc<Signer>,
        incarnation: Incarnation,
        serai_topic: String,
        spoken: Spoken,
    ) -> Self {
        Self { genesis, signer, incarnation, serai_topic, spoken }
    }

    /// This validator's key.
    pub fn own(&self) -> ValidatorKey {
        ValidatorKey(self.signer.public())
    }

    /// Genesis hash of the chain on which it is a validator.
    pub fn genesis(&self) -> BlockHash {
        self.genesis
    }

    /// The key itself, for what is no statement.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What it speaks.
    pub fn spoken(&self) -> &Spoken {
        &self.spoken
    }

    /// Signs a statement, in the version that its set is spoken to in now.
    ///
    /// # Errors
    /// The database's.
    pub fn sign(
        &self,
        transaction: &Transaction<'_>,
        body: Body,
    ) -> Result<SignedStatement, DatabaseError> {
        let own = self.own();
        let version = self.spoken.with(transaction, own, body.set())?;
        let statement = Statement { version, genesis: self.genesis, body };
        let signature = self.signer.sign(STATEMENT_CONTEXT, &statement.signing_bytes(), &mut OsRng);
        Ok(SignedStatement { signer: own, statement, signature: SignatureBytes(signature) })
    }

    /// Queues a statement for a validator, but for the own one. A full queue drops it and counts it:
    /// attempts expire and are made again, signings are asked for again.
    ///
    /// # Errors
    /// The database's.
    pub fn post(
        &self,
        transaction: &Transaction<'_>,
        to: ValidatorKey,
        statement: &SignedStatement,
    ) -> rusqlite::Result<()> {
        if to == self.own() {
            return Ok(());
        }
        let queued = network::tables::enqueue(transaction, self.incarnation, to, statement)?;
        if !matches!(queued, network::tables::Enqueued::Queued(_)) {
            tracing::warn!(peer = %to, ?queued, "statement for a peer was dropped");
        }
        Ok(())
    }

    /// Stores an event for `{name}-serai`.
    ///
    /// # Errors
    /// The database's.
    pub fn record(&self, transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
        observation::enqueue(transaction, &self.serai_topic, self.incarnation, event)
    }
}
