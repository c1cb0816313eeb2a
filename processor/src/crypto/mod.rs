//! The cryptography of vault keys: distributed key generation (PedPoP) and threshold signatures
//! (FROST), over bytes.
//!
//! # Owns
//! Every use of `dkg-pedpop` and `modular-frost`. What differs between the keys (curve, adjustment,
//! signature) is a [`Scheme`]; the rest is written once over it. [`engine`] chooses.
//!
//! # Promises
//! Bytes of other members are read to their last byte or refused, and a refusal names the member.
//! Each step consumes its machine: no nonce signs twice through one machine. Key generation draws
//! all of its randomness from the attempt's [`Seed`], so that running it again from the same seed
//! and the same messages makes the same bytes.
//!
//! # Limits
//! Who sent which bytes is for the caller to authenticate. That the nonce of [`Engine::sign`] is not
//! given twice is for the caller to see to (`keygen::proof` does, in one transaction).

mod bitcoin;
mod dkg;
mod engine;
mod ethereum;
mod monero;
mod scheme;
mod secp256k1;
mod seed;
mod session;
mod signing;
mod substrate;
#[cfg(test)]
mod tests;
mod vault_keys;

pub use engine::{
    Accusation, Ceremony, Committed, Engine, Engines, Fault, Messages, Shared, Signing, engine,
};
pub use scheme::Scheme;
pub use seed::Seed;
pub use vault_keys::{Offset, VaultKeys};
