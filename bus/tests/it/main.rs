//! The contract of a bus, against the embedded log always and against Apache Kafka when
//! `SERAI_TEST_KAFKA=HOST:PORT` names one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bookkeeping;
mod database;
mod order;
mod setup;
