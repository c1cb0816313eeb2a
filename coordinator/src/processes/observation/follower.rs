//! The loop that follows the finalized chain, from endpoint to endpoint.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::TryChunksError;
use futures::{StreamExt, TryStreamExt};
use serai_bus::{Database, DatabaseError, Waker, exchange};
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, BlockNumber, Incarnation};
use tokio::sync::{Notify, watch};

use super::chain::{self, BlockFacts};
use super::client::{Connection, redacted};
use super::error::{EndpointError, Error};
use super::status::Live;
use super::{Settings, late_coins, record, tables};
use crate::processes::core::status::State;

/// Blocks that are fetched at the same time while catching up.
const FETCHED_AT_ONCE: usize = 16;

/// Most blocks in one commit: bounds the memory of a catch-up, and one transaction's time.
const COMMITTED_AT_ONCE: usize = 64;

/// Time between two looks whether the bus has taken records.
const ROOM_LOOK: Duration = Duration::from_millis(100);

/// Why a session with an endpoint ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Reads finalized blocks in order and commits what they hold together with the cursor.
pub(super) struct Follower {
    pub(super) settings: Arc<Settings>,
    pub(super) topic: String,
    pub(super) database: Database,
    /// Wakes the topic's publisher.
    pub(super) waker: Waker,
    pub(super) live: watch::Sender<Live>,
    /// The connection that the other parts use.
    pub(super) connection: watch::Sender<Option<Connection>>,
    /// Wakes the submitter when the chain has changed what a submission may wait for.
    pub(super) chain_changed: Arc<Notify>,
}

impl Follower {
    /// Follows the chain; ends only with a fault that no endpoint can mend.
    pub(super) async fn run(self) -> Result<Infallible, Error> {
        let endpoints = &self.settings.endpoints;
        let mut refusals: BTreeMap<usize, String> = BTreeMap::new();
        let mut failures: u32 = 0;
        let mut index = 0;
        loop {
            let endpoint = endpoints.get(index).ok_or(Error::NoEndpoint)?;
            let name = redacted(endpoint);
            self.live.send_modify(|live| live.endpoint = Some(name.clone()));
            let before = self.live.borrow().cursor;
            let error = match self.session(endpoint).await {
                Err(SessionError::Endpoint(error)) => error,
                Err(SessionError::Database(error)) => return Err(error.into()),
                Ok(never) => match never {},
            };
            self.connection.send_replace(None);
            let reason = error.to_string();
            tracing::warn!(endpoint = name, reason, "serai node left");
            let fact = format!("{name}: {reason}");
            self.report(match error {
                EndpointError::Undecodable { .. } => State::Failed(fact),
                _ => State::Waiting(fact),
            });
            metrics::counter!("serai_observation_endpoint_failures_total").increment(1);
            self.live.send_modify(|live| {
                live.connected = false;
                live.faults.insert(name.clone(), reason.clone());
            });
            if error.is_refusal() {
                refusals.insert(index, format!("{name}: {reason}"));
            } else {
                refusals.remove(&index);
            }
            if refusals.len() == endpoints.len() {
                let reasons: Vec<_> = refusals.into_values().collect();
                return Err(Error::OtherChain { reasons: reasons.join("; ") });
            }
            if self.live.borrow().cursor != before {
                failures = 0;
            }
            failures = failures.saturating_add(1);
            index = (index + 1) % endpoints.len();
            let round = u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
            if failures.is_multiple_of(round) {
                tokio::time::sleep(self.settings.backoff(failures / round)).await;
            }
        }
    }

    async fn session(&self, endpoint: &str) -> Result<Infallible, SessionError> {
        let Settings { profile, request_timeout, .. } = *self.settings;
        let connection = Connection::open(endpoint, profile, request_timeout).await?;
        let mut cursor = self.check(&connection).await?;
        let mut heads = connection.finalized_heads().await?;
        tracing::info!(endpoint = redacted(endpoint), genesis = %connection.genesis(), "serai node");
        self.live.send_modify(|live| {
            live.connected = true;
            live.cursor = cursor;
        });
        self.connection.send_replace(Some(connection.clone()));
        self.make_up(&connection, cursor).await?;
        let mut newest = None;
        let mut moved = Instant::now();
        loop {
            let head = connection.head().await?;
            if newest < Some(head.number) {
                (newest, moved) = (Some(head.number), Instant::now());
            }
            // Before reading up to it, which may take longer than the node's next block.
            let since = moved.elapsed();
            self.live.send_modify(|live| live.head = Some(head.number));
            self.catch_up(&connection, &mut cursor, head.number).await?;
            self.live.send_modify(|live| live.faults.clear());
            self.report(self.pace(head.number, since)?);
            // The subscription skips blocks after any hiccup, so it only says when to look; and a
            // subscription that went silent must not stop the clock.
            loop {
                match tokio::time::timeout(self.settings.silence, heads.next()).await {
                    Ok(Some(Ok(header))) if known(cursor, BlockNumber(header.number)) => {}
                    Ok(Some(Ok(_))) | Err(_) => break,
                    Ok(Some(Err(error))) => {
                        let reason = error.to_string();
                        return Err(EndpointError::StreamEnded { reason }.into());
                    }
                    Ok(None) => {
                        let reason = "the connection closed".to_owned();
                        return Err(EndpointError::StreamEnded { reason }.into());
                    }
                }
            }
        }
    }

