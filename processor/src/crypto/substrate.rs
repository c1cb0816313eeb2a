//! The vault's Ristretto key, whose sr25519 signatures Serai checks.

use dalek_ff_group::{Ristretto, RistrettoPoint, Scalar};
use modular_frost::ThresholdKeys;
use serai_sr25519::{SUBSTRATE_CONTEXT, Schnorrkel};

use super::Scheme;

/// sr25519 under Substrate's signing context; the key is not adjusted.
pub(super) struct Substrate;

impl Scheme for Substrate {
    type Curve = Ristretto;
    type Algorithm = Schnorrkel;

    fn algorithm() -> Schnorrkel {
        Schnorrkel::new(SUBSTRATE_CONTEXT)
    }

    fn adjust(keys: ThresholdKeys<Ristretto>) -> ThresholdKeys<Ristretto> {
        keys
    }

    fn challenge(nonce: &RistrettoPoint, key: &RistrettoPoint, message: &[u8]) -> Scalar {
        Self::algorithm().challenge(nonce, key, message)
    }

    fn compose(nonce: RistrettoPoint, sum: Scalar) -> [u8; 64] {
        Schnorrkel::compose(&nonce, &sum)
    }

    fn signature(signature: &[u8; 64], _: &RistrettoPoint, _: &[u8]) -> [u8; 64] {
        *signature
    }

    fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool {
        <&[u8; 32]>::try_from(key).is_ok_and(|key| {
            serai_sr25519::verify(key, SUBSTRATE_CONTEXT, message, signature).is_ok()
        })
    }
}
