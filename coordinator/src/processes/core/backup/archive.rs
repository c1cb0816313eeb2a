//! What a backup is: found, read, checked.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rusqlite::Connection;
use serai_bus::{Database, DatabaseError, Migration};
use serai_messages::Name;
use sha2::{Digest, Sha256};

use super::content::{self, Content};
use super::manifest::{Cursor, FORMAT, FileSum, Manifest};
use crate::processes::core::store;
use crate::processes::observation;

/// The manifest's file.
pub(super) const MANIFEST: &str = "manifest.json";

/// The compressed database.
pub(super) const STATE: &str = "state.sqlite.gz";

/// Largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 1024 * 1024;

/// What one file of vaults is at most, in bytes.
pub(super) const MAX_VAULT: u64 = 1024 * 1024;

/// Why a backup is not made, or is none.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to back up.
    #[error("{data_dir} holds no state of a coordinator: start it once")]
    NoState {
        /// The data folder.
        data_dir: PathBuf,
    },
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The database, or its copy.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A backup that is none, damaged, or of another program.
    #[error("backup {path} cannot be used: {reason}; `backup list` shows the others")]
    Unusable {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such backup.
    #[error("{backup_dir} holds no {what}; `backup list` shows what there is")]
    Missing {
        /// The folder of backups.
        backup_dir: PathBuf,
        /// What was looked for.
        what: String,
    },
    /// There is a state already.
    #[error(
        "{path} is there already; with --replace it is moved aside and the backup takes its place"
    )]
    Present {
        /// The state.
        path: PathBuf,
    },
    /// Another program makes one.
    #[error(
        "another program makes this validator's backup in {backup_dir} right now; try again in a moment"
    )]
    Busy {
        /// The folder of backups.
        backup_dir: PathBuf,
    },
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Its folder, named after the validator and the time.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Archive {
    /// Its name: the folder's.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its vaults' files.
    pub fn vaults(&self) -> impl Iterator<Item = &str> {
        self.manifest.files.keys().map(String::as_str).filter(|path| path.ends_with(".vault"))
    }

    pub(super) fn unusable(path: &Path, reason: impl ToString) -> BackupError {
        BackupError::Unusable { path: path.to_owned(), reason: reason.to_string() }
    }

    fn read(path: PathBuf) -> Result<Self, BackupError> {
        let text = read_at_most(&path.join(MANIFEST), MAX_MANIFEST)
            .map_err(|error| Self::unusable(&path, format!("{MANIFEST}: {error}")))?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| Self::unusable(&path, format!("{MANIFEST}: {error}")))?;
        if manifest.format != FORMAT {
            let found = manifest.format;
            let reason = format!("it has form {found}, this program reads {FORMAT}");
            return Err(Self::unusable(&path, reason));
        }
        Ok(Self { path, manifest })
    }

    /// Unpacks into `folder` what [`verify`] has found right: the database, and the vaults by coin.
    pub(super) fn unpack(&self, folder: &Path) -> Result<PathBuf, BackupError> {
        let database = folder.join("state.sqlite");
        let packed = self.path.join(STATE);
        let wrong = |error: io::Error| Self::unusable(&self.path, format!("{STATE}: {error}"));
        let mut unpacked = GzDecoder::new(BufReader::new(File::open(&packed).map_err(wrong)?));
        let mut file = BufWriter::new(new_file(&database)?);
        io::copy(&mut unpacked, &mut file).map_err(wrong)?;
        let file = file.into_inner().map_err(|error| wrong(error.into_error()))?;
        file.sync_all().map_err(wrong)?;
        Ok(database)
    }
}

/// The complete backups of this validator, the newest first.
///
/// # Errors
/// [`BackupError::Io`]. A folder whose manifest cannot be read is shown by what is wrong with it.
pub fn list(
    backup_dir: &Path,
    name: &Name,
) -> Result<Vec<Result<Archive, BackupError>>, BackupError> {
    let entries = match fs::read_dir(backup_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_at(backup_dir))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_at(backup_dir))?.path();
        let of_it = path.file_name().and_then(|file| file.to_str()).is_some_and(|file| {
            file.rsplit_once('-')
                .is_some_and(|(before, time)| before == name.as_str() && is_time(time))
        });
        if of_it && path.is_dir() {
            found.push(path);
        }
    }
    // The time in the name is of fixed length.
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(Archive::read).collect())
}

