//! A whole network as separate processes: one chain, an external network per coin, a coordinator per
//! validator, and their processors.
//!
//! ```text
//!  Cluster ─ supervisor ─ serai-devchain
//!          ├ supervisor ─ serai-simchain btc, eth, xmr
//!          ├ supervisor ─ serai-coordinator alice ─ serai-processor btc, eth, xmr
//!          ├ supervisor ─ serai-coordinator bob   ─ ...
//! ```
//!
//! # Owns
//! The data folder (what is in it: [`Layout`]), the processes, and their ports.
//!
//! # Promises
//! A process that ends is started again after a pause that doubles, and a [`Notice`] says so.
//! Each child reads end-of-file from its standard input when this process is gone, however it went,
//! and ends then; [`Cluster::stop`] ends them in order. One data folder serves one cluster at a
//! time. Ports and keys are kept in the folder, so that a second run is the same network.
//!
//! # Limits
//! One machine, loopback only, Linux (`/proc` says which processors live).

mod census;
mod child;
mod commands;
mod configuration;
mod error;
mod layout;
mod network;
mod ports;
mod settings;
mod supervisor;
mod topics;

pub use census::{Processor, processors};
pub use configuration::Identity;
pub use error::ClusterError;
pub use layout::{Layout, LayoutError};
pub use network::Cluster;
pub use ports::Ports;
pub use settings::{BusChoice, Settings, names};
pub use supervisor::{Notice, NoticeKind, Program};
