//! The seed's processes, one folder each, with the same files: `mod.rs` (what it owns, promises,
//! limits), `actor.rs` (one `select!`), `mailbox.rs` (its verbs), then the nouns of its domain.

pub mod cli;
pub mod core;
pub mod lifecycle;
pub mod network;
pub mod observation;
pub mod signature;
