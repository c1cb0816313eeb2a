//! What the program does with its command line.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serai_bus::{Bus, exchange};
use serai_messages::{Topic, Versions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::actor::Actor;
use crate::chain;
use crate::cli::{Cli, Command, Failure, Run};
use crate::external::External;
use crate::folder::Folder;
use crate::restore::restore;
use crate::settings::Settings;
use crate::signings::signings;
use crate::state::{self, StateError};
use crate::vaults::vaults;
use crate::watcher;

/// Exit code of a wrong command line (sysexits' `EX_USAGE`).
const USAGE: u8 = 64;

/// Parses, runs, and reports: 0 after a drained stop, 64 for a wrong command line, 1 for the rest.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            // Nobody is left to be told when the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let result = match (cli.command, cli.run) {
        (Some(command), _) => execute(&command),
        (None, Some(options)) => run(&options),
        (None, None) => {
            complain(&"nothing to do; see serai-processor --help");
            return ExitCode::from(USAGE);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Standard error, also when nobody reads it any more: it often goes to the parent, and a processor
/// whose parent is gone has to end in order, not in a panic of its logger.
struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let _ = std::io::stderr().write_all(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Says why the program ends.
fn complain(reason: &dyn std::fmt::Display) {
    // The writer above never fails.
    let _ = writeln!(Log, "serai-processor: {reason}");
}

fn print(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|source| Failure::System { what: "standard output", source })
}

fn execute(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Vaults { data, json } => {
            let vaults = vaults(data)?;
            if *json {
                return print(&format!("{}\n", serde_json::json!(vaults)));
            }
            let lines = vaults.iter().map(|vault| {
                format!(
                    "{} attempt {} {}\n  ristretto {}\n  external  {}\n",
                    vault.set, vault.attempt, vault.state, vault.ristretto_key, vault.external_key
                )
            });
            print(&lines.collect::<String>())
        }
        Command::Signings { data, json } => {
            let report = signings(data)?;
            if *json {
                return print(&format!("{}\n", serde_json::json!(report)));
            }
            print(&report.to_string())
        }
        Command::Key { data } => {
            let key = Folder::lock(data)?.sealing_key()?.public();
            print(&format!("{key}\n"))
        }
        Command::Resume { name, coin, data } => {
            let folder = Folder::lock(data)?;
            let cipher = folder.cipher()?;
            let (database, _) = state::open(folder.path(), name, *coin, &cipher)?;
            let topic = Topic::Chain(*coin).full_name(name);
            database
                .transaction(|transaction| {
                    exchange::forget_position(transaction, &topic)
                        .map_err(|source| database.error(source))
                })
                .map_err(StateError::from)?;
            print(&format!("{topic} will be read from its beginning\n"))
        }
        Command::Restore { name, coin, data, backups } => {
            let folder = Folder::lock(data)?;
            let cipher = folder.cipher()?;
            for path in backups {
                let vault = restore(&folder, name, *coin, &cipher, path)?;
                print(&format!("{} restored, pending\n", vault.id))?;
            }
            Ok(())
        }
    }
}

fn run(options: &Run) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&options.log_level)
        .map_err(|error| Failure::Option(format!("--log-level {}: {error}", options.log_level)))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log).init();
    let folder = Folder::lock(&options.data)?;
    let bus_settings = options.bus_settings()?;
    // Whether the embedded log is fit for production is for the coordinator's mode to say.
    let bus = serai_bus::connect(&bus_settings, false)?;
    let coin = options.coin;
    let external = External {
        network: chain::network(coin),
        chain: options.chain_rpc.as_ref().map(|url| chain::connect(coin, url)).transpose()?,
        watch: watcher::Settings {
            poll: Duration::from_millis(options.chain_poll_ms),
            ..watcher::Settings::default()
        },
    };
    let settings = Settings {
        name: options.name.clone(),
        external,
        folder: folder.path().to_owned(),
        backups: options.backup_dir.clone().unwrap_or_else(|| folder.path().join("backup")),
        speaks: spoken()?,
        secret: folder.sealing_key()?,
        cipher: folder.cipher()?,
        coordinator: options.coordinator_key,
        accept: options.accept_coordinator_key,
        heartbeat: options.heartbeat(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System { what: "runtime", source })?;
    runtime.block_on(serve(settings, bus, options.exit_with_parent))?;
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    drop(folder);
    Ok(())
}

/// Message versions that this program speaks.
#[cfg_attr(not(feature = "faults"), allow(clippy::unnecessary_wraps))]
fn spoken() -> Result<Versions, Failure> {
    #[cfg(feature = "faults")]
    if let Some(asked) = crate::faults::versions_from_environment().map_err(Failure::Option)? {
        return Ok(asked);
    }
    Ok(Versions::SPOKEN)
}

async fn serve(
    settings: Settings,
    bus: Arc<dyn Bus>,
    exit_with_parent: bool,
) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    watch_signals(&shutdown)?;
    if exit_with_parent {
        watch_parent(&shutdown)?;
    }
    #[cfg_attr(not(feature = "faults"), allow(unused_mut))]
    let mut actor = Actor::new(settings, bus)?;
    #[cfg(feature = "faults")]
    if let Some(misbehaviour) = crate::faults::from_environment().map_err(Failure::Option)? {
        tracing::warn!(?misbehaviour, "this processor misbehaves");
        actor.misbehave(misbehaviour);
    }
    actor.run(shutdown).await?;
    Ok(())
}

fn watch_signals(shutdown: &CancellationToken) -> Result<(), Failure> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals =
            signal(kind).map_err(|source| Failure::System { what: "signals", source })?;
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            signals.recv().await;
            shutdown.cancel();
        });
    }
    Ok(())
}

/// The parent holds the other end of standard input and never writes: its end is the parent's end,
/// however it came about.
fn watch_parent(shutdown: &CancellationToken) -> Result<(), Failure> {
    let shutdown = shutdown.clone();
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut buffer = [0; 64];
            loop {
                match input.read(&mut buffer) {
                    Ok(read) if read > 0 => {}
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
            shutdown.cancel();
            tracing::info!("the parent process is gone");
        })
        .map(|_| ())
        .map_err(|source| Failure::System { what: "thread", source })
}
