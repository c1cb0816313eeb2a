//! Bitcoin's rules.

use ::bitcoin::{
    Amount, ScriptBuf, Transaction, TxOut, Witness, consensus,
    opcodes::all::OP_RETURN,
    script::{Builder, PushBytesBuf},
};
use serai_simchain::{Coin, bitcoin};
use serde_json::json;

use crate::support::{Coins, Net, address, bitcoin_sign, bitcoin_unsigned};

const BTC: Coin = Coin::Btc;

#[tokio::test]
async fn a_deposit_carries_its_data_in_an_op_return() {
    let net = Net::start(BTC).await;
    let to = address(BTC, 1);
    let data = [7u8; 512];
    net.call("dev_deposit", json!([to, 50_000, hex::encode(data)])).await;
    net.mine(1).await;
    let block = net.call("chain_block", json!([1])).await;
    let raw = hex::decode(block["transactions"][0].as_str().unwrap()).unwrap();
    let transaction: Transaction = consensus::deserialize(&raw).unwrap();
    assert_eq!(transaction.output[0].value, Amount::from_sat(50_000));
    assert_eq!(transaction.output[0].script_pubkey.to_hex_string()[..4], *"5120");
    assert!(transaction.output[1].script_pubkey.is_op_return());
    assert!(transaction.output[1].script_pubkey.as_bytes().ends_with(&data));
    assert_eq!(transaction.compute_txid().to_string(), hex::encode(bitcoin::hash(&transaction)));
    let long = net.try_call("dev_deposit", json!([to, 50_000, hex::encode([7; 513])])).await;
    assert!(long.unwrap_err().1.contains("513 bytes"));
    let dust = net.try_call("dev_deposit", json!([to, 329, null])).await;
    assert!(dust.unwrap_err().1.contains("dust"));
    assert!(net.refused(&raw[..raw.len() - 1]).await.starts_with("no transaction"));
}

#[tokio::test]
async fn a_spend_of_two_inputs_is_verified() {
    let net = Net::start(BTC).await;
    let (a, b, c) = (address(BTC, 1), address(BTC, 2), address(BTC, 3));
    let inputs = [
        Coins::of(1, net.deposit(&a, 30_000).await, 30_000),
        Coins::of(2, net.deposit(&b, 20_000).await, 20_000),
    ];
    let unsigned = bitcoin_unsigned(&inputs, &[(&c, 40_000), (&a, 9_000)]);
    let raw = bitcoin_sign(unsigned.clone(), &inputs);
    let published = net.publish(&raw).await;
    assert_eq!(published, bitcoin::hash(&unsigned), "the signature is no part of it");
    assert_eq!(net.publish(&raw).await, published, "known");
    net.mine(1).await;
    assert_eq!(net.publish(&raw).await, published, "known, in a block");
    assert_eq!(
        [net.balance(&a).await, net.balance(&b).await, net.balance(&c).await],
        [9_000, 0, 40_000]
    );
    let evidence = net.call("dev_transaction", json!([hex::encode(published)])).await;
    assert_eq!(evidence["inputs_verified"], 2);
    assert_eq!(evidence["verified_by"], "rust-bitcoin and libsecp256k1");
    assert_eq!(evidence["raw"], hex::encode(&raw));

    let again = bitcoin_sign(bitcoin_unsigned(&inputs[..1], &[(&b, 20_000)]), &inputs[..1]);
    assert!(net.refused(&again).await.ends_with("is spent already"));
    // The change can be spent on.
    let change = Coins { n: 1, transaction: published, index: 1, amount: 9_000 };
    net.publish(&bitcoin_sign(bitcoin_unsigned(&[change], &[(&c, 8_000)]), &[change])).await;
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let net = Net::start(BTC).await;
    let (a, b) = (address(BTC, 1), address(BTC, 2));
    let coins = Coins::of(1, net.deposit(&a, 30_000).await, 30_000);
    let spend = |outputs: &[(&str, u64)]| bitcoin_unsigned(&[coins], outputs);
    let good = spend(&[(&b, 29_000)]);

    let thief = Coins { n: 2, ..coins };
    let wrong = net.refused(&bitcoin_sign(good.clone(), &[thief])).await;
    assert!(wrong.starts_with("wrong signature of input 0"), "{wrong}");
    // BIP-341 signs the amounts that are spent.
    let other_amount = Coins { amount: 30_001, ..coins };
    let wrong = net.refused(&bitcoin_sign(good.clone(), &[other_amount])).await;
    assert!(wrong.starts_with("wrong signature of input 0"), "{wrong}");
    assert!(net.refused(&consensus::serialize(&good)).await.contains("not one signature"));
    let mut changed: Transaction =
        consensus::deserialize(&bitcoin_sign(good.clone(), &[coins])).unwrap();
    changed.output[0].value = Amount::from_sat(28_999);
    assert!(net.refused(&consensus::serialize(&changed)).await.starts_with("wrong signature"));
    changed.input[0].witness = Witness::from_slice(&[[0; 65]]);
    assert!(net.refused(&consensus::serialize(&changed)).await.starts_with("wrong signature"));

    let unknown = Coins { index: 1, ..coins };
    let raw = bitcoin_sign(bitcoin_unsigned(&[unknown], &[(&b, 29_000)]), &[unknown]);
    assert!(net.refused(&raw).await.starts_with("unknown input"));
    let outside = Coins { index: bitcoin::OUTSIDE, ..coins };
    let raw = bitcoin_sign(bitcoin_unsigned(&[outside], &[(&b, 29_000)]), &[outside]);
    assert!(net.refused(&raw).await.contains("dev_deposit only"));
    let twice = [coins, coins];
    let raw = bitcoin_sign(bitcoin_unsigned(&twice, &[(&b, 59_000)]), &twice);
    assert!(net.refused(&raw).await.contains("stands twice"));

    let raw = bitcoin_sign(spend(&[(&b, 30_001)]), &[coins]);
    assert!(net.refused(&raw).await.starts_with("value is not conserved"));
    let raw = bitcoin_sign(spend(&[(&b, 29_000), (&a, 329)]), &[coins]);
    assert!(net.refused(&raw).await.contains("dust"));
    let size = u64::try_from(
        consensus::deserialize::<Transaction>(&bitcoin_sign(good, &[coins])).unwrap().vsize(),
    )
    .unwrap();
    let raw = bitcoin_sign(spend(&[(&b, 30_000 - 2 * size + 1)]), &[coins]);
    assert!(net.refused(&raw).await.starts_with("fee "));
    net.call("dev_set_fee", json!([3])).await;
    let just = bitcoin_sign(spend(&[(&b, 30_000 - 2 * size)]), &[coins]);
    assert!(net.refused(&just).await.contains(&format!("at least {}", 3 * size)));

    let mut carrier = spend(&[(&b, 28_000)]);
    let two = Builder::new().push_opcode(OP_RETURN).push_slice([1; 9]).push_slice([2; 9]);
    carrier.output.push(TxOut { value: Amount::ZERO, script_pubkey: two.into_script() });
    assert!(net.refused(&bitcoin_sign(carrier.clone(), &[coins])).await.contains("one push"));
    carrier.output[1].script_pubkey =
        ScriptBuf::new_op_return(PushBytesBuf::try_from(vec![1; 513]).unwrap());
    assert!(net.refused(&bitcoin_sign(carrier.clone(), &[coins])).await.contains("513 bytes"));

    net.call("dev_set_fee", json!([2])).await;
    net.publish(&just).await;
}
