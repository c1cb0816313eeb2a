//! Pure state machines of key generation and signing; agreement, MuSig, the signing party, solvency.
//!
//! ```text
//!            Input (stored, replayed)                 Effect (stored, repeated until confirmed)
//! chain ────── height, keys ──────▶ ┌────────┐ ──── say, tell ──────▶ peers
//! peers ────── statements ────────▶ │ Keygen │ ──── messages ───────▶ own processor
//! processor ── its messages ──────▶ │        │ ──── sign, MuSig ────▶ the validator's key
//! signer ───── signatures ────────▶ └────────┘ ──── set_keys ───────▶ Serai
//! ```
//!
//! # Owns
//! What is said when, who is at fault, which attempt runs; the draw of the signing party; the bytes
//! of `set_keys` and the MuSig that signs them; whether the vaults hold what Serai owes.
//!
//! # Promises
//! No I/O, no clock, no randomness that was not given. The same inputs in the same order lead to the
//! same state and the same effects. Input of a peer neither panics nor grows state without bound.
//!
//! # Limits
//! Decides, and does nothing: whoever runs a machine stores its inputs and carries out its effects.

pub mod keygen;
pub mod musig;
pub mod party;
pub mod signing;
pub mod solvency;
