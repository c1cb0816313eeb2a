//! The development chain: by its own types, through an unmodified subxt client, and as a program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod batches;
mod client;
mod coins;
mod ledger;
mod pool;
mod program;
mod rotation;
mod set_keys;
mod stake;
mod support;
mod vectors;
