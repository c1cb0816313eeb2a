//! One scenario per file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod admin;
mod answers;
mod commands;
mod config;
mod http;
mod keys;
mod lifecycle;
mod network;
mod observation;
mod program;
