//! A development chain with Serai's calls, events and storage.
//!
//! ```text
//!  subxt ──JSON-RPC──▶ rpc ──▶ chain ──▶ pool, executor ──▶ runtime (FRAME, native)
//!                               │  ▲
//!                       producer┘  └── history, log (one file, fsynced per block)
//! ```
//!
//! # Owns
//! A real FRAME runtime ([`runtime`]) executed in process, one author, and the JSON-RPC methods
//! that an unmodified subxt client calls.
//!
//! # Promises
//! What is told is on disk. A chain that is opened again goes on where it was.
//!
//! # Limits
//! It is not a node of Serai: no consensus, no forks, no peers, no upgrades, no exchange, no
//! emissions, no economics. Sessions end on command.

mod chain;
mod error;
mod executor;
mod genesis;
mod history;
mod ledger;
mod log;
mod pool;
mod producer;
mod rpc;
pub mod runtime;

pub use chain::{Authored, Chain, Finality, Progress};
pub use error::ChainError;
pub use executor::{Changes, ExecutionError};
pub use genesis::{BalanceSpec, Genesis, InvalidGenesis, NetworkSpec, ValidatorSpec, parse_key};
pub use log::{LogError, StoredBlock};
pub use pool::{MAX_BYTES, MAX_TRANSACTIONS, Refusal, Status};
pub use producer::Producer;
pub use rpc::{MAX_CONNECTIONS, RpcServer, ServeError};
