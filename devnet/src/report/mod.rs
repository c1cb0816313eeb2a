//! The report: what the network did, read back by a separate client.
//!
//! # Owns
//! The report's form ([`Report`]) and how it comes about ([`Reader`]).
//!
//! # Promises
//! Keys come from the chain's storage; they are compared with what every processor says that it
//! holds; each key's signature, read from the public topics, is verified by a library that took no
//! part in making it. Batches come from the chain's events, their content from the validators' topics
//! and has the hash that the event names; payments are looked for on the external chains, each vault's
//! transaction belongs to one payment, and its signatures are verified here. What the vaults hold, by
//! the external chains' word, is what Serai owes. A report exists only where all of that agrees.
//!
//! # Limits
//! The party of a signing is drawn here; who really signed is the coordinators' word (`said`). Slash
//! reports are seen as `SetRetired` alone.

mod batches;
mod collect;
mod draw;
mod money;
mod payments;
mod sources;
mod topics;
mod types;

pub use collect::ReportError;
pub use sources::Reader;
pub use topics::{Proof, PublicEvent, TopicsError, bus_settings, read_topic};
pub use types::{
    Balance, Batch, Held, Instruction, Moment, Payment, Proven, Report, Said, Session, Topic,
    Transaction, Vault, Versions,
};
