//! Appending without gaps.
//!
//! librdkafka keeps the order of what it sends, but when one message fails for good it goes on with
//! the next. A repeat of the failed one would then stand behind later ones, whose receivers take a
//! smaller sequence for a repeat: the message would be lost. So messages never expire by
//! themselves, and at the first failure or after [`PATIENCE`] the producer is retired with all that
//! it still holds, and the caller repeats from there.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use serai_messages::Record;
use tokio::sync::oneshot;

use super::client::{Cluster, Context, PARTITION};
use crate::BusError;

/// How long one append may take before the bus counts as away.
const PATIENCE: Duration = Duration::from_secs(20);

/// Settings of the producer.
const SETTINGS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    // A failure for good stops the whole producer instead of leaving a gap.
    ("enable.gapless.guarantee", "true"),
    ("acks", "all"),
    // Never: see the module.
    ("message.timeout.ms", "0"),
    ("linger.ms", "0"),
    ("queue.buffering.max.kbytes", "16384"),
];

/// The producer in use.
#[derive(Debug)]
pub(super) struct Appender {
    cluster: Arc<Cluster>,
    line: RwLock<Option<Arc<Line>>>,
}

/// How long the thread of a producer waits in one go; also how long it outlives its producer. The
/// library's own loop asks ten times a second and spins through the last millisecond of each turn:
/// a percent of a core for doing nothing.
const TURN: Duration = Duration::from_secs(10);

/// One producer's life.
struct Line {
    /// `None` once retired. Sending holds the lock too, so that nothing joins the queue of a
    /// producer that has dropped an earlier message.
    producer: RwLock<Option<Arc<BaseProducer<Context>>>>,
}

/// Where an appended record stands, once it does.
type Delivery = oneshot::Receiver<Result<u64, KafkaError>>;

enum Sent {
    Queued(Delivery),
    Full,
    Failed(KafkaError),
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<oneshot::Sender<Result<u64, KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let result = match result {
            Ok(message) => Ok(message.offset().max(0).cast_unsigned()),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever waited may have been cancelled.
        let _ = waiting.send(result);
    }
}

impl Line {
    fn new(producer: BaseProducer<Context>) -> std::io::Result<Self> {
        let producer = Arc::new(producer);
        let weak = Arc::downgrade(&producer);
        std::thread::Builder::new().name("bus-producer".to_owned()).spawn(move || {
            // Dropped here when retired meanwhile: closing a producer takes its time.
            while let Some(producer) = weak.upgrade() {
                producer.poll(TURN);
            }
        })?;
        Ok(Self { producer: RwLock::new(Some(producer)) })
    }

    fn send(&self, topic: &str, record: &Record) -> Sent {
        let producer = self.producer.read().unwrap_or_else(PoisonError::into_inner);
        let Some(producer) = &*producer else {
            return Sent::Failed(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue));
        };
        let mut headers = OwnedHeaders::new_with_capacity(serai_messages::Header::ALL.len());
        for (header, value) in record.headers() {
            headers = headers.insert(Header { key: header.name(), value: Some(value.as_bytes()) });
        }
        let (waiting, delivery) = oneshot::channel();
        let message = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(waiting))
            .partition(PARTITION)
            .headers(headers)
            .payload(&record.body);
        match producer.send(message) {
            Ok(()) => Sent::Queued(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Sent::Full,
            Err((error, _)) => Sent::Failed(error),
        }
    }

    fn retire(&self) {
        let mut producer = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = producer.take() {
            producer.purge(PurgeConfig::default().queue().inflight());
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Appender {
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, line: RwLock::new(None) }
    }

    /// Appends `records`, at least one, and returns the last one's offset.
    pub(super) async fn append(&self, topic: &str, records: &[Record]) -> Result<u64, BusError> {
        let line = self.line()?;
        let error = match tokio::time::timeout(PATIENCE, append(&line, topic, records)).await {
            Ok(Ok(offset)) => return Ok(offset),
            Ok(Err(error)) => self.cluster.wrap(topic, &error),
            Err(_) => self.cluster.unavailable(&format!(
                "no confirmation from topic {topic:?} within {} s",
                PATIENCE.as_secs()
            )),
        };
        self.retire(&line);
        Err(error)
    }

    fn line(&self) -> Result<Arc<Line>, BusError> {
        let mut current = self.line.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = &*current {
            return Ok(line.clone());
        }
        let line = Line::new(self.cluster.client(SETTINGS)?).map_err(|error| {
            self.cluster.unavailable(&format!("cannot start the producer's thread: {error}"))
        })?;
        let line = Arc::new(line);
        *current = Some(line.clone());
        Ok(line)
    }

    fn retire(&self, line: &Arc<Line>) {
        line.retire();
        let mut current = self.line.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            *current = None;
        }
    }
}

async fn append(line: &Line, topic: &str, records: &[Record]) -> Result<u64, KafkaError> {
    let mut waiting = VecDeque::new();
    let mut last = 0;
    for record in records {
        loop {
            match line.send(topic, record) {
                Sent::Queued(delivery) => {
                    waiting.push_back(delivery);
                    break;
                }
                Sent::Failed(error) => return Err(error),
                Sent::Full => match waiting.pop_front() {
                    Some(delivery) => last = confirmed(delivery).await?,
                    // Full of other callers' records.
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                },
            }
        }
    }
    for delivery in waiting {
        last = confirmed(delivery).await?;
    }
    Ok(last)
}

async fn confirmed(delivery: Delivery) -> Result<u64, KafkaError> {
    delivery.await.unwrap_or(Err(KafkaError::Canceled))
}
