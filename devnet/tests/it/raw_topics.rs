//! A reader of the raw topics finds no plaintext of a sealed message.

use serai_bus::connect;
use serai_devnet::cluster::Settings;
use serai_devnet::report::{bus_settings, read_topic};
use serai_messages::{Coin, Name, Topic};

use crate::setup::{Network, keys, name, report, set};

/// Bodies on a topic, and whether each is sealed.
async fn bodies(network: &Network, name: &Name, topic: Topic) -> Vec<(String, bool, Vec<u8>)> {
    let bus = connect(&bus_settings(network.layout(), name), false).unwrap();
    let records = read_topic(bus.as_ref(), &topic.full_name(name)).await.unwrap();
    let records = records.into_iter().map(|delivered| delivered.record.unwrap());
    records.map(|record| (record.kind, record.sealed, record.body)).collect()
}

fn contains(body: &[u8], secret: &[u8]) -> bool {
    body.windows(secret.len()).any(|window| window == secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_messages_show_nothing() {
    assert_sealed(Settings::new(4, &[Coin::Btc])).await;
}

/// Runs a network and reads its topics as anybody with access to the bus could.
pub async fn assert_sealed(settings: Settings) {
    let network = Network::start(settings).await;
    let keys = keys(&network, set(Coin::Btc, 0)).await;
    report(&network).await;

    // What the conversation of coordinator and processor is full of.
    let genesis = network.chain().await.unwrap().genesis();
    let names = network.layout().settings().validators.clone();
    let validators = names.iter().map(|name| network.identity(name).unwrap().validator.0.to_vec());
    let mut known: Vec<Vec<u8>> = validators.collect();
    known.extend([genesis.0.to_vec(), keys.ristretto.to_vec(), keys.external.clone()]);

    for name in &names {
        let records = bodies(&network, name, Topic::Chain(Coin::Btc)).await;
        assert!(records.iter().filter(|(_, sealed, _)| *sealed).count() > 8);
        for (kind, sealed, body) in &records {
            assert_eq!(*sealed, kind != "control.key", "{kind} of {name}");
            for secret in &known {
                assert!(!contains(body, secret), "{kind} of {name} shows {}", hex::encode(secret));
            }
        }
    }
    // The same search finds what is said in the open.
    let open = bodies(&network, &name("alice"), Topic::Serai).await;
    assert!(open.iter().any(|(_, _, body)| contains(body, &keys.ristretto)));
    network.stop().await;
}
