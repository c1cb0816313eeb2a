//! The key under which a validator set signs `set_keys`.
//!
//! # Owns
//! The aggregation rule and the two messages a set signs.
//!
//! # Promises
//! The aggregate is Serai's: MuSig over Ristretto with coefficients
//! `SHA-512("musig" ‖ u8 context length ‖ context ‖ u16 LE count ‖ keys ‖ u16 LE i)`, i from 1,
//! reduced. Each validator counts once, whatever its key shares.
//!
//! # Limits
//! Verification only: no secret is handled here.

use curve25519_dalek::{RistrettoPoint, ristretto::CompressedRistretto, scalar::Scalar};
use parity_scale_codec::Encode;
use sha2::{Digest, Sha512};

use super::types::{AccountId, ExternalValidatorSet, KeyPair};

/// The context that binds an aggregate key to its set.
#[must_use]
pub fn musig_context(set: ExternalValidatorSet) -> Vec<u8> {
    let mut context = b"ValidatorSets-musig_key".to_vec();
    set.encode_to(&mut context);
    context
}

/// The aggregate of `keys` for `set`.
///
/// `None` where there is no key, a key twice, a key that is no point of the group, or more than
/// 65,535 of them.
#[must_use]
pub fn musig_key(set: ExternalValidatorSet, keys: &[AccountId]) -> Option<[u8; 32]> {
    let count = u16::try_from(keys.len()).ok().filter(|count| *count != 0)?;
    let context = musig_context(set);
    let mut transcript = Sha512::new_with_prefix(b"musig");
    transcript.update([u8::try_from(context.len()).ok()?]);
    transcript.update(&context);
    transcript.update(count.to_le_bytes());
    for key in keys {
        transcript.update(AsRef::<[u8]>::as_ref(key));
    }

    let mut aggregate = RistrettoPoint::default();
    for (i, (position, key)) in (1..=count).zip(keys.iter().enumerate()) {
        if keys.iter().take(position).any(|earlier| earlier == key) {
            return None;
        }
        let point = CompressedRistretto(*AsRef::<[u8; 32]>::as_ref(key)).decompress()?;
        let digest = transcript.clone().chain_update(i.to_le_bytes()).finalize();
        aggregate += Scalar::from_bytes_mod_order_wide(&digest.into()) * point;
    }
    Some(aggregate.compress().to_bytes())
}

/// What a set signs to give itself keys: a tag, the set, who is left out, and the keys. Unhashed.
#[must_use]
pub fn set_keys_message(
    set: ExternalValidatorSet,
    removed: &[AccountId],
    key_pair: &KeyPair,
) -> Vec<u8> {
    let mut message = b"ValidatorSets-set_keys".to_vec();
    (set, removed, key_pair).encode_to(&mut message);
    message
}

/// What a retired set's key signs to report slashes: a tag, that set, and the slashes. Unhashed.
#[must_use]
pub fn report_slashes_message(set: ExternalValidatorSet, slashes: &[(AccountId, u32)]) -> Vec<u8> {
    let mut message = b"ValidatorSets-report_slashes".to_vec();
    (set, slashes).encode_to(&mut message);
    message
}

/// Whether `signature` is `key`'s over `message` in the Schnorrkel context "substrate".
#[must_use]
pub fn verifies(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = schnorrkel::PublicKey::from_bytes(key) else { return false };
    let Ok(signature) = schnorrkel::Signature::from_bytes(signature) else { return false };
    key.verify_simple(b"substrate", message, &signature).is_ok()
}
