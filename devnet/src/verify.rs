//! Checks of vault keys' signatures by libraries that took no part in making them.
//!
//! # Owns
//! One check per kind of key: `schnorrkel` for the Ristretto key, `secp256k1` for btc (BIP-340) and
//! eth (the check that Serai's contract makes), `ed25519-dalek` for xmr.
//!
//! # Promises
//! `Ok` names the library and means that the signature verifies over exactly that message under
//! exactly that key. Malformed input is an error, not a panic.

use serai_messages::Coin;
use sha3::{Digest as _, Keccak256};

use crate::address::account;

/// Signing context of Serai's sr25519 signatures.
const SUBSTRATE: &[u8] = b"substrate";

/// A signature that does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{library} refuses the signature {signature} under key {key}: {reason}")]
pub struct Refused {
    /// The library that was asked.
    pub library: &'static str,
    /// The signature, in hex.
    pub signature: String,
    /// The key, in hex.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// Name of the library that accepts this sr25519 signature of a Ristretto key.
///
/// # Errors
/// [`Refused`] with the reason.
pub fn ristretto(key: &[u8], message: &[u8], signature: &[u8]) -> Result<&'static str, Refused> {
    check("schnorrkel", key, signature, || {
        let public = schnorrkel::PublicKey::from_bytes(key).map_err(text)?;
        let parsed = schnorrkel::Signature::from_bytes(signature).map_err(text)?;
        public.verify_simple(SUBSTRATE, message, &parsed).map_err(text)
    })
}

/// Name of the library that accepts this signature of an external key.
///
/// # Errors
/// [`Refused`] with the reason.
pub fn external(
    coin: Coin,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<&'static str, Refused> {
    match coin {
        Coin::Btc => check("secp256k1", key, signature, || bip340(key, message, signature)),
        Coin::Eth => check("secp256k1", key, signature, || router(key, message, signature)),
        Coin::Xmr => check("ed25519-dalek", key, signature, || {
            let key = key.try_into().map_err(|_| "key is not 32 bytes".to_owned())?;
            let public = ed25519_dalek::VerifyingKey::from_bytes(&key).map_err(text)?;
            let parsed = ed25519_dalek::Signature::from_slice(signature).map_err(text)?;
            public.verify_strict(message, &parsed).map_err(text)
        }),
    }
}

fn check(
    library: &'static str,
    key: &[u8],
    signature: &[u8],
    verify: impl FnOnce() -> Result<(), String>,
) -> Result<&'static str, Refused> {
    verify().map(|()| library).map_err(|reason| Refused {
        library,
        signature: hex::encode(signature),
        key: hex::encode(key),
        reason,
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// BIP-340 over the x coordinate of the key.
fn bip340(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = secp256k1::PublicKey::from_slice(key).map_err(text)?;
    let message = secp256k1::Message::from_digest_slice(message).map_err(text)?;
    let signature = secp256k1::schnorr::Signature::from_slice(signature).map_err(text)?;
    secp256k1::SECP256K1
        .verify_schnorr(&signature, &message, &key.x_only_public_key().0)
        .map_err(text)
}

/// What Serai's Ethereum contract computes: `ecrecover(-s*x, 27, x, -c*x)` is the address of the
/// nonce R, and the hash of that address, x and the message is c.
fn router(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = secp256k1::PublicKey::from_slice(key).map_err(text)?;
    let (x_only, parity) = key.x_only_public_key();
    if parity == secp256k1::Parity::Odd {
        return Err("the key's y is odd, which the contract cannot store".to_owned());
    }
    let (c, s) = signature
        .split_at_checked(32)
        .filter(|(_, s)| s.len() == 32)
        .ok_or_else(|| format!("{} bytes where c and s have 64", signature.len()))?;
    let x = x_only.serialize();
    let tweak = secp256k1::Scalar::from_be_bytes(x)
        .map_err(|_| "the key's x is not below the group order".to_owned())?;
    let negated_product = |scalar: &[u8]| {
        let scalar = secp256k1::SecretKey::from_slice(scalar).map_err(text)?;
        scalar.mul_tweak(&tweak).map(|product| product.negate().secret_bytes()).map_err(text)
    };
    let hash = secp256k1::Message::from_digest(negated_product(s)?);
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&x);
    compact[32..].copy_from_slice(&negated_product(c)?);
    let even = secp256k1::ecdsa::RecoveryId::from_i32(0).map_err(text)?;
    let recoverable =
        secp256k1::ecdsa::RecoverableSignature::from_compact(&compact, even).map_err(text)?;
    let nonce = secp256k1::SECP256K1.recover_ecdsa(&hash, &recoverable).map_err(text)?;
    let challenge = Keccak256::new()
        .chain_update(account(&nonce))
        .chain_update(x)
        .chain_update(message)
        .finalize();
    if challenge.as_slice() == c { Ok(()) } else { Err("the challenge is another".to_owned()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    const GENERATOR: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    /// Serai's Ethereum vector: secret 1, nonce 11, key update on chain 1 with nonce 1 to itself.
    #[test]
    fn ethereum_vector() {
        let key = hex::decode(GENERATOR).unwrap();
        let mut message = b"updateSeraiKey".to_vec();
        for number in [1u8, 1] {
            message.extend_from_slice(&[0; 31]);
            message.push(number);
        }
        message.extend_from_slice(&key[1..]);
        let mut signature = hex::decode(concat!(
            "b199edd7f03acde1b4fbdf9172c30d07d74730c65ed6b9dea19cd0af809f5f21",
            "b199edd7f03acde1b4fbdf9172c30d07d74730c65ed6b9dea19cd0af809f5f2c"
        ))
        .unwrap();
        assert_eq!(external(Coin::Eth, &key, &message, &signature), Ok("secp256k1"));
        signature[40] ^= 1;
        assert!(external(Coin::Eth, &key, &message, &signature).is_err());
        signature[40] ^= 1;
        message[0] ^= 1;
        assert!(external(Coin::Eth, &key, &message, &signature).is_err());
    }

    #[test]
    fn bitcoin_signature_and_a_changed_one() {
        let pair = secp256k1::Keypair::from_seckey_slice(secp256k1::SECP256K1, &[3; 32]).unwrap();
        let message = secp256k1::Message::from_digest([9; 32]);
        let signature = secp256k1::SECP256K1.sign_schnorr_no_aux_rand(&message, &pair);
        let key = pair.public_key().serialize();
        assert_eq!(external(Coin::Btc, &key, &[9; 32], &signature[..]), Ok("secp256k1"));
        let error = external(Coin::Btc, &key, &[8; 32], &signature[..]).unwrap_err();
        assert!(error.to_string().starts_with("secp256k1 refuses the signature"), "{error}");
    }

    #[test]
    fn monero_and_ristretto() {
        use ed25519_dalek::Signer as _;
        let signer = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
        let signature = signer.sign(b"m").to_bytes();
        let key = signer.verifying_key().to_bytes();
        assert_eq!(external(Coin::Xmr, &key, b"m", &signature), Ok("ed25519-dalek"));
        assert!(external(Coin::Xmr, &key, b"n", &signature).is_err());
        assert!(external(Coin::Xmr, &key, b"m", &signature[..63]).is_err());

        let pair = schnorrkel::MiniSecretKey::from_bytes(&[6; 32])
            .unwrap()
            .expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
        let signature = pair.sign_simple(SUBSTRATE, b"m").to_bytes();
        assert_eq!(ristretto(&pair.public.to_bytes(), b"m", &signature), Ok("schnorrkel"));
        assert!(ristretto(&pair.public.to_bytes(), b"n", &signature).is_err());
    }
}
