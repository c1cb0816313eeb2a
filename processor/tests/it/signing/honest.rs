//! All keys sign, with any signers, and verifiers that share no code with the signers agree.

use serai_messages::signing::{CoordinatorMessage, ProcessorMessage};
use serai_messages::{Coin, SignatureBytes};

use super::world::{World, aggregate, sign};
use crate::verifiers;

/// An offset with which the chain takes signatures of the key.
fn fitting(key: &[u8], first: u8) -> [u8; 32] {
    (first..)
        .map(|least| {
            let mut offset = [0x11; 32];
            offset[31] = least;
            offset
        })
        .find(|offset| verifiers::offset(key, *offset)[0] == 2)
        .unwrap()
}

#[test]
fn a_batch_by_the_ristretto_key() {
    let mut world = World::new(Coin::Btc, 4);
    for (number, signers) in [(0, [0, 1, 2]), (1, [3, 1, 0]), (2, [2, 3, 1])] {
        let due = world.batch(number);
        world.ready(&due);
        let [signature] = world.session(due.id, &signers, signers[0]).try_into().unwrap();
        let message = &due.messages[0].bytes;
        verifiers::substrate(&world.key_pair.ristretto, message, &signature.0);
    }
}

#[test]
fn a_payment_of_bitcoin_from_several_addresses() {
    let mut world = World::new(Coin::Btc, 4);
    let key = world.key_pair.external.clone();
    let (change, forward) = (fitting(&key, 0), fitting(&key, 100));
    let offsets = [None, Some(change), Some(forward), None];
    for (index, signers) in [[0, 1, 2], [1, 2, 3], [3, 2, 0]].into_iter().enumerate() {
        let due = world.payment(u32::try_from(index).unwrap(), &offsets);
        world.ready(&due);
        let signatures = world.session(due.id, &signers, signers[0]);
        assert_eq!(signatures.len(), offsets.len());
        for (message, signature) in due.messages.iter().zip(signatures) {
            let key = match message.offset {
                None => key.clone(),
                Some(offset) => verifiers::offset(&key, offset),
            };
            let bytes = message.bytes.clone().try_into().unwrap();
            verifiers::bip340(&key, &bytes, &signature.0);
        }
    }
}

#[test]
fn payments_of_ethereum_and_monero() {
    for coin in [Coin::Eth, Coin::Xmr] {
        let mut world = World::new(coin, 4);
        let due = world.payment(0, &[None]);
        world.ready(&due);
        let [signature] = world.session(due.id, &[1, 0, 3], 1).try_into().unwrap();
        let message: [u8; 32] = due.messages[0].bytes.clone().try_into().unwrap();
        let key = &world.key_pair.external;
        match coin {
            Coin::Eth => verifiers::router(key, &message, &signature.0),
            _ => ed25519_dalek::VerifyingKey::from_bytes(key.as_slice().try_into().unwrap())
                .unwrap()
                .verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&signature.0))
                .unwrap(),
        }
    }
}

#[test]
fn one_validator_alone_signs() {
    let mut world = World::new(Coin::Btc, 1);
    let due = world.batch(0);
    world.ready(&due);
    let [signature] = world.session(due.id, &[0], 0).try_into().unwrap();
    verifiers::substrate(&world.key_pair.ristretto, &due.messages[0].bytes, &signature.0);
}

/// With the preprocesses that come with `Ready`: no further question is needed.
#[test]
fn the_first_session_needs_nothing_but_what_ready_gives() {
    let mut world = World::new(Coin::Xmr, 4);
    let due = world.batch(0);
    let preprocesses = world.ready(&due)[..world.threshold()].to_vec();
    let shares = world.shares(&sign(due.id, [1; 32], &preprocesses));
    let message = aggregate(due.id, [1; 32], &preprocesses, &shares);
    // Of one who is no signer, and after a restart.
    world.member(3).restart();
    assert!(world.member(3).sign(&message).signed.is_some());
}

#[test]
fn signatures_made_elsewhere_are_verified_and_kept() {
    let mut world = World::new(Coin::Btc, 4);
    let due = world.payment(0, &[None, None]);
    let id = due.id;
    world.ready(&due);
    let signatures = world.session(id, &[0, 1, 2], 0);
    let sender = world.validator(0);
    let signature = |signatures: &[SignatureBytes]| CoordinatorMessage::Signature {
        id,
        sender,
        signatures: signatures.to_vec(),
    };

    let outsider = world.member(3);
    let mut wrong = signatures.clone();
    wrong[1].0[40] ^= 1;
    let swapped: Vec<_> = signatures.iter().rev().copied().collect();
    let longer = [signatures.as_slice(), &signatures[..1]].concat();
    for bad in [wrong, swapped, longer, signatures[..1].to_vec(), Vec::new()] {
        let reason = outsider.refuses(&signature(&bad));
        assert!(reason.contains("do not verify"), "{reason}");
    }
    let answer = ProcessorMessage::Signed { id, signatures: signatures.clone() };
    for _ in 0..2 {
        let outcome = outsider.sign(&signature(&signatures));
        assert_eq!(outcome.signed, Some((id, signatures.clone())));
        assert_eq!(outcome.answers, std::slice::from_ref(&answer));
        outsider.restart();
    }
}
