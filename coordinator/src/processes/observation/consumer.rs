//! One reader of `{name}-serai` that handles some kinds of records.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Transaction;
use serai_bus::exchange::{self, Acceptance, Consumer};
use serai_bus::{
    Bus, BusError, Database, Delivered, OffsetReset, Position, SubscribeError, Subscription,
};
use serai_messages::observation::Event;
use serai_messages::{Endpoint, Record, decode};
use tokio::sync::watch;

use super::error::Error;
use super::status::Live;
use crate::processes::core::status::{Board, State};

/// Pause while the topic does not exist yet.
const RETRY: Duration = Duration::from_millis(500);

/// Records of other kinds after which the position is stored all the same: what is read again
/// after a restart.
const SKIPPED_AT_MOST: u32 = 256;

/// Reads a topic and hands on the records of some kinds, once each.
pub(super) struct TopicConsumer {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) database: Database,
    pub(super) topic: String,
    /// The consumer's name.
    pub(super) reader: &'static str,
    /// Which kinds of records to hand on.
    pub(super) wanted: fn(&str) -> bool,
    /// Where to begin without a position.
    pub(super) reset: OffsetReset,
    pub(super) live: watch::Sender<Live>,
    /// Where a stop is told.
    pub(super) board: Board,
}

impl TopicConsumer {
    /// Reads until a fault that repeating can't mend. `handle` changes the database in the
    /// transaction that also moves the position; `handled` follows its commit, with what `handle`
    /// returned. A topic that is not
    /// the one read before stops this consumer alone: the operator is told, and needs the program
    /// running to let it go on.
    pub(super) async fn run<T>(
        self,
        handle: impl Fn(&Transaction<'_>, &Event) -> rusqlite::Result<T>,
        handled: impl Fn(T),
    ) -> Result<Infallible, Error> {
        match self.read(handle, handled).await {
            Err(Error::Bus(error @ BusError::Diverged { .. })) => {
                let reason = error.to_string();
                tracing::error!(
                    topic = self.topic,
                    reader = self.reader,
                    reason,
                    "reading stopped"
                );
                let fact = format!("{} on {}", self.reader, self.topic);
                self.board.report("observation", fact, State::Failed(reason));
                std::future::pending().await
            }
            ended => ended,
        }
    }

    async fn read<T>(
        &self,
        handle: impl Fn(&Transaction<'_>, &Event) -> rusqlite::Result<T>,
        handled: impl Fn(T),
    ) -> Result<Infallible, Error> {
        let mut subscription = self.open().await?;
        let mut skipped = 0;
        loop {
            let delivered = subscription.next().await?;
            let position = delivered.position();
            if let Some((record, event)) = self.relevant(&delivered) {
                if let Some(outcome) = self.accept(&position, record, &event, &handle)? {
                    handled(outcome);
                }
                skipped = 0;
            } else {
                skipped += 1;
                if skipped >= SKIPPED_AT_MOST {
                    self.skip(&position)?;
                    skipped = 0;
                }
            }
            subscription.handled(delivered.offset).await;
        }
    }

    /// Waits for the bus, and for the topic's creation.
    async fn open(&self) -> Result<Subscription, Error> {
        loop {
            let opened =
                Subscription::open(&self.bus, &self.database, self.consumer(), self.reset).await;
            match opened {
                Ok(subscription) => return Ok(subscription),
                Err(SubscribeError::Bus(BusError::UnknownTopic { topic })) => {
                    tracing::debug!(topic, reader = self.reader, "topic does not exist yet");
                    tokio::time::sleep(RETRY).await;
                }
                Err(SubscribeError::Bus(error)) => return Err(error.into()),
                Err(SubscribeError::Database(error)) => return Err(error.into()),
            }
        }
    }

    fn consumer(&self) -> Consumer<'_> {
        Consumer { reader: self.reader, topic: &self.topic }
    }

    /// The event of a record that this consumer handles. What can't be read is counted; acting on
    /// another writer's word is refused, for the topic is not sealed.
    fn relevant<'a>(&self, delivered: &'a Delivered) -> Option<(&'a Record, Event)> {
        let reason = match &delivered.record {
            Ok(record) if !(self.wanted)(&record.kind) => return None,
            Ok(record) if record.from != Endpoint::Coordinator => {
                format!("written by {}, not by the coordinator", record.from)
            }
            Ok(record) => match decode::<Event>(&record.body) {
                Ok(event) if event.kind() == record.kind => return Some((record, event)),
                Ok(event) => format!("its body is of kind {}", event.kind()),
                Err(error) => error.to_string(),
            },
            Err(undecodable) => undecodable.reason.clone(),
        };
        let offset = delivered.offset;
        tracing::warn!(topic = self.topic, reader = self.reader, offset, reason, "record left out");
        self.live.send_modify(|live| live.undecodable += 1);
        None
    }

    /// What `handle` made of the record; `None` of one that was handled before.
    fn accept<T>(
        &self,
        position: &Position,
        record: &Record,
        event: &Event,
        handle: impl Fn(&Transaction<'_>, &Event) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let consumer = self.consumer();
        let work = |transaction: &Transaction<'_>| {
            let acceptance = exchange::accept(
                transaction,
                consumer,
                record.from,
                record.incarnation,
                record.sequence,
            )?;
            let outcome = match acceptance {
                Acceptance::New => Some(handle(transaction, event)?),
                Acceptance::Repeat | Acceptance::Replaced => None,
            };
            exchange::set_position(transaction, consumer, position)?;
            Ok(outcome)
        };
        let outcome = self.database.transaction(|transaction| {
            work(transaction).map_err(|source| self.database.error(source))
        })?;
        Ok(outcome)
    }

    fn skip(&self, position: &Position) -> Result<(), Error> {
        self.database.transaction(|transaction| {
            exchange::set_position(transaction, self.consumer(), position)
                .map_err(|source| self.database.error(source))
        })?;
        Ok(())
    }
}
