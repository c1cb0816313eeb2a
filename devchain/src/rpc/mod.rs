//! JSON-RPC over WebSocket and HTTP: the legacy methods that subxt calls, and some of our own.
//!
//! # Owns
//! The server and the methods' shapes.
//!
//! # Promises
//! An unmodified subxt client with its default backend and configuration works. Each head
//! subscription tells every block, in order, however slowly it is read. Errors of submission have
//! the codes that a Substrate node gives.
//!
//! # Limits
//! No `archive_v1` and no `chainHead_v1` methods, so that clients keep to the legacy ones. At most
//! [`MAX_CONNECTIONS`] connections; requests of at most 4 MiB, answers of at most 64 MiB.

mod author;
mod blocks;
mod dev;
mod encoding;
mod server;
mod state;

pub use server::{MAX_CONNECTIONS, RpcServer, ServeError};
