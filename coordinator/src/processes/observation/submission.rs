//! Submitting `set_keys` until the chain shows the keys.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parity_scale_codec::Encode;
use serai_bus::{Database, DatabaseError};
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, KeyPair, SignatureBytes, ValidatorKey, ValidatorSet};
use subxt::error::{BackendError, ExtrinsicError, RpcError};
use subxt::metadata::Metadata;
use subxt::transactions::TransactionStatus;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::client::{AtBlock, Connection, causes};
use super::error::{EndpointError, Error};
use super::tables::{self, Submission, SubmissionState};
use super::{Settings, chain};
use crate::processes::core::status::State;

/// Submissions that are worked on at the same time; further ones wait for a place.
const AT_ONCE: usize = 8;

/// Open submissions that are looked at: the oldest.
const CONSIDERED: u32 = 256;

/// Pause when there is nothing to do and nobody wakes.
const IDLE: Duration = Duration::from_secs(60);

/// Works on the open submissions. Each one is tried on its own: a refused one waits without
/// holding up the others.
pub(super) struct Submitter {
    pub(super) settings: Arc<Settings>,
    pub(super) database: Database,
    pub(super) connection: watch::Receiver<Option<Connection>>,
    /// Rung when there is a new submission, or when the chain has changed keys.
    pub(super) wake: Arc<Notify>,
}

/// What one attempt came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done(String),
    Failed(String),
    Retry(String),
}

/// The parts of [`Event::SetKeys`].
#[derive(Clone, Copy)]
struct SetKeys<'a> {
    set: ValidatorSet,
    removed: &'a [ValidatorKey],
    key_pair: &'a KeyPair,
    signature: SignatureBytes,
}

