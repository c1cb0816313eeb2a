//! The contract of a bus, one scenario per file, against the embedded log always and against Apache
//! Kafka when `SERAI_TEST_KAFKA=HOST:PORT` names a broker. `SERAI_TEST_KAFKA_CONTROL="SCRIPT DIR"`
//! (`.ci/kafka` and its folder) lets the suite stop that broker and start it again.
//! `SERAI_TEST_AWAY_SECONDS` says for how long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// Runs one scenario against each bus.
macro_rules! contract {
    ($scenario:ident) => {
        #[tokio::test]
        async fn embedded() {
            $scenario(crate::setup::Setup::embedded().await).await;
        }

        #[tokio::test]
        async fn kafka() {
            let _broker = crate::setup::BROKER.read().await;
            if let Some(setup) = crate::setup::Setup::kafka().await {
                $scenario(setup).await;
            }
        }
    };
}

mod away;
mod bookkeeping;
mod database;
mod dead_letters;
mod fitness;
mod headers;
mod lag;
mod offset_reset;
mod order;
mod recreated;
mod redelivery;
mod resume;
mod setup;
mod size;
mod truncation;
