//! Key generation (DESIGN section 5 and D10), by sender.
//!
//! ```text
//! coordinators                                        processors
//! Announcement ⇄ (processors' keys)
//! PartySignature ⇄                ── Start ─────────▶ checks every signature
//! Commitments ⇄                   ◀─ Commitments ──── PedPoP round 1, both keys
//! Agreement ⇄ (all saw the same)  ── Commitments ───▶
//! Share → each recipient          ◀─ Shares ───────── PedPoP round 2
//!                                 ── Shares ────────▶ key pair, or InvalidShare
//! ProofPreprocess ⇄               ◀─ KeyPair ──────── written to the keystore and its backup
//! ProofShare ⇄                    ── ProofPreprocesses ▶ ◀─ ProofShare
//!                                 ── ProofShares ───▶ ◀─ Proven (both signatures verify)
//! MusigPreprocess ⇄ MusigShare ⇄  set_keys ─▶ Serai ─▶ Confirmed
//! ```

mod coordinator;
mod party;
mod peer;
mod processor;

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::BorshSerialize;

use crate::encode;

pub use coordinator::CoordinatorMessage;
pub use party::{KeyKind, KeygenId, Member, Party, PerKey, SignedParty};
pub use peer::{Awaited, PeerMessage, Round};
pub use processor::ProcessorMessage;

/// Blake2b-256 over a length-prefixed domain and the encoded value.
pub fn digest<T: BorshSerialize>(domain: &[u8], value: &T) -> [u8; 32] {
    let mut hasher = Blake2b::<U32>::new();
    hasher.update((domain.len() as u32).to_le_bytes());
    hasher.update(domain);
    hasher.update(encode(value));
    hasher.finalize().into()
}
