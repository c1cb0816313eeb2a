//! The loop over what is to be submitted.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serai_bus::{Database, DatabaseError, Waker, crash_point};
use serai_messages::BlockHash;
use serai_messages::observation::{Event, SeraiBlock};
use subxt::error::{BackendError, ExtrinsicError, RpcError};
use subxt::transactions::TransactionStatus;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::Settings;
use super::super::client::{Connection, causes};
use super::super::error::{EndpointError, Error};
use super::super::tables::{self, Submission, SubmissionState};
use super::super::{feed, wire};
use super::batch::{self, SignedBatch};
use super::call::{Look, Outcome, View};
use super::set_keys::{self, SetKeys};
use super::slash_report::{self, SlashReport};
use crate::processes::core::public::Feed;
use crate::processes::core::status::State;

/// Submissions that are worked on at the same time; further ones wait for a place.
const AT_ONCE: usize = 8;

/// Open submissions that are looked at: the oldest.
const CONSIDERED: u32 = 256;

/// Failures of former runs that are shown again.
const SHOWN_FAILURES: usize = 16;

/// Pause when there is nothing to do and nobody wakes.
const IDLE: Duration = Duration::from_secs(60);

/// Works on the open submissions. Each one is tried on its own: a refused one waits without
/// holding up the others.
pub(in super::super) struct Submitter {
    pub(in super::super) settings: Arc<Settings>,
    pub(in super::super) database: Database,
    pub(in super::super) connection: watch::Receiver<Option<Connection>>,
    /// Rung when there is a new submission, or when the chain has changed what one waits for.
    pub(in super::super) wake: Arc<Notify>,
    pub(in super::super) feed: Feed,
    /// Wakes the public feed's publisher.
    pub(in super::super) waker: Waker,
}

impl Submitter {
    /// Runs until the database fails.
    pub(in super::super) async fn run(self) -> Result<Infallible, Error> {
        self.show_failures()?;
        let this = &self;
        let mut attempts = FuturesUnordered::new();
        // `None`: an attempt is running. Gone after a restart, which then tries at once.
        let mut due: BTreeMap<i64, Option<Instant>> = BTreeMap::new();
        let mut rung: u64 = 0;
        loop {
            let open = self.database.read(|connection| {
                tables::submissions(connection, SubmissionState::Open, CONSIDERED)
            })?;
            let now = Instant::now();
            for submission in open {
                let when = due.get(&submission.row).copied();
                if attempts.len() < AT_ONCE && when.is_none_or(|at| at.is_some_and(|at| at <= now))
                {
                    due.insert(submission.row, None);
                    attempts.push(async move { (rung, this.attempt(submission).await) });
                }
            }
            let next = due.values().flatten().min().copied().unwrap_or(now + IDLE);
            tokio::select! {
                Some((begun, (submission, outcome))) = attempts.next(), if !attempts.is_empty() => {
                    match self.settle(&submission, outcome)? {
                        // What the attempt saw may be older than what it was rung for.
                        Some(_) if begun != rung => due.remove(&submission.row),
                        Some(pause) => due.insert(submission.row, Some(Instant::now() + pause)),
                        None => due.remove(&submission.row),
                    };
                }
                () = self.wake.notified() => {
                    rung = rung.wrapping_add(1);
                    due.retain(|_, at| at.is_none());
                }
                () = tokio::time::sleep_until(next), if attempts.len() < AT_ONCE => {}
            }
        }
    }

    /// Shows what failed for good in a former run and needs a person.
    fn show_failures(&self) -> Result<(), DatabaseError> {
        let failed = self.database.read(|connection| {
            tables::submissions(connection, SubmissionState::Failed, CONSIDERED)
        })?;
        // Keys that came too late are not among them: the chain has others.
        let for_a_person = failed.into_iter().filter(|failed| !is_set_keys(&failed.event));
        for submission in for_a_person.take(SHOWN_FAILURES) {
            let state = State::Failed(submission.detail);
            self.settings.board.report("observation", submission.event.intent(), state);
        }
        Ok(())
    }