impl Submitter {
    /// Runs until the database fails.
    pub(super) async fn run(self) -> Result<Infallible, Error> {
        let mut attempts = FuturesUnordered::new();
        // `None`: an attempt is running. Gone after a restart, which then tries at once.
        let mut due: BTreeMap<i64, Option<Instant>> = BTreeMap::new();
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
                    attempts.push(self.attempt(submission));
                }
            }
            let next = due.values().flatten().min().copied().unwrap_or(now + IDLE);
            tokio::select! {
                Some((submission, outcome)) = attempts.next(), if !attempts.is_empty() => {
                    let pause = self.settle(&submission, outcome)?;
                    match pause {
                        Some(pause) => due.insert(submission.row, Some(Instant::now() + pause)),
                        None => due.remove(&submission.row),
                    };
                }
                () = self.wake.notified() => due.retain(|_, at| at.is_none()),
                () = tokio::time::sleep_until(next), if attempts.len() < AT_ONCE => {}
            }
        }
    }

    /// Stores an outcome; the pause before the next attempt, if there is to be one.
    fn settle(
        &self,
        submission: &Submission,
        outcome: Outcome,
    ) -> Result<Option<Duration>, DatabaseError> {
        let attempts = submission.attempts.saturating_add(1);
        let intent = submission.event.intent();
        let (state, detail, shown) = match outcome {
            Outcome::Done(detail) => {
                tracing::info!(intent, detail, "submission done");
                (SubmissionState::Done, detail, State::Ok)
            }
            Outcome::Failed(detail) => {
                tracing::error!(intent, detail, "submission failed for good");
                (SubmissionState::Failed, detail.clone(), State::Failed(detail))
            }
            Outcome::Retry(detail) => {
                tracing::debug!(intent, detail, attempts, "submission not settled yet");
                (SubmissionState::Open, detail.clone(), State::Waiting(detail))
            }
        };
        self.settings.board.report("observation", intent, shown);
        self.database.transaction(|transaction| {
            tables::set_submission(transaction, submission.row, state, attempts, &detail)
                .map_err(|source| self.database.error(source))
        })?;
        let again = state == SubmissionState::Open;
        Ok(again.then(|| self.settings.submission_backoff(attempts)))
    }

    async fn attempt(&self, submission: Submission) -> (Submission, Outcome) {
        let Event::SetKeys { set, removed, key_pair, signature } = &submission.event else {
            let outcome = Outcome::Failed(format!("{} is not submitted", submission.event.kind()));
            return (submission, outcome);
        };
        let keys = SetKeys { set: *set, removed, key_pair, signature: *signature };
        let outcome = match self.connected().await {
            Some(connection) => match self.submit(&connection, keys).await {
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
        keys: SetKeys<'_>,
    ) -> Result<Outcome, EndpointError> {
        let head = connection.head().await?;
        let at = connection.at(head).await?;
        if let Some(outcome) = self.shown(connection, head, &at, keys).await? {
            return Ok(outcome);
        }
        let current = chain::current_session(connection, &at, keys.set.coin).await?;
        if current != Some(keys.set.session) {
            return Ok(self.not_current(head, current, keys.set));
        }
        let call = match call(at.metadata_ref(), keys) {
            Ok(call) => call,
            Err(reason) => return Ok(Outcome::Retry(reason)),
        };
        let versions = at.metadata_ref().extrinsic().supported_versions();
        let bytes = connection.profile().bare_extrinsic(&call, versions)?;
        let finalized = self.finalized(connection, &at, bytes).await;
        match finalized {
            Err(refusal) => Ok(Outcome::Retry(refusal)),
            Ok(block) => {
                let at = connection.at(block).await?;
                let shown = self.shown(connection, block, &at, keys).await?;
                let hash = block.hash;
                Ok(shown.unwrap_or_else(|| {
                    Outcome::Retry(format!("in block {hash}, but the chain shows no keys"))
                }))
            }
        }
    }

    /// Whether the chain shows keys for the set, now or, as far as the cursor has come, before.
    async fn shown(
        &self,
        connection: &Connection,
        block: SeraiBlock,
        at: &AtBlock,
        keys: SetKeys<'_>,
    ) -> Result<Option<Outcome>, EndpointError> {
        let observed = || {
            self.database.read(|connection| tables::keys(connection, keys.set)).map_err(|error| {
                EndpointError::Request { what: "observed keys", reason: error.to_string() }
            })
        };
        let shown = match chain::keys(connection, at, keys.set).await? {
            Some(shown) => Some(shown),
            None => observed()?,
        };
        Ok(shown.map(|shown| {
            if shown == *keys.key_pair {
                Outcome::Done(format!("the chain shows the keys at block {}", block.number))
            } else {
                Outcome::Failed(format!(
                    "the chain has other keys for {}: {} instead of {}",
                    keys.set,
                    hex::encode(shown.ristretto),
                    hex::encode(keys.key_pair.ristretto)
                ))
            }
        }))
    }

    fn not_current(
        &self,
        head: SeraiBlock,
        current: Option<serai_messages::Session>,
        set: ValidatorSet,
    ) -> Outcome {
        let Some(current) = current.filter(|current| *current > set.session) else {
            return Outcome::Retry(format!("the chain has not come to {set} yet"));
        };
        // The old keys' entry may be gone already: only once the cursor is past this block is it
        // sure that there was none.
        let observed = self.database.read(tables::chain).ok().flatten().and_then(|c| c.cursor);
        if observed.is_some_and(|cursor| cursor.number >= head.number) {
            Outcome::Failed(format!("the chain is at session {current}; {set} got no keys in time"))
        } else {
            Outcome::Retry(format!("the chain is at session {current}; reading up to it"))
        }
    }

    /// Hands an extrinsic to the node and waits for its block to be finalized; else the node's
    /// refusal.
    async fn finalized(
        &self,
        connection: &Connection,
        at: &AtBlock,
        bytes: Vec<u8>,
    ) -> Result<SeraiBlock, String> {
        let extrinsic = at.tx().from_bytes(bytes);
        let submitted =
            tokio::time::timeout(self.settings.request_timeout, extrinsic.submit_and_watch()).await;
        let mut progress = submitted
            .map_err(|_| "the node did not answer to the submission".to_owned())?
            .map_err(|error| refusal(&error))?;
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
        let head = connection.head().await.map_err(|error| error.to_string())?;
        // The block's keys are read at the finalized head: its number is not told here, and what is
        // finalized stays.
        tracing::debug!(%hash, head = head.number.0, "submission finalized");
        Ok(head)
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

/// The bytes of `ValidatorSets.set_keys`: the call's index by name, then its fields as Serai
/// encodes them.
fn call(metadata: &Metadata, keys: SetKeys<'_>) -> Result<Vec<u8>, String> {
    let pallet =
        metadata.pallet_by_name("ValidatorSets").ok_or("the chain has no ValidatorSets")?;
    let variant = pallet
        .call_variant_by_name("set_keys")
        .ok_or("the chain has no call ValidatorSets.set_keys")?;
    let fields: Vec<_> = variant.fields.iter().filter_map(|field| field.name.as_deref()).collect();
    if fields != ["network", "removed_participants", "key_pair", "signature"] {
        return Err(format!("ValidatorSets.set_keys has the fields {fields:?}"));
    }
    Ok(encoded_call([pallet.call_index(), variant.index], keys))
}

fn encoded_call(index: [u8; 2], keys: SetKeys<'_>) -> Vec<u8> {
    let removed: Vec<[u8; 32]> = keys.removed.iter().map(|key| key.0).collect();
    let KeyPair { ristretto, external } = keys.key_pair;
    (index, keys.set.coin.network_id(), removed, ristretto, external, keys.signature.0).encode()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::{Coin, Session};

    use super::*;

    #[test]
    fn set_keys_is_encoded_as_serai_does() {
        let keys = SetKeys {
            set: ValidatorSet { coin: Coin::Eth, session: Session(7) },
            removed: &[ValidatorKey([3; 32])],
            key_pair: &KeyPair { ristretto: [5; 32], external: vec![2; 33] },
            signature: SignatureBytes([9; 64]),
        };
        // Real Serai: outer index 4 (the pallet's is 6), call 0, Ethereum 2.
        let expected = [
            "0400".to_owned(),
            "02".to_owned(),
            format!("04{}", "03".repeat(32)),
            format!("{}84{}", "05".repeat(32), "02".repeat(33)),
            "09".repeat(64),
        ];
        assert_eq!(hex::encode(encoded_call([4, 0], keys)), expected.concat());
    }
}
