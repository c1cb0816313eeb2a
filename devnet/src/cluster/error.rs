//! Why a cluster does not start, or does not answer.

use serai_messages::Name;

use super::LayoutError;
use crate::chain::ChainError;
use crate::external::ExternalError;

/// Why a cluster does not start, or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The data folder.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Ports that the network has kept since its first run.
    #[error(
        "port {0}, which this network has had since its first run, is in use; stop the program \
         that uses it, or start anew with --fresh"
    )]
    PortInUse(u16),
    /// The broker holds records of another network.
    #[error(
        "topic {0} holds records of another network; --fresh drops them, or use another broker"
    )]
    ForeignTopic(String),
    /// The bus.
    #[error("cannot prepare the topics on {bus}: {source}")]
    Bus {
        /// The bus.
        bus: String,
        /// Why.
        source: serai_bus::BusError,
    },
    /// A program does not stay up.
    #[error("{0}")]
    Failed(String),
    /// The chain does not answer.
    #[error("the chain does not answer; see {log}: {source}")]
    NoChain {
        /// Its log file.
        log: String,
        /// What was said last.
        source: Box<ChainError>,
    },
    /// A simulated network.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A validator's configuration or keys.
    #[error("cannot make the keys of {name}: {reason}")]
    Keys {
        /// The validator.
        name: Name,
        /// Why.
        reason: String,
    },
    /// A command of the coordinator could not be run.
    #[error("cannot run {program}: {source}")]
    NoCommand {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A command of the coordinator failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command.
        command: String,
        /// What it printed.
        reason: String,
    },
}
