//! What a consumer has handled is visible to Kafka's lag monitors, under the consumer's name.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serai_bus::exchange::Consumer;
use serai_bus::{OffsetReset, Subscription};
use std::time::Duration;

use crate::setup::{BROKER, DEADLINE, Setup, database, record, until};

#[tokio::test]
async fn kafka() {
    let _broker = BROKER.read().await;
    let Some(setup) = Setup::kafka().await else { return };
    let (_folder, database) = database();
    let consumer = Consumer { reader: "signature", topic: &setup.topic };
    setup.bus.append(&setup.topic, &[record(0, 5), record(1, 5)]).await.unwrap();
    let mut reading =
        Subscription::open(&setup.bus, &database, consumer, OffsetReset::Earliest).await.unwrap();
    let first = tokio::time::timeout(DEADLINE, reading.next()).await.unwrap().unwrap();
    tokio::time::timeout(DEADLINE, reading.next()).await.unwrap().unwrap();
    // The second was read and is not handled.
    reading.handled(first.offset).await;

    let monitor: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", setup.settings.brokers())
        .set("group.id", "serai-signature")
        .create()
        .unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition(&setup.topic, 0);
    until("the handled offset is committed", || async {
        let committed = monitor.committed_offsets(asked.clone(), Duration::from_secs(5));
        let committed = committed.unwrap().elements()[0].offset();
        assert_ne!(committed, Offset::Offset(2), "a record that was only read was committed");
        committed == Offset::Offset(1)
    })
    .await;
}
