//! No bus at all, for parts of a program that are driven by hand.

use async_trait::async_trait;
use serai_messages::Record;

use crate::{Bus, BusError, Reader, Start, TopicInfo};

/// Never available: whoever drives a part by hand carries its records by himself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detached;

fn away<T>() -> Result<T, BusError> {
    Err(BusError::Unavailable {
        bus: "none".to_owned(),
        reason: "this program is driven by hand".to_owned(),
    })
}

#[async_trait]
impl Bus for Detached {
    async fn create_topics(&self, _: &[String]) -> Result<(), BusError> {
        away()
    }

    async fn append(&self, _: &str, _: &[Record]) -> Result<u64, BusError> {
        away()
    }

    async fn read(&self, _: &str, _: Start) -> Result<Box<dyn Reader>, BusError> {
        away()
    }

    async fn truncate(&self, _: &str, _: u64) -> Result<(), BusError> {
        away()
    }

    async fn info(&self, _: &str) -> Result<TopicInfo, BusError> {
        away()
    }
}
