//! The addresses of a vault, from its external key.
//!
//! # Owns
//! Bech32m, EIP-55 and Monero's base58, written against their specifications and apart from the
//! programs that are observed.
//!
//! # Promises
//! A key that is no point of its curve has no address: [`of`] refuses it.
//!
//! # Limits
//! Main networks only. Ethereum funds will sit in a contract that the key controls; until there is
//! one, the address is that of the key itself and says so.

use curve25519_dalek::{EdwardsPoint, Scalar, edwards::CompressedEdwardsY};
use serai_messages::Coin;
use serde::Serialize;
use sha2::{Digest as _, Sha512};
use sha3::Keccak256;

/// An address and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The address as its network writes it.
    pub text: String,
    /// What kind of address it is, in words.
    pub kind: &'static str,
}

/// Why a key has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("external key {key} of {coin} has no address: {reason}")]
pub struct NoAddress {
    /// The coin.
    pub coin: Coin,
    /// The key, in hex.
    pub key: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The address of a vault with this external key (after Serai's adjustments).
///
/// # Errors
/// [`NoAddress`] when the bytes are no key of that coin.
pub fn of(coin: Coin, external_key: &[u8]) -> Result<Address, NoAddress> {
    let refuse = |reason| NoAddress { coin, key: hex::encode(external_key), reason };
    match coin {
        Coin::Btc => {
            let key = secp256k1::PublicKey::from_slice(external_key)
                .map_err(|_| refuse("not 33 bytes of a compressed secp256k1 point"))?;
            let text = taproot(&key.x_only_public_key().0.serialize());
            Ok(Address { text, kind: "pay to taproot, the external key as output key" })
        }
        Coin::Eth => {
            let key = secp256k1::PublicKey::from_slice(external_key)
                .map_err(|_| refuse("not 33 bytes of a compressed secp256k1 point"))?;
            Ok(Address { text: checksummed(&account(&key)), kind: "account of the key" })
        }
        Coin::Xmr => {
            let spend: [u8; 32] =
                external_key.try_into().map_err(|_| refuse("not 32 bytes of an Ed25519 point"))?;
            let point = CompressedEdwardsY(spend)
                .decompress()
                .filter(EdwardsPoint::is_torsion_free)
                .ok_or_else(|| refuse("not in the prime-order group of Ed25519"))?;
            Ok(Address { text: monero(&point), kind: "featured address with the guaranteed flag" })
        }
    }
}

/// All addresses at which a vault with this external key holds money, each once: the one that is
/// given out, and those of its change and of what its predecessor forwards to it.
///
/// # Errors
/// [`NoAddress`] when the bytes are no key of that coin.
pub fn all(coin: Coin, external_key: &[u8]) -> Result<Vec<String>, NoAddress> {
    let mut found = vec![of(coin, external_key)?.text];
    let refuse = |reason| NoAddress { coin, key: hex::encode(external_key), reason };
    match coin {
        Coin::Btc => {
            let key = secp256k1::PublicKey::from_slice(external_key)
                .map_err(|_| refuse("not 33 bytes of a compressed secp256k1 point"))?;
            for offset in [BTC_CHANGE, BTC_FORWARD] {
                let x = with_offset(&key, offset).ok_or_else(|| refuse("has no offset key"))?;
                found.push(taproot(&x));
            }
        }
        Coin::Eth => {}
        Coin::Xmr => {
            let point = external_key
                .try_into()
                .ok()
                .and_then(|spend: [u8; 32]| CompressedEdwardsY(spend).decompress())
                .ok_or_else(|| refuse("not 32 bytes of an Ed25519 point"))?;
            found.extend([2, 3].map(|account| monero_subaddress(&point, account)));
        }
    }
    Ok(found)
}

/// Serai's offset of a Bitcoin vault's key for change.
const BTC_CHANGE: &str = "b7a361289af929235cce198d1578f5d640b18db5aee4451413e1774f6ab4a63a";
/// Likewise for what is forwarded to it.
const BTC_FORWARD: &str = "50d711223c998860abe8199aec98a0064a8df53e084a0d84462739ff35a38583";

/// The x coordinate of `key + offset * G`, the offset raised by one until y is even.
fn with_offset(key: &secp256k1::PublicKey, offset: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(offset, &mut bytes).ok()?;
    loop {
        let scalar = secp256k1::Scalar::from_be_bytes(bytes).ok()?;
        let (x, parity) =
            key.add_exp_tweak(secp256k1::SECP256K1, &scalar).ok()?.x_only_public_key();
        if parity == secp256k1::Parity::Even {
            return Some(x.serialize());
        }
        for byte in bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
}

/// The 20 bytes of a key's Ethereum account.
pub(crate) fn account(key: &secp256k1::PublicKey) -> [u8; 20] {
    let mut account = [0; 20];
    let hash = Keccak256::digest(key.serialize_uncompressed().split_at(1).1);
    account.copy_from_slice(hash.split_at(12).1);
    account
}

/// EIP-55: a letter is upper case where the hash of the lower-case text has a nibble of 8 or more.
pub(crate) fn checksummed(account: &[u8; 20]) -> String {
    let lower = hex::encode(account);
    let hash = hex::encode(Keccak256::digest(lower.as_bytes()));
    let cased = lower
        .chars()
        .zip(hash.chars())
        .map(|(letter, nibble)| if nibble >= '8' { letter.to_ascii_uppercase() } else { letter });
    std::iter::once('0').chain(std::iter::once('x')).chain(cased).collect()
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// BIP-341 output with this x coordinate, as BIP-350 writes it.
pub(crate) fn taproot(x: &[u8; 32]) -> String {
    const WITNESS_VERSION: u8 = 1;
    const PREFIX: &str = "bc";
    let mut data = vec![WITNESS_VERSION];
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in x {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            data.push(((bits >> held) & 31) as u8);
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        data.push(((bits << (5 - held)) & 31) as u8);
    }
    let mut checked: Vec<u8> = PREFIX.bytes().map(|c| c >> 5).collect();
    checked.push(0);
    checked.extend(PREFIX.bytes().map(|c| c & 31));
    checked.extend_from_slice(&data);
    checked.extend_from_slice(&[0; 6]);
    let checksum = polymod(&checked) ^ 0x2bc8_30a3;
    data.extend((0..6).map(|i| ((checksum >> (5 * (5 - i))) & 31) as u8));
    let letters = data.iter().filter_map(|value| BECH32.get(usize::from(*value)));
    format!("{PREFIX}1{}", letters.map(|letter| char::from(*letter)).collect::<String>())
}

/// The checksum of BIP-173.
fn polymod(values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.iter().fold(1, |checksum, value| {
        let top = checksum >> 25;
        let shifted = ((checksum & 0x01ff_ffff) << 5) ^ u32::from(*value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| (top >> bit) & 1 == 1)
            .fold(shifted, |sum, (_, generator)| sum ^ generator)
    })
}

/// Featured addresses of Monero's main network.
pub(crate) const FEATURED_MAINNET: u8 = 70;
const SUBADDRESS: u8 = 1;
const GUARANTEED: u8 = 4;

/// Serai's external address of a Monero vault: the view key is the same for all sets.
fn monero(spend: &EdwardsPoint) -> String {
    let view = EdwardsPoint::mul_base(&view_scalar());
    let keys = [spend.compress().to_bytes(), view.compress().to_bytes()];
    monero_text(FEATURED_MAINNET, &keys, Some(GUARANTEED))
}

/// A Monero vault's address of account `account`, index 0: as Monero derives subaddresses.
fn monero_subaddress(spend: &EdwardsPoint, account: u32) -> String {
    let view = view_scalar();
    let hash = Keccak256::new()
        .chain_update(b"SubAddr\0")
        .chain_update(view.to_bytes())
        .chain_update(account.to_le_bytes())
        .chain_update(0u32.to_le_bytes());
    let offset = Scalar::from_bytes_mod_order(hash.finalize().into());
    let spend = spend + EdwardsPoint::mul_base(&offset);
    let keys = [spend.compress().to_bytes(), (view * spend).compress().to_bytes()];
    monero_text(FEATURED_MAINNET, &keys, Some(SUBADDRESS | GUARANTEED))
}

/// A Monero address: network, keys, flags where it is a featured one, checksum.
pub(crate) fn monero_text(network: u8, keys: &[[u8; 32]; 2], flags: Option<u8>) -> String {
    let mut bytes = vec![network];
    bytes.extend_from_slice(keys.as_flattened());
    bytes.extend(flags);
    let hash = Keccak256::digest(&bytes);
    bytes.extend(hash.iter().take(4));
    base58(&bytes)
}

/// The scalar behind the view key of every Monero vault of Serai.
fn view_scalar() -> Scalar {
    let hash = Sha512::new()
        .chain_update(b"Serai DEX Additional Key")
        .chain_update(b"Monero")
        .chain_update(0u64.to_le_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Letters for so many bytes.
const LETTERS: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];

/// The spend key in a Monero address's text; none where the checksum is wrong.
pub(crate) fn monero_spend_key(text: &str) -> Option<[u8; 32]> {
    let bytes = from_base58(text)?;
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    Keccak256::digest(body).starts_with(checksum).then_some(())?;
    body.get(1..33)?.try_into().ok()
}

/// The inverse of [`base58`].
fn from_base58(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for block in text.as_bytes().chunks(11) {
        let length = LETTERS.iter().position(|letters| *letters == block.len())?;
        let mut number = 0u128;
        for letter in block {
            let digit = ALPHABET.iter().position(|one| one == letter)?;
            number = number * 58 + u128::try_from(digit).ok()?;
        }
        let big = number.to_be_bytes();
        let (above, value) = big.split_at(big.len().checked_sub(length)?);
        above.iter().all(|byte| *byte == 0).then_some(())?;
        bytes.extend_from_slice(value);
    }
    Some(bytes)
}

/// Monero's base58: blocks of 8 bytes become 11 letters, a shorter last block fewer.
fn base58(bytes: &[u8]) -> String {
    let mut text = String::new();
    for block in bytes.chunks(8) {
        let mut number = block.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        let mut letters = Vec::new();
        for _ in 0..LETTERS.get(block.len()).copied().unwrap_or_default() {
            letters.extend(ALPHABET.get((number % 58) as usize).map(|byte| char::from(*byte)));
            number /= 58;
        }
        text.extend(letters.iter().rev());
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    /// BIP-341's wallet vectors: an output key and its address.
    #[test]
    fn taproot_address_of_bip_341() {
        let x = hex::decode("a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c");
        assert_eq!(
            taproot(&x.unwrap().try_into().unwrap()),
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
        );
    }

    /// The account of secret key 1 is known to everyone.
    #[test]
    fn ethereum_account_of_the_generator() {
        let generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let address = of(Coin::Eth, &hex::decode(generator).unwrap()).unwrap();
        assert_eq!(address.text, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    }

    #[test]
    fn monero_external_address() {
        let view = "3027d4ae0678b46c38bc5e371b88fd45476a290b795d8ca895f5a26554f74504";
        assert_eq!(hex::encode(view_scalar().to_bytes()), view);
        let spend = EdwardsPoint::mul_base(&Scalar::from(5u8)).compress();
        assert_eq!(
            of(Coin::Xmr, spend.as_bytes()).unwrap().text,
            "Cs6igeQZUKb3jkGXBaUCK19GEkqd6h4AfeYK9bfu4JT9eKKSuHdkErPJZCnLTnFVzS9hQNjVXdJi3hUxMwmPrPDk2s51r41mo"
        );
    }

    /// Serai's vector: the output keys of change and of what is forwarded.
    #[test]
    fn bitcoin_addresses_beside_the_external_one() {
        let key = "02b4e39040c6a7cee8d024b849276d53ea5a33120aaf9a90993dabf1fbe02d3ac5";
        let addresses = all(Coin::Btc, &hex::decode(key).unwrap()).unwrap();
        let expected = [
            &key[2..],
            "b0b540f81a960a2e8198557a72e85de84f693670e71eefb428ebc49eac841575",
            "08e5eda745bdeba8caff29db8ccadbd68bcc3aa30b7383fe0639203e2a615547",
        ]
        .map(|x| taproot(&hex::decode(x).unwrap().try_into().unwrap()));
        assert_eq!(addresses, expected);
    }

    #[test]
    fn a_monero_address_gives_its_spend_key() {
        let spend = EdwardsPoint::mul_base(&Scalar::from(5u8));
        let addresses = all(Coin::Xmr, spend.compress().as_bytes()).unwrap();
        assert_eq!(addresses.len(), 3);
        assert_eq!(monero_spend_key(&addresses[0]), Some(spend.compress().to_bytes()));
        assert_ne!(monero_spend_key(&addresses[1]), monero_spend_key(&addresses[2]));
        assert_eq!(monero_spend_key(&addresses[0].replace('C', "D")), None);
    }

    #[test]
    fn what_is_no_key_has_no_address() {
        for coin in Coin::ALL {
            let error = of(coin, &[7; 31]).unwrap_err();
            assert!(error.to_string().contains(&format!("of {coin}")), "{error}");
        }
        let low_order = [0; 32];
        assert!(of(Coin::Xmr, &low_order).is_err());
    }
}
