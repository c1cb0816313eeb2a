//! From one session of Bitcoin to the next.

use serai_devchain::{
    ChainError, Genesis,
    runtime::{
        Runtime, RuntimeEvent,
        types::{ExternalNetworkId, NetworkId, Session, ValidatorSet},
        validator_sets::{self, Event, InvalidRotation, Rotation},
    },
};
use sp_runtime::transaction_validity::InvalidTransaction;

use crate::{
    set_keys::refusal,
    support::{
        TestChain, account, accounts, batch, bitcoin, chain, chain_with, execute_batch, key_pair,
        report_slashes, set_keys,
    },
};

fn of_bitcoin() -> Rotation {
    Rotation { network: NetworkId::Bitcoin, participants: None }
}

fn sets(session: u32, network: NetworkId) -> ValidatorSet {
    ValidatorSet { session: Session(session), network }
}

fn set(session: u32) -> ValidatorSet {
    sets(session, NetworkId::Bitcoin)
}

fn set_events(chain: &TestChain) -> Vec<Event<Runtime>> {
    let events = chain.events().into_iter();
    events
        .filter_map(|event| match event {
            RuntimeEvent::ValidatorSets(event) => Some(event),
            _ => None,
        })
        .collect()
}

fn rotate(chain: &TestChain) {
    chain.rotate(of_bitcoin()).unwrap();
    chain.include(vec![]);
}

#[test]
fn genesis_decides_the_first_sets_in_block_0() {
    let chain = chain();
    let expected = [NetworkId::Serai, NetworkId::Bitcoin, NetworkId::Monero];
    assert_eq!(set_events(&chain), expected.map(|network| Event::NewSet { set: sets(0, network) }));
}

#[test]
fn the_whole_walk() {
    let chain = chain();
    chain.give_keys(0, "//vault0");
    assert!(!set_events(&chain).iter().any(|e| matches!(e, Event::AcceptedHandover { .. })));
    chain.include(vec![execute_batch(batch(0, &[]), "//vault0")]);
    assert_eq!(set_events(&chain), [], "the first set takes over from nobody");

    assert_eq!(chain.rotate(of_bitcoin()).unwrap(), Session(1));
    let block = chain.include(vec![]);
    assert_eq!(set_events(&chain), [Event::NewSet { set: set(1) }]);
    let (begin, shares) = chain
        .query(None, || {
            (
                validator_sets::SessionBeginBlock::<Runtime>::get(NetworkId::Bitcoin, Session(1)),
                validator_sets::InSet::<Runtime>::get(NetworkId::Bitcoin, account("//Alice")),
            )
        })
        .unwrap();
    assert_eq!((begin, shares), (block.number, Some(1)));

    // The old key signs on, before and after the new one is there.
    chain.include(vec![execute_batch(batch(1, &[]), "//vault0")]);
    chain.give_keys(1, "//vault1");
    chain.include(vec![execute_batch(batch(2, &[]), "//vault0")]);
    assert_eq!(set_events(&chain), []);

    chain.include(vec![execute_batch(batch(3, &[]), "//vault1")]);
    let events = chain.events();
    assert_eq!(events[0], RuntimeEvent::ValidatorSets(Event::AcceptedHandover { set: set(1) }));
    assert!(matches!(events[1], RuntimeEvent::InInstructions(_)), "just before its batch");
    let (old, reporter) = chain
        .query(None, || {
            (
                validator_sets::Keys::<Runtime>::get(bitcoin(0)),
                validator_sets::PendingSlashReport::<Runtime>::get(ExternalNetworkId::Bitcoin),
            )
        })
        .unwrap();
    assert_eq!((old, reporter), (None, Some(account("//vault0"))));
    let late = execute_batch(batch(4, &[]), "//vault0");
    assert_eq!(refusal(&chain, late), InvalidTransaction::BadProof);

    let forged = report_slashes(bitcoin(0), "//vault1");
    assert_eq!(refusal(&chain, forged), InvalidTransaction::BadProof);
    let other_set = report_slashes(bitcoin(1), "//vault0");
    assert_eq!(refusal(&chain, other_set), InvalidTransaction::BadProof);
    let report = report_slashes(bitcoin(0), "//vault0");
    chain.include(vec![report.clone()]);
    assert_eq!(set_events(&chain), [Event::SetRetired { set: set(0) }]);
    assert_eq!(refusal(&chain, report), InvalidTransaction::Stale);
}