    /// A node that answers and finalizes nothing is left where there is another one.
    fn pace(&self, head: BlockNumber, since: Duration) -> Result<State, EndpointError> {
        if since < self.settings.stall {
            return Ok(State::Ok);
        }
        let stalled = EndpointError::Stalled { head, since: Duration::from_secs(since.as_secs()) };
        match self.settings.endpoints.len() {
            0 | 1 => Ok(State::Waiting(stalled.to_string())),
            _ => Err(stalled),
        }
    }

    fn report(&self, state: State) {
        self.settings.board.report("observation", "serai node", state);
    }

    /// Refuses a chain that isn't the one in the database; remembers it when there is none.
    async fn check(&self, connection: &Connection) -> Result<Option<SeraiBlock>, SessionError> {
        let found = connection.genesis();
        let Some(chain) = self.database.read(tables::chain)? else {
            self.database.transaction(|transaction| {
                tables::set_genesis(transaction, found)
                    .map_err(|source| self.database.error(source))
            })?;
            return Ok(None);
        };
        let expected = chain.genesis;
        if expected != found {
            return Err(EndpointError::WrongGenesis { expected, found }.into());
        }
        let Some(cursor) = chain.cursor else { return Ok(None) };
        let head = connection.head().await?.number;
        if head < cursor.number {
            return Err(EndpointError::Behind { head, cursor: cursor.number }.into());
        }
        match connection.hash_of(cursor.number).await? {
            Some(hash) if hash == cursor.hash => Ok(Some(cursor)),
            Some(found) => Err(diverged(cursor, found).into()),
            None => Err(EndpointError::NoBlock { number: cursor.number }.into()),
        }
    }

    /// Publishes the past of coins that were enabled later.
    async fn make_up(
        &self,
        connection: &Connection,
        cursor: Option<SeraiBlock>,
    ) -> Result<(), SessionError> {
        let Self { settings, database, .. } = self;
        let late = database.transaction(|transaction| {
            late_coins::enrol(transaction, &settings.chains, cursor)
                .map_err(|source| database.error(source))
        })?;
        let Some(cursor) = cursor else { return Ok(()) };
        for coin in late {
            late_coins::make_up(connection, self, coin, cursor).await?;
            self.waker.wake();
            self.chain_changed.notify_one();
        }
        Ok(())
    }

    /// Reads and commits every block after the cursor up to `head`.
    async fn catch_up(
        &self,
        connection: &Connection,
        cursor: &mut Option<SeraiBlock>,
        head: BlockNumber,
    ) -> Result<(), SessionError> {
        let first = cursor.map_or(BlockNumber(0), |cursor| cursor.number.next());
        let enabled = self.settings.chains.as_slice();
        let mut chunks = chain::blocks(connection, first..=head, enabled, FETCHED_AT_ONCE)
            .try_chunks(COMMITTED_AT_ONCE);
        while let Some(chunk) = chunks.next().await {
            let (blocks, fault) = match chunk {
                Ok(blocks) => (blocks, None),
                Err(TryChunksError(blocks, fault)) => (blocks, Some(fault)),
            };
            let (blocks, fault) = follow_on(connection.genesis(), *cursor, blocks, fault);
            self.room().await?;
            if let Some(last) = self.commit(&blocks)? {
                *cursor = Some(last);
            }
            if let Some(fault) = fault {
                return Err(fault.into());
            }
        }
        Ok(())
    }

    /// Waits while more records than [`Settings::room`] wait for the topic: whatever the chain does, the
    /// outbox grows no further while the bus is away or slow.
    pub(super) async fn room(&self) -> Result<(), DatabaseError> {
        const FACT: &str = "records for the bus";
        let Settings { room, board, .. } = self.settings.as_ref();
        let mut waited = false;
        loop {
            let waiting = self.database.read(|c| exchange::waiting(c, &self.topic))?;
            if waiting < *room {
                if waited {
                    board.withdraw("observation", FACT);
                }
                return Ok(());
            }
            if !waited {
                let topic = &self.topic;
                let what = format!(
                    "{waiting} records wait for {topic}; the chain is read on once the bus takes them"
                );
                board.report("observation", FACT, State::Waiting(what));
                waited = true;
            }
            tokio::time::sleep(ROOM_LOOK).await;
        }
    }

