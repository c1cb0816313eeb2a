//! What the network process says about itself.

use serai_messages::{Incarnation, ValidatorKey, Versions};

use super::gate::Denials;

/// The process.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Our peer id.
    pub peer_id: String,
    /// Where we listen, with the ports that the system gave, each ending in our `/p2p/<peer id>`.
    pub listening: Vec<String>,
    /// Message versions that peers are told of.
    pub announces: Versions,
    /// Connections denied at the upgrade.
    pub denied: Denials,
    /// Each peer, in the order of their keys.
    pub peers: Vec<PeerStatus>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PeerStatus {
    /// The validator.
    pub validator: ValidatorKey,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its peer id.
    pub peer_id: String,
    /// Where it is dialed.
    pub addresses: Vec<String>,
    /// Whether a connection is up.
    pub connected: bool,
    /// Whether both sides have accepted each other's proof: statements flow.
    pub proven: bool,
    /// The incarnation that it has proven on the present connection.
    pub incarnation: Option<Incarnation>,
    /// Message versions that it speaks, as it proved last; `None` where it never has.
    pub speaks: Option<Versions>,
    /// Statements that wait for its acknowledgement.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// When a frame of it last arrived, in milliseconds since the Unix epoch.
    pub last_seen_ms: Option<u64>,
    /// The last thing that went wrong; cleared by a proof that holds.
    pub last_error: Option<String>,
    /// Counts since the start.
    pub counts: Counts,
}

/// Counts of one peer since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Statements acknowledged by it.
    pub sent: u64,
    /// Its statements that were committed here.
    pub received: u64,
    /// Its statements that came again.
    pub repeats: u64,
    /// Sequences that it skipped: acknowledged once, but unknown to our database.
    pub missing: u64,
    /// Statements for it that found its queue full or were too large, in this incarnation.
    pub dropped: u64,
    /// Its statements that were put aside.
    pub refused_statements: u64,
    /// Its connections whose proof did not hold.
    pub refused_proofs: u64,
    /// Its connections that did not finish the proof in time.
    pub unfinished_proofs: u64,
    /// Connections on which it refused our proof.
    pub refusals_of_us: u64,
    /// Its connections that were ended because no message version is spoken on both sides.
    pub apart: u64,
    /// Connections of instances of it that have been replaced.
    pub replaced: u64,
    /// Its connections that were ended for a frame too large, malformed, or out of turn.
    pub violations: u64,
}
