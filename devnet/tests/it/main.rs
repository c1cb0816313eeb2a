//! Whole networks of real processes: one scenario per file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_share;
mod ends;
mod genesis;
mod house;
mod kafka;
mod killed;
mod liars;
mod raw_topics;
mod resume;
mod rotation;
mod setup;
mod seven;
mod stranger;
