//! Commands: what they do, print, and exit with.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serai_bus::Database;
use serai_messages::{Coin, Name, ProcessorKey};
use serde_json::{Value, json};

use super::super::core::backup;
use super::super::core::config::{Config, ConfigError, Mode};
use super::super::core::keys::{self, Keys};
use super::super::core::store;
use super::admin::{AskError, Request, ask, socket_path};
use super::args::{Action, Command, RunArgs};
use super::render::render;
use crate::coordinator::migrations;

/// Exit code of wrong usage and wrong configurations (`EX_USAGE` of sysexits).
pub const EXIT_USAGE: u8 = 64;

/// Exit code of everything else that failed.
pub const EXIT_FAILED: u8 = 1;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Party(#[from] serai_protocol::party::PartyError),
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    #[error(transparent)]
    Accept(#[from] keys::AcceptError),
    #[error(transparent)]
    Database(#[from] serai_bus::DatabaseError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(
        "in production processors' keys are pinned: set processors.{coin}.pinned_key and start the \
         coordinator again"
    )]
    Pinned { coin: Coin },
    #[error("no processor of {name} has announced a key yet: {path} does not exist")]
    NoState { name: Name, path: String },
    #[error(transparent)]
    Backup(#[from] backup::BackupError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl CommandError {
    fn exit_code(&self) -> u8 {
        match self {
            CommandError::Config(_) | CommandError::Party(_) => EXIT_USAGE,
            _ => EXIT_FAILED,
        }
    }
}

/// Carries a command out: the answer goes to standard output, errors to standard error.
pub fn execute(command: Command) -> ExitCode {
    match act(&command.action) {
        Ok((subject, value)) => {
            let text = if command.json { format!("{value}\n") } else { render(subject, &value) };
            match std::io::stdout().lock().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(EXIT_FAILED),
            }
        }
        Err(error) => {
            if command.json {
                let mut document = json!({"error": error.to_string()});
                if let CommandError::Config(config) = &error {
                    document =
                        json!({"error": "the configuration is refused", "faults": faults(config)});
                }
                let _ = writeln!(std::io::stdout().lock(), "{document}");
            }
            // Nobody may be there to read it; the exit code tells as well.
            let _ = writeln!(std::io::stderr().lock(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn act(action: &Action) -> Result<(&'static str, Value), CommandError> {
    match action {
        Action::ConfigCheck { config_dir, mode, name } => {
            Ok(("config check", config_check(config_dir, *mode, name.as_ref())?))
        }
        Action::KeysGenerate(run) => {
            let made = Keys::generate(&load(run)?, &run.name)?;
            let names: Vec<_> = made.iter().map(ToString::to_string).collect();
            Ok(("keys generate", json!({"generated": names})))
        }
        Action::KeysShow(run) => Ok(("keys show", keys_show(run)?)),
        Action::KeysAccept { run, coin, key } => {
            Ok(("keys accept", keys_accept(run, *coin, *key)?))
        }
        Action::Party { block_hash, validators, threshold } => {
            let party = serai_protocol::party::draw(*block_hash, *validators, *threshold)?;
            Ok(("party", json!(party)))
        }
        Action::Ask { run, request } => {
            let socket = socket_path(&load(run)?.general.data_dir);
            Ok((request.name(), ask(&socket, request)?))
        }
        Action::Backup { run, verb } => Ok(super::backups::act(run, verb)?),
    }
}

pub(super) fn load(run: &RunArgs) -> Result<Config, ConfigError> {
    Config::load(&run.config_dir, run.mode, Some(&run.name))
}

fn config_check(dir: &Path, mode: Mode, name: Option<&Name>) -> Result<Value, ConfigError> {
    let config = Config::load(dir, mode, name)?;
    Ok(json!({
        "ok": true,
        "mode": mode,
        "chains": config.chains.enabled,
        "bus": config.kafka.bus,
        "serai": config.observation.endpoints,
        "data_dir": config.general.data_dir,
        "notices": config.notices,
    }))
}

fn keys_show(run: &RunArgs) -> Result<Value, CommandError> {
    let config = load(run)?;
    let keys = Keys::read(&config, &run.name)?;
    let processors: serde_json::Map<String, Value> = keys
        .processors
        .iter()
        .map(|(coin, key)| (coin.to_string(), key.public().to_string().into()))
        .collect();
    let path = store::database_path(&config.general.data_dir);
    let known = if path.exists() { Database::peek(&path, keys::list)? } else { Vec::new() };
    Ok(json!({
        "validator": keys.public(),
        "peer_id": keys.peer_id(),
        "coordinator": processors,
        "processors": known,
    }))
}

fn keys_accept(
    run: &RunArgs,
    coin: Coin,
    key: Option<ProcessorKey>,
) -> Result<Value, CommandError> {
    let config = load(run)?;
    if config.mode == Mode::Production {
        return Err(CommandError::Pinned { coin });
    }
    let data_dir = &config.general.data_dir;
    // A running coordinator has to learn of it at once.
    match ask(&socket_path(data_dir), &Request::AcceptKey { coin, key }) {
        Err(AskError::NotRunning { .. }) => {}
        answer => return Ok(answer?),
    }
    let path = store::database_path(data_dir);
    if !path.exists() {
        let path = path.display().to_string();
        return Err(CommandError::NoState { name: run.name.clone(), path });
    }
    let _alone = store::lock(data_dir)?;
    let database = Database::open(&path, &migrations())?;
    let accepted = database.transaction(|tx| keys::accept(tx, coin, key))?;
    Ok(json!({"coin": coin, "key": accepted}))
}

fn faults(error: &ConfigError) -> Vec<Value> {
    let fault = |fault: &super::super::core::config::Fault| json!({"file": fault.source, "key": fault.key, "problem": fault.problem});
    error.faults.iter().map(fault).collect()
}
