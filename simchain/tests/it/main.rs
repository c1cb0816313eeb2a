//! The simulated networks, through their RPC, and as a program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod bitcoin;
mod blocks;
mod ethereum;
mod monero;
mod program;
mod support;
