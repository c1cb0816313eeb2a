//! Putting vaults back from their backups.

use std::path::{Path, PathBuf};

use serai_bus::Database;
use serai_messages::keygen::KeygenId;
use serai_messages::{Coin, Name};

use crate::folder::Folder;
use crate::keystore::{self, Backup, BackupError, Cipher, DamagedSecret, Vault};
use crate::state::{self, StateError};

/// Why a backup is not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The data folder's state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The backup file.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// It was written under another keystore key.
    #[error("{path}: {source}; put the keystore key of that time into the data folder")]
    Key {
        /// The file.
        path: PathBuf,
        /// What did not open.
        source: DamagedSecret,
    },
    /// Of another coin.
    #[error("{path} is a vault of {found}, this processor is for {expected}")]
    Coin {
        /// The file.
        path: PathBuf,
        /// The backup's coin.
        found: Coin,
        /// The processor's.
        expected: Coin,
    },
    /// The folder has other keys of that attempt.
    #[error("{path}: the data folder has another vault of {id} already")]
    Present {
        /// The file.
        path: PathBuf,
        /// The attempt.
        id: KeygenId,
    },
}

/// Restores one backup into a locked folder: the vault is pending there until the coordinator
/// confirms it. It comes without nonces, so that none can sign twice.
///
/// # Errors
/// [`RestoreError`]; nothing is changed then.
pub fn restore(
    folder: &Folder,
    name: &Name,
    coin: Coin,
    cipher: &Cipher,
    path: &Path,
) -> Result<Vault, RestoreError> {
    let Backup { id, key_pair, members, keys } = Backup::read(path)?;
    if id.set.coin != coin {
        let (path, found) = (path.to_owned(), id.set.coin);
        return Err(RestoreError::Coin { path, found, expected: coin });
    }
    cipher
        .open(&keystore::vault_label(id), &keys)
        .map_err(|source| RestoreError::Key { path: path.to_owned(), source })?;
    let (database, _) = state::open(folder.path(), name, coin, cipher)?;
    let vault = Vault { id, key_pair, members, confirmed: false };
    store(&database, &vault, &keys, path)?;
    Ok(vault)
}

fn store(database: &Database, vault: &Vault, keys: &[u8], path: &Path) -> Result<(), RestoreError> {
    database.transaction(|transaction| {
        let wrap = |source| RestoreError::State(StateError::Database(database.error(source)));
        let held = keystore::vault(transaction, vault.id).map_err(wrap)?;
        if held.as_ref().is_some_and(|held| held.key_pair == vault.key_pair) {
            // Restored before.
            return Ok(());
        }
        if held.is_some() {
            return Err(RestoreError::Present { path: path.to_owned(), id: vault.id });
        }
        keystore::insert(transaction, vault, keys, None).map_err(wrap)
    })
}

impl From<serai_bus::DatabaseError> for RestoreError {
    fn from(error: serai_bus::DatabaseError) -> Self {
        RestoreError::State(error.into())
    }
}
