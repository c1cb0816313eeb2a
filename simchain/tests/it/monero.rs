//! Monero's rules.

use serai_simchain::{Coin, monero::Transaction};
use serde_json::json;

use crate::support::{Coins, FEE, Net, address, hash, monero_sign, monero_unsigned};

const XMR: Coin = Coin::Xmr;
const AMOUNT: u64 = 5_000_000_000;

#[tokio::test]
async fn a_deposit_and_a_spend_of_two_inputs() {
    let net = Net::start(XMR).await;
    let (a, b) = (address(XMR, 1), address(XMR, 2));
    let data = json!([a, AMOUNT, "0102"]);
    let first = net.call("dev_deposit", data.clone()).await;
    let raw = net.call("dev_transaction", json!([first])).await["raw"].clone();
    let deposit: Transaction =
        borsh::from_slice(&hex::decode(raw.as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(deposit.outputs, [(a.clone(), AMOUNT)]);
    assert_eq!(deposit.data, Some(vec![1, 2]));
    let same = net.call("dev_deposit", data).await;
    assert_ne!(first, same, "equal deposits are two");

    let inputs = [Coins::of(1, hash(&first), AMOUNT), Coins::of(1, hash(&same), AMOUNT)];
    let unsigned = monero_unsigned(&inputs, &[(&b, AMOUNT), (&a, AMOUNT - FEE)], FEE);
    let raw = monero_sign(unsigned.clone(), &inputs);
    let published = net.publish(&raw).await;
    assert_eq!(published, unsigned.hash(), "the signatures are no part of it");
    assert_eq!(net.publish(&raw).await, published, "known");
    net.mine(1).await;
    assert_eq!(net.balance(&a).await, AMOUNT - FEE);
    assert_eq!(net.balance(&b).await, AMOUNT);
    let evidence = net.call("dev_transaction", json!([hex::encode(published)])).await;
    assert_eq!(evidence["inputs_verified"], 2);
    assert_eq!(evidence["verified_by"], "ed25519-dalek");

    let again = monero_unsigned(&inputs[1..], &[(&a, AMOUNT - FEE)], FEE);
    assert!(net.refused(&monero_sign(again, &inputs[1..])).await.ends_with("is spent already"));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let net = Net::start(XMR).await;
    let (a, b) = (address(XMR, 1), address(XMR, 2));
    let coins = Coins::of(1, net.deposit(&a, AMOUNT).await, AMOUNT);
    let spend = |outputs: &[(&str, u64)], fee| monero_unsigned(&[coins], outputs, fee);
    let good = spend(&[(&b, AMOUNT - FEE)], FEE);

    let thief = Coins { n: 2, ..coins };
    let wrong = net.refused(&monero_sign(good.clone(), &[thief])).await;
    assert!(wrong.starts_with("wrong signature of input 0"), "{wrong}");
    let mut changed: Transaction = borsh::from_slice(&monero_sign(good.clone(), &[coins])).unwrap();
    changed.outputs[0].0 = a.clone();
    assert!(net.refused(&changed.bytes()).await.starts_with("wrong signature"));
    assert!(net.refused(&good.bytes()).await.contains("0 signatures of 1 inputs"));

    let unknown = Coins { index: 1, ..coins };
    let raw = monero_sign(monero_unsigned(&[unknown], &[(&b, AMOUNT - FEE)], FEE), &[unknown]);
    assert!(net.refused(&raw).await.starts_with("unknown input"));
    let twice = [coins, coins];
    let raw = monero_sign(monero_unsigned(&twice, &[(&b, 2 * AMOUNT - FEE)], FEE), &twice);
    assert!(net.refused(&raw).await.contains("stands twice"));

    for (amount, fee) in [(AMOUNT, FEE), (AMOUNT - FEE - 1, FEE), (u64::MAX, FEE)] {
        let raw = monero_sign(spend(&[(&b, amount)], fee), &[coins]);
        assert!(net.refused(&raw).await.starts_with("value is not conserved"), "{amount}");
    }
    let raw = monero_sign(spend(&[(&b, AMOUNT - FEE + 1)], FEE - 1), &[coins]);
    assert!(net.refused(&raw).await.starts_with("fee "));
    let raw = monero_sign(spend(&[(&b, AMOUNT - FEE), (&a, 0)], FEE), &[coins]);
    assert!(net.refused(&raw).await.contains("dust"));
    let raw = monero_sign(spend(&["4", "x"].map(|to| (to, 1)), FEE), &[coins]);
    assert!(net.refused(&raw).await.contains("is no address"));
    let salted = Transaction { salt: [1; 32], ..good.clone() };
    assert!(net.refused(&monero_sign(salted, &[coins])).await.contains("salt"));
    let carrier = Transaction { data: Some(vec![0; 513]), ..good.clone() };
    assert!(net.refused(&monero_sign(carrier, &[coins])).await.contains("513 bytes"));
    let money = monero_unsigned(&[], &[(&b, 5)], 0);
    assert!(net.refused(&money.bytes()).await.contains("dev_deposit only"));

    net.publish(&monero_sign(good, &[coins])).await;
}
