//! The misbehaving double does what its name says: the others name it.

use serai_messages::keygen::{CoordinatorMessage, KeyKind, ProcessorMessage};
use serai_messages::{Coin, Participant};
use serai_processor::faults::Misbehaviour;

use crate::members::Members;

#[test]
fn a_bad_share_is_blamed_on_its_sender() {
    let mut members = Members::new(Coin::Btc, 4);
    members.all[3].misbehave("bad-share:1".parse().unwrap());
    let commitments = members.start();
    let shares = members.share(&commitments);
    let message = members.shares_message(Participant(1), &shares);
    let ProcessorMessage::InvalidShare { id, accused, key, blame } =
        members.all[0].answer(&message)
    else {
        panic!("accepted")
    };
    assert_eq!((accused, key), (Participant(4), KeyKind::Ristretto));
    // Member 4 sends to 1, 2, 3.
    let share = shares[shares.len() - 3].clone();
    let judge = CoordinatorMessage::Judge { id, accuser: Participant(1), share, key, blame };
    for member in &mut members.all {
        match member.answer(&judge) {
            ProcessorMessage::Verdict { guilty, .. } => assert_eq!(guilty, Participant(4)),
            other => panic!("{other:?}"),
        }
    }
    // Its other shares are good.
    let message = members.shares_message(Participant(2), &shares);
    assert!(matches!(members.all[1].answer(&message), ProcessorMessage::KeyPair { .. }));
}

#[test]
fn a_bad_proof_share_is_blamed_on_its_sender() {
    let mut members = Members::new(Coin::Btc, 4);
    members.all[3].misbehave(Misbehaviour::BadProofShare);
    let commitments = members.start();
    let shares = members.share(&commitments);
    let (_, preprocesses) = members.keys(&shares);
    let proof_shares = members.prove(&preprocesses);
    let message = members.proof_shares_message(&proof_shares);
    for member in &mut members.all[..3] {
        match member.answer(&message) {
            ProcessorMessage::InvalidProofShare { accused, key, .. } => {
                assert_eq!((accused, key), (Participant(4), KeyKind::Ristretto));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(members.all[3].handle(&message).answers.is_empty());
}
