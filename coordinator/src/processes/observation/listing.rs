//! Batches and payments for whoever asks: the newest ones.

use rusqlite::Connection;
use serai_messages::observation::Event;
use serai_messages::{Coin, ValidatorSet};
use serde::Serialize;

use super::tables::{self, Payment, Submission, SubmissionState};

/// Executed batches of each network that are listed.
const LISTED_BATCHES: u32 = 50;

/// Payments that are listed.
const LISTED_PAYMENTS: u32 = 200;

/// Submissions of each state that are looked at.
const LISTED_SUBMISSIONS: u32 = 100;

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchRow {
    /// The network's coin.
    pub coin: Coin,
    /// Its number.
    pub id: u32,
    /// `open` (to be submitted), `failed` (in the own submission's eyes) or `executed`.
    pub state: &'static str,
    /// The set whose vault signed, as far as it was signed here.
    pub set: Option<ValidatorSet>,
    /// Serai block that executed it.
    pub serai_block: Option<u64>,
    /// External block that it acknowledges, hex.
    pub external_block: Option<String>,
    /// Hash of its instructions, hex.
    pub instructions_hash: Option<String>,
    /// Positions of the instructions that failed.
    pub failed: Vec<u32>,
    /// What was said about its submission last.
    pub reason: Option<String>,
}

/// Batches that are open or have failed, then the newest executed ones of each network.
///
/// # Errors
/// SQLite's.
pub fn batches(connection: &Connection) -> rusqlite::Result<Vec<BatchRow>> {
    let mut rows = Vec::new();
    for state in [SubmissionState::Failed, SubmissionState::Open] {
        let stored = tables::submissions(connection, state, LISTED_SUBMISSIONS)?;
        rows.extend(stored.into_iter().filter_map(unsettled));
    }
    for coin in Coin::ALL {
        for executed in tables::latest_executed(connection, coin, LISTED_BATCHES)? {
            rows.push(BatchRow {
                coin,
                id: executed.id,
                state: "executed",
                set: None,
                serai_block: Some(executed.block.number.0),
                external_block: Some(hex::encode(executed.external_block)),
                instructions_hash: Some(hex::encode(executed.instructions_hash)),
                failed: executed.failed,
                reason: None,
            });
        }
    }
    Ok(rows)
}

fn unsettled(submission: Submission) -> Option<BatchRow> {
    let Submission { event: Event::Batch { set, id, .. }, state, detail, .. } = submission else {
        return None;
    };
    Some(BatchRow {
        coin: set.coin,
        id,
        state: state.name(),
        set: Some(set),
        serai_block: None,
        external_block: None,
        instructions_hash: None,
        failed: Vec::new(),
        reason: Some(detail),
    })
}

/// The newest payments, newest first.
///
/// # Errors
/// SQLite's.
pub fn payments(connection: &Connection) -> rusqlite::Result<Vec<Payment>> {
    tables::payments(connection, LISTED_PAYMENTS)
}
