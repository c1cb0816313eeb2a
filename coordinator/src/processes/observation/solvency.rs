//! Whether the vaults hold what Serai owes, at canonical heights (DESIGN section 5).
//!
//! # Owns
//! What holdings mean beside the supply on Serai, and the words for it: health, feed, metrics.
//!
//! # Promises
//! - A height is compared with the supply after the very Serai block that executed its batch, which
//!   observation read with that block: what is late on one side is late on both.
//! - The verdict, the public event of its change and the reader's position are one transaction.
//! - The verdict changes when two heights in a row agree; a height that comes late changes nothing.
//!
//! # Limits
//! A network's own coin is counted; Dai, which no vault holds in this version, is not.

use std::cmp::Ordering;

use borsh::{BorshDeserialize, BorshSerialize};
use rusqlite::{Connection, Transaction};
use serai_messages::Coin;
use serai_messages::vault::Holdings;
use serai_protocol::solvency::{Reading, Solvency, Verdict};
use serde::Serialize;
use serde_json::json;

use super::tables::{self, Stored};
use crate::processes::core::public;
use crate::processes::core::status::{Board, State};

/// What decides.
pub type Machine = Solvency;

/// A canonical height, in the coin's base units on Serai.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Numbers {
    /// The executed batch.
    pub batch: u32,
    /// Height of the external block.
    pub height: u64,
    /// Number of the Serai block.
    pub serai_block: u64,
    /// What there is on Serai.
    pub supply: u64,
    /// What the vaults hold.
    pub holdings: u64,
    /// Burned and not yet paid.
    pub in_flight: u64,
    /// Arrived or burned without anybody being owed it.
    pub retained: u64,
    /// Fees that the vaults have borne.
    pub costs: u64,
}

impl Numbers {
    /// What the vaults hold or have spent on themselves.
    pub fn held(&self) -> u128 {
        u128::from(self.holdings) + u128::from(self.costs)
    }

    /// What they have to hold.
    pub fn owed(&self) -> u128 {
        u128::from(self.supply) + u128::from(self.in_flight) + u128::from(self.retained)
    }

    /// How much is missing.
    pub fn missing(&self) -> u128 {
        self.owed().saturating_sub(self.held())
    }
}

/// A coin's solvency for people and programs. Amounts are decimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolvencyStatus {
    /// The coin.
    pub coin: Coin,
    /// `solvent` or `short`.
    pub state: &'static str,
    /// The newest canonical height's batch.
    pub batch: u32,
    /// Its external height.
    pub height: u64,
    /// Its Serai block.
    pub serai_block: u64,
    /// What is missing at that height.
    pub missing: String,
    /// What the vaults hold.
    pub holdings: String,
    /// Fees that they have borne for themselves.
    pub costs: String,
    /// What there is on Serai.
    pub supply: String,
    /// Burned and not yet paid.
    pub in_flight: String,
    /// Kept, and owed to nobody.
    pub retained: String,
    /// The state in a sentence.
    pub reason: String,
    /// Whether payments wait for it.
    pub paused: bool,
}