    /// Stores an outcome; the pause before the next attempt, if there is to be one.
    fn settle(
        &self,
        submission: &Submission,
        outcome: Outcome,
    ) -> Result<Option<Duration>, DatabaseError> {
        let attempts = submission.attempts.saturating_add(1);
        let intent = submission.event.intent();
        match &outcome {
            Outcome::Done(detail) => tracing::info!(intent, detail, "submission done"),
            Outcome::Failed(detail) => {
                tracing::error!(intent, detail, "submission failed for good")
            }
            Outcome::Retry(detail) => {
                tracing::debug!(intent, detail, attempts, "submission not settled yet");
            }
        }
        self.show(&submission.event, &outcome);
        let (state, detail) = match outcome {
            Outcome::Done(detail) => (SubmissionState::Done, detail),
            Outcome::Failed(detail) => (SubmissionState::Failed, detail),
            Outcome::Retry(detail) => (SubmissionState::Open, detail),
        };
        self.database.transaction(|transaction| {
            tables::set_submission(transaction, submission.row, state, attempts, &detail)
                .map_err(|source| self.database.error(source))
        })?;
        let again = state == SubmissionState::Open;
        Ok(again.then(|| self.settings.submission_backoff(attempts)))
    }

    /// Shows an outcome. Batches go on for ever, so that those of a network wait under one name and
    /// leave none when they are done.
    fn show(&self, event: &Event, outcome: &Outcome) {
        let board = &self.settings.board;
        let intent = event.intent();
        let waiting = match event {
            Event::Batch { set, .. } => format!("submit/batch/{}", set.coin),
            _ => intent.clone(),
        };
        match outcome {
            Outcome::Retry(detail) => {
                board.report("observation", waiting, State::Waiting(detail.clone()));
            }
            Outcome::Failed(detail) => {
                board.withdraw("observation", &waiting);
                board.report("observation", intent, State::Failed(detail.clone()));
            }
            Outcome::Done(_) if is_set_keys(event) => {
                board.report("observation", intent, State::Ok);
            }
            Outcome::Done(_) => {
                board.withdraw("observation", &waiting);
                board.withdraw("observation", &intent);
            }
        }
    }

    async fn attempt(&self, submission: Submission) -> (Submission, Outcome) {
        let outcome = match self.connected().await {
            Some(connection) => match self.submit(&connection, &submission).await {
                Ok(outcome) => outcome,
                Err(error) => Outcome::Retry(error.to_string()),
            },
            None => Outcome::Retry("the connection to serai is gone".to_owned()),
        };
        (submission, outcome)
    }

    /// Waits for a connection.
    async fn connected(&self) -> Option<Connection> {
        let mut connection = self.connection.clone();
        connection.wait_for(Option::is_some).await.ok().and_then(|current| current.clone())
    }

    /// Looks whether there is something to submit, submits it, and looks again.
    async fn submit(
        &self,
        connection: &Connection,
        submission: &Submission,
    ) -> Result<Outcome, EndpointError> {
        let view = self.view(connection, connection.head().await?).await?;
        let call = match look(&view, &submission.event).await? {
            Look::Settled(outcome) => return Ok(outcome),
            Look::Submit(call) => call,
        };
        let versions = view.at.metadata_ref().extrinsic().supported_versions();
        let bytes = connection.profile().bare_extrinsic(&call, versions)?;
        let head = match self.finalized(&view, submission, bytes).await {
            Ok(head) => head,
            Err(refusal) => return Ok(Outcome::Retry(refusal)),
        };
        let view = self.view(connection, head).await?;
        Ok(match look(&view, &submission.event).await? {
            Look::Settled(outcome) => outcome,
            Look::Submit(_) => Outcome::Retry(format!(
                "in a finalized block, but the chain shows no effect at block {}",
                head.number
            )),
        })
    }

