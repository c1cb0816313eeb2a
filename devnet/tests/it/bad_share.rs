//! A processor that sends a bad share is named, with the evidence, by every honest coordinator, and
//! no vault comes from that attempt.

use serai_devnet::cluster::Settings;
use serai_messages::Coin;

use crate::setup::{Network, faulty, name, named_by_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_of_a_bad_share_is_named() {
    let mut settings = Settings::new(4, &[Coin::Btc]);
    let program = faulty().processor;
    let command = ["/usr/bin/env", "SERAI_PROCESSOR_FAULT=bad-share:1", program.to_str().unwrap()];
    settings.odd_processors.insert(name("dave"), command.map(str::to_owned).into());
    let network = Network::start(settings).await;
    named_by_all(&network, "dave", &["invalid-share"]).await;
    network.stop().await;
}
