//! Monero's addresses.
//!
//! # Owns
//! Its base58, in both directions, and what an address holds.
//!
//! # Promises
//! Each address has one text. Its keys are points of the prime-order group.
//!
//! # Limits
//! The main network: standard, integrated, subaddresses, and featured addresses.

use curve25519_dalek::{EdwardsPoint, edwards::CompressedEdwardsY};
use sha3::{Digest as _, Keccak256};

/// First byte of a standard address.
pub const STANDARD: u8 = 18;
/// First byte of an address with a payment id.
pub const INTEGRATED: u8 = 19;
/// First byte of a subaddress.
pub const SUBADDRESS: u8 = 42;
/// First byte of an address with a byte of features.
pub const FEATURED: u8 = 70;

/// Feature: it is a subaddress.
pub const FEATURE_SUBADDRESS: u8 = 1;
/// Feature: it has a payment id.
pub const FEATURE_INTEGRATED: u8 = 2;
/// Feature: outputs to it cannot be burnt.
pub const FEATURE_GUARANTEED: u8 = 4;

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Letters of a block of so many bytes.
const LETTERS: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];
/// An integrated featured address: kind, two keys, features, payment id, checksum.
const MOST_BYTES: usize = 1 + 32 + 32 + 1 + 8 + 4;

/// The text of an address of this kind with these keys and what follows them (features, payment id).
#[must_use]
pub fn encode(kind: u8, spend: &[u8; 32], view: &[u8; 32], after: &[u8]) -> String {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(spend);
    bytes.extend_from_slice(view);
    bytes.extend_from_slice(after);
    let hash = Keccak256::digest(&bytes);
    bytes.extend(hash.iter().take(4));
    bytes.chunks(8).map(encode_block).collect()
}

/// The spend key of an address.
///
/// # Errors
/// What is wrong with the address.
pub fn spend_key(text: &str) -> Result<[u8; 32], &'static str> {
    let bytes = decode(text)?;
    let (body, checksum) = bytes
        .len()
        .checked_sub(4)
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or("it is too short")?;
    if !Keccak256::digest(body).starts_with(checksum) {
        return Err("its checksum is wrong");
    }
    let (kind, body) = body.split_first().ok_or("it is too short")?;
    let (spend, body) = body.split_first_chunk::<32>().ok_or("it is too short")?;
    let (view, after) = body.split_first_chunk::<32>().ok_or("it is too short")?;
    let expected = match (*kind, after.first()) {
        (STANDARD | SUBADDRESS, _) => 0,
        (INTEGRATED, _) => 8,
        (FEATURED, Some(features)) if *features < 8 => {
            if features & FEATURE_INTEGRATED == 0 {
                1
            } else {
                9
            }
        }
        (FEATURED, _) => return Err("its features are unknown"),
        _ => return Err("its network or kind is another"),
    };
    if after.len() != expected {
        return Err("its length is not that of its kind");
    }
    for key in [spend, view] {
        CompressedEdwardsY(*key)
            .decompress()
            .filter(EdwardsPoint::is_torsion_free)
            .filter(|point| point.compress().as_bytes() == key)
            .ok_or("one of its keys is none")?;
    }
    Ok(*spend)
}

fn encode_block(block: &[u8]) -> String {
    let mut number = block.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    let mut letters = Vec::new();
    for _ in 0..LETTERS.get(block.len()).copied().unwrap_or_default() {
        let digit = usize::try_from(number % 58).unwrap_or_default();
        letters.extend(ALPHABET.get(digit).map(|letter| char::from(*letter)));
        number /= 58;
    }
    letters.iter().rev().collect()
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    const NOT_BASE58: &str = "it is not Monero's base58";
    if text.len() > MOST_BYTES.div_ceil(8) * 11 {
        return Err("it is too long");
    }
    let mut bytes = Vec::new();
    for block in text.as_bytes().chunks(11) {
        let size = LETTERS.iter().position(|letters| *letters == block.len());
        let size = size.ok_or(NOT_BASE58)?;
        let mut number = 0u128;
        for letter in block {
            let digit = ALPHABET.iter().position(|known| known == letter).ok_or(NOT_BASE58)?;
            number = number * 58 + u128::try_from(digit).map_err(|_| NOT_BASE58)?;
        }
        let number = u64::try_from(number).map_err(|_| NOT_BASE58)?.to_be_bytes();
        let (zeros, block) = number.split_at_checked(8 - size).ok_or(NOT_BASE58)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(NOT_BASE58);
        }
        bytes.extend_from_slice(block);
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, missing_docs)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXTERNAL: &str = "Cs6igeQZUKb3jkGXBaUCK19GEkqd6h4AfeYK9bfu4JT9eKKSuHdkErPJZCnLTnFVzS9hQNjVXdJi3hUxMwmPrPDk2s51r41mo";

    #[test]
    fn serais_vector_has_the_spend_key_five() {
        let five = EdwardsPoint::mul_base(&curve25519_dalek::Scalar::from(5u8));
        assert_eq!(spend_key(EXTERNAL).unwrap(), five.compress().to_bytes());
    }

    #[test]
    fn no_letter_can_be_another() {
        for at in 0..EXTERNAL.len() {
            let mut text = EXTERNAL.as_bytes().to_vec();
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
            assert!(spend_key(std::str::from_utf8(&text).unwrap()).is_err(), "letter {at}");
        }
        assert!(spend_key(&EXTERNAL[1..]).is_err());
        assert!(spend_key("").is_err());
    }

    #[test]
    fn keys_of_low_order_are_refused() {
        let five = EdwardsPoint::mul_base(&curve25519_dalek::Scalar::from(5u8)).compress();
        let text = encode(STANDARD, &[0; 32], five.as_bytes(), &[]);
        assert_eq!(spend_key(&text), Err("one of its keys is none"));
    }

    proptest! {
        #[test]
        fn decoding_is_the_inverse(bytes in proptest::collection::vec(any::<u8>(), 0..=MOST_BYTES)) {
            let text: String = bytes.chunks(8).map(encode_block).collect();
            prop_assert_eq!(decode(&text), Ok(bytes));
        }

        #[test]
        fn any_text_is_answered(text in ".{0,120}") {
            let _ = spend_key(&text);
        }
    }
}
