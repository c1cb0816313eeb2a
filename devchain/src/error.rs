//! What can go wrong with a chain.

use std::path::PathBuf;

use sp_core::H256;

use crate::{
    executor::ExecutionError, genesis::InvalidGenesis, log::LogError,
    runtime::validator_sets::InvalidRotation,
};

/// Why the chain could not be opened or did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The data folder cannot be used.
    #[error("{path}: {error}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        error: std::io::Error,
    },
    /// Another process has the data folder.
    #[error("{0}: another process uses this data folder; stop it or choose another folder")]
    Locked(PathBuf),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The genesis is wrong.
    #[error(transparent)]
    Genesis(#[from] InvalidGenesis),
    /// The folder holds another chain.
    #[error(
        "{path}: holds the chain with genesis {found:?}, but the genesis file gives {expected:?}; use its own genesis file or another folder"
    )]
    OtherChain {
        /// The data folder.
        path: PathBuf,
        /// The genesis in the folder.
        found: H256,
        /// The genesis of the file.
        expected: H256,
    },
    /// The rebuilt state is not that of the last header.
    #[error(
        "state of block {number} has root {found:?}, its header says {expected:?}: the log is damaged"
    )]
    WrongState {
        /// The last block.
        number: u64,
        /// The rebuilt root.
        found: H256,
        /// The header's root.
        expected: H256,
    },
    /// A block's parent is not the block before it.
    #[error("block {0} in the log does not follow the one before it: the log is damaged")]
    Disconnected(u64),
    /// The runtime failed.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// No such block.
    #[error("there is no block {0}")]
    NoBlock(String),
    /// A rotation that cannot be.
    #[error(transparent)]
    Rotation(#[from] InvalidRotation),
    /// Too many, or a second one of the same network.
    #[error("a rotation of {0} waits for the next block already")]
    RotationWaits(&'static str),
}
