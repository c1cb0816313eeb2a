//! The network over a real Apache Kafka, where `SERAI_TEST_KAFKA=HOST:PORT` names one. Topics carry
//! the validators' names, so the broker must not hold another network's.

use crate::setup::{Folder, check, devnet, read};

#[test]
fn three_vaults_over_kafka() {
    let Ok(address) = std::env::var("SERAI_TEST_KAFKA") else {
        eprintln!("not run over Kafka: SERAI_TEST_KAFKA names no broker");
        return;
    };
    let folder = Folder::new();
    let file = folder.path().join("report.json");
    let data = folder.path().join("data");
    let arguments = format!("--bus kafka={address} --until vaults --report {}", file.display());
    let output = devnet(&data, &arguments);
    assert!(output.status.success(), "{}", output.status);
    check(&read(&file), 4, &["btc", "eth", "xmr"]);
    assert!(!data.join("alice/bus.sqlite").exists(), "nothing went past Kafka");
}
