//! Reading topics: one task per topic, one bounded queue into the actor.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Transaction;
use serai_bus::{
    Bus, BusError, Database, Delivered, OffsetReset, SubscribeError, Subscription, exchange,
};
use serai_messages::{Endpoint, Record};
use tokio::sync::mpsc;

use super::check::SetCheck;
use crate::processes::core::status::State;

/// Records read ahead of handling, over all topics; reading waits when it is full.
const QUEUE: usize = 32;

/// A record and its topic.
#[derive(Debug)]
pub struct Read {
    /// Full name of the topic.
    pub topic: String,
    /// The record.
    pub delivered: Delivered,
    /// Why it is to be put aside, if it is to be.
    pub refused: Option<String>,
}

/// What reading of several topics brings. Dropping it ends the reading.
pub struct Intake {
    reads: mpsc::Receiver<Read>,
    tasks: tokio::task::JoinSet<()>,
    stopped: Arc<Mutex<BTreeSet<String>>>,
}

impl Intake {
    /// Reads `topics` from where `reader` stands on each, and checks what is read.
    pub(super) fn new(
        bus: Arc<dyn Bus>,
        database: Database,
        topics: impl Iterator<Item = String>,
        reader: &'static str,
        offset_reset: OffsetReset,
        check: &SetCheck,
    ) -> Self {
        let (sender, reads) = mpsc::channel(QUEUE);
        let mut tasks = tokio::task::JoinSet::new();
        let stopped = Arc::new(Mutex::new(BTreeSet::new()));
        for topic in topics {
            let (bus, database) = (Arc::clone(&bus), database.clone());
            let (sender, stopped) = (sender.clone(), Arc::clone(&stopped));
            let check = check.clone();
            tasks.spawn(async move {
                let reading = read(&bus, &database, reader, &topic, offset_reset, &check, &sender);
                if let Err(error) = reading.await {
                    let reason = error.to_string();
                    tracing::error!(topic, reason, "reading has stopped");
                    check.board.report(reader, topic.clone(), State::Failed(reason));
                    stopped.lock().unwrap_or_else(PoisonError::into_inner).insert(topic);
                }
            });
        }
        Self { reads, tasks, stopped }
    }

    /// Whether the topic is read, or will be once the bus is back.
    pub fn is_reading(&self, topic: &str) -> bool {
        !self.stopped.lock().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    /// A record that was read already, if there is one.
    pub fn at_hand(&mut self) -> Option<Read> {
        self.reads.try_recv().ok()
    }

    /// The next record of any topic. Cancel safe.
    ///
    /// # Errors
    /// When every topic has stopped for good.
    pub async fn next(&mut self) -> Result<Read, BusError> {
        match self.reads.recv().await {
            Some(read) => Ok(read),
            None => Err(BusError::Unfit {
                bus: format!("{} readers", self.tasks.len()),
                reason: "no topic can be read any more; see `status`".to_owned(),
            }),
        }
    }
}

async fn read(
    bus: &Arc<dyn Bus>,
    database: &Database,
    reader: &'static str,
    topic: &str,
    offset_reset: OffsetReset,
    check: &SetCheck,
    sender: &mpsc::Sender<Read>,
) -> Result<(), SubscribeError> {
    let consumer = exchange::Consumer { reader, topic };
    let mut subscription = Subscription::open(bus, database, consumer, offset_reset).await?;
    check.board.report(reader, topic, State::Ok);
    loop {
        let delivered = subscription.next().await?;
        // Read ahead of handling by the queue's length: close enough for a lag monitor.
        subscription.handled(delivered.offset).await;
        let refused = check.refusal(topic, &delivered).await;
        let read = Read { topic: topic.to_owned(), delivered, refused };
        if sender.send(read).await.is_err() {
            return Ok(());
        }
    }
}

/// Notes the position. Returns the record if it is for the coordinator, `None` if it is not, and the
/// reason for the dead letter if it is none.
///
/// # Errors
/// The database's.
pub fn take<'a>(
    transaction: &Transaction<'_>,
    consumer: exchange::Consumer<'_>,
    delivered: &'a Delivered,
) -> rusqlite::Result<Result<Option<&'a Record>, String>> {
    exchange::set_position(transaction, consumer, &delivered.position())?;
    Ok(match &delivered.record {
        Ok(record) => Ok((record.to == Endpoint::Coordinator).then_some(record)),
        Err(undecodable) => Err(undecodable.reason.clone()),
    })
}

/// Whether a record was not handled before. To be asked of authentic records only: it remembers the
/// sequence that the record's header claims.
///
/// # Errors
/// The database's.
pub fn is_new(
    transaction: &Transaction<'_>,
    consumer: exchange::Consumer<'_>,
    record: &Record,
) -> rusqlite::Result<bool> {
    let (incarnation, sequence) = (record.incarnation, record.sequence);
    match exchange::accept(transaction, consumer, record.from, incarnation, sequence)? {
        exchange::Acceptance::New => Ok(true),
        exchange::Acceptance::Repeat => Ok(false),
        exchange::Acceptance::Replaced => {
            tracing::warn!(id = %record.id, from = %record.from, %incarnation, "sender was replaced");
            Ok(false)
        }
    }
}
