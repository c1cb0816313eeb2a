//! What is on disk, and what comes back from it.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    time::Instant,
};

use serai_devchain::{
    Chain, ChainError, Finality, Genesis, LogError,
    runtime::{
        Runtime, Timestamp, coins,
        types::{Coin, NetworkId},
        validator_sets,
    },
};

use crate::support::{
    NAMES, account, batch, bitcoin, chain, chain_with, execute_batch, key_pair, prefix,
};

fn genesis() -> Genesis {
    Genesis::development(&NAMES, &["Serai", "Bitcoin", "Monero"])
}

fn reopen(folder: &std::path::Path) -> Result<Chain, ChainError> {
    Chain::open(folder, &genesis(), Finality::Lag(0))
}

#[test]
fn a_chain_that_is_opened_again_goes_on() {
    let test = chain();
    test.set_finality(Finality::ByHand);
    test.give_keys(0, "//vault");
    let block = test.include(vec![execute_batch(batch(0, &[("//Eve", 7)]), "//vault")]);
    test.finalize(1).unwrap();
    drop(test.chain);

    let chain = reopen(test.folder.path()).unwrap();
    assert_eq!((chain.progress().best, chain.progress().finalized), (2, 1));
    assert_eq!(chain.block_hash(None), Some(block.hash));
    let held = || coins::Balances::<Runtime>::get(account("//Eve"), Coin::Bitcoin);
    assert_eq!(chain.query(None, held).unwrap(), 7);
    let next = chain.author(vec![execute_batch(batch(1, &[]), "//vault")]).unwrap();
    assert_eq!((next.number, next.results[0]), (3, Ok(Ok(()))));
    let parent = chain.block(None).unwrap().unwrap().header.parent_hash;
    assert_eq!(parent, block.hash);
}

#[test]
fn a_torn_tail_is_cut_off_at_every_length() {
    let test = chain();
    test.give_keys(0, "//vault");
    let path = test.folder.path().join("chain.log");
    let whole = fs::read(&path).unwrap().len();
    test.include(vec![]);
    let longer = fs::read(&path).unwrap();
    drop(test.chain);
    for cut in (whole..longer.len()).step_by(37).chain([whole + 1, longer.len() - 1]) {
        fs::write(&path, &longer[..cut]).unwrap();
        let chain = reopen(test.folder.path()).unwrap();
        assert_eq!(chain.progress().best, 1, "cut at {cut}");
        chain.author(vec![]).unwrap();
        assert_eq!(chain.progress().best, 2);
    }
    // Garbage and zeros where the next record would begin.
    for tail in [vec![0x5a; 3], vec![0; 4096]] {
        fs::write(&path, &longer).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&tail).unwrap();
        assert_eq!(reopen(test.folder.path()).unwrap().progress().best, 2);
    }
}

#[test]
fn damage_before_the_end_is_an_error_and_not_a_shorter_chain() {
    let test = chain();
    for _ in 0..5 {
        test.include(vec![]);
    }
    drop(test.chain);
    let path = test.folder.path().join("chain.log");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() - 2000;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = reopen(test.folder.path()).err().unwrap();
    assert!(matches!(error, ChainError::Log(LogError::Damaged { .. })), "{error}");
}

#[test]
fn a_folder_has_one_owner_and_one_genesis() {
    let test = chain();
    let error = reopen(test.folder.path()).err().unwrap();
    assert!(matches!(error, ChainError::Locked(_)), "{error}");
    drop(test.chain);
    let mut other = genesis();
    "another".clone_into(&mut other.name);
    let error = Chain::open(test.folder.path(), &other, Finality::Lag(0)).err().unwrap();
    assert!(matches!(error, ChainError::OtherChain { .. }), "{error}");
}

#[test]
fn the_past_can_be_read() {
    let chain = chain();
    let times: Vec<u64> = (0..100)
        .map(|_| {
            let block = chain.include(vec![]);
            let now = chain.query(None, Timestamp::get).unwrap();
            assert_eq!(chain.query(Some(block.hash), Timestamp::get).unwrap(), now);
            now
        })
        .collect();
    chain.give_keys(0, "//vault");
    for (number, time) in (1u64..).zip(&times) {
        let hash = chain.block_hash(Some(number));
        assert_eq!(chain.query(hash, Timestamp::get).unwrap(), *time);
        let key = pallet_timestamp::Now::<Runtime>::hashed_key();
        let value = chain.storage(hash, &key).unwrap().unwrap();
        assert_eq!(value, time.to_le_bytes());
    }
    let keys = || validator_sets::Keys::<Runtime>::get(bitcoin(0));
    let before = chain.block_hash(Some(100));
    assert_eq!(chain.query(before, keys).unwrap(), None);
    assert_eq!(chain.query(None, keys).unwrap(), Some(key_pair("//vault")));
    let prefix = prefix("ValidatorSets", "Keys");
    assert_eq!(chain.storage_keys(before, &prefix, None, 10).unwrap().len(), 0);
    assert_eq!(chain.storage_keys(None, &prefix, None, 10).unwrap().len(), 1);
}

#[test]
fn keys_are_paged_in_order() {
    let chain = chain();
    let prefix = prefix("ValidatorSets", "Allocations");
    let all = chain.storage_keys(None, &prefix, None, 1000).unwrap();
    assert_eq!(all.len(), 12);
    let mut paged = Vec::new();
    loop {
        let start = paged.last().cloned();
        let page = chain.storage_keys(None, &prefix, start.as_deref(), 5).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

#[test]
fn ten_thousand_blocks_are_back_in_seconds() {
    let test = chain_with(&genesis());
    test.give_keys(0, "//vault");
    while test.progress().best < 10_000 {
        test.include(vec![]);
    }
    let hash = test.block_hash(None);
    drop(test.chain);
    let start = Instant::now();
    let chain = reopen(test.folder.path()).unwrap();
    let took = start.elapsed();
    assert_eq!(chain.block_hash(None), hash);
    let session = || validator_sets::CurrentSession::<Runtime>::get(NetworkId::Bitcoin);
    assert!(chain.query(None, session).unwrap().is_some());
    assert!(took.as_secs() < 10, "{took:?}");
    println!("10,000 blocks were back in {took:?}");
}
