//! Topics: made, checked, truncated, asked about.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::admin::{AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Cluster, MAX_MESSAGE_BYTES, PARTITION, REQUEST};
use crate::{BusError, TopicInfo};

/// Replicas that production asks for (DESIGN D1).
const REPLICAS: usize = 3;

/// In-sync replicas that production asks for before a record counts as appended.
const IN_SYNC: u32 = 2;

/// What the cluster says of a topic.
#[derive(Clone, Copy, Debug)]
struct Found {
    partitions: usize,
    replicas: usize,
    led: bool,
}

impl Cluster {
    /// Asks the cluster something by a call that blocks.
    async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        topic: &str,
        question: impl FnOnce(&Cluster, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, BusError> {
        let (cluster, name) = (self.clone(), topic.to_owned());
        match tokio::task::spawn_blocking(move || question(&cluster, &name)).await {
            Ok(answer) => answer.map_err(|error| self.wrap(topic, &error)),
            Err(error) => Err(self.unavailable(&format!("the runtime is stopping: {error}"))),
        }
    }

    async fn find(self: &Arc<Self>, topic: &str) -> Result<Option<Found>, BusError> {
        let found = self
            .ask(topic, |cluster, name| {
                let metadata = cluster.admin.inner().fetch_metadata(Some(name), REQUEST)?;
                let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name)
                else {
                    return Ok(None);
                };
                match topic.error().map(RDKafkaErrorCode::from) {
                    Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(None),
                    // While a leader is elected the topic is there all the same.
                    Some(RDKafkaErrorCode::LeaderNotAvailable) | None => {}
                    Some(code) => return Err(KafkaError::MetadataFetch(code)),
                }
                let first = topic.partitions().iter().find(|found| found.id() == PARTITION);
                Ok(Some(Found {
                    partitions: topic.partitions().len(),
                    replicas: first.map_or(0, |first| first.replicas().len()),
                    led: first.is_some_and(|first| first.leader() >= 0),
                }))
            })
            .await;
        match found {
            Err(BusError::UnknownTopic { .. }) => Ok(None),
            found => found,
        }
    }

    /// Whether the topic exists; refused when it is there and has several partitions.
    pub(super) async fn exists(self: &Arc<Self>, topic: &str) -> Result<(), BusError> {
        match self.find(topic).await? {
            None => Err(BusError::UnknownTopic { topic: topic.to_owned() }),
            Some(found) => self.check_partitions(topic, found),
        }
    }

    fn check_partitions(&self, topic: &str, found: Found) -> Result<(), BusError> {
        if found.partitions <= 1 {
            return Ok(());
        }
        Err(self.unfit(format!(
            "topic {topic:?} has {} partitions, which have no common order; recreate it with one",
            found.partitions
        )))
    }

    pub(super) async fn info(self: &Arc<Self>, topic: &str) -> Result<TopicInfo, BusError> {
        self.exists(topic).await?;
        let (earliest, next) = self
            .ask(topic, |cluster, name| {
                cluster.admin.inner().fetch_watermarks(name, PARTITION, REQUEST)
            })
            .await?;
        Ok(TopicInfo {
            earliest: earliest.max(0).cast_unsigned(),
            next: next.max(0).cast_unsigned(),
        })
    }

    pub(super) async fn create_topics(self: &Arc<Self>, topics: &[String]) -> Result<(), BusError> {
        for topic in topics {
            // An operator may have made the topics and kept the right to make them.
            if self.find(topic).await?.is_none() {
                self.create(topic).await?;
            }
            let found = self.settled(topic).await?;
            self.check_partitions(topic, found)?;
            self.check_settings(topic, found).await?;
        }
        Ok(())
    }

    async fn create(&self, topic: &str) -> Result<(), BusError> {
        let (size, in_sync) = (MAX_MESSAGE_BYTES.to_string(), IN_SYNC.to_string());
        // -1: the cluster's own default.
        let replicas = if self.production { REPLICAS as i32 } else { -1 };
        let mut new = NewTopic::new(topic, 1, TopicReplication::Fixed(replicas))
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("cleanup.policy", "delete")
            .set("max.message.bytes", &size);
        if self.production {
            new = new.set("min.insync.replicas", &in_sync);
        }
        let created = self
            .admin
            .create_topics([&new], &options())
            .await
            .map_err(|error| self.wrap(topic, &error))?;
        for result in created {
            match result {
                // Another process was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(self.wrap(topic, &KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }

    /// The topic once its partition has a leader: until then brokers deny that it exists.
    async fn settled(self: &Arc<Self>, topic: &str) -> Result<Found, BusError> {
        let deadline = Instant::now() + REQUEST;
        loop {
            match self.find(topic).await? {
                Some(found) if found.led => return Ok(found),
                _ if Instant::now() >= deadline => {
                    return Err(self.unavailable(&format!("topic {topic:?} has no leader yet")));
                }
                _ => tokio::time::sleep(REQUEST / 200).await,
            }
        }
    }

    async fn check_settings(&self, topic: &str, found: Found) -> Result<(), BusError> {
        let described = self
            .admin
            .describe_configs([&ResourceSpecifier::Topic(topic)], &options())
            .await
            .map_err(|error| self.wrap(topic, &error))?;
        let described = match described.into_iter().next() {
            Some(Ok(described)) => described,
            Some(Err(code)) => return Err(self.wrap(topic, &KafkaError::AdminOp(code))),
            None => return Err(self.unavailable(&format!("no settings of topic {topic:?}"))),
        };
        let value = |key: &str| described.get(key).and_then(|entry| entry.value.as_deref());
        let number = |key: &str| value(key).and_then(|value| value.parse::<u64>().ok());
        let mut wrong = Vec::new();
        for (key, wanted) in
            [("retention.ms", "-1"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")]
        {
            if value(key) != Some(wanted) {
                wrong.push(format!("{key} = {} (want {wanted})", value(key).unwrap_or("?")));
            }
        }
        if number("max.message.bytes").is_none_or(|bytes| bytes < MAX_MESSAGE_BYTES as u64) {
            let found = value("max.message.bytes").unwrap_or("?");
            wrong.push(format!("max.message.bytes = {found} (want {MAX_MESSAGE_BYTES} or more)"));
        }
        if self.production {
            if found.replicas < REPLICAS {
                wrong.push(format!(
                    "replication factor {} (want {REPLICAS} or more)",
                    found.replicas
                ));
            }
            if number("min.insync.replicas").is_none_or(|replicas| replicas < u64::from(IN_SYNC)) {
                let found = value("min.insync.replicas").unwrap_or("?");
                wrong.push(format!("min.insync.replicas = {found} (want {IN_SYNC} or more)"));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(self.unfit(format!(
            "topic {topic:?} would lose or refuse records: {}; change it with kafka-configs or \
             kafka-reassign-partitions",
            wrong.join(", ")
        )))
    }

    pub(super) async fn truncate(
        self: &Arc<Self>,
        topic: &str,
        below: u64,
    ) -> Result<(), BusError> {
        let held = self.info(topic).await?;
        // Kafka refuses an offset past the end, and one below the start changes nothing.
        let below = below.min(held.next);
        if below <= held.earliest {
            return Ok(());
        }
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(topic, PARTITION, Offset::Offset(below.cast_signed()))
            .map_err(|error| self.wrap(topic, &error))?;
        let deleted = self
            .admin
            .delete_records(&offsets, &options())
            .await
            .map_err(|error| self.wrap(topic, &error))?;
        for element in deleted.elements() {
            element.error().map_err(|error| self.wrap(topic, &error))?;
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}
