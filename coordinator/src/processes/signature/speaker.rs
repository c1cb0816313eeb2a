//! What this validator says: the one place where its statements are signed, and from where they go to
//! other validators and to `{name}-serai`.

use std::sync::Arc;

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_messages::observation::Event;
use serai_messages::{
    BlockHash, Body, Incarnation, STATEMENT_CONTEXT, SignatureBytes, SignedStatement, Statement,
    VERSION, ValidatorKey,
};
use serai_sr25519::Signer;

use crate::processes::{network, observation};

/// Speaks for the validator, for all kinds of sessions.
pub struct Speaker {
    genesis: BlockHash,
    signer: Arc<Signer>,
    incarnation: Incarnation,
    serai_topic: String,
}

impl Speaker {
    /// Speaks with `signer`'s key on the chain of `genesis`.
    pub fn new(
        genesis: BlockHash,
        signer: Arc<Signer>,
        incarnation: Incarnation,
        serai_topic: String,
    ) -> Self {
        Self { genesis, signer, incarnation, serai_topic }
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

    /// Signs a statement.
    pub fn sign(&self, body: Body) -> SignedStatement {
        let statement = Statement { version: VERSION, genesis: self.genesis, body };
        let signature = self.signer.sign(STATEMENT_CONTEXT, &statement.signing_bytes(), &mut OsRng);
        SignedStatement { signer: self.own(), statement, signature: SignatureBytes(signature) }
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
