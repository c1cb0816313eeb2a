//! The network process: authenticated, ordered, at-least-once exchange of signed statements with
//! the other validators' coordinators.
//!
//! ```text
//! signature process ─ tables::enqueue (its transaction), Mailbox::wake ─▶ outbox ─▶ wire ─▶ peer
//! signature process ◀─ Inbound ─ inbound (judged) ◀─ wire ◀─ link (proven) ◀─ gate ◀─ peer
//!         └─ commits with tables::accept, answers Inbound::accepted ─▶ acknowledgement ─▶ peer
//! ```
//!
//! # Owns
//! The libp2p swarm (QUIC; TCP with Noise and yamux), the list of peers, and the tables of
//! [`tables`].
//!
//! # Promises
//! * Peers are validators or nobody. A peer id that [`Mailbox::connect`] was not told of is denied
//!   at the transport's upgrade ([`gate`]). A peer that is told of proves its validator's sr25519
//!   key, and we ours, before anything else is read or written: see `link` for the exact bytes.
//! * A statement that was enqueued is sent again, after pauses that grow to
//!   [`Timing::redial_max`], until the peer's signature process has committed it; then it is
//!   forgotten. It arrives in the order of its enqueueing, and [`tables::accept`] drops repeats, so
//!   it takes effect once.
//! * An acknowledgement leaves only after [`Inbound::accepted`] was answered.
//! * Each side's proof says which message versions it speaks; what a peer speaks is remembered. A peer
//!   that shares none with this coordinator is refused, counted, and named with what to do.
//! * The highest incarnation of a validator is obeyed. An older instance is shown the newer one's
//!   signed proof and stops with [`Error::Replaced`]; without such a proof nobody can stop it.
//! * An instance on a new folder that meets a peer which has met another before is shown that one's
//!   signed proof and stops with [`Error::Forgotten`]. It does not count as the newest then, and the
//!   other one goes on (ADR 0019).
//!
//! # Limits
//! Per peer: one batch in flight in each direction ([`MAX_BATCH_BYTES`], [`MAX_BATCH_STATEMENTS`]),
//! one more waiting if it comes on another connection, [`gate::MAX_CONNECTIONS_PER_PEER`]
//! connections, and the outbox of [`tables`]. The channel to the signature process holds one batch;
//! the peers that wait for it are served in the order in which they came, and each has one turn, so
//! that none starves another. What is over a limit is denied, dropped or put aside, and counted in
//! [`PeerStatus`].
//!
//! Two instances of one incarnation (a copied data folder) are not told apart: restore a copy as a
//! new incarnation. Two new folders have two (ADR 0019).
//!
//! A statement that was acknowledged to a database that was since restored from a backup is gone;
//! it shows as [`Counts::missing`].

mod actor;
mod connections;
mod delivery;
pub mod driven;
mod error;
pub mod gate;
mod handler;
mod inbound;
mod link;
mod mailbox;
mod peers;
mod proof;
mod public;
mod status;
mod swarm;
pub mod tables;
mod wire;

pub use actor::{Actor, Settings, new};
pub use error::{ConnectError, Error};
pub use inbound::Inbound;
pub use libp2p::{Multiaddr, PeerId};
pub use link::Timing;
pub use mailbox::{Apart, Mailbox, Peer, Reach};
pub use peers::MAX_PEERS;
pub use proof::PROOF_CONTEXT;
pub use public::ReachFeed;
pub use status::{Counts, PeerStatus, Status};
pub use swarm::peer_id;
pub use wire::{MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS, MAX_FRAME_BYTES, WireError};
