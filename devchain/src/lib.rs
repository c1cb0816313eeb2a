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
//! # Running it
//! `serai-devchain --data DIR --genesis FILE` prints one line when it is ready, with its address,
//! which is also in `DIR/endpoint`. [`Genesis`] describes the file. As a library, [`Chain::open`]
//! gives a chain on which tests author blocks by hand; [`RpcServer`] serves it and [`Producer`]
//! authors by a timer.
//!
//! Beside the methods of a node there are these, on an interface without authentication:
//!
//! | method | parameters | effect |
//! |---|---|---|
//! | `dev_rotate` | network name, optional list of keys | the next block decides the network's next set |
//! | `dev_pause`, `dev_resume` | | the timer authors no blocks, or does again |
//! | `dev_author` | | makes a block now, also while paused |
//! | `dev_finality_lag` | blocks | so many blocks must follow a block before it is final |
//!
//! # What it keeps
//! Every block since genesis can be read: its storage changes are on disk (about 1.1 KiB per idle
//! block), an index over them in memory (about 0.4 KiB). Opening reads the log once, without
//! executing blocks again.
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
