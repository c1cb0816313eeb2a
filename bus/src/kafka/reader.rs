//! One reader of one topic: a consumer that is assigned its partition at an offset of the reader's
//! own, in no group's hands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;

use super::client::{Cluster, Context, MAX_MESSAGE_BYTES, PARTITION, REQUEST, code, drop_apart};
use crate::bus::{found_in_words, read_record};
use crate::{BusError, Delivered, Position, Reader, Start, Undecodable};

/// Settings of each consumer, beside its group and sizes.
const SETTINGS: &[(&str, &str)] = &[
    // What is stored by `report` is committed in the background, for lag monitors; nothing is
    // stored by itself, and nothing here reads it back.
    ("enable.auto.commit", "true"),
    ("enable.auto.offset.store", "false"),
    ("auto.commit.interval.ms", "1000"),
    // An offset that is gone is an error for the operator, never a jump.
    ("auto.offset.reset", "error"),
    // A topic that vanishes is an error at once (its existence was checked), and one that was
    // replaced is told by the debug log alone.
    ("topic.metadata.propagation.max.ms", "0"),
    ("debug", "topic"),
    ("check.crcs", "true"),
    ("fetch.min.bytes", "1"),
    ("fetch.wait.max.ms", "500"),
    ("fetch.error.backoff.ms", "100"),
    // Read-ahead: small, because each of a program's readers has its own, and refilled at once.
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.queue.backoff.ms", "10"),
];

type Client = StreamConsumer<Context>;

/// What was read last: what a new consumer has to find again.
#[derive(Clone, Debug)]
enum Anchor {
    /// A record.
    Read(Position),
    /// Nothing yet; reading is to begin here.
    Begin(u64),
}

pub(super) struct KafkaReader {
    cluster: Arc<Cluster>,
    group: String,
    topic: String,
    consumer: Option<Client>,
    /// A new consumer in the making. Kept across calls, so that a cancelled call loses no progress
    /// and leaves nothing piling up.
    opening: Option<JoinHandle<Result<Client, BusError>>>,
    anchor: Anchor,
}

impl KafkaReader {
    pub(super) async fn open(
        cluster: Arc<Cluster>,
        group: String,
        topic: &str,
        start: Start,
    ) -> Result<Self, BusError> {
        let anchor = match start {
            Start::Earliest => Anchor::Begin(cluster.info(topic).await?.earliest),
            Start::Latest => Anchor::Begin(cluster.info(topic).await?.next),
            Start::After(position) => Anchor::Read(position),
        };
        let opened = open(cluster.clone(), group.clone(), topic.to_owned(), anchor.clone()).await?;
        let topic = topic.to_owned();
        Ok(Self { cluster, group, topic, consumer: Some(opened), opening: None, anchor })
    }

    /// The consumer, opened anew where the last one met doubt.
    async fn consumer(&mut self) -> Result<&Client, BusError> {
        if self.consumer.is_none() {
            let opening = self.opening.get_or_insert_with(|| {
                tokio::spawn(open(
                    self.cluster.clone(),
                    self.group.clone(),
                    self.topic.clone(),
                    self.anchor.clone(),
                ))
            });
            let opened = opening.await;
            self.opening = None;
            self.consumer = Some(opened.unwrap_or_else(|error| {
                Err(self.cluster.unavailable(&format!("the runtime is stopping: {error}")))
            })?);
        }
        self.consumer.as_ref().ok_or_else(|| self.cluster.unavailable("the reader is closed"))
    }
}

impl KafkaReader {
    fn close(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            drop_apart(consumer);
        }
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            opening.abort();
        }
        self.close();
    }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn next(&mut self) -> Result<Delivered, BusError> {
        let error = loop {
            let consumer = self.consumer().await?;
            match consumer.recv().await {
                Ok(_) if consumer.context().saw_replaced_topic() => {
                    self.close();
                }
                Ok(message) => {
                    let delivered = delivered(&message);
                    self.anchor = Anchor::Read(delivered.position());
                    return Ok(delivered);
                }
                Err(error) => break error,
            }
        };
        if is_doubt(&error) {
            // The record that was read last is looked up again before reading goes on.
            self.close();
        }
        Err(match self.cluster.wrap(&self.topic, &error) {
            // Whether the topic is gone is for the new consumer to say.
            BusError::UnknownTopic { .. } => self.cluster.unavailable(&error.to_string()),
            error => error,
        })
    }

    async fn report(&mut self, offset: u64) {
        let Some(consumer) = &self.consumer else { return };
        // The client stores the offset after it, as Kafka counts.
        if let Err(error) = consumer.store_offset(&self.topic, PARTITION, offset.cast_signed()) {
            tracing::debug!(topic = self.topic, %error, "progress not reported");
        }
    }
}

