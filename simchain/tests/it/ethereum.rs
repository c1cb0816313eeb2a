//! Ethereum's rules.

use serai_simchain::{
    Coin,
    ethereum::{self, Transaction},
};
use serde_json::json;

use crate::support::{Net, account, address, execute, schnorr, secp};

const ETH: Coin = Coin::Eth;

/// Encoded by `eth_abi`, the Python library.
#[test]
fn the_message_is_soliditys_encoding() {
    let word = |value: u64| format!("{value:064x}");
    let mut expected: String =
        [0x80, 1337, 7, 0xc0, 7].into_iter().map(word).collect::<Vec<_>>().concat();
    expected.push_str(&format!("{:0<64}", hex::encode("execute")));
    expected.push_str(&[3, 0x60, 0xe0, 0x160].into_iter().map(word).collect::<Vec<_>>().concat());
    for (to, value) in [("05", 70_000), ("06", 8), ("00", 1000)] {
        expected.push_str(&format!("{:0>64}", to.repeat(20)));
        expected.push_str(&[0x60, value, 0].into_iter().map(word).collect::<Vec<_>>().concat());
    }
    let outs = [([5; 20], 70_000), ([6; 20], 8)];
    assert_eq!(hex::encode(ethereum::message(7, &outs, 1000)), expected);
}

#[tokio::test]
async fn a_deposit_and_payments_with_nonces_in_order() {
    let net = Net::start(ETH).await;
    let (a, b) = (address(ETH, 1), address(ETH, 2));
    let data = json!([a, 1_000_000, hex::encode(b"to serai")]);
    let deposit = net.call("dev_deposit", data).await;
    let raw = net.call("dev_transaction", json!([deposit])).await["raw"].clone();
    let raw = hex::decode(raw.as_str().unwrap()).unwrap();
    let transaction: Transaction = borsh::from_slice(&raw).unwrap();
    let Transaction::Deposit { to, amount, data, .. } = &transaction else { panic!("{raw:?}") };
    assert_eq!((*to, *amount, data.as_slice()), (account(&a), 1_000_000, &b"to serai"[..]));

    // Both wait in the pool.
    let first = execute(1, 1, &[(&b, 100_000)], 1000);
    let second = execute(1, 2, &[(&b, 200_000), (&b, 1), (&a, 5)], 2000);
    assert!(net.refused(&second).await.starts_with("nonce 2 is ahead"));
    let hash = net.publish(&first).await;
    net.publish(&second).await;
    net.mine(1).await;
    assert_eq!(net.balance(&a).await, 1_000_000 - 100_000 - 1000 - 200_000 - 1 - 2000);
    assert_eq!(net.balance(&b).await, 300_001);
    let evidence = net.call("dev_transaction", json!([hex::encode(hash)])).await;
    assert_eq!(evidence["inputs_verified"], 1);

    let mut unsigned: Transaction = borsh::from_slice(&first).unwrap();
    if let Transaction::Execute { signature, .. } = &mut unsigned {
        *signature = [9; 64];
    }
    assert_eq!(unsigned.hash(), hash, "the signature is no part of it");
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let net = Net::start(ETH).await;
    let (a, b) = (address(ETH, 1), address(ETH, 2));
    net.deposit(&a, 1_000_000).await;

    for position in [0, 31, 32, 63] {
        let mut wrong: Transaction = borsh::from_slice(&execute(1, 1, &[(&b, 5)], 1000)).unwrap();
        if let Transaction::Execute { signature, .. } = &mut wrong {
            signature[position] ^= 1;
        }
        assert!(net.refused(&wrong.bytes()).await.starts_with("wrong signature"), "{position}");
    }
    // Another's signature, and one over another nonce, fee or payment.
    let outs = vec![(account(&b), 5u64)];
    for (n, nonce, outs_signed, fee_signed) in [
        (2, 1, outs.clone(), 1000),
        (1, 2, outs.clone(), 1000),
        (1, 1, outs.clone(), 1001),
        (1, 1, vec![(account(&a), 5)], 1000),
    ] {
        let signature = schnorr(&secp(n), &ethereum::message(nonce, &outs_signed, fee_signed));
        let key_x = crate::support::key_x(&secp(1));
        let wrong =
            Transaction::Execute { key_x, nonce: 1, outs: outs.clone(), fee: 1000, signature };
        assert!(net.refused(&wrong.bytes()).await.starts_with("wrong signature"));
    }

    let low = net.refused(&execute(1, 1, &[(&b, 5)], 999)).await;
    assert_eq!(low, "fee 999 is too low: at least 1000");
    let over = net.refused(&execute(1, 1, &[(&b, 999_001)], 1000)).await;
    assert_eq!(over, "the account has 1000000, the transaction takes 1000001");
    let over = net.refused(&execute(1, 1, &[(&b, u64::MAX), (&b, u64::MAX)], 1000)).await;
    assert!(over.starts_with("the account has"), "{over}");
    assert!(net.refused(&execute(2, 1, &[(&a, 5)], 1000)).await.starts_with("the account has 0"));

    net.publish(&execute(1, 1, &[(&b, 5)], 1000)).await;
    let used = net.refused(&execute(1, 1, &[(&b, 6)], 1000)).await;
    assert!(used.starts_with("nonce used"), "{used}");
    net.mine(1).await;
    assert!(net.refused(&execute(1, 1, &[(&b, 6)], 1000)).await.starts_with("nonce used"));

    let to = account(&a);
    let money = Transaction::Deposit { to, amount: 5, data: vec![], salt: [1; 32] };
    assert!(net.refused(&money.bytes()).await.contains("dev_deposit only"));
    let mut long = execute(1, 2, &[(&b, 6)], 1000);
    long.push(0);
    assert!(net.refused(&long).await.starts_with("no transaction"));
}

#[tokio::test]
async fn an_address_has_a_checksum() {
    let net = Net::start(ETH).await;
    let deposit = |address: &str| net.try_call("dev_deposit", json!([address, 5, null]));
    let right = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";
    deposit(right).await.unwrap();
    deposit(&right.to_lowercase()).await.unwrap();
    let wrong = deposit(&right.replace("7E5F", "7e5F")).await.unwrap_err();
    assert!(wrong.1.ends_with("its checksum is wrong"), "{}", wrong.1);
    assert!(deposit(&right[..40]).await.is_err());
    net.mine(1).await;
    assert_eq!(net.balance(right).await, 10);
}