#[test]
fn a_set_that_never_reports_is_retired_with_its_successor() {
    let chain = chain();
    chain.give_keys(0, "//vault0");
    for session in 1u32..=2 {
        rotate(&chain);
        chain.give_keys(session, &format!("//vault{session}"));
        let first = batch(session - 1, &[]);
        chain.include(vec![execute_batch(first, &format!("//vault{session}"))]);
    }
    assert_eq!(
        set_events(&chain),
        [Event::SetRetired { set: set(0) }, Event::AcceptedHandover { set: set(2) }]
    );
    // The next to report is set 1, also while set 3 is decided and has not taken over.
    rotate(&chain);
    chain.include(vec![report_slashes(bitcoin(1), "//vault1")]);
    assert_eq!(set_events(&chain), [Event::SetRetired { set: set(1) }]);
}

#[test]
fn a_session_ends_only_after_its_hand_over() {
    let chain = chain();
    let refused = |expected: &str| {
        let error = chain.rotate(of_bitcoin()).unwrap_err();
        assert!(matches!(error, ChainError::Rotation(_)));
        assert_eq!(error.to_string(), expected);
    };
    refused("set 0 of Bitcoin has no keys yet: it must set its keys before it can hand over");
    chain.give_keys(0, "//vault0");
    rotate(&chain);
    refused("set 1 of Bitcoin has no keys yet: it must set its keys before it can hand over");
    chain.give_keys(1, "//vault1");
    refused("set 1 of Bitcoin has not taken over yet: its first batch does that");
    chain.include(vec![execute_batch(batch(0, &[]), "//vault1")]);
    rotate(&chain);
}

#[test]
fn the_end_of_serais_session_takes_those_along_that_are_ready() {
    let chain = chain();
    chain.give_keys(0, "//vault0");
    chain.rotate(Rotation { network: NetworkId::Serai, participants: None }).unwrap();
    chain.include(vec![]);
    let serai = |session| sets(session, NetworkId::Serai);
    // Monero has no keys and keeps its session.
    assert_eq!(
        set_events(&chain),
        [
            Event::SetRetired { set: serai(0) },
            Event::AcceptedHandover { set: serai(1) },
            Event::NewSet { set: serai(1) },
            Event::NewSet { set: set(1) },
        ]
    );
}

#[test]
fn participants_are_elected_by_stake_or_named() {
    let names = ["//Alice", "//Bob", "//Charlie", "//Dave", "//Eve"];
    let mut genesis = Genesis::development(&names, &["Bitcoin"]);
    genesis.networks.get_mut("Bitcoin").unwrap().participants = Some(3);
    *genesis.validators[4].stake.get_mut("Bitcoin").unwrap() += 1;
    let chain = chain_with(&genesis);
    let participants = || {
        let list = chain.query(None, || {
            validator_sets::Participants::<Runtime>::get(NetworkId::Bitcoin).unwrap()
        });
        list.unwrap().into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(participants(), accounts(&["//Eve", "//Bob", "//Charlie"]), "most stake first");

    let elected = ["//Eve", "//Bob", "//Charlie"];
    chain.include(vec![set_keys(bitcoin(0), &elected, &[], &key_pair("//vault0"))]);
    let named = Some(accounts(&["//Alice", "//Dave", "//Bob", "//Charlie"]));
    chain.rotate(Rotation { network: NetworkId::Bitcoin, participants: named }).unwrap();
    chain.include(vec![]);
    let expected = ["//Bob", "//Charlie", "//Dave", "//Alice"];
    assert_eq!(participants(), accounts(&expected), "in the order of storage");
    let eve = chain.query(None, || {
        validator_sets::InSet::<Runtime>::get(NetworkId::Bitcoin, account("//Eve"))
    });
    assert_eq!(eve.unwrap(), None, "who left the set");
}

#[test]
fn impossible_rotations_are_refused_with_the_reason() {
    let chain = chain();
    chain.give_keys(0, "//vault0");
    let named = |names: &[&str]| {
        let participants = Some(accounts(names));
        chain.rotate(Rotation { network: NetworkId::Bitcoin, participants }).unwrap_err()
    };
    assert!(matches!(
        named(&["//Alice", "//Mallory"]),
        ChainError::Rotation(InvalidRotation::NoStake(_, "Bitcoin"))
    ));
    assert!(matches!(named(&[]), ChainError::Rotation(InvalidRotation::Empty("Bitcoin"))));
    let ethereum = Rotation { network: NetworkId::Ethereum, participants: None };
    assert!(matches!(
        chain.rotate(ethereum).unwrap_err(),
        ChainError::Rotation(InvalidRotation::NoSession("Ethereum"))
    ));
    chain.rotate(of_bitcoin()).unwrap();
    assert!(matches!(
        chain.rotate(of_bitcoin()).unwrap_err(),
        ChainError::RotationWaits("Bitcoin")
    ));
}
