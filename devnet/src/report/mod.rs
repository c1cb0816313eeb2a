//! The report: what the network did, read back by a separate client.
//!
//! # Owns
//! The report's form ([`Report`]) and how it comes about ([`collect`]).
//!
//! # Promises
//! Keys come from the chain's storage; they are compared with what every processor says that it
//! holds; each key's signature, read from the public topics, is verified by a library that took no
//! part in making it. A report exists only where all of that agrees.
//!
//! # Limits
//! `batches` and `payments` are empty in this version, which makes none.

mod collect;
mod topics;
mod types;

pub use collect::{ReportError, collect};
pub use topics::{Proof, TopicsError, bus_settings, read_topic};
pub use types::{Held, Moment, Proven, Report, Session, Topic, Vault, Versions};
