//! The loop that carries a topic's outbox to the bus.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::{Bus, BusError, Database, DatabaseError, exchange};

/// Records appended in one go.
const BATCH: u32 = 64;

/// Pause after the bus was not available.
const RETRY: Duration = Duration::from_millis(500);

/// Tells a [`Publisher`] that its outbox has grown; call after the commit. Waking it twice or in
/// vain is harmless.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    grown: Notify,
    away: Mutex<Option<String>>,
}

impl Waker {
    /// See the type.
    pub fn wake(&self) {
        self.0.grown.notify_one();
    }

    /// Why the bus does not take what waits, in a sentence; none while it does.
    pub fn away(&self) -> Option<String> {
        self.0.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_away(&self, away: Option<String>) {
        *self.0.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
    }
}

/// Why publishing stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The program's own database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The bus refused what can't be repeated.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Appends what [`exchange::enqueue`] stored for one topic, oldest first, and forgets it once the
/// bus has confirmed it. There is one per topic, which keeps the order. A crash between the two
/// repeats records byte for byte; receivers drop them by their sequence.
#[derive(Debug)]
pub struct Publisher {
    bus: Arc<dyn Bus>,
    database: Database,
    topic: String,
    waker: Waker,
}

impl Publisher {
    /// A publisher of `topic` and its waker.
    pub fn new(bus: Arc<dyn Bus>, database: Database, topic: String) -> (Self, Waker) {
        let waker = Waker::default();
        (Self { bus, database, topic, waker: waker.clone() }, waker)
    }

    /// Publishes until dropped. While the bus is away the outbox keeps everything and this tries
    /// again twice a second.
    ///
    /// # Errors
    /// When the database fails or the bus refuses a record for good.
    pub async fn run(self) -> Result<(), PublishError> {
        let mut away = false;
        loop {
            match self.publish().await {
                Ok(0) => self.waker.0.grown.notified().await,
                Ok(_) if away => {
                    tracing::info!(topic = self.topic, "publishing again");
                    away = false;
                    self.waker.set_away(None);
                }
                Ok(_) => {}
                Err(PublishError::Bus(BusError::Unavailable { bus, reason })) => {
                    // Once in words; an outage of hours shall not fill a disk with one sentence.
                    if !away {
                        tracing::warn!(
                            topic = self.topic,
                            bus,
                            reason,
                            "cannot publish; trying again until the bus is back"
                        );
                    }
                    away = true;
                    self.waker.set_away(Some(format!(
                        "{} cannot be written to {bus}: {reason}",
                        self.topic
                    )));
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn publish(&self) -> Result<usize, PublishError> {
        let waiting = self.database.read(|c| exchange::pending(c, &self.topic, BATCH))?;
        let Some(last) = waiting.last().map(|outgoing| outgoing.row) else { return Ok(0) };
        let records: Vec<_> = waiting.into_iter().map(|outgoing| outgoing.record).collect();
        self.bus.append(&self.topic, &records).await?;
        // What is forgotten too late is appended again, and dropped by its receivers.
        self.database.lazy_transaction(|transaction| {
            exchange::confirm(transaction, &self.topic, last)
                .map_err(|source| self.database.error(source))
        })?;
        Ok(records.len())
    }
}
