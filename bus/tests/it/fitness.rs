//! A Kafka topic that would lose records, or their order, is refused with what to change.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serai_bus::{BusError, connect};

use crate::setup::{BROKER, Setup};

#[tokio::test]
async fn kafka() {
    let _broker = BROKER.read().await;
    let Some(setup) = Setup::kafka().await else { return };
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", setup.settings.brokers()).create().unwrap();
    let make = async |suffix: &str, partitions, settings: &[(&str, &str)]| {
        let name = format!("{}-{suffix}", setup.name);
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let made = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
        made.into_iter().for_each(|result| drop(result.unwrap()));
        name
    };
    let refused = async |production, topic: &str, parts: &[&str]| {
        let bus = connect(&setup.settings, production).unwrap();
        let error = bus.create_topics(&[topic.to_owned()]).await.unwrap_err();
        assert!(matches!(error, BusError::Unfit { .. }), "{error}");
        let sentence = error.to_string();
        for part in parts {
            assert!(sentence.contains(part), "no {part:?} in: {sentence}");
        }
    };

    let several = make("several", 3, &[]).await;
    refused(false, &several, &[&several, "3 partitions"]).await;
    let forgetful = make("forgetful", 1, &[("cleanup.policy", "compact")]).await;
    refused(
        false,
        &forgetful,
        &["retention.ms = 604800000", "cleanup.policy = compact", "max.message.bytes"],
    )
    .await;
    // What this bus made itself is fit, except for production on a single broker.
    refused(true, &setup.topic, &["replication factor 1", "min.insync.replicas = 1"]).await;
    refused(true, &format!("{}-new", setup.name), &["replication factor"]).await;
}
