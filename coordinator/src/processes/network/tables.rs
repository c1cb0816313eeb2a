//! The network's tables: statements on their way to peers ([`outbox`](enqueue)), how far each
//! peer's statements were accepted, and the statements that were refused ([`cursors`](accept)), and the
//! message versions that each peer speaks ([`versions`]).
//!
//! # Promises
//! [`enqueue`] and [`accept`] act within the caller's transaction, so that what was decided and
//! what is said about it are committed together or not at all.
//!
//! # Limits
//! At most [`MAX_QUEUED_ROWS`] statements and [`MAX_QUEUED_BYTES`] wait for one peer. The oldest
//! are kept: a statement that does not fit is dropped before it takes a sequence, and counted
//! ([`Queue::dropped`]), so a full queue leaves no gap. Attempts of the protocols expire, and are
//! made again with a peer that is back. Of refused statements the last [`KEPT_REFUSALS`] per peer
//! are kept, each cut to [`KEPT_REFUSAL_BYTES`].

mod cursors;
mod outbox;
mod versions;

use serai_bus::Migration;
pub use serai_bus::exchange::Acceptance;

pub use cursors::{
    Cursor, KEPT_REFUSAL_BYTES, KEPT_REFUSALS, RefusedStatement, accept, cursor, refused,
};
pub(super) use cursors::{put_aside, set_incarnation};
pub use outbox::{Enqueued, MAX_QUEUED_BYTES, MAX_QUEUED_ROWS, Queue, enqueue, queue};
pub(super) use outbox::{begin, confirm, pending, waiting};
pub use versions::{set_versions, versions};

/// The tables of this module.
pub const MIGRATION: Migration = Migration {
    component: "network",
    steps: &[
        "CREATE TABLE peer_queues (
            receiver BLOB PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
            rows INTEGER NOT NULL, bytes INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
        CREATE TABLE peer_outbox (
            receiver BLOB NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL,
            UNIQUE (receiver, sequence)) STRICT;
        CREATE TABLE peer_cursors (
            sender BLOB PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
            proof BLOB) STRICT;
        CREATE TABLE refused_statements (
            row INTEGER PRIMARY KEY AUTOINCREMENT,
            sender BLOB NOT NULL, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
            reason TEXT NOT NULL, body BLOB NOT NULL,
            UNIQUE (sender, incarnation, sequence)) STRICT;",
        "CREATE TABLE told_reach (
            validator BLOB PRIMARY KEY, online INTEGER NOT NULL,
            changes INTEGER NOT NULL) STRICT;",
        "CREATE TABLE peer_versions (
            validator BLOB PRIMARY KEY, oldest INTEGER NOT NULL,
            newest INTEGER NOT NULL) STRICT;
        -- Of another form than those of this version, which replace what is none.
        UPDATE peer_cursors SET proof = NULL;",
    ],
};
