//! The processor's one loop: reads its topic, handles the records at hand in one transaction, publishes.

mod records;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serai_bus::exchange::{self, Consumer};
use serai_bus::{
    Bus, BusError, Database, Delivered, OffsetReset, Publisher, Subscription, Waker, wall_clock,
};
use serai_messages::control::Heartbeat;
use serai_messages::{Incarnation, Name, ProcessorKey, Topic, Versions};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::crypto::Engines;
use crate::external::Desk;
use crate::handlers::Handlers;
use crate::keygen::Keygen;
use crate::ledger::{self, Book};
use crate::outbox::Outbox;
use crate::settings::{Error, Settings};
use crate::signing::{Due, Signing};
use crate::state::{self, Birth};
use crate::watcher::{Report, Watcher};

/// Pause after the bus was not available.
const RETRY: Duration = Duration::from_millis(500);

/// Longest wait for the outbox at the end; what is left then goes out after the next start.
const DRAIN: Duration = Duration::from_secs(5);

/// Records that are handled in one transaction.
const AT_ONCE: usize = 16;

/// So many records wait at most before the chain's newest block is reported no more: the outbox must
/// not grow with the time that the bus is away.
const BACKLOG: u32 = 64;

/// The name under which the position is kept.
pub(crate) const READER: &str = "processor";

/// A processor, ready to run.
#[derive(Debug)]
pub struct Actor {
    name: Name,
    bus: Arc<dyn Bus>,
    database: Database,
    handlers: Handlers,
    outbox: Outbox,
    wakers: [Waker; 2],
    publishers: Option<[Publisher; 2]>,
    desk: Desk,
    watcher: Option<Watcher>,
    pinned: Option<ProcessorKey>,
    coordinator: Option<ProcessorKey>,
    birth: Birth,
    heartbeat: Duration,
}

impl Actor {
    /// Opens the state in the data folder.
    ///
    /// # Errors
    /// [`Error`] when the folder is not this processor's, or its database cannot be used.
    pub fn new(settings: Settings, bus: Arc<dyn Bus>) -> Result<Self, Error> {
        let coin = settings.external.coin();
        let Settings { folder, name, cipher, .. } = &settings;
        let (database, incarnation) = state::open(folder, name, coin, cipher)?;
        Self::over(settings, bus, database, incarnation)
    }

    /// As [`Actor::new`], on a database that is open.
    pub(crate) fn over(
        settings: Settings,
        bus: Arc<dyn Bus>,
        database: Database,
        incarnation: Incarnation,
    ) -> Result<Self, Error> {
        let Settings { name, external, secret, cipher, speaks, .. } = settings;
        let coin = external.coin();
        let topic = Topic::Chain(coin).full_name(&name);
        let dead_letter_topic = Topic::DeadLetter.full_name(&name);
        let (publisher, waker) = Publisher::new(bus.clone(), database.clone(), topic.clone());
        let (dead_letters, dead_letter_waker) =
            Publisher::new(bus.clone(), database.clone(), dead_letter_topic);
        let (book, (desk, watcher)) = database.read(|connection| {
            let open = || {
                let book = Book::open(external.network, connection)?;
                let desk = Desk::new(&external, connection, &book)?;
                Ok::<_, ledger::Error>((book, desk))
            };
            Ok(open())
        })??;
        let handlers = Handlers {
            coin,
            signing: Signing::new(coin, cipher.clone()),
            keygen: Keygen::new(coin, secret.public(), cipher, settings.backups),
            book,
        };
        if watcher.is_none() {
            tracing::info!(
                "no external chain is observed: without --chain-rpc this processor makes no batches \
                 and no payments"
            );
        }
        let coordinator = database.transaction(|transaction| {
            if let Some(key) = settings.coordinator.or(settings.accept) {
                state::set_coordinator_key(transaction, &key)?;
            }
            Ok::<_, Error>(state::coordinator_key(transaction)?)
        })?;
        let coordinator_speaks =
            database.read(state::coordinator_versions)?.unwrap_or(Versions::only(speaks.oldest));
        let outbox = Outbox { coin, topic, incarnation, secret, speaks, coordinator_speaks };
        Ok(Self {
            name,
            bus,
            database,
            handlers,
            outbox,
            wakers: [waker, dead_letter_waker],
            publishers: Some([publisher, dead_letters]),
            desk,
            watcher,
            pinned: settings.coordinator,
            coordinator,
            birth: Birth { next: 0, superseding: false },
            heartbeat: settings.heartbeat,
        })
    }

    /// Makes the processor misbehave, for tests of others' defences.
    #[cfg(feature = "faults")]
    pub fn misbehave(&mut self, fault: crate::faults::Misbehaviour) {
        self.handlers.misbehave(fault);
    }

