//! A restart between any two steps changes nothing: what was in memory is made again, byte for byte.

use serai_messages::Coin;
use serai_messages::keygen::{CoordinatorMessage, ProcessorMessage};

use crate::members::Members;
use crate::verifiers::assert_proven;

#[test]
fn key_generation_goes_on_after_a_restart_at_each_step() {
    for coin in Coin::ALL {
        let mut members = Members::new(coin, 4);
        let restart = |members: &mut Members| members.all.iter_mut().for_each(|m| m.restart());

        let commitments = members.start();
        restart(&mut members);
        let shares = members.share(&commitments);
        restart(&mut members);
        let (key_pair, preprocesses) = members.keys(&shares);
        restart(&mut members);
        let proof_shares = members.prove(&preprocesses);
        let signatures = members.proven(&proof_shares);
        assert_proven(coin, members.party(), &key_pair, &signatures);
        restart(&mut members);
        assert_eq!(members.proven(&proof_shares), signatures);
    }
}

#[test]
fn what_is_asked_again_is_answered_with_the_same_bytes() {
    let mut members = Members::new(Coin::Btc, 4);
    let commitments = members.start();
    let start = members.start_message(0);
    let shares = members.share(&commitments);
    let message = members.commitments_message(&commitments);
    let member = &mut members.all[0];
    let before = (member.answer(&start), member.answer(&message));
    member.restart();
    assert_eq!((member.answer(&start), member.answer(&message)), before);

    let (_, preprocesses) = members.keys(&shares);
    let shares_message = members.shares_message(serai_messages::Participant(1), &shares);
    let preprocesses_message = members.preprocesses_message(&preprocesses);
    members.prove(&preprocesses);
    let member = &mut members.all[0];
    let before = (member.answer(&shares_message), member.answer(&preprocesses_message));
    member.restart();
    assert_eq!((member.answer(&shares_message), member.answer(&preprocesses_message)), before);
}

/// The machine of a proving signature is not stored: its completion then comes from another member.
#[test]
fn a_restart_while_proving_leaves_the_proof_to_another_member() {
    let mut members = Members::new(Coin::Xmr, 4);
    let commitments = members.start();
    let shares = members.share(&commitments);
    let (key_pair, preprocesses) = members.keys(&shares);
    let proof_shares = members.prove(&preprocesses);
    members.all[2].restart();
    let message = members.proof_shares_message(&proof_shares);
    let outcome = members.all[2].handle(&message);
    assert_eq!((outcome.answers, outcome.rejected), (Vec::new(), None));

    let ProcessorMessage::Proven { signatures, .. } = members.all[0].answer(&message) else {
        panic!("not proven")
    };
    let id = members.id;
    let mut wrong = signatures.clone();
    wrong.external[40] ^= 1;
    let reason = members.all[2].ignored(&CoordinatorMessage::Proof { id, signatures: wrong });
    assert!(reason.contains("External"), "{reason}");

    let proof = CoordinatorMessage::Proof { id, signatures: signatures.clone() };
    assert_eq!(
        members.all[2].answer(&proof),
        ProcessorMessage::Proven { id, key_pair, signatures }
    );
}
