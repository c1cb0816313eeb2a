//! Backups of this coordinator's state and of its processors' vaults (SEED, `backup_dir` and
//! `backup_interval`; DESIGN D4; ADR 0017).
//!
//! ```text
//! {backup_dir}/alice-20261126T234741.123Z/
//!   manifest.json        what it is of, what it holds, checksums
//!   state.sqlite.gz      the coordinator's database as of one instant
//!   btc/btc-0-0.vault    key shares as the processor keeps them: encrypted under its keystore key
//! ```
//!
//! # Owns
//! The folder of backups, and what a restored state must be told.
//!
//! # Promises
//! A backup has its name only once it was restored into a temporary place and every row compared with
//! what was read. No secret is in it in the clear; no preprocess is in it at all. A restored state has
//! a higher incarnation than any life before it, and takes part in nothing in which an earlier life may
//! have spoken ([`crate::processes::core::store::Restored`]).
//!
//! # Limits
//! Keys of this validator are not in it, nor those that its processors' folders hold: keep copies of
//! them elsewhere. The bus is not in it. The vaults of a processor that this coordinator does not
//! manage are where that one writes them.

mod archive;
mod content;
mod create;
mod manifest;
mod restore;
mod schedule;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests;
mod thinning;

pub use archive::{Archive, BackupError, find, list, verify};
pub use create::create;
pub use manifest::Manifest;
pub use restore::{Restoration, restore};
pub use schedule::Schedule;

use std::path::PathBuf;

use serai_bus::wall_clock;
use serai_messages::{Coin, Name};

use super::config::Config;

/// What is backed up, and where to.
#[derive(Clone, Debug)]
pub struct Places {
    /// This validator.
    pub name: Name,
    /// The coordinator's data folder.
    pub data_dir: PathBuf,
    /// The folder of backups.
    pub backup_dir: PathBuf,
}

impl Places {
    /// As configured.
    pub fn new(config: &Config, name: &Name) -> Self {
        Self {
            name: name.clone(),
            data_dir: config.general.data_dir.clone(),
            backup_dir: config.general.backup_dir.clone(),
        }
    }

    /// Where the processor of a coin writes its vaults.
    fn vaults(&self, coin: Coin) -> PathBuf {
        self.data_dir.join("processors").join(coin.name()).join("backup")
    }
}

/// The time by this machine's clock.
fn now() -> jiff::Timestamp {
    let now = i64::try_from(wall_clock::now_ms()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::MAX)
}
