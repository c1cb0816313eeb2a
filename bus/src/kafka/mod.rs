//! Apache Kafka, by librdkafka.
//!
//! # Owns
//! One producer, one administrative client, and one consumer per reader.
//!
//! # Promises
//! Those of [`Bus`](crate::Bus). A record is appended once all in-sync replicas have it
//! (`acks=all`, idempotent). When one append of a batch fails, nothing after it is sent: a repeat
//! of the batch never puts a later record before an earlier one for the first time.
//!
//! # Limits
//! Nothing here reads Kafka's committed offsets: they are written for lag monitors alone. Topics
//! have one partition and keep everything until truncated; a topic that is set up otherwise is
//! refused.

mod client;
mod log;
mod producer;
mod reader;
mod topics;

pub(crate) use log::KafkaBus;
