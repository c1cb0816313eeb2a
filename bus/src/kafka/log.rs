//! The bus: its methods, each in the file of its subject.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serai_messages::Record;

use super::client::Cluster;
use super::producer::Appender;
use super::reader::KafkaReader;
use crate::bus::check_sizes;
use crate::{Bus, BusError, Reader, Settings, Start, TopicInfo};

/// Kafka.
#[derive(Debug)]
pub(crate) struct KafkaBus {
    cluster: Arc<Cluster>,
    appender: Appender,
    /// Topics that were there when last asked about: producing to one that is not may create it,
    /// with the brokers' own idea of retention.
    known: Mutex<HashSet<String>>,
}

impl KafkaBus {
    /// Clients of the cluster that `settings` name. Nothing is sent yet.
    pub(crate) fn new(settings: &Settings, production: bool) -> Result<Self, BusError> {
        let cluster = Arc::new(Cluster::new(settings, production)?);
        let appender = Appender::new(cluster.clone());
        Ok(Self { cluster, appender, known: Mutex::default() })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn create_topics(&self, topics: &[String]) -> Result<(), BusError> {
        self.cluster.create_topics(topics).await
    }

    async fn append(&self, topic: &str, records: &[Record]) -> Result<u64, BusError> {
        check_sizes(topic, records)?;
        if !self.known().contains(topic) {
            self.cluster.exists(topic).await?;
            self.known().insert(topic.to_owned());
        }
        if records.is_empty() {
            return Ok(self.cluster.info(topic).await?.next.saturating_sub(1));
        }
        let appended = self.appender.append(topic, records).await;
        if matches!(appended, Err(BusError::UnknownTopic { .. })) {
            self.known().remove(topic);
        }
        appended
    }

    async fn read(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>, BusError> {
        self.read_as("reader", topic, start).await
    }

    async fn read_as(
        &self,
        reader: &str,
        topic: &str,
        start: Start,
    ) -> Result<Box<dyn Reader>, BusError> {
        let group = format!("{}-{reader}", self.cluster.group);
        Ok(Box::new(KafkaReader::open(self.cluster.clone(), group, topic, start).await?))
    }

    async fn truncate(&self, topic: &str, below: u64) -> Result<(), BusError> {
        self.cluster.truncate(topic, below).await
    }

    async fn info(&self, topic: &str) -> Result<TopicInfo, BusError> {
        self.cluster.info(topic).await
    }
}
