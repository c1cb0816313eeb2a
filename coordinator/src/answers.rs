//! What a running coordinator answers, put together from all processes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serai_bus::{Bus, Database, DatabaseError, exchange};
use serai_messages::{Coin, Incarnation, Name, ProcessorKey, Topic, ValidatorKey};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::processes::cli::{AnswerError, Answers};
use crate::processes::core::keys;
use crate::processes::core::status::Board;
use crate::processes::core::store;
use crate::processes::{lifecycle, network, observation, signature};

/// Longest that one process may take to answer; the others' answers are given without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the processes.
pub struct Answering {
    /// This validator's name.
    pub name: Name,
    /// Its key.
    pub validator: ValidatorKey,
    /// Incarnation of this instance.
    pub incarnation: Incarnation,
    /// Coins enabled here.
    pub coins: Vec<Coin>,
    /// The start chart and facts.
    pub board: Board,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// The coordinator's state.
    pub database: Database,
    /// The processors.
    pub lifecycle: lifecycle::Mailbox,
    /// Serai.
    pub observation: observation::Mailbox,
    /// The other validators.
    pub network: network::Mailbox,
    /// Sessions and vaults.
    pub signature: signature::Mailbox,
}

#[async_trait]
impl Answers for Answering {
    async fn status(&self) -> Result<Value, AnswerError> {
        let mut status = json!({
            "name": self.name,
            "validator": self.validator,
            "incarnation": self.incarnation,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(restored) = self.database.read(store::restored).map_err(unanswered)? {
            status["restored"] = json!({ "at_ms": restored.at_ms, "block": restored.block });
        }
        let board = self.board.to_json();
        for key in ["start", "facts", "facts_dropped"] {
            status[key] = board[key].clone();
        }
        status["causes"] = json!(self.board.causes());
        status["processors"] = json!(self.lifecycle.status());
        status["signings"] = self.signature.signings().map_err(unanswered)?;
        status["messages"] = self.signature.versions(self.validator).map_err(unanswered)?;
        status["serai"] = match timeout(PATIENCE, self.observation.status()).await {
            Ok(Ok(serai)) => json!(serai),
            Ok(Err(error)) => json!({"error": error.to_string()}),
            Err(_) => json!({"error": "the observation process is busy"}),
        };
        status["network"] = match timeout(PATIENCE, self.network.status()).await {
            Ok(Some(network)) => json!({
                "peer_id": network.peer_id,
                "listening": network.listening,
                "announces": network.announces,
                "denied": network.denied,
                "peers": network.peers.len(),
                "proven": network.peers.iter().filter(|peer| peer.proven).count(),
            }),
            Ok(None) => json!({"error": "the network process is not running"}),
            Err(_) => json!({"error": "the network process waits for the Serai node"}),
        };
        Ok(status)
    }

    async fn vaults(&self) -> Result<Value, AnswerError> {
        self.signature.vaults().map_err(unanswered)
    }

    async fn sessions(&self) -> Result<Value, AnswerError> {
        self.signature.sessions().map_err(unanswered)
    }

    async fn explain(&self, id: Option<&str>) -> Result<Value, AnswerError> {
        let solvency = |connection: &rusqlite::Connection| observation::list_solvency(connection);
        let solvency = self.database.read(solvency).map_err(unanswered)?;
        if let Some(coin) = id.and_then(|id| id.strip_prefix("solvency/")) {
            let found = solvency.into_iter().find(|solvency| solvency.coin.name() == coin);
            return match found {
                Some(solvency) => Ok(json!([explained(&solvency)])),
                None => Err(AnswerError(format!(
                    "nothing is known of {coin:?} yet: solvency is checked at executed batches"
                ))),
            };
        }
        let mut explained_all =
            self.signature.explain(id).map_err(unanswered)?.map_err(AnswerError)?;
        if let (None, Value::Array(list)) = (id, &mut explained_all) {
            let short = solvency.iter().filter(|solvency| solvency.state == "short");
            list.extend(short.map(explained));
        }
        Ok(explained_all)
    }

    async fn peers(&self) -> Result<Value, AnswerError> {
        let peers = timeout(PATIENCE, self.network.peers()).await.map_err(|_| {
            AnswerError("the network process waits for the Serai node; see `status`".to_owned())
        })?;
        serde_json::to_value(peers).map_err(unanswered)
    }

    async fn batches(&self) -> Result<Value, AnswerError> {
        self.listed(observation::list_batches)
    }

    async fn payments(&self) -> Result<Value, AnswerError> {
        self.listed(observation::list_payments)
    }

    async fn solvency(&self) -> Result<Value, AnswerError> {
        self.listed(observation::list_solvency)
    }

    async fn topics(&self) -> Result<Value, AnswerError> {
        let mut topics = Vec::new();
        for topic in self.topic_names() {
            let read = self.database.read(|connection| {
                let readers = exchange::consumers(connection, &topic)?;
                Ok((readers, exchange::waiting(connection, &topic)?))
            });
            let (readers, waiting) = read.map_err(unanswered)?;
            let held = match self.bus.info(&topic).await {
                Ok(info) => json!({"earliest": info.earliest, "next": info.next}),
                Err(error) => json!({"error": error.to_string()}),
            };
            let readers: Vec<Value> = readers
                .into_iter()
                .map(|(reader, position)| {
                    json!({"reader": reader, "handled": position.map(|position| position.offset)})
                })
                .collect();
            topics.push(json!({
                "topic": topic, "held": held, "readers": readers, "to_be_published": waiting,
            }));
        }
        Ok(Value::Array(topics))
    }

    async fn resume_topic(&self, topic: &str) -> Result<Value, AnswerError> {
        if !self.topic_names().iter().any(|name| name == topic) {
            return Err(AnswerError(format!(
                "{topic:?} is no topic of this coordinator; its topics: {}",
                self.topic_names().join(", ")
            )));
        }
        let readers = self.database.transaction(|transaction| {
            exchange::forget_position(transaction, topic)
                .map_err(|source| self.database.error(source))
        });
        let readers: usize = readers.map_err(|error: DatabaseError| unanswered(error))?;
        Ok(json!({
            "topic": topic,
            "readers": readers,
            "note": "they begin at the oldest record once the coordinator is started again",
        }))
    }

    async fn accept_key(
        &self,
        coin: Coin,
        expected: Option<ProcessorKey>,
    ) -> Result<Value, AnswerError> {
        let accepted =
            self.database.transaction(|transaction| keys::accept(transaction, coin, expected));
        let key = accepted.map_err(unanswered)?;
        Ok(json!({
            "coin": coin,
            "key": key,
            "note": "it is used once the coordinator is started again",
        }))
    }
}

impl Answering {
    fn listed<T: serde::Serialize>(
        &self,
        list: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<Vec<T>>,
    ) -> Result<Value, AnswerError> {
        let rows = self.database.read(list).map_err(unanswered)?;
        serde_json::to_value(rows).map_err(unanswered)
    }

    fn topic_names(&self) -> Vec<String> {
        self.coins
            .iter()
            .map(|coin| Topic::Chain(*coin))
            .chain([Topic::Serai, Topic::Public, Topic::DeadLetter])
            .map(|topic| topic.full_name(&self.name))
            .collect()
    }
}

fn explained(solvency: &observation::SolvencyStatus) -> Value {
    let mut explained = json!(solvency);
    explained["id"] = format!("solvency/{}", solvency.coin).into();
    explained["kind"] = "solvency".into();
    explained
}

fn unanswered(error: impl std::fmt::Display) -> AnswerError {
    AnswerError(error.to_string())
}
