//! One consumer's reading of one topic, through the bus' bad weather.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{self, Consumer};
use crate::{Bus, BusError, Database, DatabaseError, Delivered, OffsetReset, Reader};

/// First pause after the bus was not available; doubled each time up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(50);

/// Longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// Why reading cannot begin or go on by itself.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The program's own database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The bus refused for good: the topic is unknown or another one, or the bus is unfit.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Reads one topic for one consumer, from its stored position on, and waits while the bus is away.
///
/// The consumer's loop: take [`Subscription::next`]; in one transaction of its database handle the
/// record and call [`exchange::set_position`]; then call [`Subscription::handled`]. What does not
/// decode or cannot be handled becomes a [`crate::DeadLetter`] in that same transaction.
pub struct Subscription {
    reader: Box<dyn Reader>,
    name: String,
    topic: String,
    failures: u32,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("reader", &self.name)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// Begins where the consumer stands ([`exchange::start`]). Waits for the bus.
    ///
    /// # Errors
    /// [`SubscribeError`]; in particular [`BusError::Diverged`] when the topic is not the one that
    /// the consumer read before, until the operator calls for [`exchange::forget_position`].
    pub async fn open(
        bus: &Arc<dyn Bus>,
        database: &Database,
        consumer: Consumer<'_>,
        reset: OffsetReset,
    ) -> Result<Self, SubscribeError> {
        let mut failures = 0;
        loop {
            let start = database.read(|connection| exchange::start(connection, consumer, reset))?;
            match bus.read_as(consumer.reader, consumer.topic, start).await {
                Ok(reader) => {
                    return Ok(Self {
                        reader,
                        name: consumer.reader.to_owned(),
                        topic: consumer.topic.to_owned(),
                        failures: 0,
                    });
                }
                Err(error) => wait(consumer, error, &mut failures).await?,
            }
        }
    }

    /// Whose subscription this is.
    pub fn consumer(&self) -> Consumer<'_> {
        Consumer { reader: &self.name, topic: &self.topic }
    }

    /// The next record; waits for it, and for the bus. Cancel safe.
    ///
    /// # Errors
    /// Never [`BusError::Unavailable`]; after any error the subscription has to be opened again.
    pub async fn next(&mut self) -> Result<Delivered, BusError> {
        loop {
            match self.reader.next().await {
                Ok(delivered) => {
                    if self.failures > 0 {
                        tracing::info!(reader = self.name, topic = self.topic, "reading again");
                        self.failures = 0;
                    }
                    return Ok(delivered);
                }
                Err(error) => {
                    let consumer = Consumer { reader: &self.name, topic: &self.topic };
                    wait(consumer, error, &mut self.failures).await?;
                }
            }
        }
    }

    /// Tells lag monitors that everything up to `offset` is handled. Call after the commit.
    pub async fn handled(&mut self, offset: u64) {
        self.reader.report(offset).await;
    }
}

/// Sits out passing faults and hands back the others.
async fn wait(consumer: Consumer<'_>, error: BusError, failures: &mut u32) -> Result<(), BusError> {
    let BusError::Unavailable { bus, reason } = error else { return Err(error) };
    // Once in words; an outage of hours shall not fill a disk with one sentence.
    if *failures == 0 {
        tracing::warn!(
            reader = consumer.reader,
            topic = consumer.topic,
            bus,
            reason,
            "cannot read; trying again until the bus is back"
        );
    }
    *failures = failures.saturating_add(1);
    let pause = SHORTEST.saturating_mul(1 << (*failures).min(8)).min(LONGEST);
    tokio::time::sleep(pause).await;
    Ok(())
}
