//! Four validators, three coins: a deposit of each is minted, a part of it is burned and paid out, and
//! what the vaults hold is what Serai owes.

use serde_json::Value;

use crate::setup::{Folder, check, devnet, read, sessions};

#[test]
fn coins_in_and_coins_out() {
    let folder = Folder::new();
    let file = folder.path().join("report.json");
    let data = folder.path().join("data");
    let output = devnet(&data, &format!("--until payments --report {}", file.display()));
    assert!(output.status.success(), "{}", output.status);
    let report = read(&file);
    check(&report, 4, &["btc", "eth", "xmr"]);
    check_money(&report, &["btc", "eth", "xmr"]);

    let said = String::from_utf8(output.stdout).unwrap();
    for payment in report["payments"].as_array().unwrap() {
        for what in [&payment["address"], &payment["transaction"]["hash"]] {
            assert!(said.contains(what.as_str().unwrap()), "the program says {what}");
        }
    }
}

/// What a report says once each of `coins` went in and out once.
pub fn check_money(report: &Value, coins: &[&str]) {
    let of = |list: &str, coin: &str| -> Vec<Value> {
        let list = report[list].as_array().unwrap().iter();
        list.filter(|one| one["coin"] == coin).cloned().collect()
    };
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap();
    for coin in coins {
        let batches = of("batches", coin);
        let instructions: Vec<&Value> =
            batches.iter().flat_map(|one| one["instructions"].as_array().unwrap()).collect();
        assert_eq!(instructions.len(), 1, "{coin}: one deposit, credited once");
        assert_eq!(instructions[0]["kind"], "transfer");
        for (id, batch) in batches.iter().enumerate() {
            assert_eq!(number(batch, "id"), id as u64);
            assert_eq!(batch["verified_by"], "schnorrkel");
        }

        let payments = of("payments", coin);
        assert_eq!(payments.len(), 1, "{coin}");
        let transaction = &payments[0]["transaction"];
        let (paid, fee) = (number(transaction, "paid"), number(transaction, "fee"));
        assert_eq!(paid + fee, number(&payments[0], "amount"), "{transaction}");
        let library = if *coin == "xmr" { "ed25519-dalek" } else { "secp256k1" };
        let verified = transaction["verified_by"].as_array().unwrap();
        assert_eq!(verified[0], library, "{transaction}");
        assert!(verified[1].as_str().unwrap().starts_with("the external chain"), "{transaction}");

        let balance = &of("balances", coin)[0];
        let retained = if *coin == "btc" { 1600 } else { 0 };
        assert_eq!(number(balance, "retained"), retained, "{balance}");
        assert_eq!((number(balance, "in_flight"), number(balance, "costs")), (0, 0), "{balance}");
        assert_eq!(number(balance, "holdings"), number(balance, "supply") + retained, "{balance}");
    }
    for kind in ["batch", "payment"] {
        for session in sessions(report, kind) {
            assert_eq!(session["party"].as_array().unwrap().len(), 3, "{session}");
            assert!(number(&session["start"], "block") <= number(&session["end"], "block"));
        }
    }
    assert_eq!(sessions(report, "payment").len(), coins.len());
    assert_eq!(sessions(report, "batch").len(), report["batches"].as_array().unwrap().len());
}
