//! One check for each sr25519 signature.

use schnorrkel::{PublicKey, Signature};

/// A signature that does not verify. One error for all causes: neither the key, nor the signature,
/// nor the message is more to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sr25519 signature does not verify")]
pub struct InvalidSignature;

/// Checks `signature` of `message` by `public` under the signing context `context`.
///
/// # Errors
/// [`InvalidSignature`] when the key is no point, the signature no Schnorrkel signature (bit 7 of
/// byte 63 marks one), or the equation does not hold.
pub fn verify(
    public: &[u8; 32],
    context: &[u8],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), InvalidSignature> {
    #[cfg(feature = "memo")]
    return memo::verify(public, context, message, signature);
    #[cfg(not(feature = "memo"))]
    compute(public, context, message, signature)
}

fn compute(
    public: &[u8; 32],
    context: &[u8],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), InvalidSignature> {
    let public = PublicKey::from_bytes(public).map_err(|_| InvalidSignature)?;
    let signature = Signature::from_bytes(signature).map_err(|_| InvalidSignature)?;
    public.verify_simple(context, message, &signature).map_err(|_| InvalidSignature)
}

/// What has verified is not computed again: where many validators live in one process, each checks what
/// the others have checked.
#[cfg(feature = "memo")]
mod memo {
    use std::cell::RefCell;
    use std::collections::HashSet;

    use sha2::{Digest, Sha256};

    use super::{InvalidSignature, compute};

    /// Most that is remembered; then it begins anew.
    const MOST: usize = 1 << 17;

    thread_local! {
        static VERIFIED: RefCell<HashSet<[u8; 32]>> = RefCell::default();
    }

    pub(super) fn verify(
        public: &[u8; 32],
        context: &[u8],
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), InvalidSignature> {
        let length = (context.len() as u64).to_le_bytes();
        let digest: [u8; 32] = Sha256::new()
            .chain_update(public)
            .chain_update(signature)
            .chain_update(length)
            .chain_update(context)
            .chain_update(message)
            .finalize()
            .into();
        if VERIFIED.with_borrow(|verified| verified.contains(&digest)) {
            return Ok(());
        }
        compute(public, context, message, signature)?;
        VERIFIED.with_borrow_mut(|verified| {
            if verified.len() >= MOST {
                verified.clear();
            }
            verified.insert(digest);
        });
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use rand_core::OsRng;

    use super::*;
    use crate::Signer;

    #[test]
    fn what_has_verified_vouches_for_nothing_else() {
        let (signer, other) = (Signer::from_seed(&[1; 32]).unwrap(), Signer::from_seed(&[2; 32]));
        let (public, other) = (signer.public(), other.unwrap().public());
        let signature = signer.sign(b"context", b"message", &mut OsRng);
        let mut spoilt = signature;
        spoilt[3] ^= 1;
        for _ in 0..2 {
            verify(&public, b"context", b"message", &signature).unwrap();
            verify(&other, b"context", b"message", &signature).unwrap_err();
            verify(&public, b"contextm", b"essage", &signature).unwrap_err();
            verify(&public, b"context", b"message.", &signature).unwrap_err();
            verify(&public, b"context", b"message", &spoilt).unwrap_err();
        }
    }
}
