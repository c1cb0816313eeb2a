//! Parties that this processor does not join.

use serai_messages::keygen::{CoordinatorMessage, ProcessorMessage, SignedParty};
use serai_messages::{Attempt, BlockHash, Coin, ValidatorKey};

use crate::members::{Members, party, sign_party, signer};

fn reason(change: impl FnOnce(&mut SignedParty), expected: &str) {
    let mut members = Members::new(Coin::Btc, 4);
    change(&mut members.signed);
    let start = members.start_message(0);
    let reason = members.all[0].refusal(&start);
    assert!(reason.contains(expected), "{reason}");
    assert!(members.all[0].vaults().is_empty());
}

/// Changes the party and lets all members sign it.
fn signed(
    change: impl FnOnce(&mut serai_messages::keygen::Party),
) -> impl FnOnce(&mut SignedParty) {
    |signed| {
        change(&mut signed.party);
        let signers: Vec<_> = (1..=signed.party.members.len() as u8).map(signer).collect();
        *signed = sign_party(signed.party.clone(), &signers.iter().collect::<Vec<_>>());
    }
}

#[test]
fn one_signature_is_missing_or_of_another() {
    reason(|signed| signed.signatures.truncate(3), "3 signatures for 4 members");
    reason(|signed| signed.signatures.swap(1, 2), "does not verify");
    reason(|signed| signed.signatures[3].0[5] ^= 1, "does not verify");
    reason(|signed| signed.party.id.attempt = Attempt(2), "does not verify");
}

#[test]
fn the_threshold_is_not_the_sets() {
    reason(signed(|party| party.threshold = 2), "threshold is 2");
    reason(signed(|party| party.threshold = 4), "threshold is 4");
}

#[test]
fn it_is_of_another_coin_or_too_many_are_removed() {
    reason(signed(|party| party.id.set.coin = Coin::Eth), "for eth");
    reason(
        signed(|party| party.removed = vec![ValidatorKey([8; 32]), ValidatorKey([9; 32])]),
        "at least 5 members must remain",
    );
}

#[test]
fn a_validator_is_there_twice() {
    reason(signed(|party| party.members[2].validator = party.members[3].validator), "twice");
    // Of five, so that one may be left out.
    let mut members = Members::new(Coin::Btc, 4);
    members.signed = party(&members.all, members.id, vec![ValidatorKey(signer(4).public())]);
    let start = members.start_message(0);
    assert!(members.all[0].refusal(&start).contains("twice"));
}

#[test]
fn the_own_processor_is_not_in_it() {
    let other = serai_messages::ProcessorKey([1; 32]);
    reason(signed(move |party| party.members[0].processor = other), "is no member with");
    reason(signed(|party| party.members[0].validator = ValidatorKey([8; 32])), "is no member with");
}

/// Whoever announces the key of somebody else's processor hinders nobody.
#[test]
fn another_member_claims_the_own_processor() {
    for claims in [0, 3] {
        let mut members = Members::new(Coin::Btc, 4);
        let own = members.all.len() - 1 - claims;
        signed(|party| party.members[claims].processor = party.members[own].processor)(
            &mut members.signed,
        );
        let start = members.start_message(own);
        assert!(matches!(members.all[own].answer(&start), ProcessorMessage::Commitments { .. }));
    }
}

#[test]
fn it_is_of_another_chain_than_before() {
    let mut members = Members::new(Coin::Btc, 2);
    members.start();
    let mut other = members.signed.party.clone();
    other.genesis = BlockHash([8; 32]);
    other.id.attempt = Attempt(2);
    let signers = [signer(1), signer(2)];
    let party = sign_party(other, &[&signers[0], &signers[1]]);
    let reason = members.all[0]
        .refusal(&CoordinatorMessage::Start { party, own: ValidatorKey(signers[0].public()) });
    assert!(reason.contains("genesis"), "{reason}");
}

#[test]
fn a_second_party_for_the_attempt_is_refused() {
    let mut members = Members::new(Coin::Btc, 4);
    members.start();
    let mut other = members.signed.party.clone();
    other.members.swap(2, 3);
    let signers = [signer(1), signer(2), signer(4), signer(3)];
    let party = sign_party(other, &signers.iter().collect::<Vec<_>>());
    let reason = members.all[0]
        .refusal(&CoordinatorMessage::Start { party, own: ValidatorKey(signers[0].public()) });
    assert!(reason.contains("that answer stands"), "{reason}");
}

/// With one of five left out the threshold stays that of five, and the rest make the keys.
#[test]
fn removed_members_leave_the_threshold_as_it_is() {
    let mut members = Members::new(Coin::Btc, 4);
    members.signed = party(&members.all, members.id, vec![ValidatorKey(signer(5).public())]);
    assert_eq!(members.party().threshold, 4);
    members.run();
    let start = members.start_message(0);
    assert!(matches!(members.all[0].answer(&start), ProcessorMessage::Commitments { .. }));
}
