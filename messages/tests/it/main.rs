//! The encodings of messages, as other programs rely on them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod golden;
mod ids;
#[cfg(feature = "next-version")]
mod next;
mod records;
mod samples;
mod signing;
mod signing_samples;
