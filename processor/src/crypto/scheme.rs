//! What differs between the keys of a vault.

use ciphersuite::Ciphersuite;
use ciphersuite::group::GroupEncoding;
use modular_frost::{ThresholdKeys, algorithm::Algorithm, curve::Curve};

/// One kind of vault key: its curve, how Serai adjusts it, and the signatures that it makes.
pub trait Scheme: 'static + Send + Sync {
    /// The curve.
    type Curve: Curve;
    /// The signature algorithm, for `modular-frost`.
    type Algorithm: Algorithm<Self::Curve>;

    /// A fresh algorithm, for one signature.
    fn algorithm() -> Self::Algorithm;

    /// The keys as Serai and the external chain know them. The adjustment is a function of the group
    /// key alone, so that all members make the same.
    fn adjust(keys: ThresholdKeys<Self::Curve>) -> ThresholdKeys<Self::Curve>;

    /// The public key's bytes in Serai's `KeyPair`.
    fn public_key(key: &<Self::Curve as Ciphersuite>::G) -> Vec<u8> {
        key.to_bytes().as_ref().to_vec()
    }

    /// The challenge of a signature with this nonce commitment, by the adjusted key.
    fn challenge(
        nonce: &<Self::Curve as Ciphersuite>::G,
        key: &<Self::Curve as Ciphersuite>::G,
        message: &[u8],
    ) -> <Self::Curve as Ciphersuite>::F;

    /// The signature that a nonce commitment and the sum of all shares are.
    fn compose(
        nonce: <Self::Curve as Ciphersuite>::G,
        sum: <Self::Curve as Ciphersuite>::F,
    ) -> <Self::Algorithm as Algorithm<Self::Curve>>::Signature;

    /// The signature's 64 bytes.
    fn signature(
        signature: &<Self::Algorithm as Algorithm<Self::Curve>>::Signature,
        key: &<Self::Curve as Ciphersuite>::G,
        message: &[u8],
    ) -> [u8; 64];

    /// Whether `signature` is one of `message` by the adjusted public key `key`.
    fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool;
}
