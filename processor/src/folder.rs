//! A processor's data folder: its lock and its secret files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand_core::{OsRng, RngCore};
use serai_bus::{SecretKey, durable_file};
use zeroize::Zeroizing;

use crate::keystore::Cipher;

/// Environment variable with the X25519 secret key, in hex.
pub const KEY_VARIABLE: &str = "SERAI_PROCESSOR_KEY";

/// Environment variable with the keystore key, in hex.
pub const KEYSTORE_KEY_VARIABLE: &str = "SERAI_PROCESSOR_KEYSTORE_KEY";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system's error.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another processor runs on it.
    #[error(
        "data folder {folder} is in use by another processor; stop that one or choose another folder"
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// A key is no key.
    #[error("{place} holds no key: 32 bytes in hex are expected")]
    Malformed {
        /// The file or variable; never its content.
        place: String,
    },
    /// A secret that others may read.
    #[error("{path} may be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// A data folder that this process alone uses, until dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    // The lock is held by the open file.
    _lock: File,
}

impl Folder {
    /// Creates the folder where absent (mode 0700) and locks it.
    ///
    /// # Errors
    /// [`FolderError::Locked`] when another process holds it; [`FolderError::File`].
    pub fn lock(path: &Path) -> Result<Self, FolderError> {
        let error = |path: &Path, source| FolderError::File { path: path.to_owned(), source };
        if !path.exists() {
            fs::create_dir_all(path).map_err(|source| error(path, source))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))
                .map_err(|source| error(path, source))?;
        }
        let file = path.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&file)
            .map_err(|source| error(&file, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked { folder: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(error(&file, source)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sealing key: of the environment, of the file `processor.key`, or drawn and kept there.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn sealing_key(&self) -> Result<SecretKey, FolderError> {
        Ok(SecretKey::from_bytes(&*self.secret(KEY_VARIABLE, "processor.key")?))
    }

    /// The keystore key: of the environment, of the file `keystore.key`, or drawn and kept there.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn cipher(&self) -> Result<Cipher, FolderError> {
        Ok(Cipher::new(self.secret(KEYSTORE_KEY_VARIABLE, "keystore.key")?))
    }

    fn secret(&self, variable: &str, file: &str) -> Result<Zeroizing<[u8; 32]>, FolderError> {
        if let Ok(text) = std::env::var(variable) {
            return parse(&Zeroizing::new(text))
                .ok_or_else(|| FolderError::Malformed { place: variable.to_owned() });
        }
        let path = self.path.join(file);
        let error = |source| FolderError::File { path: path.clone(), source };
        match File::open(&path) {
            Ok(file) => {
                let mode = file.metadata().map_err(error)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(FolderError::Exposed { path, mode });
                }
                let mut text = Zeroizing::new(String::with_capacity(128));
                file.take(128).read_to_string(&mut text).map_err(error)?;
                parse(&text)
                    .ok_or_else(|| FolderError::Malformed { place: path.display().to_string() })
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0; 32]);
                OsRng.fill_bytes(key.as_mut());
                Self::write(&path, &key).map_err(error)?;
                Ok(key)
            }
            Err(source) => Err(error(source)),
        }
    }

    /// On disk, whole, before the key is used for anything.
    fn write(path: &Path, key: &[u8; 32]) -> io::Result<()> {
        let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex::encode(key))));
        durable_file::replace(path, text.as_bytes())
    }
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), key.as_mut_slice()).ok()?;
    Some(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_keys_and_refuses_exposed_ones() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let public = Folder::lock(&path).unwrap().sealing_key().unwrap().public();
        let folder = Folder::lock(&path).unwrap();
        assert_eq!(folder.sealing_key().unwrap().public(), public);

        let file = path.join("processor.key");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let message = folder.sealing_key().unwrap_err().to_string();
        assert!(message.contains("chmod 600"), "{message}");

        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "not a key").unwrap();
        assert!(matches!(folder.sealing_key(), Err(FolderError::Malformed { .. })));
    }

    #[test]
    fn is_locked_once() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::lock(parent.path()).unwrap();
        assert!(matches!(Folder::lock(parent.path()), Err(FolderError::Locked { .. })));
        drop(folder);
        Folder::lock(parent.path()).unwrap();
    }
}