/// Takes in a canonical height. Returns the coin's stored solvency where it is a new one, and the
/// public event where the verdict changed.
///
/// # Errors
/// SQLite's.
pub(super) fn take(
    transaction: &Transaction<'_>,
    holdings: &Holdings,
) -> rusqlite::Result<Option<public::Event>> {
    let coin = holdings.coin;
    let Some(executed) = tables::executed(transaction, coin, holdings.batch)? else {
        // Observation tells processors of a batch only after it is in the table.
        tracing::warn!(%coin, batch = holdings.batch, "holdings of a batch that is not executed");
        return Ok(None);
    };
    let now = Numbers {
        batch: holdings.batch,
        height: holdings.height,
        serai_block: executed.block.number.0,
        supply: executed.supply,
        holdings: holdings.holdings,
        in_flight: holdings.in_flight,
        retained: holdings.retained,
        costs: holdings.costs,
    };
    let before = tables::solvency(transaction, coin)?;
    if before.as_ref().is_some_and(|before| before.last.batch >= now.batch) {
        tracing::warn!(%coin, batch = now.batch, "holdings come late and are left out");
        return Ok(None);
    }
    let (mut machine, even, was_short) = match before {
        Some(before) => (before.machine, before.even, before.short),
        None => (Machine::default(), None, false),
    };
    machine.handle(Reading {
        batch: holdings.batch,
        block: executed.block,
        holdings: holdings.clone(),
        supply: executed.supply,
    });
    // As long as nothing is known, nothing is amiss.
    let short = matches!(machine.verdict(), Verdict::Short { .. });
    let even = if now.missing() == 0 { Some(now) } else { even };
    let stored = Stored { machine, short, last: now, even };
    tables::set_solvency(transaction, coin, &stored)?;
    Ok((short != was_short).then(|| event(coin, &stored)))
}

fn event(coin: Coin, stored: &Stored) -> public::Event {
    let status = status_of(coin, stored, false);
    let data = json!({
        "coin": coin,
        "state": status.state,
        "batch": status.batch,
        "height": status.height,
        "serai_block": status.serai_block,
        "missing": status.missing,
        "holdings": status.holdings,
        "costs": status.costs,
        "supply": status.supply,
        "in_flight": status.in_flight,
        "retained": status.retained,
        "reason": status.reason,
    });
    public::Event {
        kind: "serai.solvency.state",
        id: format!("solvency/{coin}/{}", stored.last.batch),
        subject: coin.to_string(),
        data,
    }
}

/// How a coin stands; `None` before its first canonical height.
///
/// # Errors
/// SQLite's.
pub fn status(connection: &Connection, coin: Coin) -> rusqlite::Result<Option<SolvencyStatus>> {
    let Some(stored) = tables::solvency(connection, coin)? else { return Ok(None) };
    let paused = tables::is_paused(connection, coin)?;
    Ok(Some(status_of(coin, &stored, paused)))
}

/// How each coin with a canonical height stands.
///
/// # Errors
/// SQLite's.
pub fn all(connection: &Connection) -> rusqlite::Result<Vec<SolvencyStatus>> {
    let mut coins = Vec::new();
    for coin in Coin::ALL {
        coins.extend(status(connection, coin)?);
    }
    Ok(coins)
}

fn status_of(coin: Coin, stored: &Stored, paused: bool) -> SolvencyStatus {
    let Numbers { batch, height, serai_block, supply, holdings, in_flight, retained, costs } =
        stored.last;
    SolvencyStatus {
        coin,
        state: if stored.short { "short" } else { "solvent" },
        batch,
        height,
        serai_block,
        missing: stored.last.missing().to_string(),
        holdings: holdings.to_string(),
        costs: costs.to_string(),
        supply: supply.to_string(),
        in_flight: in_flight.to_string(),
        retained: retained.to_string(),
        reason: sentence(coin, stored),
        paused,
    }
}

/// The state in a sentence: what is missing, and which side has moved.
fn sentence(coin: Coin, stored: &Stored) -> String {
    let Stored { last, even, short, .. } = stored;
    let (held, owed) = (last.held(), last.owed());
    if last.missing() == 0 {
        let wait = if *short { "; two batches in a row have to say so" } else { "" };
        return format!(
            "the {coin} vaults hold {held} and owe {owed} base units at batch {}{wait}",
            last.batch
        );
    }
    let both = match even {
        None => "they never held enough before".to_owned(),
        Some(even) => format!(
            "since batch {}, when they held enough, what they hold has {} and what they owe has {}",
            even.batch,
            moved(even.held(), held),
            moved(even.owed(), owed)
        ),
    };
    let wait = if *short { "" } else { "; the next batch tells whether it stays so" };
    format!(
        "the {coin} vaults are short of {} base units at batch {}: they hold {held} and owe {owed}; \
         {both}{wait}",
        last.missing(),
        last.batch
    )
}

