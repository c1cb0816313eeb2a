//! Making backups, and deleting those that are superfluous.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serai_bus::{Migration, durable_file, snapshot};
use serai_messages::Coin;
use sha2::{Digest, Sha256};

use super::archive::{
    Archive, BackupError, MANIFEST, MAX_VAULT, STATE, Seen, io_at, list, look, make_folder,
    new_file, read_at_most, remove, sum_of, sweep, vault_files, verify,
};
use super::manifest::{FORMAT, FileSum, Manifest};
use super::{Places, thinning};
use crate::processes::core::store;

/// Makes a backup, restores it into a temporary place, compares every row with what was read, and only
/// then gives it its name; and deletes what is superfluous by then.
///
/// # Errors
/// [`BackupError`]; earlier backups are as they were.
pub fn create(places: &Places, migrations: &[Migration]) -> Result<Archive, BackupError> {
    let state = store::database_path(&places.data_dir);
    if !state.exists() {
        return Err(BackupError::NoState { data_dir: places.data_dir.clone() });
    }
    make_folder(&places.backup_dir)?;
    let _alone = lock(places)?;
    // What a crash has left, before it fills the disk. A dot is in no name.
    let prefix = format!(".partial-{}.", places.name);
    sweep(&places.backup_dir, &prefix);
    let clock = super::now();
    let made = later_than_all(places, clock)?;
    let work = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&places.backup_dir)
        .map_err(io_at(&places.backup_dir))?;
    let folder = work.path().join("backup");
    make_folder(&folder)?;

    // First: a vault that is in the state is in a file by then, never the other way round.
    let copy = work.path().join("copy.sqlite");
    let seen = snapshot(&state, &copy, look)?;
    let mut files = BTreeMap::from([(STATE.to_owned(), pack(&copy, &folder.join(STATE))?)]);
    for coin in Coin::ALL {
        for vault in vault_files(&places.vaults(coin))? {
            let file_name = vault.file_name().unwrap_or_default().to_string_lossy().into_owned();
            make_folder(&folder.join(coin.name()))?;
            let bytes = match read_at_most(&vault, MAX_VAULT) {
                // Its attempt came to nothing meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(io_at(&vault))?,
            };
            let to = folder.join(coin.name()).join(&file_name);
            durable_file::replace(&to, &bytes).map_err(io_at(&to))?;
            files.insert(format!("{coin}/{file_name}"), sum(&bytes));
        }
    }
    let Seen { incarnation, chain, cursor, schema, content } = seen;
    let manifest = Manifest {
        format: FORMAT,
        name: places.name.clone(),
        made,
        clock,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        incarnation,
        chain,
        cursor,
        schema,
        content,
        files,
    };
    let text =
        serde_json::to_vec_pretty(&manifest).map_err(|error| Archive::unusable(&folder, error))?;
    let path = folder.join(MANIFEST);
    durable_file::replace(&path, &text).map_err(io_at(&path))?;
    let unnamed = Archive { path: folder, manifest };
    verify(&unnamed, migrations, work.path())?;

    let name = format!("{}-{}", places.name, made.strftime("%Y%m%dT%H%M%S%.3fZ"));
    let path = places.backup_dir.join(name);
    fs::rename(&unnamed.path, &path)
        .and_then(|()| durable_file::sync_folder_of(&path))
        .map_err(io_at(&path))?;
    thin(places);
    Ok(Archive { path, ..unnamed })
}

/// The clock's time, or a moment after the newest backup: a clock that was set back must not make a new
/// one look old.
fn later_than_all(places: &Places, clock: jiff::Timestamp) -> Result<jiff::Timestamp, BackupError> {
    let listed = list(&places.backup_dir, &places.name)?;
    let newest = listed.into_iter().filter_map(Result::ok).map(|one| one.manifest.made).max();
    let after =
        newest.and_then(|newest| newest.checked_add(jiff::SignedDuration::from_millis(1)).ok());
    Ok(after.map_or(clock, |after| after.max(clock)))
}

/// Deletes what is superfluous. What cannot be deleted is said, and takes nothing from the new backup.
fn thin(places: &Places) {
    let listed = match list(&places.backup_dir, &places.name) {
        Ok(listed) => listed,
        Err(error) => return tracing::warn!(%error, "old backups are not looked through"),
    };
    let backups: Vec<Archive> = listed.into_iter().filter_map(Result::ok).collect();
    let superfluous = thinning::superfluous(backups.iter().map(|one| one.manifest.made).collect());
    for backup in backups.iter().filter(|one| superfluous.contains(&one.manifest.made)) {
        remove(&backup.path);
    }
}

fn pack(from: &Path, to: &Path) -> Result<FileSum, BackupError> {
    let mut source = BufReader::new(File::open(from).map_err(io_at(from))?);
    let mut packer = GzEncoder::new(BufWriter::new(new_file(to)?), Compression::default());
    io::copy(&mut source, &mut packer).map_err(io_at(to))?;
    let mut file = packer.finish().map_err(io_at(to))?;
    file.flush().map_err(io_at(to))?;
    file.get_ref().sync_all().map_err(io_at(to))?;
    sum_of(to).map_err(io_at(to))
}

fn sum(bytes: &[u8]) -> FileSum {
    FileSum { bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)) }
}

fn lock(places: &Places) -> Result<File, BackupError> {
    let Places { backup_dir, name, .. } = places;
    let path = backup_dir.join(format!(".lock-{name}"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(io_at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(BackupError::Busy { backup_dir: backup_dir.clone() })
        }
        Err(fs::TryLockError::Error(source)) => Err(BackupError::Io { path, source }),
    }
}
