//! A processor that sends a bad share is named, with the evidence, by every honest coordinator, and
//! no vault comes from that attempt.

use serai_devnet::binaries::Binaries;
use serai_devnet::cluster::Settings;
use serai_messages::Coin;

use crate::setup::{Network, find, keys, name, report, set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_of_a_bad_share_is_named() {
    let faulty = Binaries::faulty_processor().unwrap();
    let mut settings = Settings::new(4, &[Coin::Btc]);
    let command = ["/usr/bin/env", "SERAI_PROCESSOR_FAULT=bad-share:1", faulty.to_str().unwrap()];
    settings.odd_processor = Some((name("dave"), command.map(str::to_owned).into()));
    let network = Network::start(settings).await;
    let dave = network.identity(&name("dave")).unwrap().validator.to_string();

    keys(&network, set(Coin::Btc, 0)).await;
    let report = report(&network).await;
    let session = &report["sessions"][0];
    assert_eq!(session["removed"], serde_json::json!(["dave"]), "{session}");
    assert_eq!(session["attempts"], 2, "{session}");

    for honest in ["alice", "bob", "charlie"] {
        let explained = find(&format!("{honest}'s explanation"), || async {
            network.ask(&name(honest), &["explain", "keygen/btc-0"]).await.ok()
        })
        .await;
        let faults = explained.pointer("/0/faults").and_then(|faults| faults.as_array()).unwrap();
        let named = faults.iter().find(|fault| fault["accused"] == dave.as_str());
        let named = named.unwrap_or_else(|| panic!("{honest} does not name dave: {explained}"));
        assert_eq!(named["kind"], "invalid-share", "{named}");
        assert!(!named["evidence"].as_array().unwrap().is_empty(), "{named}");
        assert!(faults.iter().all(|fault| fault["accused"] == dave.as_str()), "{explained}");
    }
    network.stop().await;
}
