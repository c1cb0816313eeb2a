//! A development network of Serai validators on one machine, for people and for tests.
//!
//! ```text
//!  serai-devnet ─ Cluster ─┬ serai-devchain
//!                          └ serai-coordinator (one per validator) ─ serai-processor (one per coin)
//!       │
//!       └ Chain (subxt), bus readers ─ progress, report
//! ```
//!
//! # Owns
//! [`cluster::Cluster`], which starts and keeps the programs, and the separate clients that look at
//! what they do: [`chain`] reads the chain, [`report`] the chain, the topics and the processors'
//! folders, [`verify`] checks signatures by unrelated libraries.
//!
//! # Promises
//! What is reported was read back from chain, topics and processors, never taken from a
//! coordinator's word; whatever disagrees is an error.
//!
//! # Limits
//! See [`cluster`].

pub mod address;
pub mod binaries;
pub mod chain;
pub mod cluster;
pub mod follower;
pub mod launcher;
pub mod options;
pub mod progress;
pub mod report;
pub mod verify;
