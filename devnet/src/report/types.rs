//! The report's form.

use std::collections::BTreeMap;

use serai_messages::{BlockHash, BlockNumber, Coin, Name};
use serde::Serialize;

use crate::address::Address;
use crate::external::Proof;

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
    /// Batches of instructions from external chains that Serai executed, each once.
    pub batches: Vec<Batch>,
    /// Payments that Serai asked for.
    pub payments: Vec<Payment>,
    /// What the vaults hold beside what Serai owes.
    pub balances: Vec<Balance>,
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
    /// When the chain confirmed it: for a payment, when it executed the batch that acknowledges the
    /// payment's external block.
    pub end: Option<Moment>,
    /// Of a signing: what the validators' public topics say of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
}

/// What public topics say of a signing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Validators on whose topics it stands.
    pub by: Vec<Name>,
    /// The event's data.
    pub data: serde_json::Value,
}

/// A batch that Serai executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Its network's coin.
    pub coin: Coin,
    /// Its number.
    pub id: u32,
    /// External block that it acknowledges, hex.
    pub block: String,
    /// The height of that block.
    pub height: u64,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
    /// Their hash, in the chain's event, hex; the instructions have it.
    pub instructions_hash: String,
    /// The Serai block that executed it.
    pub serai_block: Moment,
    /// Session of the vault whose Ristretto key signed it.
    pub session: u32,
    /// That key, hex.
    pub key: String,
    /// The signature, hex.
    pub signature: String,
    /// The library that verified it.
    pub verified_by: &'static str,
}

/// An instruction of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// What kind of instruction.
    pub kind: &'static str,
    /// Account on Serai, hex.
    pub to: Option<String>,
    /// Amount in the coin's base units on Serai.
    pub amount: u64,
    /// Whether Serai could not execute it.
    pub failed: bool,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// Block and position of the burn's event.
    pub id: String,
    /// Its coin.
    pub coin: Coin,
    /// What was burned, in the coin's base units on Serai.
    pub amount: u64,
    /// Who burned it: an account on Serai, hex.
    pub from: String,
    /// The external address that is paid.
    pub address: String,
    /// The Serai block with the burn.
    pub serai_block: Moment,
    /// The transaction in a finalized external block that pays it; none yet, where it is missing.
    pub transaction: Option<Transaction>,
}

/// A vault's transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Its hash, worked out from its bytes, hex.
    pub hash: String,
    /// Height of its external block.
    pub height: u64,
    /// Session of the vault that paid.
    pub session: u32,
    /// What the payee got.
    pub paid: u64,
    /// The network's fee.
    pub fee: u64,
    /// What the payee was charged beside the fee, for what forwardings have cost; negative: what the
    /// vault paid of the fee.
    pub recovered: i64,
    /// The first signature, hex.
    pub signature: String,
    /// The key that made it, hex.
    pub key: String,
    /// What it signed, hex.
    pub message: String,
    /// Who verified all its signatures: libraries here, and the external chain by its own word.
    pub verified_by: Vec<String>,
    /// All its signatures: one for each input.
    pub signatures: Vec<Proof>,
}

/// What a coin's vaults hold, beside what Serai owes: holdings and costs are supply, what is in flight
/// and what is retained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// The coin.
    pub coin: Coin,
    /// External height at which the vaults were looked at.
    pub height: u64,
    /// What all vaults hold, by the external chain's word.
    pub holdings: u64,
    /// Fees of transactions that only move the vaults' own money.
    pub costs: u64,
    /// How much of the coin there is on Serai.
    pub supply: u64,
    /// Burned, and not in a finalized external block.
    pub in_flight: u64,
    /// Deposited and not minted.
    pub retained: u64,
    /// Deposited at the vaults' addresses.
    pub deposited: u64,
    /// Minted on Serai.
    pub minted: u64,
    /// Burned on Serai.
    pub burned: u64,
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
