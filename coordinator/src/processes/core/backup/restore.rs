//! Going back to a backup.

use std::fs::{self, File};
use std::path::PathBuf;

use serai_bus::{Database, DatabaseError, Migration, durable_file, exchange};
use serai_messages::{Coin, Incarnation, Topic};

use super::Places;
use super::archive::{self, Archive, BackupError, find, io_at, make_folder, verify};
use crate::processes::core::store;
use crate::processes::{observation, signature};

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The backup.
    pub archive: Archive,
    /// The life that begins with the next start.
    pub incarnation: Incarnation,
    /// Where the state that was there before is now.
    pub replaced: Option<PathBuf>,
    /// Files of vaults, in their processors' folders of backups again.
    pub vaults: Vec<(Coin, PathBuf)>,
}

/// Puts a backup, checked as by [`verify`], into the place of the coordinator's state. The data folder
/// must be locked by the caller.
///
/// `bus_lost`: the bus is gone as well. Topics are then read from their beginning, and Serai's events
/// are published again from block 0, for processors that have to learn them anew.
///
/// # Errors
/// [`BackupError`]. A state that is there is only moved aside where `replace` says so; where that was
/// begun and not ended, nothing starts until a restore has come to its end.
pub fn restore(
    places: &Places,
    migrations: &[Migration],
    name: Option<&str>,
    bus_lost: bool,
    replace: bool,
) -> Result<Restoration, BackupError> {
    let archive = find(&places.backup_dir, &places.name, name)?;
    if archive.manifest.name != places.name {
        let reason = format!("it is of {}, not of {}", archive.manifest.name, places.name);
        return Err(BackupError::Unusable { path: archive.path, reason });
    }
    let state = store::database_path(&places.data_dir);
    // What a restore that was broken off has left is no state to be spared.
    if state.exists() && !replace && !store::is_restoring(&places.data_dir) {
        return Err(BackupError::Present { path: state });
    }
    verify(&archive, migrations, &places.data_dir)?;
    for left in [".restoring-", ".verified-"] {
        archive::sweep(&places.data_dir, left);
    }
    // Not before the backup was made, though a fresh machine's clock may say so.
    let now = super::now().max(archive.manifest.clock);
    // Beside its place, so that it comes there in one step.
    let work = tempfile::Builder::new()
        .prefix(".restoring-")
        .tempdir_in(&places.data_dir)
        .map_err(io_at(&places.data_dir))?;
    let unpacked = archive.unpack(work.path())?;
    let incarnation = begin_anew(&unpacked, migrations, places, now, bus_lost)?;
    let vaults = put_vaults_back(places, &archive)?;
    store::begin_restoring(&places.data_dir).map_err(io_at(&places.data_dir))?;
    let replaced = put_aside(places, now)?;
    fs::rename(&unpacked, &state)
        .and_then(|()| durable_file::sync_folder_of(&state))
        .map_err(io_at(&state))?;
    store::end_restoring(&places.data_dir).map_err(io_at(&places.data_dir))?;
    Ok(Restoration { archive, incarnation, replaced, vaults })
}

/// Moves a state aside: the database, and what SQLite keeps beside it, each whether or not the others are
/// there. A log of the former database beside the new one would undo the restore.
fn put_aside(places: &Places, now: jiff::Timestamp) -> Result<Option<PathBuf>, BackupError> {
    let aside = places.data_dir.join(format!("replaced-{}", now.strftime("%Y%m%dT%H%M%S%.3fZ")));
    let mut moved = None;
    for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        let from = places.data_dir.join(name);
        if from.exists() {
            if moved.is_none() {
                fs::create_dir(&aside).map_err(io_at(&aside))?;
            }
            fs::rename(&from, aside.join(name)).map_err(io_at(&from))?;
            moved = Some(aside.clone());
        }
    }
    durable_file::sync_folder_of(&aside).map_err(io_at(&aside))?;
    Ok(moved)
}

/// The latest life that a backup knows of, or the state that is replaced, where it can be read.
fn last_life(places: &Places) -> Incarnation {
    let listed = archive::list(&places.backup_dir, &places.name).unwrap_or_default();
    let known = listed.into_iter().filter_map(Result::ok).map(|one| one.manifest.incarnation);
    let state = store::database_path(&places.data_dir);
    let replaced = Database::peek(&state, store::stored_incarnation);
    Incarnation(known.max().unwrap_or_default()).max(replaced.unwrap_or(Incarnation(0)))
}

/// Tells the state that another life may have followed it.
fn begin_anew(
    database: &std::path::Path,
    migrations: &[Migration],
    places: &Places,
    now: jiff::Timestamp,
    bus_lost: bool,
) -> Result<Incarnation, BackupError> {
    let database = Database::open(database, migrations)?;
    let incarnation = database.transaction(|transaction| {
        let wrap = |source| database.error(source);
        let incarnation = store::begin_anew(transaction, now.as_millisecond(), last_life(places))
            .map_err(wrap)?;
        if bus_lost {
            exchange::forget_positions(transaction).map_err(wrap)?;
            // What happened on Serai is told again, from the beginning and in order: nothing of it goes
            // out before.
            let serai = Topic::Serai.full_name(&places.name);
            for kind in ["serai.", "txin.", "txout."] {
                exchange::forget_waiting(transaction, Some(&serai), kind).map_err(wrap)?;
            }
            exchange::forget_waiting(transaction, None, "vault.").map_err(wrap)?;
            signature::forget_relayed(transaction).map_err(wrap)?;
            observation::tables::forget_progress(transaction).map_err(wrap)?;
        }
        Ok::<_, DatabaseError>(incarnation)
    })?;
    // All of it in the one file that is moved.
    database.read(|connection| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
    })?;
    let path = database.path().to_owned();
    drop(database);
    File::open(&path).and_then(|file| file.sync_all()).map_err(io_at(&path))?;
    Ok(incarnation)
}

fn put_vaults_back(
    places: &Places,
    archive: &Archive,
) -> Result<Vec<(Coin, PathBuf)>, BackupError> {
    let mut vaults = Vec::new();
    for path in archive.vaults() {
        let Some((coin, file)) = path.split_once('/') else { continue };
        let Ok(coin) = coin.parse::<Coin>() else { continue };
        let folder = places.vaults(coin);
        make_folder(&folder)?;
        let (from, to) = (archive.path.join(path), folder.join(file));
        let bytes = fs::read(&from).map_err(io_at(&from))?;
        match fs::read(&to) {
            Ok(there) if there == bytes => {}
            // Whatever it is, it is not what its processor wrote.
            Ok(_) => {
                let aside = to.with_extension("vault-replaced");
                fs::rename(&to, &aside).map_err(io_at(&to))?;
                durable_file::replace(&to, &bytes).map_err(io_at(&to))?;
            }
            Err(_) => durable_file::replace(&to, &bytes).map_err(io_at(&to))?,
        }
        vaults.push((coin, to));
    }
    Ok(vaults)
}
