//! A member whose commitments differ between two receivers, and one that lies in the agreement
//! round, are each named, with the evidence, by every honest coordinator, and no vault comes from
//! that attempt.

use serai_devnet::cluster::Settings;
use serai_messages::Coin;

use crate::setup::{Network, faulty, name, named_by_all};

async fn dave_does(what: &str, kinds: &[&str]) {
    let mut settings = Settings::new(4, &[Coin::Btc]);
    let variable = format!("SERAI_COORDINATOR_FAULT={what}");
    let program = faulty().coordinator;
    let command = ["/usr/bin/env", &variable, program.to_str().unwrap()];
    settings.odd_coordinators.insert(name("dave"), command.map(str::to_owned).into());
    let network = Network::start(settings).await;
    named_by_all(&network, "dave", kinds).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equivocator_is_named() {
    dave_does("equivocate", &["equivocation"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_in_the_agreement_is_named() {
    dave_does("lie", &["false-report", "undisclosed"]).await;
}
