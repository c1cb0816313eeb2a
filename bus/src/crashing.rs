//! A bus with crash points around what it stores.

use std::sync::Arc;

use async_trait::async_trait;
use serai_messages::Record;

use crate::{Bus, BusError, Reader, Start, TopicInfo, crash_point};

/// Passes each call on.
#[derive(Debug)]
pub struct Crashing(pub Arc<dyn Bus>);

#[async_trait]
impl Bus for Crashing {
    async fn create_topics(&self, topics: &[String]) -> Result<(), BusError> {
        crash_point::pass(|| "bus before topics are made".to_owned());
        self.0.create_topics(topics).await?;
        crash_point::pass(|| "bus after topics are made".to_owned());
        Ok(())
    }

    async fn append(&self, topic: &str, records: &[Record]) -> Result<u64, BusError> {
        let named = |when: &str| {
            let kind = records.first().map_or("nothing", |record| record.kind.as_str());
            format!("bus {when}: {kind} to {topic}")
        };
        crash_point::pass(|| named("before an append"));
        let last = self.0.append(topic, records).await?;
        crash_point::pass(|| named("after an append"));
        Ok(last)
    }

    async fn read(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>, BusError> {
        self.0.read(topic, start).await
    }

    async fn truncate(&self, topic: &str, below: u64) -> Result<(), BusError> {
        crash_point::pass(|| format!("bus before a truncation of {topic}"));
        self.0.truncate(topic, below).await?;
        crash_point::pass(|| format!("bus after a truncation of {topic}"));
        Ok(())
    }

    async fn read_as(
        &self,
        reader: &str,
        topic: &str,
        start: Start,
    ) -> Result<Box<dyn Reader>, BusError> {
        self.0.read_as(reader, topic, start).await
    }

    async fn info(&self, topic: &str) -> Result<TopicInfo, BusError> {
        self.0.info(topic).await
    }
}