/// Whether this is a time as backups are named after: `20261126T234741.123Z`.
fn is_time(text: &str) -> bool {
    let expected = b"00000000T000000.000Z";
    text.len() == expected.len()
        && text.bytes().zip(expected).all(|(found, like)| match like {
            b'0' => found.is_ascii_digit(),
            other => found == *other,
        })
}

/// The backup of this name, or the newest that can be read.
///
/// # Errors
/// [`BackupError::Missing`].
pub fn find(backup_dir: &Path, of: &Name, name: Option<&str>) -> Result<Archive, BackupError> {
    let missing = |what: String| BackupError::Missing { backup_dir: backup_dir.to_owned(), what };
    match name {
        None => list(backup_dir, of)?
            .into_iter()
            .find_map(Result::ok)
            .ok_or_else(|| missing(format!("backup of {of}"))),
        Some(name) => {
            let path = backup_dir.join(name);
            if name.contains('/') || !path.is_dir() {
                return Err(missing(format!("backup {name:?}")));
            }
            Archive::read(path)
        }
    }
}

/// Checks a backup as a restore would: every file's checksum, the database's own consistency, that its
/// tables can be brought up to date by this program, and every row against the manifest. It is unpacked
/// in `work` for that.
///
/// # Errors
/// [`BackupError::Unusable`], with what is wrong.
pub fn verify(archive: &Archive, migrations: &[Migration], work: &Path) -> Result<(), BackupError> {
    let Archive { path, manifest } = archive;
    let wrong = |reason: String| Archive::unusable(path, reason);
    for (name, expected) in &manifest.files {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err(wrong(format!("its manifest names a file outside of it: {name:?}")));
        }
        let found = sum_of(&path.join(name)).map_err(|error| wrong(format!("{name}: {error}")))?;
        if found != *expected {
            return Err(wrong(format!(
                "{name} is not the file that was written: its checksum differs"
            )));
        }
    }
    let work =
        tempfile::Builder::new().prefix(".verified-").tempdir_in(work).map_err(io_at(work))?;
    let database = archive.unpack(work.path())?;
    let damaged = |error: rusqlite::Error| wrong(format!("its database: {error}"));
    let connection = Connection::open(&database).map_err(damaged)?;
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).map_err(damaged)?;
    if verdict != "ok" {
        return Err(wrong(format!("its database is damaged: {verdict}")));
    }
    let seen = look(&connection).map_err(damaged)?;
    drop(connection);
    if let Some(table) = difference(&manifest.content, &seen.content) {
        return Err(wrong(format!("table {table} is not as it was when the backup was made")));
    }
    // A start of this program would do the same.
    Database::open(&database, migrations)?;
    Ok(())
}

/// A table in which two differ.
fn difference(a: &Content, b: &Content) -> Option<String> {
    let names = a.keys().chain(b.keys());
    names.into_iter().find(|name| a.get(*name) != b.get(*name)).cloned()
}

/// What is read of a database for its manifest.
pub(super) struct Seen {
    pub(super) incarnation: u64,
    pub(super) chain: Option<serai_messages::BlockHash>,
    pub(super) cursor: Option<Cursor>,
    pub(super) schema: BTreeMap<String, u32>,
    pub(super) content: Content,
}

pub(super) fn look(connection: &Connection) -> rusqlite::Result<Seen> {
    let chain = observation::tables::chain(connection)?;
    let cursor = chain.and_then(|chain| chain.cursor);
    let schema = connection
        .prepare("SELECT component, version FROM schema_versions")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Seen {
        incarnation: store::stored_incarnation(connection)?.0,
        chain: chain.map(|chain| chain.genesis),
        cursor: cursor.map(|block| Cursor { number: block.number, hash: block.hash }),
        schema,
        content: content::content(connection)?,
    })
}

/// Deletes folders of this prefix.
pub(super) fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            remove(&entry.path());
        }
    }
}

pub(super) fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "an old folder cannot be deleted");
    }
}

/// The vaults' files in a processor's folder of backups.
pub(super) fn vault_files(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_at(folder))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "vault") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

pub(super) fn sum_of(path: &Path) -> io::Result<FileSum> {
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(FileSum { bytes, sha256: hex::encode(hash.finalize()) })
}

pub(super) fn new_file(path: &Path) -> Result<File, BackupError> {
    File::options().write(true).create_new(true).mode(0o600).open(path).map_err(io_at(path))
}

pub(super) fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is over {most} bytes")));
    }
    Ok(bytes)
}

pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_at(path))
}

pub(super) fn io_at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |source| BackupError::Io { path: path.to_owned(), source }
}
