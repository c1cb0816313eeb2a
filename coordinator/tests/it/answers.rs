//! A coordinator's answers, played.

use async_trait::async_trait;
use serai_coordinator::processes::cli::{AnswerError, Answers};
use serai_messages::{Coin, ProcessorKey};
use serde_json::{Value, json};

/// Answers each question with its own name; `explain stuck` never answers.
pub struct Echo;

#[async_trait]
impl Answers for Echo {
    async fn status(&self) -> Result<Value, AnswerError> {
        Ok(json!({"name": "alice", "start": [{"step": "load keys", "state": "ok"}]}))
    }

    async fn vaults(&self) -> Result<Value, AnswerError> {
        Ok(json!([]))
    }

    async fn sessions(&self) -> Result<Value, AnswerError> {
        Ok(json!([{"id": "btc-0", "state": "waiting", "reason": "x".repeat(200_000)}]))
    }

    async fn explain(&self, id: Option<&str>) -> Result<Value, AnswerError> {
        match id {
            Some("stuck") => std::future::pending().await,
            Some("none") => Err(AnswerError("there is no session none".to_owned())),
            id => Ok(json!([{"id": id}])),
        }
    }

    async fn peers(&self) -> Result<Value, AnswerError> {
        Ok(json!([{"validator": "bob", "connected": true}]))
    }

    async fn batches(&self) -> Result<Value, AnswerError> {
        Ok(json!([{"coin": "btc", "id": 3, "state": "executed"}]))
    }

    async fn payments(&self) -> Result<Value, AnswerError> {
        Ok(json!([{"id": "9-4", "coin": "btc", "state": "requested"}]))
    }

    async fn solvency(&self) -> Result<Value, AnswerError> {
        Ok(json!([{"coin": "btc", "state": "solvent", "missing": "0"}]))
    }

    async fn topics(&self) -> Result<Value, AnswerError> {
        Ok(json!([{"topic": "alice-btc"}]))
    }

    async fn resume_topic(&self, topic: &str) -> Result<Value, AnswerError> {
        Ok(json!({"resumed": topic}))
    }

    async fn accept_key(
        &self,
        coin: Coin,
        expected: Option<ProcessorKey>,
    ) -> Result<Value, AnswerError> {
        Ok(json!({"coin": coin, "trusted": expected}))
    }
}
