//! One scenario per file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod blame;
mod ceremony;
mod chain;
mod coins;
mod confirm;
mod driven;
#[cfg(feature = "faults")]
mod faults;
mod members;
mod nonce;
mod party;
mod program;
mod restart;
mod signing;
mod verifiers;
