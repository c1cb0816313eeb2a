//! The embedded bus: a durable log in one SQLite file, shared by a validator's processes.
//!
//! # Owns
//! The file: its schema, its writer, and one watcher thread that notices what other processes
//! appended; beside it `-bell`, by which they say so.
//!
//! # Promises
//! Those of [`Bus`](crate::Bus). An append is one transaction, on disk when it returns
//! (`synchronous = FULL`). Offsets count from 0 and are never given twice, not after truncation
//! either.
//!
//! # Limits
//! One machine, one local disk (SQLite's locks do not hold on network file systems). A reader
//! learns of another process' append at once on Linux, and within a tenth of a second if its writer
//! died before it said so; elsewhere, and where a user's inotify instances are used up, within a
//! millisecond while the log is busy, and within twenty when it has been idle for more than a second.

mod bell;
mod file;
mod log;
mod reader;
mod watcher;

pub(crate) use log::EmbeddedBus;
