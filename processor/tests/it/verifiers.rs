//! Verifiers that share no code with the signers.

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1, Scalar, SecretKey, XOnlyPublicKey, schnorr};
use serai_messages::keygen::{KeyKind, Party, PerKey};
use serai_messages::{Coin, KeyPair};
use sha3::{Digest, Keccak256};

/// Asserts that both signatures are of the party's proof messages by the key pair.
pub fn assert_proven(coin: Coin, party: &Party, key_pair: &KeyPair, signatures: &PerKey) {
    let message = party.proof_message(key_pair, KeyKind::Ristretto);
    let key = schnorrkel::PublicKey::from_bytes(&key_pair.ristretto).unwrap();
    let signature = schnorrkel::Signature::from_bytes(&signatures.ristretto).unwrap();
    key.verify_simple(b"substrate", &message, &signature).unwrap();

    let message: [u8; 32] = party.proof_message(key_pair, KeyKind::External).try_into().unwrap();
    let signature: [u8; 64] = signatures.external.as_slice().try_into().unwrap();
    match coin {
        Coin::Btc => bip340(&key_pair.external, &message, &signature),
        Coin::Eth => router(&key_pair.external, &message, &signature),
        Coin::Xmr => ed25519_dalek::VerifyingKey::from_bytes(
            key_pair.external.as_slice().try_into().unwrap(),
        )
        .unwrap()
        .verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&signature))
        .unwrap(),
    }
}

pub fn bip340(key: &[u8], message: &[u8; 32], signature: &[u8; 64]) {
    assert_eq!(key[0], 2, "y is not even");
    let key = XOnlyPublicKey::from_slice(&key[1..]).unwrap();
    let signature = schnorr::Signature::from_slice(signature).unwrap();
    SECP256K1.verify_schnorr(&signature, &Message::from_digest(*message), &key).unwrap();
}

/// A batch's or slash report's signature.
pub fn substrate(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) {
    let key = schnorrkel::PublicKey::from_bytes(key).unwrap();
    let signature = schnorrkel::Signature::from_bytes(signature).unwrap();
    key.verify_simple(b"substrate", message, &signature).unwrap();
}

/// A key with a scalar added, on secp256k1.
pub fn offset(key: &[u8], offset: [u8; 32]) -> Vec<u8> {
    let key = secp256k1::PublicKey::from_slice(key).unwrap();
    let offset = Scalar::from_be_bytes(offset).unwrap();
    key.add_exp_tweak(SECP256K1, &offset).unwrap().serialize().to_vec()
}

/// What Serai's router contract does: `ecrecover(-s x, 27, x, -c x)` is the nonce's address, and the
/// challenge is the hash over it, x and the message.
pub fn router(key: &[u8], message: &[u8; 32], signature: &[u8; 64]) {
    assert_eq!(key[0], 2, "y is not even");
    let x: [u8; 32] = key[1..].try_into().unwrap();
    let times_x = |scalar: &[u8]| {
        SecretKey::from_slice(scalar)
            .unwrap()
            .negate()
            .mul_tweak(&Scalar::from_be_bytes(x).unwrap())
            .unwrap()
            .secret_bytes()
    };
    let (c, s) = signature.split_at(32);
    let compact = [x, times_x(c)].concat();
    let signature =
        RecoverableSignature::from_compact(&compact, RecoveryId::from_i32(0).unwrap()).unwrap();
    let nonce = SECP256K1.recover_ecdsa(&Message::from_digest(times_x(s)), &signature).unwrap();
    let address = Keccak256::digest(&nonce.serialize_uncompressed()[1..])[12..].to_vec();
    let mut hasher = Keccak256::new();
    hasher.update(&address);
    hasher.update(x);
    hasher.update(message);
    assert_eq!(hasher.finalize().as_slice(), c);
}
