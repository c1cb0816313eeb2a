//! Questions and their way to the one who answers.

use serai_messages::{Coin, ProcessorKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::answers::{ANSWER_TIMEOUT, AnswerError, Answers};

/// A question to a running coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The whole picture.
    Status,
    /// The vaults.
    Vaults,
    /// Key generations and signings.
    Sessions,
    /// What one session, or everything unfinished, waits for.
    Explain {
        /// The session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// The other validators.
    Peers,
    /// Batches of instructions.
    Batches,
    /// Payments out.
    Payments,
    /// Whether the vaults hold what Serai owes.
    Solvency,
    /// The topics and their readers.
    Topics,
    /// Lets the readers of a changed topic go on.
    ResumeTopic {
        /// The topic's full name.
        topic: String,
    },
    /// Trusts the key that a processor offers.
    AcceptKey {
        /// The processor's coin.
        coin: Coin,
        /// The key that is expected to be offered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ProcessorKey>,
    },
}

impl Request {
    /// The question's name, as in commands and addresses.
    pub const fn name(&self) -> &'static str {
        match self {
            Request::Status => "status",
            Request::Vaults => "vaults",
            Request::Sessions => "sessions",
            Request::Explain { .. } => "explain",
            Request::Peers => "peers",
            Request::Batches => "batches",
            Request::Payments => "payments",
            Request::Solvency => "solvency",
            Request::Topics => "topics",
            Request::ResumeTopic { .. } => "topics resume",
            Request::AcceptKey { .. } => "keys accept",
        }
    }
}

/// Has a question answered, within its time.
///
/// # Errors
/// The answer's own error, or that it took too long.
pub async fn answer(answers: &dyn Answers, request: &Request) -> Result<Value, AnswerError> {
    let answer = async {
        match request {
            Request::Status => answers.status().await,
            Request::Vaults => answers.vaults().await,
            Request::Sessions => answers.sessions().await,
            Request::Explain { id } => answers.explain(id.as_deref()).await,
            Request::Peers => answers.peers().await,
            Request::Batches => answers.batches().await,
            Request::Payments => answers.payments().await,
            Request::Solvency => answers.solvency().await,
            Request::Topics => answers.topics().await,
            Request::ResumeTopic { topic } => answers.resume_topic(topic).await,
            Request::AcceptKey { coin, key } => answers.accept_key(*coin, *key).await,
        }
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| {
        Err(AnswerError(format!(
            "no answer to {:?} within {ANSWER_TIMEOUT:?}; the coordinator is busy or stuck, see \
             its log",
            request.name()
        )))
    })
}
