//! Monero's spend key, and the Ed25519 signature that proves it.

use ciphersuite::Ciphersuite;
use dalek_ff_group::{Ed25519, EdwardsPoint, Scalar};
use modular_frost::{
    ThresholdKeys,
    algorithm::{Hram, IetfSchnorr, SchnorrSignature},
    curve::IetfEd25519Hram,
};

use super::Scheme;

/// The group key is the spend key, unadjusted. Its proving signature is Ed25519 (RFC 8032); Monero's
/// transactions are signed otherwise (CLSAG).
pub(super) struct Monero;

impl Scheme for Monero {
    type Curve = Ed25519;
    type Algorithm = IetfSchnorr<Ed25519, IetfEd25519Hram>;

    fn algorithm() -> Self::Algorithm {
        IetfSchnorr::ietf()
    }

    fn adjust(keys: ThresholdKeys<Ed25519>) -> ThresholdKeys<Ed25519> {
        keys
    }

    fn challenge(nonce: &EdwardsPoint, key: &EdwardsPoint, message: &[u8]) -> Scalar {
        IetfEd25519Hram::hram(nonce, key, message)
    }

    fn compose(nonce: EdwardsPoint, sum: Scalar) -> SchnorrSignature<Ed25519> {
        SchnorrSignature { R: nonce, s: sum }
    }

    fn signature(signature: &SchnorrSignature<Ed25519>, _: &EdwardsPoint, _: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&signature.R.compress().to_bytes());
        bytes[32..].copy_from_slice(&signature.s.to_bytes());
        bytes
    }

    fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool {
        let Ok(key) = <&[u8; 32]>::try_from(key) else { return false };
        let Ok(key) = Ed25519::read_G(&mut key.as_slice()) else { return false };
        let Ok(signature) = SchnorrSignature::<Ed25519>::read(&mut signature.as_slice()) else {
            return false;
        };
        signature.verify(key, IetfEd25519Hram::hram(&signature.R, &key, message))
    }
}
