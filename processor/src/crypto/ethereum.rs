//! Ethereum's key and the signatures that Serai's router contract checks.

use ciphersuite::{Ciphersuite, Secp256k1};
use flexible_transcript::{RecommendedTranscript, Transcript};
use k256::elliptic_curve::sec1::ToEncodedPoint;
use modular_frost::{
    ThresholdKeys,
    algorithm::{Hram, Schnorr, SchnorrSignature},
};
use sha3::{Digest, Keccak256};

use super::Scheme;
use super::secp256k1::{Point, Scalar, coordinates, offset_until, point, reduce, scalar};

/// The 20-byte address of a point: the end of Keccak-256 over both coordinates. None of the identity.
fn address(point: &Point) -> Option<[u8; 20]> {
    let encoded = point.to_affine().to_encoded_point(false);
    let hash = Keccak256::digest(encoded.as_bytes().get(1..65)?);
    hash.as_slice().get(12..)?.try_into().ok()
}

fn challenge(nonce: &Point, key: &Point, message: &[u8]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    hasher.update(address(nonce).unwrap_or_default());
    hasher.update(coordinates(key).0);
    hasher.update(message);
    hasher.finalize().into()
}

/// Serai's challenge: Keccak-256 over the nonce's address, the key's x, and the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Router;

impl Hram<Secp256k1> for Router {
    fn hram(nonce: &Point, key: &Point, message: &[u8]) -> Scalar {
        reduce(challenge(nonce, key, message))
    }
}

/// Key raised until y is even and x is below the group order; signatures are challenge and response.
pub(super) struct Ethereum;

/// Whether the contract, which stores x alone and uses it as a scalar, can hold the key.
fn fits_contract(key: &Point) -> bool {
    let (x, odd) = coordinates(key);
    !odd && scalar(&x).is_some()
}

impl Scheme for Ethereum {
    type Curve = Secp256k1;
    type Algorithm = Schnorr<Secp256k1, RecommendedTranscript, Router>;

    fn algorithm() -> Self::Algorithm {
        Schnorr::new(RecommendedTranscript::new(b"serai-processor FROST Ethereum v1"))
    }

    fn adjust(keys: ThresholdKeys<Secp256k1>) -> ThresholdKeys<Secp256k1> {
        offset_until(keys, Scalar::ZERO, fits_contract)
    }

    fn challenge(nonce: &Point, key: &Point, message: &[u8]) -> Scalar {
        Router::hram(nonce, key, message)
    }

    fn compose(nonce: Point, sum: Scalar) -> SchnorrSignature<Secp256k1> {
        SchnorrSignature { R: nonce, s: sum }
    }

    fn signature(signature: &SchnorrSignature<Secp256k1>, key: &Point, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&Router::hram(&signature.R, key, message).to_bytes());
        bytes[32..].copy_from_slice(&signature.s.to_bytes());
        bytes
    }

    fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool {
        let Some(key) = point(key).filter(fits_contract) else { return false };
        let (mut stated, mut response) = ([0; 32], [0; 32]);
        stated.copy_from_slice(&signature[..32]);
        response.copy_from_slice(&signature[32..]);
        let (Some(c), Some(s)) = (scalar(&stated), scalar(&response)) else { return false };
        let nonce = Secp256k1::generator() * s - key * c;
        // The contract compares the raw hash: a hash at or above the group order never passes.
        address(&nonce).is_some() && challenge(&nonce, &key, message) == stated
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use ciphersuite::group::GroupEncoding;

    use super::*;

    /// Secret 1, nonce 11, the message of a key update: chain id 1, nonce 1, new key = own x.
    #[test]
    fn signs_as_serais_contract_expects() {
        let key = Secp256k1::generator();
        let nonce = key * Scalar::from(11u64);
        assert_eq!(
            hex::encode(address(&nonce).unwrap()),
            "3da8d322cb2435da26e9c9fee670f9fb7fe74e49"
        );
        let mut word = [0; 32];
        word[31] = 1;
        let message = [b"updateSeraiKey".as_slice(), &word, &word, &coordinates(&key).0].concat();
        let c = Router::hram(&nonce, &key, &message);
        assert_eq!(
            hex::encode(c.to_bytes()),
            "b199edd7f03acde1b4fbdf9172c30d07d74730c65ed6b9dea19cd0af809f5f21"
        );
        let signature = SchnorrSignature::<Secp256k1> { R: nonce, s: Scalar::from(11u64) + c };
        let bytes = Ethereum::signature(&signature, &key, &message);
        assert_eq!(
            hex::encode(&bytes[32..]),
            "b199edd7f03acde1b4fbdf9172c30d07d74730c65ed6b9dea19cd0af809f5f2c"
        );
        assert!(Ethereum::verify(&key.to_bytes(), &message, &bytes));
        assert!(!Ethereum::verify(&key.to_bytes(), b"another", &bytes));
    }

    #[test]
    fn the_contract_takes_even_y_only() {
        let key = Secp256k1::generator();
        assert!(fits_contract(&key));
        assert!(!fits_contract(&-key));
    }
}
