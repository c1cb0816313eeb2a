//! Four honest members make a key pair that signs, for each coin.

use serai_messages::Coin;

use crate::members::Members;
use crate::verifiers::assert_proven;

fn makes_keys_that_sign(coin: Coin, count: u8) {
    let mut members = Members::new(coin, count);
    let (key_pair, signatures) = members.run();
    assert_proven(coin, members.party(), &key_pair, &signatures);
    for member in &members.all {
        let [vault] = member.vaults().try_into().unwrap();
        assert_eq!(vault.ristretto_key, hex::encode(key_pair.ristretto));
        assert_eq!(vault.external_key, hex::encode(&key_pair.external));
        assert_eq!(vault.state, "pending");
        assert!(!member.nonces_stored(members.id));
    }
}

#[test]
fn bitcoin() {
    makes_keys_that_sign(Coin::Btc, 4);
}

#[test]
fn ethereum() {
    makes_keys_that_sign(Coin::Eth, 4);
}

#[test]
fn monero() {
    makes_keys_that_sign(Coin::Xmr, 4);
}

#[test]
fn one_validator_alone() {
    makes_keys_that_sign(Coin::Btc, 1);
}

/// Bitcoin's adjustments depend on the parity of the group key and of each nonce: several key pairs
/// meet all cases.
#[test]
fn adjustments_hold_for_many_keys() {
    for coin in [Coin::Btc, Coin::Eth] {
        for _ in 0..8 {
            makes_keys_that_sign(coin, 2);
        }
    }
}
