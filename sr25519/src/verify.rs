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
    let public = PublicKey::from_bytes(public).map_err(|_| InvalidSignature)?;
    let signature = Signature::from_bytes(signature).map_err(|_| InvalidSignature)?;
    public.verify_simple(context, message, &signature).map_err(|_| InvalidSignature)
}