    /// Stores the blocks' events and the cursor in one transaction, and then lets others know.
    fn commit(&self, blocks: &[BlockFacts]) -> Result<Option<SeraiBlock>, DatabaseError> {
        let Some(last) = blocks.last().map(|facts| facts.block) else { return Ok(None) };
        self.database.transaction(|transaction| {
            store(transaction, &self.topic, self.settings.incarnation, blocks)
                .map_err(|source| self.database.error(source))
        })?;
        self.waker.wake();
        if blocks.iter().any(|facts| facts.events.iter().any(concerns_submissions)) {
            self.chain_changed.notify_one();
        }
        self.live.send_modify(|live| {
            live.cursor = Some(last);
            for facts in blocks {
                live.count(&facts.counts);
            }
        });
        metrics::counter!("serai_observation_blocks_total").increment(blocks.len() as u64);
        metrics::gauge!("serai_observation_cursor").set(last.number.0 as f64);
        Ok(Some(last))
    }
}

/// Stores the events of blocks that follow each other for `topic`, and moves the cursor.
///
/// # Errors
/// SQLite's.
pub(super) fn store(
    transaction: &rusqlite::Transaction<'_>,
    topic: &str,
    incarnation: Incarnation,
    blocks: &[BlockFacts],
) -> rusqlite::Result<()> {
    let Some(last) = blocks.last().map(|facts| facts.block) else { return Ok(()) };
    for facts in blocks {
        for event in &facts.events {
            tables::note(transaction, event, &facts.supplies)?;
            record::enqueue(transaction, topic, incarnation, event)?;
        }
        if !facts.events.is_empty() || facts.block == last {
            let event = Event::SeraiFinalized { block: facts.block };
            record::enqueue(transaction, topic, incarnation, &event)?;
        }
    }
    tables::set_cursor(transaction, last)
}

/// Whether a submission may have waited for this.
fn concerns_submissions(event: &Event) -> bool {
    matches!(
        event,
        Event::NewSet { .. }
            | Event::KeyGen { .. }
            | Event::AcceptedHandover { .. }
            | Event::SetRetired { .. }
            | Event::BatchExecuted { .. }
    )
}

fn known(cursor: Option<SeraiBlock>, number: BlockNumber) -> bool {
    cursor.is_some_and(|cursor| number <= cursor.number)
}

pub(super) fn diverged(expected: SeraiBlock, found: BlockHash) -> EndpointError {
    EndpointError::Diverged { number: expected.number, expected: expected.hash, found }
}

/// The blocks up to the first that does not follow the one before it, and the fault that ends them.
fn follow_on(
    genesis: BlockHash,
    mut before: Option<SeraiBlock>,
    mut blocks: Vec<BlockFacts>,
    fault: Option<EndpointError>,
) -> (Vec<BlockFacts>, Option<EndpointError>) {
    let stray = blocks.iter().enumerate().find_map(|(index, facts)| {
        let stray = match before {
            Some(before) if facts.parent != before.hash => diverged(before, facts.parent),
            None if facts.block.hash != genesis => {
                EndpointError::WrongGenesis { expected: genesis, found: facts.block.hash }
            }
            _ => {
                before = Some(facts.block);
                return None;
            }
        };
        Some((index, stray))
    });
    match stray {
        Some((index, stray)) => {
            blocks.truncate(index);
            (blocks, Some(stray))
        }
        None => (blocks, fault),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn hash(byte: u8) -> BlockHash {
        BlockHash([byte; 32])
    }

    /// Block `number`, whose hash ends up as `own`.
    fn facts(number: u8, parent: u8, own: u8) -> BlockFacts {
        let block = SeraiBlock { number: BlockNumber(number.into()), hash: hash(own) };
        BlockFacts {
            block,
            parent: hash(parent),
            events: Vec::new(),
            supplies: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_block_that_follows_another_one_ends_the_chunk() {
        let good = || vec![facts(0, 0, 10), facts(1, 10, 11), facts(2, 11, 12)];
        let (blocks, fault) = follow_on(hash(10), None, good(), None);
        assert_eq!((blocks.len(), fault.is_some()), (3, false));

        let mut forked = good();
        forked.insert(2, facts(2, 99, 98));
        let (blocks, fault) = follow_on(hash(10), None, forked, None);
        assert_eq!(blocks.len(), 2);
        let fault = fault.unwrap();
        assert!(matches!(fault, EndpointError::Diverged { number: BlockNumber(1), .. }), "{fault}");

        let before = SeraiBlock { number: BlockNumber(0), hash: hash(10) };
        let (blocks, fault) = follow_on(hash(10), Some(before), vec![facts(1, 9, 11)], None);
        assert!(blocks.is_empty() && fault.unwrap().is_refusal());

        let (blocks, fault) = follow_on(hash(1), None, good(), None);
        assert!(blocks.is_empty() && fault.unwrap().is_refusal());
    }

    #[test]
    fn a_fault_after_good_blocks_stays() {
        let missing = EndpointError::NoBlock { number: BlockNumber(1) };
        let blocks = vec![facts(0, 0, 10)];
        let (blocks, fault) = follow_on(hash(10), None, blocks, Some(missing));
        assert_eq!(blocks.len(), 1);
        assert!(matches!(fault, Some(EndpointError::NoBlock { .. })));
    }
}
