//! The validators' topics, read with a bus client of our own.

use std::time::Duration;

use serai_bus::{Bus, BusError, Delivered, Kind, Position, Settings, Start};
use serai_messages::{Coin, Name, Session};
use serde::Deserialize;

use crate::cluster::{BusChoice, Layout};

/// Why a topic could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// The bus said no.
    #[error("cannot read topic {topic}: {source}")]
    Bus {
        /// The topic.
        topic: String,
        /// Why.
        source: BusError,
    },
    /// The bus held back what it said that it has.
    #[error("topic {topic} has {next} records, but record {offset} did not come for {after:?}")]
    Stuck {
        /// The topic.
        topic: String,
        /// Records that it says it has.
        next: u64,
        /// The record that was waited for.
        offset: u64,
        /// For how long.
        after: Duration,
    },
}

/// Time that one record may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// How the validator `name`'s bus is reached.
pub fn bus_settings(layout: &Layout, name: &Name) -> Settings {
    match &layout.settings().bus {
        BusChoice::Embedded => Settings {
            bus: Kind::Embedded,
            embedded_path: Some(layout.bus(name)),
            ..Settings::default()
        },
        BusChoice::Kafka { host, port } => Settings {
            bus: Kind::Kafka,
            kafka_host: host.clone(),
            kafka_port: *port,
            ..Settings::default()
        },
    }
}

/// All records that `topic` holds now, oldest first.
///
/// # Errors
/// When the topic is not there or does not give what it has.
pub async fn read_topic(bus: &dyn Bus, topic: &str) -> Result<Vec<Delivered>, TopicsError> {
    read_after(bus, topic, None).await
}

/// Records that `topic` holds now after one that was read before.
///
/// # Errors
/// When the topic is not there, has another record in that place, or does not give what it has.
pub(super) async fn read_after(
    bus: &dyn Bus,
    topic: &str,
    after: Option<Position>,
) -> Result<Vec<Delivered>, TopicsError> {
    let fault = |source| TopicsError::Bus { topic: topic.to_owned(), source };
    let info = bus.info(topic).await.map_err(fault)?;
    let mut records = Vec::new();
    let mut offset = match &after {
        Some(position) => position.offset.saturating_add(1),
        None => info.earliest,
    };
    if offset >= info.next {
        return Ok(records);
    }
    let start = after.map_or(Start::Earliest, Start::After);
    let mut reader = bus.read(topic, start).await.map_err(fault)?;
    while offset < info.next {
        let delivered = tokio::time::timeout(DEADLINE, reader.next())
            .await
            .map_err(|_| TopicsError::Stuck {
                topic: topic.to_owned(),
                next: info.next,
                offset,
                after: DEADLINE,
            })?
            .map_err(fault)?;
        offset = delivered.offset.saturating_add(1);
        records.push(delivered);
    }
    Ok(records)
}

/// The data of a `serai.vault.proven` event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Proof {
    /// The vault's coin.
    pub coin: Coin,
    /// Its session.
    pub session: Session,
    /// The Ristretto key.
    #[serde(with = "hex::serde")]
    pub ristretto_key: Vec<u8>,
    /// The external key.
    #[serde(with = "hex::serde")]
    pub external_key: Vec<u8>,
    /// What the Ristretto key signed.
    #[serde(with = "hex::serde")]
    pub message_ristretto: Vec<u8>,
    /// What the external key signed.
    #[serde(with = "hex::serde")]
    pub message_external: Vec<u8>,
    /// The Ristretto key's signature.
    #[serde(with = "hex::serde")]
    pub signature_ristretto: Vec<u8>,
    /// The external key's signature.
    #[serde(with = "hex::serde")]
    pub signature_external: Vec<u8>,
}

impl Proof {
    /// Type of the event.
    pub const TYPE: &str = "serai.vault.proven";

    /// The proof in a record of a public topic; `None` where it is of another type. The inner error
    /// says what is wrong with one that is of this type.
    pub fn of(delivered: &Delivered) -> Option<Result<Self, String>> {
        #[derive(Deserialize)]
        struct Event {
            #[serde(rename = "type")]
            kind: String,
            data: Proof,
        }
        let record = delivered.record.as_ref().ok().filter(|record| record.kind == Self::TYPE)?;
        let event = serde_json::from_slice::<Event>(&record.body);
        Some(match event {
            Ok(event) if event.kind == Self::TYPE => Ok(event.data),
            Ok(event) => Err(format!("its body says that it is a {}", event.kind)),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// An event of a public topic about money, its data as it stands there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PublicEvent {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its data.
    pub data: serde_json::Value,
}

impl PublicEvent {
    /// A thing was signed.
    pub const SIGNED: &str = "serai.signing.signed";
    /// A payment is final on its chain.
    pub const PAID: &str = "serai.payment.completed";
    /// Likewise of what a vault forwards.
    pub const FORWARDED: &str = "serai.forward.completed";
    /// Whether a coin's vaults hold what Serai owes.
    pub const SOLVENCY: &str = "serai.solvency.state";

    /// The event in a record of a public topic; `None` where it is of another type or no JSON.
    pub fn of(record: &serai_messages::Record) -> Option<Self> {
        let known = [Self::SIGNED, Self::PAID, Self::FORWARDED, Self::SOLVENCY];
        known.contains(&record.kind.as_str()).then_some(())?;
        serde_json::from_slice(&record.body).ok()
    }

    /// A text in its data.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key)?.as_str()
    }
}
