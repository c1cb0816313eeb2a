//! Submitting to Serai until the chain shows the effect.
//!
//! # Owns
//! Open submissions: keys of a set, signed batches, slash reports. One file per kind says how the
//! chain shows its effect and what is submitted; the loop is common to all.
//!
//! # Promises
//! - Before anything is submitted the finalized chain is looked at: what it shows already is a
//!   success, whoever submitted it; what it can never show is a failure in words.
//! - Batches of a network are submitted in order, each after the one before it is executed and
//!   finalized: at most one in a block, none skipped. One that does not decode, is another coin's or
//!   number's, or that the set's key on the chain has not signed, is never submitted.
//! - An executed batch counts as done only when the chain's event names the instructions and the
//!   external block of the own one.

mod batch;
mod call;
mod set_keys;
mod slash_report;
mod submitter;

pub(super) use submitter::Submitter;
