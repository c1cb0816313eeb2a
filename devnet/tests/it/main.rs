//! Whole networks of real processes: one scenario per file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod absent;
mod bad_share;
mod burn;
mod clock_jumps;
mod crash_points;
mod ends;
mod faults;
mod gauges;
mod genesis;
mod house;
mod kafka;
mod killed;
mod kills;
mod liars;
mod overload;
mod payments;
mod purse;
mod raw_topics;
mod reorg;
mod restored;
mod resume;
mod rotation;
mod schemas;
mod setup;
mod seven;
mod solvency;
mod stranger;
mod two_instances;
mod versions;
mod wrappers;
