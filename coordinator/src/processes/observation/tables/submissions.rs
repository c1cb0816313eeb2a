//! What is to be submitted to Serai, and how it stands.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_messages::encode;
use serai_messages::observation::Event;

use super::blob;

/// How a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionState {
    /// To be submitted until the chain shows its effect.
    Open,
    /// The chain shows its effect.
    Done,
    /// The chain will never show its effect.
    Failed,
}

impl SubmissionState {
    /// The state as a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Open,
        }
    }
}

/// One submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its row.
    pub row: i64,
    /// What is to be submitted.
    pub event: Event,
    /// How it stands.
    pub state: SubmissionState,
    /// How often it was handed to a node.
    pub attempts: u32,
    /// What was said about it last.
    pub detail: String,
}

/// Stores a submission; one of the same intent stays as it is, unless that one has failed for good
/// and this one says something else.
pub(crate) fn add_submission(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO submissions (intent, body, state, attempts, detail)
             VALUES (?1, ?2, 'open', 0, 'not submitted yet')
             ON CONFLICT (intent) DO UPDATE SET
                 body = excluded.body, state = 'open', detail = excluded.detail
             WHERE state = 'failed' AND body != excluded.body",
        )?
        .execute((event.intent(), encode(event)))
        .map(drop)
}

/// The submission of that intent.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn submission(connection: &Connection, intent: &str) -> rusqlite::Result<Option<Submission>> {
    connection
        .prepare_cached(
            "SELECT row, body, attempts, detail, state FROM submissions WHERE intent = ?1",
        )?
        .query_row([intent], |row| read(row, SubmissionState::from_name(&row.get::<_, String>(4)?)))
        .optional()
}

/// The oldest `limit` submissions of a state.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn submissions(
    connection: &Connection,
    state: SubmissionState,
    limit: u32,
) -> rusqlite::Result<Vec<Submission>> {
    let mut statement = connection.prepare_cached(
        "SELECT row, body, attempts, detail FROM submissions WHERE state = ?1
         ORDER BY row LIMIT ?2",
    )?;
    let rows = statement.query_map((state.name(), limit), |row| read(row, state))?;
    rows.collect()
}

fn read(row: &Row<'_>, state: SubmissionState) -> rusqlite::Result<Submission> {
    Ok(Submission {
        row: row.get(0)?,
        event: blob(row, 1)?,
        state,
        attempts: row.get(2)?,
        detail: row.get(3)?,
    })
}

/// Notes that a node has taken the submission; whether it is the first one that did.
pub(crate) fn hand_over(transaction: &Transaction<'_>, row: i64) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached("UPDATE submissions SET handed = 1 WHERE row = ?1 AND handed = 0")?
        .execute([row])?;
    Ok(changed > 0)
}

/// Notes how a submission stands after something was tried.
pub(crate) fn set_submission(
    transaction: &Transaction<'_>,
    row: i64,
    state: SubmissionState,
    attempts: u32,
    detail: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE submissions SET state = ?2, attempts = ?3, detail = ?4 WHERE row = ?1",
        )?
        .execute((row, state.name(), attempts, detail))
        .map(drop)
}
