//! What goes wrong with a node, and what ends the process.

use std::time::Duration;

use serai_bus::{BusError, DatabaseError};
use serai_messages::{BlockHash, BlockNumber, Session, ValidatorSet};

use super::ProfileError;

/// What ends the process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The coordinator's database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The bus refused for good.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// No endpoint is configured.
    #[error("no serai node is configured; set [observation] rpc_host and rpc_port")]
    NoEndpoint,
    /// Every endpoint serves another chain than the one in the database.
    #[error(
        "every configured serai node serves another chain than this data directory was made for: \
         {reasons}. point [observation] at the right network, or use another data_dir"
    )]
    OtherChain {
        /// What each endpoint was refused for.
        reasons: String,
    },
}

/// Why an endpoint is left for the next one.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// No connection.
    #[error("cannot connect: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// A request failed.
    #[error("cannot read {what}: {reason}")]
    Request {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A request took too long.
    #[error("no answer about {what} within {after:?}")]
    TimedOut {
        /// What was asked for.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The subscription ended.
    #[error("the subscription to finalized blocks ended: {reason}")]
    StreamEnded {
        /// What the node said.
        reason: String,
    },
    /// The node has not yet the block at the cursor.
    #[error("the node is at finalized block {head}, behind block {cursor} which was read before")]
    Behind {
        /// Its finalized head.
        head: BlockNumber,
        /// The cursor.
        cursor: BlockNumber,
    },
    /// The node answers, and finalizes nothing.
    #[error("the node has finalized no block after {head} for {since:?}; is it in sync?")]
    Stalled {
        /// Its finalized head.
        head: BlockNumber,
        /// For how long.
        since: Duration,
    },
    /// The node has no block of a number up to its finalized head.
    #[error("the node has no block {number}, though it says that it is finalized")]
    NoBlock {
        /// The number.
        number: BlockNumber,
    },
    /// A header that isn't that of the block it was given for.
    #[error("the node's header of block {number} is not that of {hash}: {reason}")]
    WrongHeader {
        /// The block's number.
        number: BlockNumber,
        /// Its hash, as the node says.
        hash: BlockHash,
        /// What is wrong.
        reason: String,
    },
    /// A known event, or the list of events, does not decode.
    #[error("block {number}: event {event} does not decode: {reason}")]
    Undecodable {
        /// The block.
        number: BlockNumber,
        /// `Pallet.Event`, or its position where the name can't be read.
        event: String,
        /// Why.
        reason: String,
    },
    /// Something in storage has a value that it can't have.
    #[error("{what} on the chain is not valid: {reason}")]
    Invalid {
        /// The storage entry.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The metadata is not that of the configured profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Another chain.
    #[error("genesis block is {found}, but this data directory belongs to the chain of {expected}")]
    WrongGenesis {
        /// Stored hash.
        expected: BlockHash,
        /// The node's.
        found: BlockHash,
    },
    /// The block that was read before is not on the node's chain.
    #[error("block {number} is {found} there, but {expected} was read before")]
    Diverged {
        /// Number of the block.
        number: BlockNumber,
        /// Hash that was read before.
        expected: BlockHash,
        /// The node's.
        found: BlockHash,
    },
}

impl EndpointError {
    /// Whether the endpoint serves a chain that this database does not belong to.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::WrongGenesis { .. } | Self::Diverged { .. })
    }
}

/// Why a verb of the [`Mailbox`](super::Mailbox) has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The process has stopped.
    #[error("the observation process has stopped")]
    Stopped,
    /// The node failed while answering; ask again.
    #[error(transparent)]
    Node(#[from] EndpointError),
    /// The chain keeps the members of its latest set only.
    #[error(
        "{set} is not the latest set of its network: the chain is at {}",
        current.map_or("no session".to_owned(), |session| format!("session {session}"))
    )]
    NotLatest {
        /// The set that was asked for.
        set: ValidatorSet,
        /// The latest session.
        current: Option<Session>,
    },
    /// The coordinator's database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
