//! Bitcoin's key and its BIP-340 signatures.

use ciphersuite::{Ciphersuite, Secp256k1};
use flexible_transcript::{RecommendedTranscript, Transcript};
use modular_frost::{
    ThresholdKeys,
    algorithm::{Hram, Schnorr, SchnorrSignature},
};
use sha2::{Digest, Sha256};

use super::Scheme;
use super::secp256k1::{Point, Scalar, coordinates, lift_x, offset_until, point, reduce, scalar};

/// BIP-340's tagged hash.
fn tagged_hash(tag: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let tag = Sha256::digest(tag);
    let mut hasher = Sha256::new();
    hasher.update(tag);
    hasher.update(tag);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn challenge(nonce: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    reduce(tagged_hash(b"BIP0340/challenge", &[nonce, key, message]))
}

/// BIP-340's challenge, negated where the nonce has odd y: the verifier takes the nonce with even y,
/// so the whole response is negated once at the end ([`Bitcoin::signature`]) and the key's part must
/// come out unchanged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bip340;

impl Hram<Secp256k1> for Bip340 {
    fn hram(nonce: &Point, key: &Point, message: &[u8]) -> Scalar {
        let (x, odd) = coordinates(nonce);
        let challenge = challenge(&x, &coordinates(key).0, message);
        if odd { -challenge } else { challenge }
    }
}

/// Key adjusted as Serai does (tweak of the group key's x, its own parity kept, then raised until y
/// is even), signatures by BIP-340.
pub(super) struct Bitcoin;

impl Scheme for Bitcoin {
    type Curve = Secp256k1;
    type Algorithm = Schnorr<Secp256k1, RecommendedTranscript, Bip340>;

    fn algorithm() -> Self::Algorithm {
        Schnorr::new(RecommendedTranscript::new(b"serai-processor FROST BIP-340 v1"))
    }

    fn adjust(keys: ThresholdKeys<Secp256k1>) -> ThresholdKeys<Secp256k1> {
        let tweak = reduce(tagged_hash(b"TapTweak", &[&coordinates(&keys.group_key()).0]));
        offset_until(keys, tweak, |key| !coordinates(key).1)
    }

    fn challenge(nonce: &Point, key: &Point, message: &[u8]) -> Scalar {
        Bip340::hram(nonce, key, message)
    }

    fn compose(nonce: Point, sum: Scalar) -> SchnorrSignature<Secp256k1> {
        SchnorrSignature { R: nonce, s: sum }
    }

    fn signature(signature: &SchnorrSignature<Secp256k1>, _: &Point, _: &[u8]) -> [u8; 64] {
        let (x, odd) = coordinates(&signature.R);
        let response = if odd { -signature.s } else { signature.s };
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&x);
        bytes[32..].copy_from_slice(&response.to_bytes());
        bytes
    }

    fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool {
        let Some(key) = point(key).filter(|key| !coordinates(key).1) else { return false };
        let (mut x, mut response) = ([0; 32], [0; 32]);
        x.copy_from_slice(&signature[..32]);
        response.copy_from_slice(&signature[32..]);
        let (Some(nonce), Some(response)) = (lift_x(&x), scalar(&response)) else { return false };
        let challenge = challenge(&x, &coordinates(&key).0, message);
        Secp256k1::generator() * response == nonce + key * challenge
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::collections::HashMap;

    use ciphersuite::group::GroupEncoding;
    use modular_frost::{Participant, ThresholdParams, dkg::Interpolation};
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn adjusts_as_serai_does() {
        let group =
            hex::decode("03d2ca678eec2a54f85a498dd048e435de6859d75ce131aae57f536ad711ed4833")
                .unwrap();
        let one = Participant::new(1).unwrap();
        // The adjustment reads the group key alone; nobody knows this one's secret.
        let keys = ThresholdKeys::<Secp256k1>::new(
            ThresholdParams::new(1, 1, one).unwrap(),
            Interpolation::Lagrange,
            Zeroizing::new(Scalar::ONE),
            HashMap::from([(one, point(&group).unwrap())]),
        )
        .unwrap();
        assert_eq!(
            hex::encode(Bitcoin::adjust(keys).group_key().to_bytes()),
            "02b4e39040c6a7cee8d024b849276d53ea5a33120aaf9a90993dabf1fbe02d3ac5"
        );
    }

    /// BIP-340, test vector 0: secret key 3.
    #[test]
    fn verifies_the_vector_of_bip_340() {
        let key = hex::decode("02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9")
            .unwrap();
        let signature: [u8; 64] = hex::decode(
            "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca821525f66a4a85ea8b71e482\
             a74f382d2ce5ebeee8fdb2172f477df4900d310536c0",
        )
        .unwrap()
        .try_into()
        .unwrap();
        assert!(Bitcoin::verify(&key, &[0; 32], &signature));
        assert!(!Bitcoin::verify(&key, &[1; 32], &signature));
        let mut other = signature;
        other[40] ^= 1;
        assert!(!Bitcoin::verify(&key, &[0; 32], &other));
    }
}
