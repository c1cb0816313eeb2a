//! The randomness of one attempt at key generation.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use serai_messages::keygen::KeyKind;
use zeroize::Zeroizing;

/// Rounds of key generation that draw randomness.
#[derive(Clone, Copy, Debug)]
pub(super) enum Round {
    /// Coefficients, proof of knowledge, encryption key.
    Commitments,
    /// Encryption of the shares.
    Shares,
    /// Weights of the batch verification.
    Key,
}

/// 32 secret bytes of which an attempt's machines are made again after a restart. Whoever knows them
/// and the members' messages knows this processor's key shares.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

impl Seed {
    /// A fresh seed.
    pub fn generate<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// A stored seed.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for storing.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A generator of its own for each key and round: what one round draws does not depend on how
    /// much another drew.
    pub(super) fn rng(&self, key: KeyKind, round: Round) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::from_seed(*self.0);
        let key = match key {
            KeyKind::Ristretto => 0,
            KeyKind::External => 1,
        };
        rng.set_stream(key << 8 | round as u64);
        rng
    }
}
