//! Schnorrkel (sr25519) signatures: one key's, several keys' (MuSig), and a shared key's (FROST).
//!
//! ```text
//! Signer ──────── sign ──────────────▶ signature of one validator
//! MusigMachine ── preprocess, sign ──▶ signature of several validators' aggregate key
//! Schnorrkel ──── modular-frost ─────▶ signature of a vault's Ristretto key
//!                                      verify: the same for all three
//! ```
//!
//! # Owns
//! The validator's secret key while a program runs: no other crate sees its scalar.
//!
//! # Promises
//! What is signed here verifies with the `schnorrkel` crate under the signing context given. The
//! machines of a signature are consumed by each step, so that a nonce cannot sign twice.
//!
//! # Limits
//! Nonces are in memory alone: after a restart a signature begins anew. Who sent which bytes is for
//! the caller to authenticate.

mod algorithm;
pub mod musig;
mod signer;
mod verify;

pub use algorithm::Schnorrkel;
pub use musig::{MusigCompleting, MusigError, MusigMachine, MusigSigning};
pub use signer::{InvalidSecret, Signer};
pub use verify::{InvalidSignature, verify};

/// Signing context of Substrate chains, under which Serai checks sr25519 signatures.
pub const SUBSTRATE_CONTEXT: &[u8] = b"substrate";
