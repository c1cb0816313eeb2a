//! What Bitcoin's and Ethereum's schemes share.

use ciphersuite::group::{
    GroupEncoding,
    ff::{Field, PrimeField},
};
use ciphersuite::{Ciphersuite, Secp256k1};
use modular_frost::ThresholdKeys;

pub(super) type Point = <Secp256k1 as Ciphersuite>::G;
pub(super) type Scalar = <Secp256k1 as Ciphersuite>::F;

/// The 32-byte x coordinate and whether y is odd (SEC 1, compressed form).
pub(super) fn coordinates(point: &Point) -> ([u8; 32], bool) {
    let compressed = point.to_bytes();
    let mut x = [0; 32];
    x.copy_from_slice(&compressed[1..]);
    (x, compressed[0] == 3)
}

/// The point with this x coordinate and even y.
pub(super) fn lift_x(x: &[u8; 32]) -> Option<Point> {
    let mut compressed = [2; 33];
    compressed[1..].copy_from_slice(x);
    Secp256k1::read_G(&mut compressed.as_slice()).ok()
}

/// A point in SEC 1's compressed form.
pub(super) fn point(bytes: &[u8]) -> Option<Point> {
    let bytes: &[u8; 33] = bytes.try_into().ok()?;
    Secp256k1::read_G(&mut bytes.as_slice()).ok()
}

/// A canonical big-endian scalar.
pub(super) fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    Option::from(Scalar::from_repr((*bytes).into()))
}

/// A big-endian number modulo the group order.
pub(super) fn reduce(bytes: [u8; 32]) -> Scalar {
    let (mut high, mut low) = ([0; 16], [0; 16]);
    high.copy_from_slice(&bytes[..16]);
    low.copy_from_slice(&bytes[16..]);
    let shift = Scalar::from_u128(1 << 127).double();
    Scalar::from_u128(u128::from_be_bytes(high)) * shift
        + Scalar::from_u128(u128::from_be_bytes(low))
}

/// Adds `offset` and then the least number of ones that makes the key `fit`.
pub(super) fn offset_until(
    keys: ThresholdKeys<Secp256k1>,
    mut offset: Scalar,
    fit: impl Fn(&Point) -> bool,
) -> ThresholdKeys<Secp256k1> {
    let mut key = keys.group_key() + Secp256k1::generator() * offset;
    while !fit(&key) {
        offset += Scalar::ONE;
        key += Secp256k1::generator();
    }
    keys.offset(offset)
}
