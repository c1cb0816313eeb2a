//! Who may give a set its keys, and what follows.

use parity_scale_codec::Decode as _;
use serai_devchain::{
    Genesis, Refusal,
    runtime::{
        Runtime, RuntimeEvent,
        types::{Amount, ExternalNetworkId, ExternalValidatorSet, NetworkId, Session},
        validator_sets::{self, Event},
    },
};
use sp_runtime::transaction_validity::InvalidTransaction;

use crate::support::{
    BITCOIN_ORDER, account, accounts, bitcoin, chain, chain_with, key_pair, set_keys,
};

/// The pool's and the block's answer to an invalid extrinsic, which must agree.
pub fn refusal(chain: &crate::support::TestChain, extrinsic: Vec<u8>) -> InvalidTransaction {
    let by_pool = match chain.submit(extrinsic.clone()) {
        Err(Refusal::Invalid(error)) => error,
        other => panic!("the pool did not refuse: {:?}", other.map(|(hash, _)| hash)),
    };
    let by_block = chain.author(vec![extrinsic]).unwrap().results[0].unwrap_err();
    assert_eq!(by_pool, by_block);
    match by_block {
        sp_runtime::transaction_validity::TransactionValidityError::Invalid(invalid) => invalid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_participants_in_storage_order_give_the_set_its_keys() {
    let chain = chain();
    let order = chain
        .query(None, || validator_sets::Participants::<Runtime>::get(NetworkId::Bitcoin).unwrap());
    let order: Vec<_> = order.unwrap().into_iter().collect();
    assert_eq!(order, BITCOIN_ORDER.map(|name| (account(name), 1)));

    let by_api = chain.call(None, "SeraiRuntimeApi_validators", &[1]).unwrap();
    assert_eq!(Vec::decode(&mut &by_api[..]), Ok(accounts(&BITCOIN_ORDER)));

    let keys = key_pair("//vault");
    chain.include(vec![set_keys(bitcoin(0), &BITCOIN_ORDER, &[], &keys)]);
    let expected = Event::KeyGen { set: bitcoin(0), key_pair: keys.clone() };
    assert_eq!(chain.events(), [RuntimeEvent::ValidatorSets(expected)]);

    let (stored, stake) = chain
        .query(None, || {
            (
                validator_sets::Keys::<Runtime>::get(bitcoin(0)),
                validator_sets::TotalAllocatedStake::<Runtime>::get(NetworkId::Bitcoin),
            )
        })
        .unwrap();
    assert_eq!(stored, Some(keys));
    assert_eq!(stake, Some(Amount(4 * 1_000_000 * 100_000_000)));
}

#[test]
fn a_removed_participant_does_not_sign_and_is_named() {
    let chain = chain();
    let keys = key_pair("//vault");
    let signers = ["//Bob", "//Charlie", "//Dave"];
    chain.include(vec![set_keys(bitcoin(0), &signers, &["//Alice"], &keys)]);
    let set = bitcoin(0);
    assert_eq!(
        chain.events(),
        [
            Event::ParticipantRemoved { set: set.into(), removed: account("//Alice") },
            Event::KeyGen { set, key_pair: keys },
        ]
        .map(RuntimeEvent::ValidatorSets)
    );
}

#[test]
fn no_session_is_custom_1() {
    let chain = chain();
    let set = ExternalValidatorSet { session: Session(0), network: ExternalNetworkId::Ethereum };
    let extrinsic = set_keys(set, &BITCOIN_ORDER, &[], &key_pair("//vault"));
    assert_eq!(refusal(&chain, extrinsic), InvalidTransaction::Custom(1));
}

#[test]
fn keys_are_set_once() {
    let chain = chain();
    chain.give_keys(0, "//vault");
    let again = set_keys(bitcoin(0), &BITCOIN_ORDER, &[], &key_pair("//other"));
    assert_eq!(refusal(&chain, again), InvalidTransaction::Stale);
}

#[test]
fn a_participant_removed_twice_is_custom_2() {
    let chain = chain();
    let signers = ["//Bob", "//Charlie", "//Dave"];
    let extrinsic = set_keys(bitcoin(0), &signers, &["//Alice", "//Alice"], &key_pair("//vault"));
    assert_eq!(refusal(&chain, extrinsic), InvalidTransaction::Custom(2));
}

#[test]
fn too_few_remaining_is_custom_3() {
    let chain = chain();
    let removed = ["//Alice", "//Bob"];
    let extrinsic = set_keys(bitcoin(0), &["//Charlie", "//Dave"], &removed, &key_pair("//vault"));
    assert_eq!(refusal(&chain, extrinsic), InvalidTransaction::Custom(3));
}

#[test]
fn shares_count_and_not_heads() {
    let names = ["//Alice", "//Bob", "//Charlie", "//Dave"];
    let mut genesis = Genesis::development(&names, &["Bitcoin"]);
    *genesis.validators[0].stake.get_mut("Bitcoin").unwrap() *= 2;
    let chain = chain_with(&genesis);
    let signers = ["//Bob", "//Charlie", "//Dave"];
    // 3 of 5 shares remain: 2 are missing, 5 would have to be there.
    let without_alice = set_keys(bitcoin(0), &signers, &["//Alice"], &key_pair("//vault"));
    assert_eq!(refusal(&chain, without_alice), InvalidTransaction::Custom(3));
    // 4 of 5 remain. Alice has more stake and signs first.
    let signers = ["//Alice", "//Bob", "//Charlie"];
    let without_dave = set_keys(bitcoin(0), &signers, &["//Dave"], &key_pair("//vault"));
    chain.include(vec![without_dave]);
}

#[test]
fn signatures_of_others_in_other_order_or_of_other_keys_are_bad_proofs() {
    let chain = chain();
    let keys = key_pair("//vault");
    let names = ["//Alice", "//Bob", "//Charlie", "//Dave"];
    let order = set_keys(bitcoin(0), &names, &[], &keys);
    assert_eq!(refusal(&chain, order), InvalidTransaction::BadProof);
    let others = set_keys(bitcoin(0), &["//Bob", "//Charlie", "//Dave", "//Eve"], &[], &keys);
    assert_eq!(refusal(&chain, others), InvalidTransaction::BadProof);
    let fewer = set_keys(bitcoin(0), &["//Bob", "//Charlie", "//Dave"], &[], &keys);
    assert_eq!(refusal(&chain, fewer), InvalidTransaction::BadProof);
    let session = set_keys(bitcoin(1), &BITCOIN_ORDER, &[], &keys);
    assert_eq!(refusal(&chain, session), InvalidTransaction::BadProof);
}
