//! The program's arguments (DESIGN section 4).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use serai_messages::{BlockHash, Coin, Name, ProcessorKey};

use super::super::core::config::Mode;
use super::commands::EXIT_USAGE;

/// Coordinates the processors of a Serai validator. Without a command it runs until SIGINT or
/// SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "serai-coordinator", version, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 64 wrong usage or configuration, 1 failed.")]
struct Arguments {
    /// Folder of default.toml and {mode}.toml
    #[arg(long = "config_dir", alias = "config-dir", value_name = "DIR", global = true)]
    config_dir: Option<PathBuf>,
    /// Which configuration
    #[arg(long, value_enum, global = true)]
    mode: Option<Mode>,
    /// The validator whose keys are used: a-z, 0-9, _ and -
    #[arg(long, global = true)]
    name: Option<Name>,
    /// Print one JSON document
    #[arg(long, global = true)]
    json: bool,
    /// Stop when standard input ends: for programs that start this one
    #[arg(long, hide = true)]
    exit_with_parent: bool,
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// About the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// About keys
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Draw a signing party: its members in draw order, from 1
    Party {
        /// Hash of the reference block, 32 bytes in hex
        #[arg(long)]
        block_hash: BlockHash,
        /// How many validators there are
        #[arg(long)]
        validators: u16,
        /// How many are drawn
        #[arg(long)]
        threshold: u16,
    },
    /// The whole picture of a running coordinator
    Status,
    /// Its vaults
    Vaults,
    /// Its key generations and signings
    Sessions,
    /// What a session waits for, or why it failed; of all that is unfinished without an ID
    Explain {
        /// The session
        id: Option<String>,
    },
    /// The other validators
    Peers,
    /// Backups of the state
    #[command(subcommand)]
    Backup(BackupVerb),
    /// The topics and their readers
    Topics {
        #[command(subcommand)]
        verb: Option<TopicsVerb>,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Read and check the configuration; every fault is listed
    Check,
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Make the keys that have no file yet (never in production)
    Generate,
    /// Print public keys: this validator's, and the processors' that are known
    Show,
    /// Trust the key that a processor offers in place of the known one
    Accept {
        /// The processor's coin
        coin: Coin,
        /// Only if it is this key, in hex
        #[arg(long)]
        key: Option<ProcessorKey>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum BackupVerb {
    /// Make one now, whether the coordinator runs or not
    Create,
    /// List them, the newest first
    List,
    /// Check one as a restore would
    Verify {
        /// Its name; the newest without one
        backup: Option<String>,
    },
    /// Put one in the place of the state. The coordinator must not run
    Restore {
        /// Its name; the newest without one
        backup: Option<String>,
        /// The bus is lost too: read topics from their beginning, and publish Serai's events again
        #[arg(long)]
        bus_lost: bool,
        /// Move a state that is there aside
        #[arg(long)]
        replace: bool,
    },
}

#[derive(Debug, Subcommand)]
enum TopicsVerb {
    /// Let readers of a topic that was recreated or lost data go on
    Resume {
        /// The topic's full name
        topic: String,
    },
}

/// What the program is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Run the coordinator.
    Run(RunArgs),
    /// Do one thing and exit.
    Command(Command),
}

/// The runtime arguments (SEED).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunArgs {
    /// Folder of the configuration.
    pub config_dir: PathBuf,
    /// Mode.
    pub mode: Mode,
    /// The validator.
    pub name: Name,
    /// Whether to stop when standard input ends.
    pub exit_with_parent: bool,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Whether to print JSON.
    pub(super) json: bool,
    /// What to do.
    pub(super) action: Action,
}

/// What a command does, with all that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    ConfigCheck { config_dir: PathBuf, mode: Mode, name: Option<Name> },
    KeysGenerate(RunArgs),
    KeysShow(RunArgs),
    KeysAccept { run: RunArgs, coin: Coin, key: Option<ProcessorKey> },
    Party { block_hash: BlockHash, validators: u16, threshold: u16 },
    Ask { run: RunArgs, request: super::admin::Request },
    Backup { run: RunArgs, verb: BackupVerb },
}

/// Reads the program's arguments, the first being its name. Help and version are printed here.
///
/// # Errors
/// The exit code to end with: 64 for wrong usage (said on standard error), 0 after help.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitCode> {
    let read = Arguments::try_parse_from(arguments).and_then(Arguments::invocation);
    read.map_err(|error| {
        // Where even this can't be printed, the exit code alone has to tell.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(EXIT_USAGE),
        }
    })
}

impl Arguments {
    fn invocation(self) -> Result<Invocation, clap::Error> {
        use super::admin::Request;
        let action = match self.command {
            None => return self.run().map(Invocation::Run),
            Some(Verb::Config(ConfigVerb::Check)) => Action::ConfigCheck {
                config_dir: needed(self.config_dir, "--config_dir <DIR>")?,
                mode: needed(self.mode, "--mode <MODE>")?,
                name: self.name,
            },
            Some(Verb::Party { block_hash, validators, threshold }) => {
                Action::Party { block_hash, validators, threshold }
            }
            Some(Verb::Backup(ref verb)) => Action::Backup { run: self.run()?, verb: verb.clone() },
            Some(ref verb) => {
                let run = self.run()?;
                let ask = |request| Action::Ask { run: run.clone(), request };
                match verb {
                    Verb::Keys(KeysVerb::Generate) => Action::KeysGenerate(run),
                    Verb::Keys(KeysVerb::Accept { coin, key }) => {
                        Action::KeysAccept { run, coin: *coin, key: *key }
                    }
                    Verb::Status => ask(Request::Status),
                    Verb::Vaults => ask(Request::Vaults),
                    Verb::Sessions => ask(Request::Sessions),
                    Verb::Explain { id } => ask(Request::Explain { id: id.clone() }),
                    Verb::Peers => ask(Request::Peers),
                    Verb::Topics { verb: None } => ask(Request::Topics),
                    Verb::Topics { verb: Some(TopicsVerb::Resume { topic }) } => {
                        ask(Request::ResumeTopic { topic: topic.clone() })
                    }
                    Verb::Keys(KeysVerb::Show)
                    | Verb::Config(_)
                    | Verb::Party { .. }
                    | Verb::Backup(_) => Action::KeysShow(run),
                }
            }
        };
        Ok(Invocation::Command(Command { json: self.json, action }))
    }

    fn run(&self) -> Result<RunArgs, clap::Error> {
        Ok(RunArgs {
            config_dir: needed(self.config_dir.clone(), "--config_dir <DIR>")?,
            mode: needed(self.mode, "--mode <MODE>")?,
            name: needed(self.name.clone(), "--name <NAME>")?,
            exit_with_parent: self.exit_with_parent,
        })
    }
}

fn needed<T>(value: Option<T>, argument: &str) -> Result<T, clap::Error> {
    value.ok_or_else(|| {
        Arguments::command().error(
            ErrorKind::MissingRequiredArgument,
            format!("the argument '{argument}' is missing"),
        )
    })
}
