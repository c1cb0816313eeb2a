//! Key generation of one validator set, all attempts, as one state machine (DESIGN section 5, D10).
//!
//! ```text
//! Announce ─▶ Party ─▶ Commitments ─▶ Agreement ─▶ Shares ─▶ ProofPreprocesses ─▶ ProofShares
//!    ▲                                                                               │
//!    │ next attempt: t votes                    Done ◀─ Confirming ◀─ Musig… ◀─ Proof ◀┘
//! ```
//! Each arrow needs the own contribution and that of every other member of the attempt.
//!
//! # Owns
//! Which attempt runs and with whom, what was said in it, and who is at fault with what evidence.
//!
//! # Promises
//! Deterministic: whoever stores the inputs and replays them has the same machine, and drops the
//! effects of the replay. Holds no secret and uses no randomness: signatures and MuSig are effects
//! whose results come back as inputs. Every statement is checked before it counts: signer, chain,
//! version, set, signature. Of each member one statement per kind and attempt is kept; a second,
//! different one is the proof against it. An honest member says nothing that could be held against it
//! (one vote per attempt number, one statement per slot).
//!
//! # Limits
//! All members of an attempt must answer. One that is silent is left out of the next attempt, at
//! heights that all know. No attempt ends the old one at a member that lacks `t` votes for the new
//! one. At most [`serai_messages::MAX_VALIDATORS`] validators, one key share each.

mod accusation;
mod agreement;
mod attempt;
mod attempts;
mod event;
mod fault;
mod machine;
mod processor;
mod progress;
mod receive;
mod removal;
mod stages;
mod summary;
mod votes;
mod waiting;

pub use event::{Effect, Input, InvalidParameters, MusigRequest, Parameters};
pub use fault::{Fault, FaultKind};
pub use machine::Keygen;
pub use stages::Stage;
pub use summary::{FaultSummary, Summary, WaitingFor};
