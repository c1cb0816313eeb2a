//! What the process can say about itself.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, BlockNumber, Coin, ValidatorSet};
use serde::Serialize;

use super::solvency::{self, SolvencyStatus};
use super::tables::{self, Submission, SubmissionState};

/// Most submissions of one state that are shown.
const SHOWN_SUBMISSIONS: u32 = 32;

/// Most event names that are counted one by one; further ones count as `other`.
const MAX_EVENT_NAMES: usize = 512;

/// A Serai block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BlockStatus {
    /// Its number.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: BlockHash,
}

impl From<SeraiBlock> for BlockStatus {
    fn from(block: SeraiBlock) -> Self {
        Self { number: block.number, hash: block.hash }
    }
}

/// One submission that isn't done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubmissionStatus {
    /// What is submitted: `set-keys`, `batch` or `slash-report`.
    pub kind: &'static str,
    /// The set that signed it.
    pub set: ValidatorSet,
    /// Number of the batch.
    pub batch: Option<u32>,
    /// `open` or `failed`.
    pub state: &'static str,
    /// How often it was handed to a node.
    pub attempts: u32,
    /// What was said about it last.
    pub detail: String,
}

/// Batches of one network that Serai executed, as read from `{name}-serai`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchStatus {
    /// The network's coin.
    pub coin: Coin,
    /// How many.
    pub executed: u64,
    /// Number of the last one.
    pub last: u32,
    /// Serai block of the last one.
    pub block: BlockNumber,
    /// The first time that a number did not follow the one before; `None` is as it should be.
    pub gap: Option<String>,
}

/// Payments out of one network that Serai asked for, as read from `{name}-serai`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BurnStatus {
    /// The network's coin.
    pub coin: Coin,
    /// How many.
    pub seen: u64,
    /// Serai block of the last one.
    pub block: BlockNumber,
}

/// How the process stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Newest finalized block that the node told of.
    pub head: Option<BlockNumber>,
    /// Last block that was published.
    pub cursor: Option<BlockStatus>,
    /// The node in use, or last tried, without credentials.
    pub endpoint: Option<String>,
    /// Whether that node is connected and serves the right chain.
    pub connected: bool,
    /// Why it waits, if it does: the last fault of each endpoint that has one.
    pub waiting: Option<String>,
    /// Records that `{name}-serai` held but that could not be read, since the start.
    pub undecodable: u64,
    /// Events by `Pallet.Event`, since the start.
    pub events: BTreeMap<String, u64>,
    /// Submissions that are open, then those that failed; the oldest ones.
    pub submissions: Vec<SubmissionStatus>,
    /// Batches per network.
    pub batches: Vec<BatchStatus>,
    /// Burns per network.
    pub burns: Vec<BurnStatus>,
    /// Solvency per coin.
    pub solvency: Vec<SolvencyStatus>,
}

/// What changes too often to be stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    pub(super) head: Option<BlockNumber>,
    pub(super) cursor: Option<SeraiBlock>,
    pub(super) endpoint: Option<String>,
    pub(super) connected: bool,
    pub(super) faults: BTreeMap<String, String>,
    pub(super) undecodable: u64,
    pub(super) events: BTreeMap<String, u64>,
}

impl Live {
    /// Counts a block's events.
    pub(super) fn count(&mut self, counts: &BTreeMap<String, u64>) {
        for (name, count) in counts {
            let known = self.events.len() < MAX_EVENT_NAMES || self.events.contains_key(name);
            let name = if known { name.as_str() } else { "other" };
            *self.events.entry(name.to_owned()).or_default() += count;
        }
    }

    /// The faults in one sentence.
    pub(super) fn waiting(&self) -> Option<String> {
        let faults = &self.faults;
        (!faults.is_empty()).then(|| {
            let each: Vec<_> =
                faults.iter().map(|(endpoint, fault)| format!("{endpoint}: {fault}")).collect();
            each.join("; ")
        })
    }

    /// The status, with what is stored.
    pub(super) fn status(&self, connection: &Connection) -> rusqlite::Result<Status> {
        let mut submissions = Vec::new();
        for state in [SubmissionState::Open, SubmissionState::Failed] {
            let stored = tables::submissions(connection, state, SHOWN_SUBMISSIONS)?;
            submissions.extend(stored.into_iter().filter_map(shown));
        }
        let mut batches = Vec::new();
        let mut burns = Vec::new();
        for coin in Coin::ALL {
            if let Some(stored) = tables::batches(connection, coin)? {
                let tables::Batches { executed, last, block, gap } = stored;
                batches.push(BatchStatus { coin, executed, last, block, gap });
            }
            if let Some(tables::Burns { seen, block, .. }) = tables::burns(connection, coin)? {
                burns.push(BurnStatus { coin, seen, block });
            }
        }
        Ok(Status {
            head: self.head,
            cursor: self.cursor.map(BlockStatus::from),
            endpoint: self.endpoint.clone(),
            connected: self.connected,
            waiting: self.waiting(),
            undecodable: self.undecodable,
            events: self.events.clone(),
            submissions,
            batches,
            burns,
            solvency: solvency::all(connection)?,
        })
    }
}

fn shown(submission: Submission) -> Option<SubmissionStatus> {
    let Submission { event, state, attempts, detail, .. } = submission;
    let (kind, set, batch) = match event {
        Event::SetKeys { set, .. } => ("set-keys", set, None),
        Event::Batch { set, id, .. } => ("batch", set, Some(id)),
        Event::SlashReport { set, .. } => ("slash-report", set, None),
        _ => return None,
    };
    Some(SubmissionStatus { kind, set, batch, state: state.name(), attempts, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_cannot_fill_the_memory_with_event_names() {
        let mut live = Live::default();
        for number in 0..MAX_EVENT_NAMES + 10 {
            live.count(&BTreeMap::from([(format!("Pallet.{number}"), 1)]));
        }
        assert_eq!(live.events.len(), MAX_EVENT_NAMES + 1);
        assert_eq!(live.events.get("other"), Some(&10));
    }

    #[test]
    fn faults_are_one_sentence() {
        let mut live = Live::default();
        assert_eq!(live.waiting(), None);
        live.faults.insert("ws://a:1".to_owned(), "cannot connect".to_owned());
        live.faults.insert("ws://b:2".to_owned(), "behind".to_owned());
        assert_eq!(live.waiting().as_deref(), Some("ws://a:1: cannot connect; ws://b:2: behind"));
    }
}
