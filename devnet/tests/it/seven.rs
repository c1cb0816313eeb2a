//! Seven validators, one coin.

use crate::setup::{Folder, check, devnet, read};

#[test]
fn seven_validators_make_a_vault() {
    let folder = Folder::new();
    let file = folder.path().join("report.json");
    let data = folder.path().join("data");
    let arguments =
        format!("--validators 7 --coins btc --until vaults --report {}", file.display());
    let output = devnet(&data, &arguments);
    assert!(output.status.success(), "{}", output.status);
    check(&read(&file), 7, &["btc"]);
}
