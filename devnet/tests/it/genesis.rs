//! Four validators, three coins: the program ends with three vaults and a report that holds.

use crate::setup::{Folder, check, devnet, read};

#[test]
fn four_validators_make_three_vaults() {
    let folder = Folder::new();
    let file = folder.path().join("report.json");
    let data = folder.path().join("data");
    let output = devnet(&data, &format!("--until vaults --report {}", file.display()));
    assert!(output.status.success(), "{}", output.status);
    let report = read(&file);
    check(&report, 4, &["btc", "eth", "xmr"]);

    let said = String::from_utf8(output.stdout).unwrap();
    for vault in report["vaults"].as_array().unwrap() {
        for what in [&vault["address"]["text"], &vault["ristretto_key"], &vault["external_key"]] {
            assert!(said.contains(what.as_str().unwrap()), "the program says {what}");
        }
    }
    assert!(!said.contains('\u{1b}'), "plain lines where there is no terminal");
}
