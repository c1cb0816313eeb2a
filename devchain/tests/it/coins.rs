//! Transfers, burns and fees.

use serai_devchain::Refusal;
use serai_devchain::runtime::{
    Runtime, RuntimeEvent,
    coins::{self, Balances, Event, FEE_ACCOUNT, Supply},
    types::{
        Amount, Balance, Coin, ExternalAddress, ExternalBalance, ExternalCoin, OutInstruction,
        OutInstructionWithBalance,
    },
};
use sp_runtime::transaction_validity::{InvalidTransaction, UnknownTransaction};

use crate::support::{TestChain, account, bare, batch, chain, execute_batch, signed};

fn held(chain: &TestChain, name: &str, coin: Coin) -> u64 {
    chain.query(None, || Balances::<Runtime>::get(account(name), coin)).unwrap()
}

fn sri(amount: u64) -> Balance {
    Balance { coin: Coin::Serai, amount: Amount(amount) }
}

#[test]
fn a_transfer_moves_coins_and_its_fee_is_burnt_in_the_next_block() {
    let chain = chain();
    let before = held(&chain, "//Alice", Coin::Serai);
    let supply = chain.query(None, || Supply::<Runtime>::get(Coin::Serai)).unwrap();
    let call = coins::Call::transfer { to: account("//Eve"), balance: sri(500) };
    chain.include(vec![signed(&chain, "//Alice", 0, call)]);
    let (from, to) = (account("//Alice"), account("//Eve"));
    let expected = Event::Transfer { from, to, balance: sri(500) };
    assert_eq!(chain.events(), [RuntimeEvent::Coins(expected)]);

    let fee = before - held(&chain, "//Alice", Coin::Serai) - 500;
    assert_eq!(held(&chain, "//Eve", Coin::Serai), 500);
    let fees = chain.query(None, || Balances::<Runtime>::get(FEE_ACCOUNT, Coin::Serai));
    assert_eq!(fees.unwrap(), fee);
    assert!(fee > 100_000_000, "about one SRI: {fee}");

    chain.include(vec![]);
    let after = chain.query(None, || Supply::<Runtime>::get(Coin::Serai)).unwrap();
    assert_eq!(after, supply - fee);
}

#[test]
fn a_call_that_fails_is_in_the_block_and_costs_its_fee() {
    let chain = chain();
    let before = held(&chain, "//Alice", Coin::Serai);
    let call = coins::Call::transfer { to: account("//Eve"), balance: sri(u64::MAX) };
    let block = chain.author(vec![signed(&chain, "//Alice", 0, call)]).unwrap();
    let error = block.results[0].unwrap().unwrap_err();
    assert_eq!(error, coins::Error::<Runtime>::NotEnoughCoins.into());
    assert!(held(&chain, "//Alice", Coin::Serai) < before);
    assert_eq!(held(&chain, "//Eve", Coin::Serai), 0);
}

#[test]
fn who_cannot_pay_the_fee_is_refused() {
    let chain = chain();
    let call = || coins::Call::transfer { to: account("//Alice"), balance: sri(0) };
    let block = chain.author(vec![signed(&chain, "//Eve", 0, call())]).unwrap();
    assert_eq!(block.results[0], Err(InvalidTransaction::Payment.into()));
}

#[test]
fn system_calls_are_refused() {
    let chain = chain();
    let call = frame_system::Call::<Runtime>::remark { remark: vec![] };
    let block = chain.author(vec![signed(&chain, "//Alice", 0, call)]).unwrap();
    let error = block.results[0].unwrap().unwrap_err();
    assert_eq!(error, frame_system::Error::<Runtime>::CallFiltered.into());
}

#[test]
fn coins_that_came_in_go_out_with_an_instruction() {
    let chain = chain();
    chain.give_keys(0, "//vault");
    chain.include(vec![execute_batch(batch(0, &[("//Alice", 1000)]), "//vault")]);
    let instruction = |amount| OutInstructionWithBalance {
        instruction: OutInstruction {
            address: ExternalAddress(vec![2; 21].try_into().unwrap()),
            data: None,
        },
        balance: ExternalBalance { coin: ExternalCoin::Bitcoin, amount: Amount(amount) },
    };
    let call = coins::Call::burn_with_instruction { instruction: instruction(400) };
    chain.include(vec![signed(&chain, "//Alice", 0, call)]);
    let expected =
        Event::BurnWithInstruction { from: account("//Alice"), instruction: instruction(400) };
    assert_eq!(chain.events(), [RuntimeEvent::Coins(expected)]);
    assert_eq!(held(&chain, "//Alice", Coin::Bitcoin), 600);

    let balance = Balance { coin: Coin::Bitcoin, amount: Amount(600) };
    chain.include(vec![signed(&chain, "//Alice", 1, coins::Call::burn { balance })]);
    assert_eq!(
        chain.events(),
        [RuntimeEvent::Coins(Event::Burn { from: account("//Alice"), balance })]
    );
    let supply = chain.query(None, || Supply::<Runtime>::get(Coin::Bitcoin)).unwrap();
    assert_eq!(supply, 0);
}

#[test]
fn calls_that_need_a_signer_are_refused_bare() {
    let chain = chain();
    let call = coins::Call::transfer { to: account("//Eve"), balance: sri(1) };
    let refusal = chain.submit(bare(call)).unwrap_err();
    assert_eq!(refusal, Refusal::Invalid(UnknownTransaction::NoUnsignedValidator.into()));
    let call = pallet_timestamp::Call::<Runtime>::set { now: 1 };
    let refusal = chain.submit(bare(call)).unwrap_err();
    assert_eq!(refusal, Refusal::Invalid(InvalidTransaction::MandatoryValidation.into()));
}
