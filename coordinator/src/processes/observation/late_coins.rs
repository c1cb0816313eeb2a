//! Coins that are enabled after the chain was begun, or again after a pause.
//!
//! # Owns
//! Per coin, the first block whose events are not yet published.
//!
//! # Promises
//! Enabling a coin publishes its events from block 0 on (or from where it was disabled), each once,
//! before the chain is followed further; a restart in the middle goes on where it stopped.
//!
//! # Limits
//! - These events come after those of other coins from later blocks: order holds per coin.
//! - The chain is not followed meanwhile: with years of blocks behind, that is long.

use futures::TryStreamExt;
use rusqlite::Transaction;
use serai_messages::observation::SeraiBlock;
use serai_messages::{BlockNumber, Coin};

use super::chain::{self, BlockFacts};
use super::client::Connection;
use super::error::EndpointError;
use super::follower::{Follower, SessionError, diverged};
use super::{record, tables};

/// Blocks that are fetched at the same time.
const FETCHED_AT_ONCE: usize = 16;

/// Most blocks in one commit.
const COMMITTED_AT_ONCE: usize = 64;

/// Notes which coins follow the cursor from now on and which have blocks to make up for.
pub(super) fn enrol(
    transaction: &Transaction<'_>,
    enabled: &[Coin],
    cursor: Option<SeraiBlock>,
) -> rusqlite::Result<Vec<(Coin, BlockNumber)>> {
    let after = cursor.map_or(BlockNumber(0), |cursor| cursor.number.next());
    let mut late = Vec::new();
    for coin in Coin::ALL {
        let stored = tables::coin_progress(transaction, coin)?;
        let progress = match (enabled.contains(&coin), stored) {
            (true, None) => tables::CoinProgress::behind(BlockNumber(0), after),
            (true, Some(tables::CoinProgress::Behind(next))) => {
                tables::CoinProgress::behind(next, after)
            }
            (true, Some(follows)) => follows,
            (false, None) => continue,
            (false, Some(tables::CoinProgress::Follows)) => tables::CoinProgress::Behind(after),
            (false, Some(behind)) => behind,
        };
        tables::set_coin_progress(transaction, coin, progress)?;
        if let (true, tables::CoinProgress::Behind(next)) = (enabled.contains(&coin), progress) {
            late.push((coin, next));
        }
    }
    Ok(late)
}

/// Publishes a coin's events of the blocks from `first` to the cursor.
pub(super) async fn make_up(
    connection: &Connection,
    follower: &Follower,
    (coin, first): (Coin, BlockNumber),
    cursor: SeraiBlock,
) -> Result<(), SessionError> {
    let Follower { settings, database, topic, waker, .. } = follower;
    tracing::info!(%coin, first = first.0, last = cursor.number.0, "coin enabled later: reading its past");
    let mut before: Option<SeraiBlock> = None;
    let only = [coin];
    let mut chunks = chain::blocks(connection, first..=cursor.number, &only, FETCHED_AT_ONCE)
        .try_chunks(COMMITTED_AT_ONCE);
    loop {
        let chunk = chunks.try_next().await.map_err(|error| error.1)?;
        let Some(blocks) = chunk else { return Ok(()) };
        for facts in &blocks {
            linked(before, facts, cursor)?;
            before = Some(facts.block);
        }
        let Some(last) = before else { return Ok(()) };
        follower.room().await?;
        let next = tables::CoinProgress::behind(last.number.next(), cursor.number.next());
        let store = |transaction: &Transaction<'_>| {
            for facts in &blocks {
                for event in &facts.events {
                    tables::note(transaction, event, &facts.supplies)?;
                    record::enqueue(transaction, topic, settings.incarnation, event)?;
                }
            }
            tables::set_coin_progress(transaction, coin, next)
        };
        database.transaction(|transaction| {
            store(transaction).map_err(|source| database.error(source))
        })?;
        waker.wake();
    }
}

/// Checks that the block is on the cursor's chain, as far as the blocks before it tell.
fn linked(
    before: Option<SeraiBlock>,
    facts: &BlockFacts,
    cursor: SeraiBlock,
) -> Result<(), EndpointError> {
    if let Some(before) = before.filter(|before| before.hash != facts.parent) {
        return Err(diverged(before, facts.parent));
    }
    if facts.block.number == cursor.number && facts.block.hash != cursor.hash {
        return Err(diverged(cursor, facts.block.hash));
    }
    Ok(())
}
