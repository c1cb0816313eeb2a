//! A whole cluster of coordinators and processors in one process, of one seed.
//!
//! ```text
//!            ┌ chain: blocks, set_keys, batches ┐
//!  world ──▶ │ node: coordinator ⇄ topics ⇄ processor  │ × n ──▶ checks
//!  (queue,   │        │ link: parcels, acknowledgements │
//!   draw)    └ adversary: what liars say instead ┘
//! ```
//!
//! # Owns
//! The order of everything: one queue, one clock, one generator.
//!
//! # Promises
//! Coordinators and processors are the shipped ones, over their real tables, driven step by step; what is
//! simulated is what is between them. A seed decides all that is left to chance, so that a run that fails
//! fails again. At every moment [`checks`] holds, and when faults have ended everything is signed.
//!
//! # Limits
//! Secret randomness (nonces, encryption) comes from the operating system: bytes differ between two runs
//! of a seed, what happens does not. Databases are in memory: a crash keeps what was committed, and files are
//! the crash points' matter. One set, one coin.

mod adversary;
mod campaign;
mod chain;
pub mod checks;
mod draw;
mod link;
mod node;
mod options;
mod outcome;
mod stalling;
pub mod stand_in;
mod things;
mod world;

pub use campaign::{run, run_all};
pub use options::{Cryptography, Fault, Faults, Options};
pub use outcome::{Failure, Outcome};
