//! Transactions that wait.

use serai_devchain::{
    Finality, Refusal, Status,
    runtime::{
        coins,
        types::{Amount, Balance, Coin},
    },
};
use sp_runtime::generic::Era;
use tokio::sync::mpsc::{Receiver, error::TryRecvError};

use crate::support::{
    BITCOIN_ORDER, TestChain, account, bitcoin, chain, key_pair, set_keys, signed, signed_in_era,
};

fn transfer(chain: &TestChain, nonce: u32) -> Vec<u8> {
    let balance = Balance { coin: Coin::Serai, amount: Amount(1) };
    signed(chain, "//Alice", nonce, coins::Call::transfer { to: account("//Bob"), balance })
}

fn heard(statuses: &mut Receiver<Status>) -> Vec<Status> {
    std::iter::from_fn(|| statuses.try_recv().ok()).collect()
}

#[test]
fn a_watcher_hears_of_inclusion_and_then_of_finality() {
    let chain = chain();
    chain.set_finality(Finality::ByHand);
    let (_, mut statuses) = chain.submit(transfer(&chain, 0)).unwrap();
    assert_eq!(heard(&mut statuses), [Status::Ready]);
    let block = chain.include(vec![]);
    assert_eq!(heard(&mut statuses), [Status::InBlock(block.hash)]);
    chain.include(vec![]);
    assert_eq!(heard(&mut statuses), []);
    chain.finalize(block.number).unwrap();
    assert_eq!(heard(&mut statuses), [Status::Finalized(block.hash)]);
    assert_eq!(statuses.try_recv(), Err(TryRecvError::Disconnected), "nothing more is to come");
}

#[test]
fn nonces_are_put_in_order() {
    let chain = chain();
    let (_, mut second) = chain.submit(transfer(&chain, 1)).unwrap();
    assert_eq!(heard(&mut second), [Status::Future]);
    let early = chain.include(vec![]);
    assert_eq!(chain.block(Some(early.hash)).unwrap().unwrap().extrinsics.len(), 1);
    let (_, _first) = chain.submit(transfer(&chain, 0)).unwrap();
    let block = chain.include(vec![]);
    assert_eq!(heard(&mut second)[0], Status::InBlock(block.hash));
}

#[test]
fn what_is_there_or_has_the_same_effect_is_refused() {
    let chain = chain();
    let first = set_keys(bitcoin(0), &BITCOIN_ORDER, &[], &key_pair("//vault"));
    let (hash, _statuses) = chain.submit(first.clone()).unwrap();
    assert_eq!(chain.submit(first).unwrap_err(), Refusal::AlreadyThere(hash));
    let other = set_keys(bitcoin(0), &BITCOIN_ORDER, &[], &key_pair("//other"));
    assert_eq!(chain.submit(other).unwrap_err(), Refusal::Replaced);
}

#[test]
fn a_transaction_that_became_invalid_is_dropped_and_said_so() {
    let chain = chain();
    let (_, mut statuses) = chain.submit(transfer(&chain, 0)).unwrap();
    // The same nonce by hand comes first in the block.
    let balance = Balance { coin: Coin::Serai, amount: Amount(2) };
    let call = coins::Call::burn { balance };
    chain.include(vec![signed(&chain, "//Alice", 0, call)]);
    assert_eq!(heard(&mut statuses), [Status::Ready, Status::Invalid]);
    assert!(chain.pending_extrinsics().is_empty());
}

#[test]
fn who_waits_too_long_is_dropped() {
    let chain = chain();
    chain.include(vec![]);
    let balance = Balance { coin: Coin::Serai, amount: Amount(1) };
    let call = coins::Call::transfer { to: account("//Bob"), balance };
    let era = Era::mortal(4, 1);
    let (_, mut statuses) = chain.submit(signed_in_era(&chain, "//Alice", 7, call, era)).unwrap();
    chain.include(vec![]);
    chain.include(vec![]);
    assert_eq!(heard(&mut statuses), [Status::Future]);
    chain.include(vec![]);
    chain.include(vec![]);
    assert_eq!(heard(&mut statuses), [Status::Dropped]);
    assert!(chain.pending_extrinsics().is_empty());
}

#[test]
fn bytes_that_are_no_extrinsic_are_refused() {
    let chain = chain();
    for bytes in [vec![], vec![0xff; 40], [transfer(&chain, 0), vec![0]].concat()] {
        assert_eq!(chain.submit(bytes).unwrap_err(), Refusal::BadFormat);
    }
}
