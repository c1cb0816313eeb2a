//! The one door to a validator's secret key.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, SecretKey, context::attach_rng};
use zeroize::Zeroizing;

/// Bytes that are no secret key. Does not hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are no sr25519 secret key: give a 32-byte seed, or a 64-byte secret key")]
pub struct InvalidSecret {
    /// How many bytes were given.
    pub length: usize,
}

/// A validator's sr25519 key pair. The secret half never leaves this crate and is wiped on drop.
pub struct Signer {
    keypair: Keypair,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(")?;
        for byte in self.public() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(", secret redacted)")
    }
}

impl Signer {
    /// From a 32-byte seed (mini secret), expanded as Substrate does.
    ///
    /// # Errors
    /// [`InvalidSecret`] when the library refuses the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, InvalidSecret> {
        let mini =
            MiniSecretKey::from_bytes(seed).map_err(|_| InvalidSecret { length: seed.len() })?;
        Ok(Self { keypair: mini.expand_to_keypair(ExpansionMode::Ed25519) })
    }

    /// From a 64-byte secret key: canonical scalar, then nonce seed (as Substrate's key tools read
    /// it; not the Ed25519 form).
    ///
    /// # Errors
    /// [`InvalidSecret`] when the scalar is zero or not canonical.
    pub fn from_secret(secret: &[u8; 64]) -> Result<Self, InvalidSecret> {
        let invalid = InvalidSecret { length: secret.len() };
        // A zero scalar would make the identity the public key.
        if secret[..32].iter().all(|byte| *byte == 0) {
            return Err(invalid);
        }
        let secret = SecretKey::from_bytes(secret).map_err(|_| invalid)?;
        Ok(Self { keypair: secret.to_keypair() })
    }

    /// From either form, by its length.
    ///
    /// # Errors
    /// [`InvalidSecret`] as of the two others, or of another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        let invalid = InvalidSecret { length: bytes.len() };
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes) {
            return Self::from_seed(seed);
        }
        Self::from_secret(bytes.try_into().map_err(|_| invalid)?)
    }

    /// The public key: the validator's account on Serai.
    pub fn public(&self) -> [u8; 32] {
        self.keypair.public.to_bytes()
    }

    /// Signs `message` under the signing context `context`. The nonce is made of the secret key, the
    /// message and `rng`: a weak `rng` alone does not give the key away.
    pub fn sign<R: RngCore + CryptoRng>(
        &self,
        context: &[u8],
        message: &[u8],
        rng: &mut R,
    ) -> [u8; 64] {
        let transcript = schnorrkel::signing_context(context).bytes(message);
        self.keypair.sign(attach_rng(transcript, rng)).to_bytes()
    }

    /// The secret scalar, for the MuSig of this crate.
    pub(crate) fn scalar(&self) -> Zeroizing<dalek_ff_group::Scalar> {
        let bytes = Zeroizing::new(self.keypair.secret.to_bytes());
        let mut scalar = Zeroizing::new([0; 32]);
        scalar.copy_from_slice(&bytes[..32]);
        Zeroizing::new(dalek_ff_group::Scalar::from_bytes_mod_order(*scalar))
    }
}
