//! Backups while the coordinator runs.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use serai_bus::Migration;
use serai_messages::Coin;
use tokio::time::Instant;

use super::Places;
use super::archive::{self, BackupError};
use super::create::create;
use crate::processes::core::status::{Board, State};

/// Time between two looks whether a processor has written a vault that is in no backup.
const LOOK: Duration = Duration::from_secs(5);

/// Pause after a backup that could not be made.
const RETRY: Duration = Duration::from_secs(60);

/// Makes a backup at each interval, and as soon as a vault is in none.
#[derive(Debug)]
pub struct Schedule {
    /// What, and where to.
    pub places: Places,
    /// Time between two.
    pub interval: Duration,
    /// All components' tables.
    pub migrations: Vec<Migration>,
    /// Where it is shown whether backups are made.
    pub board: Board,
}

impl Schedule {
    /// Runs until dropped. A backup that cannot be made is shown and tried again; nothing else stops.
    pub async fn run(self) -> Infallible {
        let (mut next, mut known) = self.resume().await;
        let mut failing = false;
        loop {
            tokio::time::sleep(next.saturating_duration_since(Instant::now()).min(LOOK)).await;
            let vaults = self.vaults();
            let due = Instant::now() >= next;
            if !due && (failing || vaults.is_subset(&known)) {
                continue;
            }
            next = Instant::now() + self.interval;
            let made = self.make().await;
            failing = made.is_err();
            match made {
                // Whether that one has all vaults is not known.
                Ok(None) => next = Instant::now() + LOOK.min(self.interval),
                Ok(Some(name)) => {
                    tracing::info!(backup = name, "backup made, restored and compared");
                    self.board.report("core", "backup", State::Ok);
                    known = vaults;
                }
                Err(error) => {
                    let reason = format!("no backup could be made: {error}");
                    tracing::error!(reason);
                    self.board.report("core", "backup", State::Failed(reason));
                    next = Instant::now() + RETRY.min(self.interval);
                }
            }
        }
    }

    /// When the next one is due by the newest that is there, and the vaults in that.
    async fn resume(&self) -> (Instant, BTreeSet<PathBuf>) {
        let Places { backup_dir, name, .. } = self.places.clone();
        let listed = tokio::task::spawn_blocking(move || archive::list(&backup_dir, &name)).await;
        let listed = listed.ok().and_then(Result::ok).unwrap_or_default();
        let Some(newest) = listed.into_iter().find_map(Result::ok) else {
            return (Instant::now() + LOOK.min(self.interval), BTreeSet::new());
        };
        let age = super::now().duration_since(newest.manifest.made);
        // A clock that was set back makes it due.
        let age = Duration::try_from(age).unwrap_or(self.interval);
        let known = newest.vaults().map(|vault| {
            let data_dir = self.places.data_dir.join("processors");
            match vault.split_once('/') {
                Some((coin, file)) => data_dir.join(coin).join("backup").join(file),
                None => data_dir,
            }
        });
        (Instant::now() + self.interval.saturating_sub(age), known.collect())
    }

    fn vaults(&self) -> BTreeSet<PathBuf> {
        let files = Coin::ALL
            .into_iter()
            .map(|coin| archive::vault_files(&self.places.vaults(coin)).unwrap_or_default());
        files.flatten().collect()
    }

    /// Makes one; none where another program makes one right now.
    async fn make(&self) -> Result<Option<String>, String> {
        let (places, migrations) = (self.places.clone(), self.migrations.clone());
        let made = tokio::task::spawn_blocking(move || create(&places, &migrations)).await;
        match made {
            Ok(Ok(archive)) => Ok(Some(archive.name())),
            Ok(Err(BackupError::Busy { .. })) => Ok(None),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}
