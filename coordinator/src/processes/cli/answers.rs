//! What a running coordinator can be asked.

use std::time::Duration;

use async_trait::async_trait;
use serai_messages::{Coin, ProcessorKey};
use serde_json::Value;

/// Longest that an answer may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a question has no answer: one sentence for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AnswerError(pub String);

/// The coordinator as seen by those who ask. Answers are JSON: lists of objects or one object, with
/// `snake_case` keys; keys that end in `_ms` are milliseconds since the Unix epoch.
#[async_trait]
pub trait Answers: Send + Sync {
    /// The whole picture: name, start chart, processors, chain, peers, queues.
    async fn status(&self) -> Result<Value, AnswerError>;

    /// The vaults: a list.
    async fn vaults(&self) -> Result<Value, AnswerError>;

    /// Key generations and signings: a list.
    async fn sessions(&self) -> Result<Value, AnswerError>;

    /// What a session waits for, or why it failed and by whom, with the evidence; of everything
    /// unfinished where no id is given.
    async fn explain(&self, id: Option<&str>) -> Result<Value, AnswerError>;

    /// The other validators: a list.
    async fn peers(&self) -> Result<Value, AnswerError>;

    /// Batches of instructions: a list.
    async fn batches(&self) -> Result<Value, AnswerError>;

    /// Payments out: a list.
    async fn payments(&self) -> Result<Value, AnswerError>;

    /// Whether the vaults hold what Serai owes: a list.
    async fn solvency(&self) -> Result<Value, AnswerError>;

    /// This validator's topics and where their readers stand: a list.
    async fn topics(&self) -> Result<Value, AnswerError>;

    /// Lets the readers of a topic that was recreated or lost data go on.
    async fn resume_topic(&self, topic: &str) -> Result<Value, AnswerError>;

    /// Trusts the key that a processor last offered.
    async fn accept_key(
        &self,
        coin: Coin,
        expected: Option<ProcessorKey>,
    ) -> Result<Value, AnswerError>;
}
