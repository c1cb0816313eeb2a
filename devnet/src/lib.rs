//! A development network of Serai validators on one machine, for people and for tests.
//!
//! ```text
//!  serai-devnet ─ Cluster ─┬ serai-devchain
//!                          ├ serai-simchain (one per coin)
//!                          └ serai-coordinator (one per validator) ─ serai-processor (one per coin)
//!       │
//!       └ Chain (subxt), External (HTTP), bus readers ─ tour, progress, report
//! ```
//!
//! # Owns
//! [`cluster::Cluster`], which starts and keeps the programs, and the separate clients that look at
//! what they do: [`chain`] reads the chain, [`external`] the simulated networks, [`report`] both, the
//! topics and the processors' folders, [`verify`] checks signatures by unrelated libraries. [`tour`] is
//! the user who moves money in and out.
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
pub mod external;
pub mod follower;
pub mod launcher;
pub mod options;
pub mod payee;
pub mod progress;
pub mod report;
pub mod simulate;
pub mod summary;
pub mod tour;
pub mod verify;