/// A consumer that goes on after `anchor`, which must be what it was.
async fn open(
    cluster: Arc<Cluster>,
    group: String,
    topic: String,
    anchor: Anchor,
) -> Result<Client, BusError> {
    let held = cluster.info(&topic).await?;
    let (at, expected) = match &anchor {
        Anchor::Read(position) => (position.offset, found_in_words(Some(position))),
        Anchor::Begin(offset) => (*offset, "any".to_owned()),
    };
    let diverged = |found: String| BusError::Diverged {
        topic: topic.clone(),
        offset: at,
        expected: expected.clone(),
        found,
    };
    // To begin at the end is possible, to have read there is not.
    let end =
        if matches!(anchor, Anchor::Begin(_)) { held.next.saturating_add(1) } else { held.next };
    if !(held.earliest..end).contains(&at) {
        return Err(diverged(if held.earliest == held.next {
            "an empty topic".to_owned()
        } else {
            format!("records {} to {} alone", held.earliest, held.next.saturating_sub(1))
        }));
    }

    let sizes = MAX_MESSAGE_BYTES.to_string();
    let mut settings = vec![("group.id", group.as_str()), ("max.partition.fetch.bytes", &sizes)];
    settings.extend_from_slice(SETTINGS);
    let consumer: Client = cluster.client(&settings)?;
    let mut assignment = TopicPartitionList::new();
    let assigned = assignment
        .add_partition_offset(&topic, PARTITION, Offset::Offset(at.cast_signed()))
        .and_then(|()| consumer.assign(&assignment))
        .map_err(|error| cluster.wrap(&topic, &error));
    let found = match (assigned, &anchor) {
        (Ok(()), Anchor::Read(position)) => match first(&cluster, &consumer, &topic).await {
            Ok(there) if there.position() == *position => Ok(()),
            Ok(there) => Err(diverged(found_in_words(Some(&there.position())))),
            Err(error) => Err(error),
        },
        (assigned, _) => assigned,
    };
    match found {
        Ok(()) => Ok(consumer),
        Err(error) => {
            drop_apart(consumer);
            Err(error)
        }
    }
}

/// The record at which a consumer was put; it is there, so that only the weather can delay it.
async fn first(cluster: &Cluster, consumer: &Client, topic: &str) -> Result<Delivered, BusError> {
    let deadline = Instant::now() + REQUEST;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, consumer.recv()).await {
            Ok(Ok(message)) => return Ok(delivered(&message)),
            Ok(Err(error)) if is_doubt(&error) => {
                return Err(cluster.unavailable(&error.to_string()));
            }
            Ok(Err(error)) => tracing::debug!(topic, %error, "waiting for the last record"),
            Err(_) => {
                return Err(cluster.unavailable(&format!(
                    "no record of topic {topic:?} within {} s",
                    REQUEST.as_secs()
                )));
            }
        }
    }
}

/// Whether the topic may not be what it was: it vanished, the offset is gone, or all brokers were
/// away, in which time anything may have happened to their disks.
fn is_doubt(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            code(error),
            Some(
                Code::AllBrokersDown
                    | Code::AutoOffsetReset
                    | Code::OffsetOutOfRange
                    | Code::LogTruncation
                    | Code::UnknownTopicOrPartition
                    | Code::UnknownTopic
                    | Code::UnknownPartition
            )
        )
}

fn delivered(message: &BorrowedMessage<'_>) -> Delivered {
    let offset = message.offset().max(0).cast_unsigned();
    let body = message.payload().unwrap_or_default();
    // The client library panics on a header name that is not UTF-8; names are the writer's choice.
    let headers = catch_unwind(AssertUnwindSafe(|| {
        message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .filter_map(|header| Some((header.key, header.value?)))
                .collect::<Vec<_>>()
        })
    }));
    let record = match headers {
        Ok(headers) => read_record(&headers, body),
        Err(_) => Err(Undecodable::unreadable("a header name is not UTF-8", body)),
    };
    Delivered { offset, record }
}