    /// Runs until `shutdown`, then publishes what waits and returns.
    ///
    /// # Errors
    /// [`Error`] when the processor cannot go on.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let Some([publisher, dead_letters]) = self.publishers.take() else { return Ok(()) };
        let publish =
            async move { tokio::try_join!(publisher.run(), dead_letters.run()).map(|_| ()) };
        tokio::pin!(publish);
        let watch = watch(self.watcher.take());
        let serve = self.serve(&shutdown);
        tokio::select! {
            result = serve => result?,
            result = &mut publish => return Ok(result?),
            () = watch => {}
        }
        tokio::select! {
            result = &mut publish => Ok(result?),
            () = self.drained() => Ok(()),
            () = tokio::time::sleep(DRAIN) => {
                tracing::warn!("the bus does not take everything; the rest goes out after the next start");
                Ok(())
            }
        }
    }

    async fn serve(&mut self, shutdown: &CancellationToken) -> Result<(), Error> {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            result = self.prepare() => result?,
        }
        let topic = self.outbox.topic.clone();
        let consumer = Consumer { reader: READER, topic: &topic };
        // A new folder wants all of Serai's events, whatever the bus' settings say.
        let earliest = OffsetReset::Earliest;
        let mut subscription = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            subscription = Subscription::open(&self.bus, &self.database, consumer, earliest) =>
                subscription?,
        };
        tracing::info!(
            topic = self.outbox.topic,
            key = %self.outbox.secret.public(),
            incarnation = %self.outbox.incarnation,
            "processor is up"
        );
        let mut heartbeat = tokio::time::interval(self.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.order()?;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                _ = heartbeat.tick() => self.handle_heartbeat()?,
                report = self.desk.next() => self.handle_report(report)?,
                delivered = subscription.next() => {
                    let records = at_hand(delivered?, &mut subscription)?;
                    self.handle_delivered(consumer, &records)?;
                    if let Some(last) = records.last() {
                        subscription.handled(last.offset).await;
                    }
                }
            }
            // The publishers run beside this loop, on its task: what is ready goes out before more is
            // handled, however much there is.
            tokio::task::yield_now().await;
        }
    }

    /// Creates the topics, notes the birth, announces the key.
    async fn prepare(&mut self) -> Result<(), Error> {
        let topics = [self.outbox.topic.clone(), Topic::DeadLetter.full_name(&self.name)];
        let info = loop {
            let attempt = async {
                self.bus.create_topics(&topics).await?;
                self.bus.info(&self.outbox.topic).await
            };
            match attempt.await {
                Ok(info) => break info,
                Err(BusError::Unavailable { bus, reason }) => {
                    tracing::warn!(bus, reason, "waiting for the bus");
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.begin(info.next)
    }

    /// Notes the birth on a topic whose next offset is `next`, and announces the key.
    pub(crate) fn begin(&mut self, next: u64) -> Result<(), Error> {
        self.birth = self.database.transaction(|transaction| {
            let birth = match state::birth(transaction)? {
                Some(birth) => birth,
                None => {
                    let birth = Birth { next, superseding: false };
                    state::set_birth(transaction, birth)?;
                    birth
                }
            };
            self.outbox.announcement(transaction)?;
            Ok::<_, Error>(birth)
        })?;
        self.wake();
        Ok(())
    }

    /// What the watcher has seen: state and effects in one transaction.
    fn handle_report(&mut self, report: Report) -> Result<(), Error> {
        let database = self.database.clone();
        if matches!(report, Report::Blocks { .. }) {
            self.desk.next_round();
        }
        database.transaction(|transaction| {
            if matches!(report, Report::Finalized { .. }) {
                let waiting = exchange::pending(transaction, &self.outbox.topic, BACKLOG)?;
                if waiting.len() >= BACKLOG as usize {
                    return Ok(());
                }
            }
            let answers = self.handlers.report(transaction, report)?;
            self.answer(transaction, &answers)?;
            Ok::<_, Error>(self.handlers.store(transaction)?)
        })?;
        self.wake();
        self.order()
    }

    /// Something is due that the ledger did not work out.
    pub(crate) fn handle_due(&mut self, due: Due) -> Result<(), Error> {
        let database = self.database.clone();
        database.transaction(|transaction| {
            let answers = self.handlers.due(transaction, due)?;
            self.answer(transaction, &answers)?;
            Ok::<_, Error>(self.handlers.store(transaction)?)
        })?;
        self.wake();
        Ok(())
    }

    /// Makes keys and signs with other engines.
    pub(crate) fn set_engines(&mut self, engines: Engines) {
        self.handlers.keygen.set_engines(engines);
        self.handlers.signing.set_engines(engines);
    }

    /// Tells the watcher what follows from what is committed.
    fn order(&mut self) -> Result<(), Error> {
        let (desk, book) = (&mut self.desk, &self.handlers.book);
        self.database.read(|connection| Ok(desk.order(connection, book)))??;
        Ok(())
    }

    /// Left out while the coordinator's key is unknown, and while many records wait for the bus: the
    /// outbox must not grow with the time that the bus is away.
    fn handle_heartbeat(&mut self) -> Result<(), Error> {
        let Some(coordinator) = self.coordinator else { return Ok(()) };
        let heartbeat = Heartbeat {
            at_ms: wall_clock::now_ms(),
            pid: std::process::id(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.database.transaction(|transaction| {
            let waiting = exchange::pending(transaction, &self.outbox.topic, BACKLOG)?;
            if waiting.len() < BACKLOG as usize {
                self.outbox.heartbeat(transaction, &heartbeat, &coordinator)?;
            }
            Ok::<_, Error>(())
        })?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        for waker in &self.wakers {
            waker.wake();
        }
    }

    /// Returns once nothing waits for the bus, or the database cannot say.
    async fn drained(&self) {
        let dead_letters = Topic::DeadLetter.full_name(&self.name);
        loop {
            let waiting = self.database.read(|connection| {
                Ok(exchange::pending(connection, &self.outbox.topic, 1)?.len()
                    + exchange::pending(connection, &dead_letters, 1)?.len())
            });
            if waiting.map_or(true, |waiting| waiting == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A record, and those behind it that are there already.
fn at_hand(first: Delivered, subscription: &mut Subscription) -> Result<Vec<Delivered>, BusError> {
    let mut records = vec![first];
    while records.len() < AT_ONCE {
        match subscription.next().now_or_never() {
            Some(delivered) => records.push(delivered?),
            None => break,
        }
    }
    Ok(records)
}

/// Watches the external chain, if there is one.
async fn watch(watcher: Option<Watcher>) {
    match watcher {
        Some(watcher) => watcher.run().await,
        None => std::future::pending().await,
    }
}
