//! A processor that the benchmark plays, towards a real coordinator.

use std::collections::VecDeque;
use std::sync::Arc;

use rand_core::OsRng;
use serai_bus::sealing::{open, seal};
use serai_bus::{Bus, Reader, SecretKey, Start};
use serai_messages::control::KeyAnnouncement;
use serai_messages::signing::{CoordinatorMessage, ProcessorMessage, SigningId};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, ProcessorKey, Record, Sequence, SessionId, Topic,
    VERSION, ValidatorKey, Versions, decode, encode,
};

use super::{DEADLINE, Network, bus};

/// Its key and its place in the conversation.
pub struct Played {
    topic: String,
    written: Arc<dyn Bus>,
    _read: Arc<dyn Bus>,
    reader: Box<dyn Reader>,
    coin: Coin,
    secret: SecretKey,
    coordinator: ProcessorKey,
    sequence: u64,
    /// What it was asked and nobody has waited for yet.
    asked: VecDeque<CoordinatorMessage>,
}

impl Played {
    /// Announces its key, once the coordinator has announced its own.
    pub async fn start(network: &Network, validator: ValidatorKey, coin: Coin) -> Self {
        let mut names = network.names().into_iter();
        let name = names
            .find(|name| network.cluster.identity(name).unwrap().validator == validator)
            .unwrap();
        let path = network.cluster.layout().bus(&name);
        let topic = Topic::Chain(coin).full_name(&name);
        // Read and written by different programs in life: no notice within this one.
        let (written, read) = (bus(&path), bus(&path));
        written.create_topics(std::slice::from_ref(&topic)).await.unwrap();
        let mut reader = read.read(&topic, Start::Earliest).await.unwrap();
        let coordinator = loop {
            let delivered = tokio::time::timeout(DEADLINE, reader.next()).await.unwrap().unwrap();
            let record = delivered.record.unwrap();
            if record.kind == "control.key" && record.from == Endpoint::Coordinator {
                break decode::<KeyAnnouncement>(&record.body).unwrap().key;
            }
        };
        let mut played = Self {
            topic,
            written,
            _read: read,
            reader,
            coin,
            secret: SecretKey::generate(&mut OsRng),
            coordinator,
            sequence: 0,
            asked: VecDeque::new(),
        };
        let (key, incarnation) = (played.secret.public(), Incarnation(1));
        let announcement =
            encode(&KeyAnnouncement { coin, key, incarnation, speaks: Versions::SPOKEN });
        let record = played.plain("announcement", "control.key", String::new(), announcement);
        played.append(&[record]).await;
        played
    }

    fn plain(&mut self, id: &str, kind: &str, session: String, body: Vec<u8>) -> Record {
        self.sequence += 1;
        Record {
            id: IntentId::new(id).unwrap(),
            kind: kind.to_owned(),
            from: Endpoint::Processor(self.coin),
            to: Endpoint::Coordinator,
            session,
            incarnation: Incarnation(1),
            sequence: Sequence(self.sequence),
            version: VERSION,
            sealed: false,
            body,
        }
    }

    /// What it says next, sealed: to be appended in this order.
    pub fn record(&mut self, message: &ProcessorMessage) -> Record {
        let session = SessionId::Signing(message.id()).to_string();
        let mut record = self.plain(&message.intent(), message.kind(), session, encode(message));
        seal(&mut record, &self.secret, &self.coordinator, &mut OsRng).unwrap();
        record
    }

    pub async fn append(&self, records: &[Record]) {
        self.written.append(&self.topic, records).await.unwrap();
    }

    pub async fn say(&mut self, message: &ProcessorMessage) {
        let record = self.record(message);
        self.append(&[record]).await;
    }

    /// Waits until it is asked what is meant about a thing.
    pub async fn until<T>(
        &mut self,
        id: SigningId,
        meant: impl Fn(&CoordinatorMessage) -> Option<T>,
    ) -> T {
        let about = |message: &CoordinatorMessage| {
            if message.id() == id { meant(message) } else { None }
        };
        let waiting = self.asked.iter().enumerate().find_map(|(at, m)| Some((at, about(m)?)));
        if let Some((at, found)) = waiting {
            self.asked.remove(at);
            return found;
        }
        loop {
            let delivered = tokio::time::timeout(DEADLINE, self.reader.next()).await;
            let record = delivered.expect("was not asked").unwrap().record.unwrap();
            if record.from != Endpoint::Coordinator || !record.kind.starts_with("signing.") {
                continue;
            }
            let body = open(&record, &self.secret, &self.coordinator).unwrap();
            let message: CoordinatorMessage = decode(&body).unwrap();
            match about(&message) {
                Some(found) => return found,
                None => self.asked.push_back(message),
            }
        }
    }
}
