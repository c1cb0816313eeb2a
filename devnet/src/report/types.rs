//! The report's form.

use std::collections::BTreeMap;

use serai_messages::{BlockHash, BlockNumber, Coin, Name};
use serde::Serialize;

use crate::address::Address;

/// The whole report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Versions of everything that took part.
    pub versions: Versions,
    /// Genesis hash of the chain.
    pub genesis: BlockHash,
    /// Finalized height at which this was read.
    pub finalized: BlockNumber,
    /// The validators.
    pub validators: Vec<Name>,
    /// One vault per set whose keys are on the chain.
    pub vaults: Vec<Vault>,
    /// What was done together.
    pub sessions: Vec<Session>,
    /// Batches of instructions from external chains.
    pub batches: Vec<serde_json::Value>,
    /// Payments on external chains.
    pub payments: Vec<serde_json::Value>,
    /// Records on each topic.
    pub messages: BTreeMap<String, Topic>,
}

/// Versions of everything that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// This program.
    pub devnet: String,
    /// The encoding of messages.
    pub encoding: u16,
    /// What each other program says of itself.
    pub programs: BTreeMap<String, String>,
}

/// One vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vault {
    /// Its coin.
    pub coin: Coin,
    /// Its session.
    pub session: u32,
    /// The Ristretto key in the chain's storage, hex.
    pub ristretto_key: String,
    /// The external key in the chain's storage, hex.
    pub external_key: String,
    /// Where coins are sent to.
    pub address: Address,
    /// Processors that hold a share of it, by their own word, each with the same keys.
    pub held_by: Vec<Held>,
    /// A signature of each key.
    pub proven: Vec<Proven>,
}

/// A processor that holds a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its validator.
    pub validator: Name,
    /// The Ristretto key that it holds a share of, hex.
    pub ristretto_key: String,
    /// The external key that it holds a share of, hex.
    pub external_key: String,
}

/// A signature that was verified here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// Which of the two keys: `ristretto` or `external`.
    pub key: &'static str,
    /// What was signed, hex.
    pub message: String,
    /// The signature, hex.
    pub signature: String,
    /// The library that verified it.
    pub verified_by: &'static str,
    /// Validators on whose public topic the vault's proof was read and verified.
    pub published_by: Vec<Name>,
}

/// One thing that a set did together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// What kind of thing.
    pub kind: &'static str,
    /// Its id, as the coordinators name it.
    pub id: String,
    /// Attempts that were begun.
    pub attempts: usize,
    /// Who took part, in the chain's order.
    pub party: Vec<Name>,
    /// Who was left out.
    pub removed: Vec<Name>,
    /// When the chain asked for it.
    pub start: Moment,
    /// When the chain confirmed it.
    pub end: Moment,
}

/// A finalized block and its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Height.
    pub block: BlockNumber,
    /// Milliseconds since the Unix epoch, by the chain; 0 in block 0, which has no time.
    pub at_ms: u64,
}

/// What a topic holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// Records.
    pub records: u64,
    /// Of which sealed.
    pub sealed: u64,
    /// Records by their type.
    pub types: BTreeMap<String, u64>,
}
