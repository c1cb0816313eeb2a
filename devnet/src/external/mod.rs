//! The simulated external networks seen by a separate client.
//!
//! # Owns
//! Calls of their RPC ([`External`]), the transactions in their blocks ([`Transfer`]) and what they
//! tell of vaults when read from the first block on ([`History`]).
//!
//! # Promises
//! Blocks and transactions are decoded here, not by the processor's decoder; a transaction's hash is
//! worked out anew, and its signatures are verified by libraries unrelated to those that made them.
//!
//! # Limits
//! The simulated networks alone; forks above the finalized height are not followed.

mod client;
mod history;
mod transfer;

pub use client::{Block, External, ExternalError, Info, Status, Taken};
pub(crate) use history::amount;
pub use history::{Found, History};
pub use transfer::{Proof, Spent, Transfer, Undecodable};
