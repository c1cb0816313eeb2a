//! A nonce signs one message with one set of signers.

use serai_messages::keygen::{PeerMessage, ProcessorMessage};
use serai_messages::{Body, Coin, SignedStatement};

use crate::members::{Members, sign, signer};

fn prepared() -> (Members, Vec<SignedStatement>) {
    let mut members = Members::new(Coin::Btc, 4);
    let commitments = members.start();
    let shares = members.share(&commitments);
    let (_, preprocesses) = members.keys(&shares);
    (members, preprocesses)
}

#[test]
fn it_is_gone_once_a_share_is_made_and_another_set_is_refused() {
    let (mut members, preprocesses) = prepared();
    let id = members.id;
    assert!(members.all[0].nonces_stored(id));
    let message = members.preprocesses_message(&preprocesses);
    let first = members.all[0].answer(&message);
    assert!(matches!(first, ProcessorMessage::ProofShare { .. }));
    assert!(!members.all[0].nonces_stored(id));

    // Member 2 offers another valid preprocess.
    let mut other = preprocesses.clone();
    let Body::Keygen(mut offer) = preprocesses[1].statement.body.clone() else {
        panic!("not of key generation")
    };
    let Body::Keygen(third) = preprocesses[2].statement.body.clone() else {
        panic!("not of key generation")
    };
    let (
        PeerMessage::ProofPreprocess { preprocess, .. },
        PeerMessage::ProofPreprocess { preprocess: another, .. },
    ) = (&mut offer, third)
    else {
        panic!("no preprocesses")
    };
    *preprocess = another;
    other[1] = sign(&signer(2), offer);
    let second = members.preprocesses_message(&other);
    for _ in 0..2 {
        let reason = members.all[0].refusal(&second);
        assert!(reason.contains("that answer stands"), "{reason}");
        assert_eq!(members.all[0].answer(&message), first);
        members.all[0].restart();
    }
}

/// Signing statements anew changes their signatures, not what was said: no second set.
#[test]
fn the_same_set_signed_anew_gets_the_same_share() {
    let (mut members, preprocesses) = prepared();
    let message = members.preprocesses_message(&preprocesses);
    let first = members.all[0].answer(&message);
    let again: Vec<_> = preprocesses
        .iter()
        .zip(1..)
        .map(|(statement, number)| {
            let Body::Keygen(message) = statement.statement.body.clone() else {
                panic!("not of key generation")
            };
            sign(&signer(number), message)
        })
        .collect();
    assert_ne!(again, preprocesses);
    let message = members.preprocesses_message(&again);
    assert_eq!(members.all[0].answer(&message), first);
}

/// A set that turns out invalid has used the nonces up all the same.
#[test]
fn an_invalid_set_uses_it_up() {
    let (mut members, preprocesses) = prepared();
    let mut wrong = preprocesses.clone();
    let Body::Keygen(mut message) = wrong[1].statement.body.clone() else {
        panic!("not of key generation")
    };
    let PeerMessage::ProofPreprocess { preprocess, .. } = &mut message else { panic!() };
    preprocess.external.push(0);
    wrong[1] = sign(&signer(2), message);
    let message = members.preprocesses_message(&wrong);
    let answer = members.all[0].answer(&message);
    assert!(matches!(answer, ProcessorMessage::InvalidProofShare { .. }));
    assert!(!members.all[0].nonces_stored(members.id));
    let message = members.preprocesses_message(&preprocesses);
    assert!(members.all[0].refusal(&message).contains("that answer stands"));
}
