//! Why the network process cannot start or go on.

use std::path::PathBuf;

use libp2p::Multiaddr;
use serai_bus::DatabaseError;
use serai_messages::{Incarnation, ValidatorKey};

/// Ends the network process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The identity seed is no ed25519 secret.
    #[error("peer identity: {0}; generate it again with `keys generate`")]
    Identity(String),
    /// The transports cannot be made.
    #[error("peer transports: {0}")]
    Transport(String),
    /// An address cannot be listened on.
    #[error("cannot listen for peers on {address}: {reason}; correct [network] listen")]
    Listen {
        /// The address.
        address: String,
        /// The transport's words.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A newer instance of this validator is at work.
    #[error(
        "this coordinator (incarnation {own}) has been replaced: validator {by} has proof of \
         incarnation {newest} of our validator key. Leave the newer one running; to use {database} \
         again, restore it as a new incarnation"
    )]
    Replaced {
        /// Our incarnation.
        own: Incarnation,
        /// The newer one.
        newest: Incarnation,
        /// Who showed the proof.
        by: ValidatorKey,
        /// Our database.
        database: PathBuf,
    },
    /// Another instance of this validator was at work before, which this state does not know of.
    #[error(
        "this data folder is new (incarnation {own}), but validator {by} has proof of incarnation \
         {former} of our validator key: another coordinator runs with this key, or the folder of a \
         former one was lost. Stop this one if the other runs; otherwise restore the newest backup \
         in place of {database} (docs/operating.md)"
    )]
    Forgotten {
        /// Our incarnation.
        own: Incarnation,
        /// The former one.
        former: Incarnation,
        /// Who showed the proof.
        by: ValidatorKey,
        /// Our database.
        database: PathBuf,
    },
    /// Nobody takes the peers' statements any more.
    #[error("the receiver of the peers' statements has stopped")]
    NoConsumer,
}

/// Why `connect` changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// An address has no `/p2p/` part.
    #[error("address {address} of validator {validator} does not end in /p2p/<peer id>")]
    NoPeerId {
        /// The validator.
        validator: ValidatorKey,
        /// The address.
        address: Multiaddr,
    },
    /// A validator's addresses name different peers.
    #[error("the addresses of validator {validator} name two peers: {one} and {other}")]
    TwoPeerIds {
        /// The validator.
        validator: ValidatorKey,
        /// One.
        one: String,
        /// The other.
        other: String,
    },
    /// A validator has no address, so its peer id is unknown.
    #[error("validator {0} has no address; give at least one, ending in /p2p/<peer id>")]
    NoAddress(ValidatorKey),
    /// Two validators share a peer id.
    #[error("validators {one} and {other} have the same peer id {peer}")]
    SharedPeerId {
        /// One.
        one: ValidatorKey,
        /// The other.
        other: ValidatorKey,
        /// Their peer id.
        peer: String,
    },
    /// More peers than a validator set can have, over all sets.
    #[error("{0} peers are over the cap of {cap}", cap = super::MAX_PEERS)]
    TooMany(usize),
    /// The network process has stopped.
    #[error("the network process has stopped")]
    Stopped,
}
