//! What a data folder holds, for scripts: read beside a running processor.

use std::path::Path;

use rusqlite::Connection;
use serai_bus::Database;
use serai_messages::Coin;

use crate::keystore::{self, Vault};
use crate::state::database_path;

/// Why the folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct UnreadableFolder {
    path: String,
    reason: String,
}

/// A vault as it is printed.
#[derive(Debug, serde::Serialize)]
pub struct VaultReport {
    /// The set, for example `btc-0`.
    pub set: String,
    /// Its coin.
    pub coin: Coin,
    /// Its session.
    pub session: u32,
    /// The attempt that made the keys.
    pub attempt: u32,
    /// Ristretto public key, hex.
    pub ristretto_key: String,
    /// The external chain's public key, hex.
    pub external_key: String,
    /// `confirmed` once Serai has these keys, else `pending`.
    pub state: &'static str,
}

impl From<Vault> for VaultReport {
    fn from(vault: Vault) -> Self {
        Self {
            set: vault.id.set.to_string(),
            coin: vault.id.set.coin,
            session: vault.id.set.session.0,
            attempt: vault.id.attempt.0,
            ristretto_key: hex::encode(vault.key_pair.ristretto),
            external_key: hex::encode(&vault.key_pair.external),
            state: if vault.confirmed { "confirmed" } else { "pending" },
        }
    }
}

/// The vaults in a data folder, whether its processor runs or not.
///
/// # Errors
/// [`UnreadableFolder`] when no processor has run there, or its database cannot be read.
pub fn vaults(folder: &Path) -> Result<Vec<VaultReport>, UnreadableFolder> {
    let vaults = inspect(folder, |connection| {
        let coin: String =
            connection.query_row("SELECT coin FROM processor", (), |row| row.get(0))?;
        let coin: Result<Coin, _> = coin.parse();
        coin.map_or(Ok(Err("the stored coin is none".to_owned())), |coin| {
            keystore::list(connection, coin).map(Ok)
        })
    })?;
    Ok(vaults.into_iter().map(VaultReport::from).collect())
}

/// Reads a data folder's database, whether its processor runs or not.
pub(crate) fn inspect<T>(
    folder: &Path,
    read: impl FnOnce(&Connection) -> rusqlite::Result<Result<T, String>>,
) -> Result<T, UnreadableFolder> {
    let path = database_path(folder);
    let unreadable = |reason: String| UnreadableFolder { path: path.display().to_string(), reason };
    Database::peek(&path, read)
        .map_err(|error| error.to_string())
        .and_then(|read| read)
        .map_err(unreadable)
}
