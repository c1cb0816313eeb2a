//! Kafka.

use async_trait::async_trait;
use serai_messages::Record;

use crate::{Bus, BusError, Reader, Settings, Start, TopicInfo};

/// Kafka, not served by this build.
#[derive(Debug)]
pub(crate) struct KafkaBus(String);

impl KafkaBus {
    pub(crate) fn new(settings: &Settings, _production: bool) -> Result<Self, BusError> {
        Err(Self(settings.brokers()).absent())
    }

    fn absent(&self) -> BusError {
        BusError::Unfit {
            bus: self.0.clone(),
            reason: "this build has no Kafka client; use bus = \"embedded\"".to_owned(),
        }
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn create_topics(&self, _: &[String]) -> Result<(), BusError> {
        Err(self.absent())
    }
    async fn append(&self, _: &str, _: &[Record]) -> Result<u64, BusError> {
        Err(self.absent())
    }
    async fn read(&self, _: &str, _: Start) -> Result<Box<dyn Reader>, BusError> {
        Err(self.absent())
    }
    async fn truncate(&self, _: &str, _: u64) -> Result<(), BusError> {
        Err(self.absent())
    }
    async fn info(&self, _: &str) -> Result<TopicInfo, BusError> {
        Err(self.absent())
    }
}
