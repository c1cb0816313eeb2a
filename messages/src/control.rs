//! What keeps a coordinator and its processors acquainted: key announcements and heartbeats.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Coin, Incarnation, ProcessorKey};

/// The only record in the clear on a `{name}-{chain}` topic: the writer's X25519 public key. Type
/// `control.key`. Written at each start by coordinator and processor alike.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeyAnnouncement {
    /// The coin whose conversation the key is for.
    pub coin: Coin,
    /// The public key.
    pub key: ProcessorKey,
    /// The writer's incarnation: a reader obeys the highest that it has seen.
    pub incarnation: Incarnation,
}

/// From a processor: it is alive. Type `control.heartbeat`, sealed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Heartbeat {
    /// Milliseconds since the Unix epoch by the processor's clock; for people, not for decisions.
    pub at_ms: u64,
    /// Operating-system process id.
    pub pid: u32,
    /// Version of the program.
    pub program: String,
}
