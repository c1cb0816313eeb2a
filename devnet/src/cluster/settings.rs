//! What a cluster is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serai_messages::{Coin, Name};
use serde::{Deserialize, Serialize};

/// Which bus the validators use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusChoice {
    /// A log file per validator.
    Embedded,
    /// One Kafka broker for all; topics carry the validators' names.
    Kafka {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl FromStr for BusChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no bus; write embedded or kafka=HOST:PORT");
        if text == "embedded" {
            return Ok(BusChoice::Embedded);
        }
        let (host, port) = text
            .strip_prefix("kafka=")
            .and_then(|address| address.rsplit_once(':'))
            .filter(|(host, _)| !host.is_empty())
            .ok_or_else(wrong)?;
        Ok(BusChoice::Kafka { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for BusChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusChoice::Embedded => f.write_str("embedded"),
            BusChoice::Kafka { host, port } => write!(f, "kafka={host}:{port}"),
        }
    }
}

/// What a cluster is made of; written to the data folder at the first start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The validators' names.
    pub validators: Vec<Name>,
    /// How many of them are in the first set, by their order here; the others hold a key and stake
    /// and may be elected later.
    pub set_size: usize,
    /// The coins.
    pub coins: Vec<Coin>,
    /// The bus.
    pub bus: BusChoice,
    /// Time between the chain's blocks, in milliseconds.
    pub block_ms: u64,
    /// Finalized blocks after which a silent member is left out of the next attempt.
    pub attempt_blocks: u32,
    /// Time between the simulated external chains' blocks, in milliseconds.
    #[serde(default = "external_ms")]
    pub external_ms: u64,
    /// Blocks on top of an external block that make it final.
    #[serde(default = "confirmations")]
    pub confirmations: u64,
    /// The command of the processors that a validator runs in place of the usual program; for tests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub odd_processors: BTreeMap<Name, Vec<String>>,
    /// Likewise the command of a validator's coordinator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub odd_coordinators: BTreeMap<Name, Vec<String>>,
}

/// Block time of the simulated external chains where nobody asks for another.
fn external_ms() -> u64 {
    500
}

/// Confirmations on the simulated external chains.
fn confirmations() -> u64 {
    3
}

impl Settings {
    /// Time after which members count as silent, whatever the block time.
    const ATTEMPT_MS: u64 = 30_000;
    /// Shortest block time of the external chains: every tenth block is a batch, which is signed.
    const EXTERNAL_MS_MIN: u64 = 250;

    /// `count` validators in one set for these coins, over the embedded bus, a block a second.
    pub fn new(count: usize, coins: &[Coin]) -> Self {
        Self {
            validators: names(count),
            set_size: count,
            coins: coins.to_vec(),
            bus: BusChoice::Embedded,
            block_ms: 1_000,
            attempt_blocks: 30,
            external_ms: external_ms(),
            confirmations: confirmations(),
            odd_processors: BTreeMap::new(),
            odd_coordinators: BTreeMap::new(),
        }
    }

    /// The same with another block time; members have as long to answer as before.
    #[must_use]
    pub fn with_block_ms(mut self, block_ms: u64) -> Self {
        self.block_ms = block_ms.max(1);
        self.external_ms = (self.block_ms / 2).clamp(Self::EXTERNAL_MS_MIN, external_ms());
        self.attempt_blocks =
            u32::try_from(Self::ATTEMPT_MS / self.block_ms).unwrap_or(u32::MAX).max(1);
        self
    }
}

/// The first `count` validators' names: those of Substrate's development accounts, then numbers.
pub fn names(count: usize) -> Vec<Name> {
    const FIRST: [&str; 6] = ["alice", "bob", "charlie", "dave", "eve", "ferdie"];
    (0..count)
        .filter_map(|index| match FIRST.get(index) {
            Some(name) => name.parse().ok(),
            None => format!("validator-{}", index + 1).parse().ok(),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn buses_as_written() {
        for text in ["embedded", "kafka=127.0.0.1:9092", "kafka=[::1]:9092"] {
            assert_eq!(text.parse::<BusChoice>().unwrap().to_string(), text);
        }
        for text in ["", "kafka", "kafka=host", "kafka=:9092", "kafka=host:x", "redis"] {
            assert!(text.parse::<BusChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_go_on_with_numbers() {
        let names: Vec<String> = names(8).into_iter().map(String::from).collect();
        assert_eq!(names[0], "alice");
        assert_eq!(names[5..], ["ferdie", "validator-7", "validator-8"]);
    }

    #[test]
    fn patience_is_time_not_blocks() {
        let settings = Settings::new(4, &[Coin::Btc]).with_block_ms(300);
        assert_eq!(settings.attempt_blocks, 100);
        assert_eq!(settings.with_block_ms(60_000).attempt_blocks, 1);
    }
}
