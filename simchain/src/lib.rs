#![doc = include_str!("../README.md")]

pub mod bitcoin;
mod chain;
pub mod ethereum;
pub mod monero;
mod network;
mod rpc;
mod server;
mod state;
mod store;

pub use chain::{ChainError, MAX_MINED, MAX_POOL, MAX_POOL_BYTES, MAX_TRANSACTION_BYTES};
pub use network::{Coin, MAX_DATA_BYTES, OutputId, Refusal};
pub use rpc::{HEIGHT_NOT_THERE, REFUSED};
pub use server::{Options, Server, StartError};
