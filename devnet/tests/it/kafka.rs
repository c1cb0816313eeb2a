//! The network over a real Apache Kafka, where `SERAI_TEST_KAFKA=HOST:PORT` names one: nothing sealed
//! shows on its topics, and the program makes its vaults. Topics carry the validators' names, so those
//! of another network on that broker are emptied.

use serai_devnet::cluster::Settings;
use serai_messages::Coin;

use crate::raw_topics::assert_sealed;
use crate::setup::{Folder, check, devnet, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_vaults_over_kafka() {
    let Ok(address) = std::env::var("SERAI_TEST_KAFKA") else {
        eprintln!("not run over Kafka: SERAI_TEST_KAFKA names no broker");
        return;
    };
    let mut settings = Settings::new(4, &[Coin::Btc]);
    settings.bus = format!("kafka={address}").parse().unwrap();
    assert_sealed(settings).await;

    let folder = Folder::new();
    let file = folder.path().join("report.json");
    let data = folder.path().join("data");
    let arguments =
        format!("--bus kafka={address} --fresh --until vaults --report {}", file.display());
    let output = devnet(&data, &arguments);
    assert!(output.status.success(), "{}", output.status);
    check(&read(&file), 4, &["btc", "eth", "xmr"]);
    assert!(!data.join("alice/bus.sqlite").exists(), "nothing went past Kafka");
}
