//! `backup`: what the command does and answers.

use serde_json::{Value, json};

use super::super::core::backup::{self, Archive, Places, Restoration};
use super::super::core::store;
use super::args::{BackupVerb, RunArgs};
use super::commands::{CommandError, load};
use crate::coordinator::migrations;

pub(super) fn act(run: &RunArgs, verb: &BackupVerb) -> Result<(&'static str, Value), CommandError> {
    let config = load(run)?;
    let places = Places::new(&config, &run.name);
    match verb {
        BackupVerb::Create => {
            let made = backup::create(&places, &migrations())?;
            Ok(("backup create", shown(&made)))
        }
        BackupVerb::List => {
            let listed = backup::list(&places.backup_dir, &places.name)?;
            let rows = listed.iter().map(|one| match one {
                Ok(archive) => shown(archive),
                Err(error) => json!({ "error": error.to_string() }),
            });
            Ok(("backup list", rows.collect()))
        }
        BackupVerb::Verify { backup } => {
            let archive = backup::find(&places.backup_dir, &places.name, backup.as_deref())?;
            let data_dir = places.data_dir.as_path();
            let work = if data_dir.is_dir() { data_dir } else { &std::env::temp_dir() };
            backup::verify(&archive, &migrations(), work)?;
            Ok(("backup verify", shown(&archive)))
        }
        BackupVerb::Restore { backup, bus_lost, replace } => {
            let _alone = store::lock(&places.data_dir)?;
            let restored =
                backup::restore(&places, &migrations(), backup.as_deref(), *bus_lost, *replace)?;
            Ok(("backup restore", told(&restored)))
        }
    }
}

fn shown(archive: &Archive) -> Value {
    let manifest = &archive.manifest;
    json!({
        "name": archive.name(),
        "made": manifest.made.to_string(),
        "incarnation": manifest.incarnation,
        "cursor": manifest.cursor.map(|cursor| cursor.number),
        "bytes": manifest.files.values().map(|file| file.bytes).sum::<u64>(),
        "vaults": archive.vaults().count(),
        "path": archive.path,
    })
}

fn told(restored: &Restoration) -> Value {
    let vaults = restored.vaults.iter();
    json!({
        "backup": shown(&restored.archive),
        "incarnation": restored.incarnation,
        "replaced": restored.replaced,
        "vaults": vaults.map(|(coin, path)| json!({ "coin": coin, "path": path })).collect::<Vec<_>>(),
    })
}
