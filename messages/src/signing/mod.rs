//! Threshold signing (DESIGN D11), by sender.
//!
//! ```text
//! coordinators                                         processors
//!                                  ◀─ Ready ────────── content that it worked out, first preprocess
//! Preprocess → opener
//! Request ⇄ (a later opener)       ── Preprocess ────▶ ◀─ Preprocess
//! Open → the session's members     ── Sign ──────────▶ binds the preprocess ◀─ Share
//! Share, Preprocess → opener       ── Aggregate ─────▶ ◀─ Signed, or InvalidShare
//! Decline (no Share) → opener                           ◀─ Refused
//! Signed → all                     ── Signature ─────▶ ◀─ Signed (it verifies)
//! Accusation → all                 ── Judge ─────────▶ ◀─ Judged
//! ```
//!
//! Signers are named by validator; which FROST participant a validator is, the processors know.

mod coordinator;
mod id;
mod peer;
mod processor;
mod request;

pub use coordinator::CoordinatorMessage;
pub use id::{Content, MAX_MESSAGES, PaymentId, Shares, SigningId, Thing};
pub use peer::PeerMessage;
pub use processor::ProcessorMessage;
pub use request::Request;
