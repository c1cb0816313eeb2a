//! Bugs that are planted are found, each within so many seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
