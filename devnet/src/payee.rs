//! Whom money is paid to: external addresses as Serai writes them, and instructions of deposits.
//!
//! # Owns
//! Serai's encoding of external addresses, read and written apart from the programs observed, and the
//! instruction that credits an account on Serai.
//!
//! # Limits
//! Kinds of Bitcoin addresses: the five that Serai knows. Monero: legacy, subaddress, featured.

use curve25519_dalek::{EdwardsPoint, Scalar};
use serai_messages::{Coin, ValidatorKey};

use crate::address::{FEATURED_MAINNET, account, checksummed, monero_text, taproot};

/// An external address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    /// As Serai writes it.
    pub bytes: Vec<u8>,
    /// As its network writes it.
    pub text: String,
}

/// An address whose key nobody keeps: of a new random key.
pub fn fresh(coin: Coin) -> Payee {
    let bytes = match coin {
        Coin::Btc => [&[4], random_key().x_only_public_key().0.serialize().as_slice()].concat(),
        Coin::Eth => account(&random_key()).to_vec(),
        Coin::Xmr => {
            let point = || {
                let scalar = Scalar::random(&mut rand_core::OsRng);
                EdwardsPoint::mul_base(&scalar).compress().to_bytes()
            };
            [&[0], point().as_slice(), point().as_slice()].concat()
        }
    };
    // Each of these is an address.
    let text = text(coin, &bytes).unwrap_or_default();
    Payee { bytes, text }
}

fn random_key() -> secp256k1::PublicKey {
    loop {
        let mut bytes = [0; 32];
        rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut bytes);
        if let Ok(secret) = secp256k1::SecretKey::from_slice(&bytes) {
            return secret.public_key(secp256k1::SECP256K1);
        }
    }
}

/// The text of an address that Serai writes so; `None` where it is none of that coin.
pub fn text(coin: Coin, bytes: &[u8]) -> Option<String> {
    let array = |bytes: &[u8]| -> Option<[u8; 32]> { bytes.try_into().ok() };
    match coin {
        Coin::Btc => {
            let (kind, hash) = bytes.split_first()?;
            if *kind == 4 {
                return Some(taproot(&array(hash)?));
            }
            let script = match kind {
                0 => [&[0x76, 0xa9, 20], hash, &[0x88, 0xac]].concat(),
                1 => [&[0xa9, 20], hash, &[0x87]].concat(),
                2 => [&[0, 20], hash].concat(),
                3 => [&[0, 32], hash].concat(),
                _ => return None,
            };
            let script = bitcoin::ScriptBuf::from_bytes(script);
            let address = bitcoin::Address::from_script(&script, bitcoin::Network::Bitcoin);
            address.ok().map(|address| address.to_string())
        }
        Coin::Eth => Some(checksummed(bytes.try_into().ok()?)),
        Coin::Xmr => {
            let (kind, rest) = bytes.split_first()?;
            let (network, flags, keys) = match kind {
                0 => (18, None, rest),
                1 => (42, None, rest),
                2 => {
                    let (flags, keys) = rest.split_first()?;
                    (FEATURED_MAINNET, Some(*flags), keys)
                }
                _ => return None,
            };
            let (spend, view) = keys.split_at_checked(32)?;
            Some(monero_text(network, &[array(spend)?, array(view)?], flags))
        }
    }
}

/// The data of a deposit that credits `account` on Serai: `Shorthand::Raw`, no refund address, a
/// transfer.
pub fn transfer_to(account: ValidatorKey) -> Vec<u8> {
    [&[0, 0, 0], account.0.as_slice()].concat()
}

/// `ExternalCoin` of a network's own coin.
pub const fn external_coin(coin: Coin) -> u8 {
    match coin {
        Coin::Btc => 4,
        Coin::Eth => 5,
        Coin::Xmr => 7,
    }
}

/// The name of a network's own coin in Serai's types.
pub const fn coin_name(coin: Coin) -> &'static str {
    match coin {
        Coin::Btc => "Bitcoin",
        Coin::Eth => "Ether",
        Coin::Xmr => "Monero",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn fresh_addresses_have_a_text() {
        let begins = [(Coin::Btc, "bc1p"), (Coin::Eth, "0x"), (Coin::Xmr, "4")];
        for (coin, begin) in begins {
            let payee = fresh(coin);
            assert!(payee.text.starts_with(begin), "{payee:?}");
            assert_ne!(payee, fresh(coin));
            assert_eq!(text(coin, &payee.bytes[1..]), None, "{coin}");
        }
    }

    #[test]
    fn bitcoins_other_kinds() {
        // The address of the first block's reward.
        let hash = hex::decode("0062e907b15cbf27d5425399ebf6f0fb50ebb88f18").unwrap();
        let address = text(Coin::Btc, &hash);
        assert_eq!(address.as_deref(), Some("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
        assert_eq!(text(Coin::Btc, &[9; 33]), None);
    }
}
