//! Threshold signing of one thing, as one state machine: ROAST by the draw (DESIGN D11, ADRs 0013
//! and 0014).
//!
//! ```text
//! each validator                          opener k (its turn: k staggers after it is ready)
//! Ready ─ Preprocess ───────────────────▶ t are ready
//!         Open ◀───────────────────────── session: those that the draw names first
//!         Share, next Preprocess ───────▶ all t shares ─▶ Aggregate ─▶ Signed, to all
//!                                                      └▶ InvalidShare ─▶ Accusation, to all
//! ```
//!
//! # Owns
//! Who opens, who signs with whom, which preprocess meets which session, who is at fault with what
//! evidence.
//!
//! # Promises
//! Deterministic: whoever stores the inputs and replays them has the same machine, and drops the
//! effects of the replay. Holds no secret. Every statement is checked before it counts, those that are
//! enclosed too. An own preprocess is put to the processor in one session only. An opener takes nobody
//! into a session who owes it a share of an earlier one: it opens at most one session more than there
//! are validators who fail it, and two more for each that declines. While `t` honest validators are
//! alive nothing is waited for longer than the turns of silent openers and two graces, unless a
//! statement is lost: openers say once more what they wait for, after 30 s and then ever more seldom,
//! and each of them is given the same answer again, eight times.
//!
//! # Limits
//! A validator that is silent is not at fault. Of each peer are kept: one preprocess, one `Signed`,
//! its sessions (twice as many as there are validators), 16 accusations that the own processor still
//! judges. At most [`serai_messages::MAX_VALIDATORS`] validators, one key share each.

mod event;
mod fault;
mod judging;
mod machine;
mod member;
mod opener;
mod processor;
mod receive;
mod summary;

pub use event::{Effect, Input, InvalidParameters, Parameters, Timer};
pub use fault::{Fault, FaultKind};
pub use machine::{GRACE_MS, MAX_REPEAT_MS, REPEAT_MS, STAGGER_MS, Signing};
pub use summary::{FaultSummary, Summary};
