//! Backup files of vaults.
//!
//! One file per vault, `{coin}-{session}-{attempt}.vault`: the line `serai-vault-backup 2`, then, in
//! [borsh](https://borsh.io), the attempt ([`KeygenId`]), the key pair, the members, and the key shares as the
//! database holds them (24-byte nonce and XChaCha20-Poly1305 ciphertext under the keystore key).
//! `serai-processor restore` reads it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};
use serai_bus::durable_file;
use serai_messages::{KeyPair, ValidatorKey, decode, encode, keygen::KeygenId};

const MAGIC: &[u8] = b"serai-vault-backup 2\n";

/// Largest backup that is read, in bytes: 150 members' verification shares of both keys are 10 KiB.
const MAX_BYTES: u64 = 256 * 1024;

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system's error.
    #[error("vault backup {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no backup.
    #[error("{path} is no vault backup that this program can read: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What a backup file holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Backup {
    /// The attempt that made the vault.
    pub id: KeygenId,
    /// The public keys.
    pub key_pair: KeyPair,
    /// Who holds its shares, in the order of their numbers.
    pub members: Vec<ValidatorKey>,
    /// The sealed key shares.
    pub keys: Vec<u8>,
}

/// The file of an attempt's vault in `directory`.
fn path(directory: &Path, id: KeygenId) -> PathBuf {
    directory.join(format!("{}-{}.vault", id.set, id.attempt))
}

impl Backup {
    /// Writes the backup into `directory`, which is created where absent, and returns once file and
    /// directory entry are on disk. Replaces an older backup of the same attempt.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn write(&self, directory: &Path) -> Result<PathBuf, BackupError> {
        let path = path(directory, self.id);
        fs::create_dir_all(directory)
            .and_then(|()| durable_file::replace(&path, &[MAGIC, &encode(self)].concat()))
            .map_err(|source| BackupError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Reads a backup.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let file = |source| BackupError::File { path: path.to_owned(), source };
        let malformed = |reason: String| BackupError::Malformed { path: path.to_owned(), reason };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(file)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(malformed(format!("it is over {MAX_BYTES} bytes")));
        }
        let body = bytes.strip_prefix(MAGIC).ok_or_else(|| {
            malformed("it does not begin with \"serai-vault-backup 2\"".to_owned())
        })?;
        decode(body).map_err(|error| malformed(error.to_string()))
    }

    /// Deletes the backup of an attempt whose key pair did not come into use.
    ///
    /// # Errors
    /// [`BackupError::File`]; not when there is none.
    pub fn delete(directory: &Path, id: KeygenId) -> Result<(), BackupError> {
        let path = path(directory, id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(BackupError::File { path, source })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::{Attempt, Coin, Session, ValidatorSet};

    use super::*;

    #[test]
    fn is_read_as_written_and_names_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("backup");
        let set = ValidatorSet { coin: Coin::Btc, session: Session(3) };
        let backup = Backup {
            id: KeygenId { set, attempt: Attempt(2) },
            key_pair: KeyPair { ristretto: [1; 32], external: vec![2; 33] },
            members: vec![ValidatorKey([4; 32])],
            keys: vec![3; 100],
        };
        let path = backup.write(&directory).unwrap();
        assert_eq!(path.file_name().unwrap(), "btc-3-2.vault");
        assert_eq!(Backup::read(&path).unwrap(), backup);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "a partial file is left");

        let mut bytes = fs::read(&path).unwrap();
        bytes.push(0);
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(Backup::read(&path), Err(BackupError::Malformed { .. })));
        fs::write(&path, b"something else").unwrap();
        let message = Backup::read(&path).unwrap_err().to_string();
        assert!(message.contains("btc-3-2.vault"), "{message}");

        Backup::delete(&directory, backup.id).unwrap();
        Backup::delete(&directory, backup.id).unwrap();
        assert!(matches!(Backup::read(&path), Err(BackupError::File { .. })));
    }
}
