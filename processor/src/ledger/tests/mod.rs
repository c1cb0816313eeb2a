//! The ledger against a model of Serai and a chain in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod double;
mod properties;
mod rules;
mod store;
mod world;