fn moved(before: u128, now: u128) -> String {
    match now.cmp(&before) {
        Ordering::Less => format!("fallen by {}", before - now),
        Ordering::Equal => "not changed".to_owned(),
        Ordering::Greater => format!("risen by {}", now - before),
    }
}

/// Says in health and metrics how the coins stand.
pub(super) fn show(connection: &Connection, board: &Board) -> rusqlite::Result<()> {
    for coin in Coin::ALL {
        let Some(stored) = tables::solvency(connection, coin)? else { continue };
        let state = if stored.short { State::Failed(sentence(coin, &stored)) } else { State::Ok };
        board.report("observation", format!("solvency/{coin}"), state);
        let last = &stored.last;
        let missing = if stored.short { last.missing() } else { 0 };
        for (name, value) in [
            ("serai_solvency_short", u128::from(stored.short)),
            ("serai_solvency_missing", missing),
            ("serai_solvency_held", last.held()),
            ("serai_solvency_owed", last.owed()),
            ("serai_solvency_supply", u128::from(last.supply)),
            ("serai_solvency_in_flight", u128::from(last.in_flight)),
            ("serai_solvency_batch", u128::from(last.batch)),
        ] {
            metrics::gauge!(name, "coin" => coin.name()).set(value as f64);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    fn numbers(batch: u32, holdings: u64, supply: u64) -> Numbers {
        let (in_flight, retained, costs) = (30, 10, 3);
        let (height, serai_block) = (u64::from(batch) * 10, u64::from(batch) * 2);
        Numbers { batch, height, serai_block, supply, holdings, in_flight, retained, costs }
    }

    fn stored(short: bool, last: Numbers, even: Option<Numbers>) -> Stored {
        Stored { machine: Machine::default(), short, last, even }
    }

    #[test]
    fn the_sentence_names_both_sides() {
        let even = numbers(3, 137, 100);
        for (last, both) in [
            (numbers(5, 130, 100), "they hold has fallen by 7 and what they owe has not changed"),
            (numbers(5, 137, 107), "they hold has not changed and what they owe has risen by 7"),
        ] {
            let words = sentence(Coin::Btc, &stored(true, last, Some(even)));
            assert!(words.starts_with("the btc vaults are short of 7 base units"), "{words}");
            assert!(words.contains("since batch 3") && words.contains(both), "{words}");
        }
        let never = sentence(Coin::Btc, &stored(true, numbers(1, 0, 100), None));
        assert!(never.contains("they never held enough before"), "{never}");
        let once = sentence(Coin::Btc, &stored(false, numbers(1, 0, 100), None));
        assert!(once.contains("the next batch tells"), "{once}");
    }

    #[test]
    fn verdicts_follow_their_schema() {
        let largest = Numbers { holdings: 0, ..numbers(u32::MAX, 0, u64::MAX) };
        let events = public::testing::published(|feed, transaction| {
            for (short, last) in [(false, numbers(1, 137, 100)), (true, largest)] {
                feed.publish(transaction, &event(Coin::Xmr, &stored(short, last, None)))?;
            }
            Ok(())
        });
        for event in &events {
            public::testing::assert_follows_schema(event);
        }
        assert_eq!(events[1]["data"]["missing"], (u128::from(u64::MAX) + 37).to_string());
    }

    #[test]
    fn what_is_short_shows_in_health_and_is_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let database = serai_bus::Database::open(&path, &[tables::MIGRATION]).unwrap();
        let board = Board::default();
        for (short, causes) in [(true, 1), (false, 0)] {
            let stored = stored(short, numbers(1, 130, 100), None);
            database
                .transaction(|transaction| {
                    tables::set_solvency(transaction, Coin::Eth, &stored)
                        .map_err(|source| database.error(source))
                })
                .unwrap();
            database.read(|connection| show(connection, &board)).unwrap();
            assert_eq!(board.causes().len(), causes);
        }
    }
}
