//! Stake that is allocated, taken out, and claimed; and the validators' addresses.

use serai_devchain::runtime::{
    Runtime, RuntimeEvent,
    types::{Amount, NetworkId, Session},
    validator_addresses::{self, AddressList},
    validator_sets::{Call, Error, Event, Rotation},
};

use crate::support::{TestChain, account, batch, chain, execute_batch, signed};

const UNIT: u64 = 1_000_000 * 100_000_000;
const HALF: u64 = UNIT / 2;

fn last_event(chain: &TestChain) -> RuntimeEvent {
    chain.events().pop().unwrap()
}

fn call_error(chain: &TestChain, extrinsic: Vec<u8>) -> sp_runtime::DispatchError {
    chain.author(vec![extrinsic]).unwrap().results[0].unwrap().unwrap_err()
}

#[test]
fn stake_goes_in_and_out_of_who_is_in_a_set_later() {
    let chain = chain();
    let (network, validator) = (NetworkId::Bitcoin, account("//Alice"));
    let amount = Amount(HALF);
    chain.include(vec![signed(&chain, "//Alice", 0, Call::allocate { network, amount })]);
    let expected = Event::AllocationIncreased { validator: validator.clone(), network, amount };
    assert_eq!(last_event(&chain), expected.into());

    chain.include(vec![signed(&chain, "//Alice", 1, Call::deallocate { network, amount })]);
    let expected = Event::AllocationDecreased {
        validator: validator.clone(),
        network,
        amount,
        delayed_until: Some(Session(2)),
    };
    assert_eq!(last_event(&chain), expected.into());

    let claim = || Call::claim_deallocation { network, session: Session(2) };
    let early = signed(&chain, "//Alice", 2, claim());
    assert_eq!(call_error(&chain, early), Error::<Runtime>::NonExistentDeallocation.into());
    chain.give_keys(0, "//vault0");
    for session in 1u32..=2 {
        chain.rotate(Rotation { network, participants: None }).unwrap();
        chain.include(vec![]);
        chain.give_keys(session, &format!("//vault{session}"));
        let first = execute_batch(batch(session - 1, &[]), &format!("//vault{session}"));
        chain.include(vec![first]);
    }
    chain.include(vec![signed(&chain, "//Alice", 3, claim())]);
    let expected = Event::DeallocationClaimed { validator, network, session: Session(2) };
    assert_eq!(last_event(&chain), expected.into());
}

#[test]
fn allocations_below_a_key_share_are_refused() {
    let chain = chain();
    let network = NetworkId::Bitcoin;
    let small = Call::deallocate { network, amount: Amount(1) };
    let error = call_error(&chain, signed(&chain, "//Alice", 0, small));
    assert_eq!(error, Error::<Runtime>::DeallocationWouldRemoveParticipant.into());
    let much = Call::deallocate { network, amount: Amount(UNIT + 1) };
    let error = call_error(&chain, signed(&chain, "//Alice", 1, much));
    assert_eq!(error, Error::<Runtime>::NotEnoughAllocated.into());
    let elsewhere = Call::allocate { network: NetworkId::Ethereum, amount: Amount(UNIT) };
    let error = call_error(&chain, signed(&chain, "//Alice", 2, elsewhere));
    assert_eq!(error, Error::<Runtime>::NonExistentValidatorSet.into());
}

#[test]
fn a_validator_replaces_and_removes_its_addresses() {
    let chain = chain();
    let stored = || {
        let read = || validator_addresses::Addresses::<Runtime>::get(account("//Alice"));
        chain.query(None, read).unwrap()
    };
    assert_eq!(stored(), None);
    let list = |text: &str| {
        AddressList::try_from(vec![text.as_bytes().to_vec().try_into().unwrap()]).unwrap()
    };
    let set = |nonce, addresses: AddressList| {
        let call = validator_addresses::Call::set_addresses { addresses };
        chain.include(vec![signed(&chain, "//Alice", nonce, call)]);
    };
    set(0, list("/ip4/127.0.0.1/tcp/1"));
    set(1, list("/ip4/127.0.0.1/tcp/2"));
    assert_eq!(stored(), Some(list("/ip4/127.0.0.1/tcp/2")));
    set(2, AddressList::default());
    assert_eq!(stored(), None);
}