    async fn view<'a>(
        &'a self,
        connection: &'a Connection,
        block: SeraiBlock,
    ) -> Result<View<'a>, EndpointError> {
        let at = connection.at(block).await?;
        Ok(View { connection, block, at, database: &self.database })
    }

    /// Hands an extrinsic to the node and waits for its block to be finalized; else the node's
    /// refusal.
    async fn finalized(
        &self,
        view: &View<'_>,
        submission: &Submission,
        bytes: Vec<u8>,
    ) -> Result<SeraiBlock, String> {
        let extrinsic = view.at.tx().from_bytes(bytes);
        let kind = submission.event.kind();
        crash_point::pass(|| format!("submission before {kind} is handed over"));
        let submitted =
            tokio::time::timeout(self.settings.request_timeout, extrinsic.submit_and_watch()).await;
        crash_point::pass(|| format!("submission after {kind} is handed over"));
        let mut progress = submitted
            .map_err(|_| "the node did not answer to the submission".to_owned())?
            .map_err(|error| refusal(&error))?;
        self.handed_over(submission).map_err(|error| error.to_string())?;
        let deadline = Instant::now() + self.settings.finality_timeout;
        let hash = loop {
            let status = tokio::time::timeout_at(deadline, progress.next())
                .await
                .map_err(|_| "submitted, but not finalized in time".to_owned())?
                .ok_or("submitted, but the node stopped telling about it")?
                .map_err(|error| causes(&error))?;
            match status {
                TransactionStatus::InFinalizedBlock(block) => {
                    break BlockHash(block.block_hash().0);
                }
                TransactionStatus::Error { message }
                | TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message } => return Err(message),
                _ => {}
            }
        };
        let head = view.connection.head().await.map_err(|error| error.to_string())?;
        // The effect is looked for at the finalized head: its number is not told here, and what is
        // finalized stays.
        tracing::debug!(%hash, head = head.number.0, "submission finalized");
        Ok(head)
    }

    /// Notes that a node has taken it, and tells of a batch.
    fn handed_over(&self, submission: &Submission) -> Result<(), DatabaseError> {
        let work = |transaction: &rusqlite::Transaction<'_>| {
            if !tables::hand_over(transaction, submission.row)? {
                return Ok(());
            }
            let Event::Batch { set, batch, .. } = &submission.event else { return Ok(()) };
            let Ok(batch) = wire::batch(batch) else { return Ok(()) };
            self.feed.publish(transaction, &feed::submitted(*set, &batch))
        };
        self.database.transaction(|transaction| {
            work(transaction).map_err(|source| self.database.error(source))
        })?;
        self.waker.wake();
        Ok(())
    }
}

fn is_set_keys(event: &Event) -> bool {
    matches!(event, Event::SetKeys { .. })
}

/// How the chain stands to what is to be submitted.
async fn look(view: &View<'_>, event: &Event) -> Result<Look, EndpointError> {
    match event {
        Event::SetKeys { set, removed, key_pair, signature } => {
            let keys = SetKeys { set: *set, removed, key_pair, signature: *signature };
            set_keys::look(view, keys).await
        }
        Event::Batch { set, id, batch, signature } => {
            let signed = SignedBatch { set: *set, id: *id, batch, signature: *signature };
            batch::look(view, signed).await
        }
        Event::SlashReport { set, report, signature } => {
            let signed = SlashReport { set: *set, report, signature: *signature };
            slash_report::look(view, signed).await
        }
        other => Ok(Look::failed(format!("{} is not submitted", other.kind()))),
    }
}

/// A node's refusal in its own words, which it gives as data beside a general message.
fn refusal(error: &ExtrinsicError) -> String {
    let ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(
        subxt::rpcs::Error::User(user),
    ))) = error
    else {
        return causes(error);
    };
    let data = user.data.as_ref().map(|data| format!(": {}", data.get())).unwrap_or_default();
    format!("refused by the node: {}{data} ({})", user.message, user.code)
}
