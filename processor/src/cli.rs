//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serai_bus::{BusError, Settings as BusSettings};
use serai_messages::{Coin, Name, ProcessorKey};

use crate::chain::ChainError;
use crate::folder::FolderError;
use crate::restore::RestoreError;
use crate::settings;
use crate::state::StateError;
use crate::vaults::UnreadableFolder;

/// Reference processor: holds a validator's shares of one coin's vault keys.
#[derive(Debug, Parser)]
#[command(name = "serai-processor", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without one, run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: Option<Run>,
}

/// What to do other than run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the public keys of the vaults in a data folder, whether its processor runs or not.
    Vaults {
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what was signed, what each preprocess was used for, and the transactions planned, whether
    /// the processor runs or not.
    Signings {
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the processor's public key, which its coordinator may pin; draws the key if there is
    /// none yet.
    Key {
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
    },
    /// Go on after the bus' topic was recreated or lost data: what it holds now is read from its
    /// beginning. The processor must not run.
    Resume {
        /// The validator's name.
        #[arg(long)]
        name: Name,
        /// The coin.
        #[arg(long)]
        coin: Coin,
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
    },
    /// Put vaults from backup files into a data folder whose processor does not run.
    Restore {
        /// The validator's name.
        #[arg(long)]
        name: Name,
        /// The coin.
        #[arg(long)]
        coin: Coin,
        /// The data folder; its keystore key must be the one of the backups.
        #[arg(long)]
        data: PathBuf,
        /// Backup files.
        #[arg(required = true)]
        backups: Vec<PathBuf>,
    },
}

/// How to run.
#[derive(Debug, Args)]
pub struct Run {
    /// The validator's name, first part of its topics' names.
    #[arg(long)]
    pub name: Name,
    /// The coin: btc, eth or xmr.
    #[arg(long)]
    pub coin: Coin,
    /// The data folder: database, keys, lock.
    #[arg(long)]
    pub data: PathBuf,
    /// The bus: embedded:PATH or kafka:HOST:PORT.
    #[arg(long, required_unless_present = "bus_settings")]
    pub bus: Option<BusAddress>,
    /// TOML file with the keys of the coordinator's `kafka` section; --bus goes before it.
    #[arg(long)]
    pub bus_settings: Option<PathBuf>,
    /// Where the vaults' backups go; DATA/backup where absent.
    #[arg(long)]
    pub backup_dir: Option<PathBuf>,
    /// The coordinator's public key (hex). Without it the first one seen on the topic is kept.
    #[arg(long, value_name = "HEX")]
    pub coordinator_key: Option<ProcessorKey>,
    /// Take this key (hex) as the coordinator's in place of the one kept.
    #[arg(long, value_name = "HEX", conflicts_with = "coordinator_key")]
    pub accept_coordinator_key: Option<ProcessorKey>,
    /// Exit when standard input is closed: when the parent process is gone.
    #[arg(long)]
    pub exit_with_parent: bool,
    /// Milliseconds between two heartbeats.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(10..))]
    pub heartbeat_ms: u64,
    /// Log level or filter, as of the environment variable RUST_LOG.
    #[arg(long, default_value = "info")]
    pub log_level: String,
    /// Address of the external chain's node. Key generation needs none; without one no batch and no
    /// payment is made.
    #[arg(long, value_name = "URL")]
    pub chain_rpc: Option<String>,
    /// Milliseconds between two looks at the external chain's newest finalized block.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(10..))]
    pub chain_poll_ms: u64,
}

/// `embedded:PATH` or `kafka:HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusAddress {
    /// The embedded log's file.
    Embedded(PathBuf),
    /// A Kafka broker.
    Kafka {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl std::str::FromStr for BusAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is no bus: embedded:PATH or kafka:HOST:PORT");
        match text.split_once(':') {
            Some(("embedded", path)) if !path.is_empty() => Ok(Self::Embedded(path.into())),
            Some(("kafka", address)) => {
                let (host, port) = address.rsplit_once(':').ok_or_else(expected)?;
                let port = port.parse().map_err(|_| expected())?;
                Ok(Self::Kafka { host: host.to_owned(), port })
            }
            _ => Err(expected()),
        }
    }
}

/// Why a command ended without success. One sentence each.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The bus cannot be made.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The bus settings cannot be read.
    #[error("bus settings {path}: {reason}")]
    BusSettings {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The processor stopped.
    #[error(transparent)]
    Processor(#[from] settings::Error),
    /// A folder cannot be inspected.
    #[error(transparent)]
    Vaults(#[from] UnreadableFolder),
    /// The external chain's address.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A data folder's state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A backup cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Threads, signals or standard output.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// An option that cannot be used.
    #[error("{0}")]
    Option(String),
}

impl Run {
    /// The bus' settings: of the file, with `--bus` over it.
    ///
    /// # Errors
    /// [`Failure::BusSettings`].
    pub fn bus_settings(&self) -> Result<BusSettings, Failure> {
        let mut settings = match &self.bus_settings {
            None => BusSettings::default(),
            Some(path) => {
                let failure = |reason: String| Failure::BusSettings { path: path.clone(), reason };
                let text =
                    std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
                toml::from_str(&text).map_err(|error| failure(error.to_string()))?
            }
        };
        match &self.bus {
            None => {}
            Some(BusAddress::Embedded(path)) => {
                settings.bus = serai_bus::Kind::Embedded;
                settings.embedded_path = Some(path.clone());
            }
            Some(BusAddress::Kafka { host, port }) => {
                settings.bus = serai_bus::Kind::Kafka;
                settings.kafka_host.clone_from(host);
                settings.kafka_port = *port;
            }
        }
        Ok(settings)
    }

    /// Time between two heartbeats.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}
