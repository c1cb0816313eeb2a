//! Encryption of secrets at rest.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

/// Bytes of XChaCha20-Poly1305's nonce: long enough to be drawn at random for each secret.
const NONCE_BYTES: usize = 24;

/// A stored secret that does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "stored secret {label} does not open with this keystore key: another key, or a damaged file"
)]
pub struct DamagedSecret {
    /// What the secret is.
    pub label: String,
}

/// The keystore key. Wiped on drop.
#[derive(Clone)]
pub struct Cipher(Zeroizing<[u8; 32]>);

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(redacted)")
    }
}

impl Cipher {
    /// With this key.
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Encrypts `secret`; it opens under the same `label` only.
    ///
    /// # Errors
    /// [`DamagedSecret`] when the secret is longer than the cipher takes (256 GiB).
    pub fn seal(&self, label: &str, secret: &[u8]) -> Result<Vec<u8>, DamagedSecret> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.fill_bytes(&mut nonce);
        let payload = Payload { msg: secret, aad: label.as_bytes() };
        let sealed = XChaCha20Poly1305::new((&*self.0).into())
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| DamagedSecret { label: label.to_owned() })?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Cipher::seal`] made.
    ///
    /// # Errors
    /// [`DamagedSecret`] under another key or label, or when a byte was changed.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DamagedSecret> {
        let damaged = || DamagedSecret { label: label.to_owned() };
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
        let payload = Payload { msg: sealed, aad: label.as_bytes() };
        XChaCha20Poly1305::new((&*self.0).into())
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| damaged())
    }

    /// Decrypts a secret of 32 bytes.
    ///
    /// # Errors
    /// [`DamagedSecret`] as of [`Cipher::open`], or when it is of another length.
    pub fn open_seed(
        &self,
        label: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, DamagedSecret> {
        let secret = self.open(label, sealed)?;
        let mut seed = Zeroizing::new([0; 32]);
        if secret.len() != seed.len() {
            return Err(DamagedSecret { label: label.to_owned() });
        }
        seed.copy_from_slice(&secret);
        Ok(seed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn opens_under_its_key_and_label_only() {
        let cipher = Cipher::new(Zeroizing::new([1; 32]));
        let sealed = cipher.seal("vault/btc-0/1", b"share").unwrap();
        assert_eq!(cipher.open("vault/btc-0/1", &sealed).unwrap().as_slice(), b"share");
        assert!(cipher.open("vault/btc-0/2", &sealed).is_err());
        assert!(Cipher::new(Zeroizing::new([2; 32])).open("vault/btc-0/1", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(cipher.open("vault/btc-0/1", &changed).is_err(), "byte {at}");
        }
        assert!(cipher.open("vault/btc-0/1", &sealed[..10]).is_err());
        assert!(cipher.open_seed("vault/btc-0/1", &sealed).is_err());
    }

    #[test]
    fn one_secret_has_another_sealed_form_each_time() {
        let cipher = Cipher::new(Zeroizing::new([1; 32]));
        assert_ne!(cipher.seal("a", b"share").unwrap(), cipher.seal("a", b"share").unwrap());
    }
}
