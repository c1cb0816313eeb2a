//! One scenario per file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod config;
mod keys;
mod lifecycle;
mod network;
mod observation;
