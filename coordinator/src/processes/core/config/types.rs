//! The configuration as the processes see it: checked, with defaults in place and paths absolute.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use libp2p::Multiaddr;
use serai_messages::{Coin, Name, ProcessorKey, ValidatorKey};
use serde::{Deserialize, Serialize};

/// Mode of the coordinator (the seed's `--mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Stakes are real: keys are never generated, processors' keys are pinned, the bus is Kafka.
    Production,
    /// One person's machine.
    Development,
    /// Automated tests.
    Test,
}

impl Mode {
    /// The mode's name and that of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Production => "production",
            Mode::Development => "development",
            Mode::Test => "test",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The mode that it was read for.
    pub mode: Mode,
    /// `[general]`.
    pub general: General,
    /// `[chains]`.
    pub chains: Chains,
    /// `[kafka]`: the bus.
    pub kafka: serai_bus::Settings,
    /// `[observation]`.
    pub observation: Observation,
    /// `[network]`.
    pub network: Network,
    /// `[processors.<coin>]` of each enabled coin, defaults where the section is absent.
    pub processors: BTreeMap<Coin, Processor>,
    /// `[keys]`.
    pub keys: Keys,
    /// `[protocol]`.
    pub protocol: Protocol,
    /// `[http]`.
    pub http: Http,
    /// `[solvency]`.
    pub solvency: Solvency,
    /// What is allowed but worth a person's attention, one sentence each.
    pub notices: Vec<String>,
}

/// `[general]`.
#[derive(Clone, Debug)]
pub struct General {
    /// A level (`info`) or directives of tracing's filter (`info,libp2p=warn`).
    pub log_level: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Folder of the state, the admin socket and the processors.
    pub data_dir: PathBuf,
    /// Folder of backups.
    pub backup_dir: PathBuf,
    /// Time between backups.
    pub backup_interval: Duration,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[chains]`.
#[derive(Clone, Debug)]
pub struct Chains {
    /// Coins that this validator has processors for, in wire order.
    pub enabled: Vec<Coin>,
    /// The node of each coin's chain, handed to its processor.
    pub rpc: BTreeMap<Coin, SensitiveUrl>,
}

/// An address that may hold a password: printed without its user part, path and query.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SensitiveUrl(String);

impl SensitiveUrl {
    /// The whole address.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SensitiveUrl {
    type Error = &'static str;
    fn try_from(value: String) -> Result<Self, &'static str> {
        match value.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => Ok(Self(value)),
            _ => Err("not an address of the form scheme://host:port"),
        }
    }
}

impl fmt::Display for SensitiveUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}")
    }
}

impl fmt::Debug for SensitiveUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `[observation]`.
#[derive(Clone, Debug)]
pub struct Observation {
    /// WebSocket addresses of Serai nodes, from `rpc_host` and `rpc_port`, in order of preference.
    pub endpoints: Vec<String>,
    /// Which Serai the nodes speak.
    pub profile: Profile,
}

/// A chain profile (DESIGN D7): what differs between the development chain and Serai.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The development chain.
    Development,
    /// Serai itself.
    Serai,
}

/// `[network]`.
#[derive(Clone, Debug)]
pub struct Network {
    /// Names of the party's members, this validator's among them; empty where the chain alone says
    /// who is a validator.
    pub party: Vec<Name>,
    /// Where to listen.
    pub listen: Vec<Multiaddr>,
    /// What is known of members beyond the chain.
    pub members: BTreeMap<Name, Member>,
}

/// `[network.members.<name>]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its sr25519 public key.
    pub validator: Option<ValidatorKey>,
    /// Where it listens, each ending in `/p2p/PEER-ID`.
    pub addresses: Vec<Multiaddr>,
}

/// `[processors.<coin>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Whether the coordinator starts, watches and stops it.
    pub managed: bool,
    /// Program and first arguments; the coordinator appends its own.
    pub command: Vec<String>,
    /// Names of environment variables handed on to it beside the usual few.
    pub pass_env: Vec<String>,
    /// Silence after which it counts as hung.
    pub heartbeat_timeout: Duration,
    /// Time that it gets to stop before it is killed.
    pub stop_timeout: Duration,
    /// First pause before a restart.
    pub backoff_min: Duration,
    /// Longest pause before a restart.
    pub backoff_max: Duration,
    /// Its X25519 public key; needed in production.
    pub pinned_key: Option<ProcessorKey>,
}

/// `[keys]`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Where keys come from.
    pub source: KeySource,
    /// Folder of key files.
    pub dir: PathBuf,
    /// Written before each key's name, in environment variables and for the command.
    pub env_prefix: String,
    /// A secrets manager's client; the key's name is appended, its output is the key in hex.
    pub command: Vec<String>,
}

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeySource {
    /// Files in `dir`.
    Files,
    /// Environment variables.
    Environment,
    /// The output of `command`.
    Command,
}

/// `[protocol]`.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Finalized Serai blocks after which a silent member is left out of the next attempt.
    pub attempt_blocks: u32,
}

/// `[http]`.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to serve; `None` switches the pages off.
    pub listen: Option<SocketAddr>,
}

/// `[solvency]`.
#[derive(Clone, Debug)]
pub struct Solvency {
    /// What follows when a vault holds less than it owes.
    pub on_shortfall: ShortfallAction,
}

/// What follows when a vault holds less than it owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShortfallAction {
    /// It is reported.
    Report,
    /// It is reported, and no further payment is signed.
    Pause,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_without_their_secrets() {
        let url = SensitiveUrl::try_from("http://me:secret@node:8332/token?x=secret".to_owned());
        let url = url.unwrap();
        assert_eq!(format!("{url} {url:?}"), "http://node:8332 http://node:8332");
        assert!(url.expose().contains("secret"));
        assert!(SensitiveUrl::try_from("node:8332".to_owned()).is_err());
    }
}
