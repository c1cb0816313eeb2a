//! Which batches are executed, and how.

use parity_scale_codec::{Decode as _, Encode as _};
use serai_devchain::runtime::{
    Runtime, RuntimeEvent, api,
    coins::{self, Balances},
    in_instructions::{self, Event},
    types::{
        Amount, Balance, BlockHash, Coin, DexCall, ExternalBalance, ExternalCoin,
        ExternalNetworkId, InInstruction, InInstructionWithBalance,
    },
};
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionSource, TransactionValidity,
};

use crate::{
    set_keys::refusal,
    support::{TestChain, account, batch, chain, execute_batch},
};

fn chain_with_vault() -> TestChain {
    let chain = chain();
    chain.give_keys(0, "//vault");
    chain
}

#[test]
fn a_batch_mints_in_order_and_names_its_instructions() {
    let chain = chain_with_vault();
    let batch = batch(0, &[("//Alice", 70_000), ("//Bob", 5)]);
    let instructions_hash = batch.instructions_hash();
    chain.include(vec![execute_batch(batch, "//vault")]);

    let mint = |name: &str, amount| {
        let balance = Balance { coin: Coin::Bitcoin, amount: Amount(amount) };
        RuntimeEvent::Coins(coins::Event::Mint { to: account(name), balance })
    };
    let executed = Event::Batch {
        network: ExternalNetworkId::Bitcoin,
        id: 0,
        block: BlockHash([0xaa; 32]),
        instructions_hash,
    };
    assert_eq!(
        chain.events(),
        [RuntimeEvent::InInstructions(executed), mint("//Alice", 70_000), mint("//Bob", 5)]
    );
    let (held, supply, last, block) = chain
        .query(None, || {
            (
                Balances::<Runtime>::get(account("//Alice"), Coin::Bitcoin),
                coins::Supply::<Runtime>::get(Coin::Bitcoin),
                in_instructions::LastBatch::<Runtime>::get(ExternalNetworkId::Bitcoin),
                in_instructions::LatestNetworkBlock::<Runtime>::get(ExternalNetworkId::Bitcoin),
            )
        })
        .unwrap();
    assert_eq!((held, supply, last), (70_000, 70_005, Some(0)));
    assert_eq!(block, Some(BlockHash([0xaa; 32])));
}

#[test]
fn a_failing_instruction_changes_nothing_and_the_others_are_executed() {
    let chain = chain_with_vault();
    let mut batch = batch(0, &[("//Alice", u64::MAX), ("//Bob", 1), ("//Dave", 0)]);
    batch.instructions[2] = InInstructionWithBalance {
        instruction: InInstruction::Dex(DexCall::SwapAndAddLiquidity(account("//Alice"))),
        balance: ExternalBalance { coin: ExternalCoin::Bitcoin, amount: Amount(3) },
    };
    chain.include(vec![execute_batch(batch, "//vault")]);
    let failed: Vec<u32> = chain
        .events()
        .into_iter()
        .filter_map(|event| match event {
            RuntimeEvent::InInstructions(Event::InstructionFailure { index, .. }) => Some(index),
            _ => None,
        })
        .collect();
    // The supply is full after the first, so that the second overflows it.
    assert_eq!(failed, [1, 2]);
    let (bob, supply) = chain
        .query(None, || {
            (
                Balances::<Runtime>::get(account("//Bob"), Coin::Bitcoin),
                coins::Supply::<Runtime>::get(Coin::Bitcoin),
            )
        })
        .unwrap();
    assert_eq!((bob, supply), (0, u64::MAX));
}

#[test]
fn a_batch_before_any_keys_is_a_bad_proof() {
    let extrinsic = execute_batch(batch(0, &[]), "//vault");
    assert_eq!(refusal(&chain(), extrinsic), InvalidTransaction::BadProof);
}

#[test]
fn a_batch_signed_by_another_key_is_a_bad_proof() {
    let extrinsic = execute_batch(batch(0, &[]), "//thief");
    assert_eq!(refusal(&chain_with_vault(), extrinsic), InvalidTransaction::BadProof);
}

#[test]
fn a_batch_over_25_000_bytes_exhausts_resources_whatever_its_signature() {
    let chain = chain_with_vault();
    let transfer = ("//Alice", 1);
    // 37 bytes before the list, 2 bytes of count, 42 per transfer: 594 fit, 595 do not.
    let fits = execute_batch(batch(0, &[transfer; 594]), "//vault");
    let over = execute_batch(batch(0, &[transfer; 595]), "//thief");
    assert_eq!(refusal(&chain, over), InvalidTransaction::ExhaustsResources);
    chain.include(vec![fits]);
}

#[test]
fn a_halted_network_is_custom_1() {
    // No call here halts a network, so that the runtime is asked in a state that says it is.
    let chain = chain_with_vault();
    let input = [
        TransactionSource::External.encode(),
        execute_batch(batch(0, &[]), "//vault"),
        chain.block_hash(None).encode()[1..].to_vec(),
    ]
    .concat();
    let answer = chain.query(None, || {
        in_instructions::Halted::<Runtime>::insert(ExternalNetworkId::Bitcoin, ());
        api::dispatch("TaggedTransactionQueue_validate_transaction", &input).unwrap()
    });
    let answer = TransactionValidity::decode(&mut &answer.unwrap()[..]).unwrap();
    assert_eq!(answer, Err(InvalidTransaction::Custom(1).into()));
}

#[test]
fn two_batches_of_a_network_in_one_block_are_one_too_many() {
    let chain = chain_with_vault();
    let first = execute_batch(batch(0, &[]), "//vault");
    let second = execute_batch(batch(1, &[]), "//vault");
    let block = chain.author(vec![first, second.clone()]).unwrap();
    assert!(block.results[0].is_ok());
    assert_eq!(block.results[1], Err(InvalidTransaction::Future.into()));
    chain.include(vec![second]);
}

#[test]
fn ids_follow_one_another() {
    let chain = chain_with_vault();
    let early = execute_batch(batch(1, &[]), "//vault");
    assert_eq!(refusal(&chain, early), InvalidTransaction::Future);
    let first = execute_batch(batch(0, &[]), "//vault");
    chain.include(vec![first.clone()]);
    assert_eq!(refusal(&chain, first), InvalidTransaction::Stale);
}

#[test]
fn a_coin_of_another_network_is_custom_2() {
    let chain = chain_with_vault();
    let mut batch = batch(0, &[("//Alice", 1)]);
    batch.instructions[0].balance.coin = ExternalCoin::Monero;
    let extrinsic = execute_batch(batch, "//vault");
    assert_eq!(refusal(&chain, extrinsic), InvalidTransaction::Custom(2));
}
