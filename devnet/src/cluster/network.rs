//! The running cluster.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serai_messages::{Coin, Name, ValidatorKey};
use tokio::sync::broadcast;

use super::child::{Recipe, signal};
use super::configuration::{Identity, make_keys, write_configuration, write_genesis};
use super::layout::{read, store};
use super::supervisor::Supervisor;
use super::{Layout, LayoutError, Notice, Processor, Program, processors};
use crate::binaries::Binaries;
use crate::chain::{Chain, ChainError};
use crate::external::{External, ExternalError};

/// Why a cluster does not start, or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The data folder.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Ports that the network has kept since its first run.
    #[error(
        "port {0}, which this network has had since its first run, is in use; stop the program \
         that uses it, or start anew with --fresh"
    )]
    PortInUse(u16),
    /// The broker holds records of another network.
    #[error(
        "topic {0} holds records of another network; --fresh drops them, or use another broker"
    )]
    ForeignTopic(String),
    /// The bus.
    #[error("cannot prepare the topics on {bus}: {source}")]
    Bus {
        /// The bus.
        bus: String,
        /// Why.
        source: serai_bus::BusError,
    },
    /// A program does not stay up.
    #[error("{0}")]
    Failed(String),
    /// The chain does not answer.
    #[error("the chain does not answer; see {log}: {source}")]
    NoChain {
        /// Its log file.
        log: String,
        /// What was said last.
        source: Box<ChainError>,
    },
    /// A simulated network.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A validator's configuration or keys.
    #[error("cannot make the keys of {name}: {reason}")]
    Keys {
        /// The validator.
        name: Name,
        /// Why.
        reason: String,
    },
    /// A command of the coordinator could not be run.
    #[error("cannot run {program}: {source}")]
    NoCommand {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A command of the coordinator failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command.
        command: String,
        /// What it printed.
        reason: String,
    },
}

/// Time in which the programs of a run before this one must have let go of its ports.
const PORTS_DEADLINE: Duration = Duration::from_secs(15);
/// Time in which the chain must answer.
const CHAIN_DEADLINE: Duration = Duration::from_secs(60);
/// Time in which processors must have ended after their coordinators.
const PROCESSORS_DEADLINE: Duration = Duration::from_secs(10);
/// Time in which a command of the coordinator must answer.
const COMMAND_DEADLINE: Duration = Duration::from_secs(20);
/// Notices kept for a slow listener; then it misses the oldest.
const NOTICES: usize = 256;
/// Pause between two looks at something that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// A running network. Dropping it kills its programs; [`Cluster::stop`] ends them in order.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    binaries: Binaries,
    identities: BTreeMap<Name, Identity>,
    notices: broadcast::Sender<Notice>,
    programs: BTreeMap<Program, Supervisor>,
}

impl Cluster {
    /// Makes keys and files where they are missing, starts the chain and the external ones, waits
    /// for them, and starts the coordinators.
    ///
    /// # Errors
    /// [`ClusterError`]; whatever was started is stopped again.
    pub async fn start(layout: Layout, binaries: Binaries) -> Result<Self, ClusterError> {
        wait_for_ports(&layout).await?;
        super::topics::clear(&layout).await?;
        let (notices, _) = broadcast::channel(NOTICES);
        let mut cluster = Self {
            layout,
            binaries,
            identities: BTreeMap::new(),
            notices,
            programs: BTreeMap::new(),
        };
        let names = cluster.layout.settings().validators.clone();
        for name in &names {
            write_configuration(&cluster.layout, &cluster.binaries, name, "info")?;
        }
        cluster.identities = match read(&cluster.layout.identities())? {
            Some(identities) => identities,
            None => {
                let mut identities = BTreeMap::new();
                for name in &names {
                    identities.insert(name.clone(), make_keys(&cluster.layout, name)?);
                }
                write_genesis(&cluster.layout, &identities)?;
                store(&cluster.layout.identities(), &identities)?;
                identities
            }
        };
        cluster.launch(Program::Chain);
        if let Err(error) = cluster.chain().await {
            cluster.stop().await;
            return Err(error);
        }
        for coin in cluster.layout.settings().coins.clone() {
            cluster.launch(Program::Simulated(coin));
        }
        if let Err(error) = cluster.external_chains().await {
            cluster.stop().await;
            return Err(error);
        }
        for name in names {
            cluster.launch(Program::Coordinator(name));
        }
        Ok(cluster)
    }

    /// The data folder.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A validator's public keys; `None` for names that are no validator's.
    pub fn identity(&self, name: &Name) -> Option<&Identity> {
        self.identities.get(name)
    }

    /// The name of a validator; `None` where the key is none of this network's.
    pub fn name_of(&self, validator: &ValidatorKey) -> Option<Name> {
        let found = self.identities.iter().find(|(_, one)| one.validator == *validator);
        found.map(|(name, _)| name.clone())
    }

    /// What happens to the programs from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Why a program is not started any more, if that is so.
    pub fn failure(&self) -> Option<String> {
        self.programs.values().find_map(|supervisor| supervisor.state().failure)
    }

    /// Process id of a program that runs now.
    pub fn pid(&self, program: &Program) -> Option<u32> {
        self.programs.get(program)?.state().pid
    }

    /// The processors that live now.
    pub fn processors(&self) -> Vec<Processor> {
        processors(self.layout.root())
    }

    /// Kills a program with SIGKILL; its supervisor starts it again.
    pub async fn kill(&self, program: &Program) {
        if let Some(supervisor) = self.programs.get(program) {
            supervisor.kill().await;
        }
    }

    /// Kills a program with SIGKILL and leaves it down until [`Cluster::release`].
    pub async fn hold(&self, program: &Program) {
        if let Some(supervisor) = self.programs.get(program) {
            supervisor.hold().await;
        }
    }

    /// Starts a program that was held down.
    pub async fn release(&self, program: &Program) {
        if let Some(supervisor) = self.programs.get(program) {
            supervisor.release().await;
        }
    }

    /// Kills a processor with SIGKILL; its coordinator starts it again. `false` where none lives.
    pub fn kill_processor(&self, name: &Name, coin: Coin) -> bool {
        let living = self.processors();
        let found = living.iter().find(|found| found.name == *name && found.coin == coin);
        if let Some(found) = found {
            signal(found.pid, Signal::KILL);
        }
        found.is_some()
    }

    /// A client of the chain.
    ///
    /// # Errors
    /// When the chain does not answer for a minute, or its program does not stay up.
    pub async fn chain(&self) -> Result<Chain, ClusterError> {
        let url = self.layout.rpc_url();
        let connect = async {
            loop {
                if let Some(failure) = self.failure() {
                    return Err(ClusterError::Failed(failure));
                }
                match Chain::connect(&url).await {
                    Ok(chain) => return Ok(chain),
                    Err(error) => tracing::debug!(%error, "the chain does not answer yet"),
                }
                tokio::time::sleep(GLANCE).await;
            }
        };
        match tokio::time::timeout(CHAIN_DEADLINE, connect).await {
            Ok(result) => result,
            Err(_) => Chain::connect(&url).await.map_err(|error| ClusterError::NoChain {
                log: self.layout.log("chain").display().to_string(),
                source: Box::new(error),
            }),
        }
    }

    /// A client of a coin's simulated network; it need not answer now.
    ///
    /// # Errors
    /// When this network has not that coin.
    pub fn external(&self, coin: Coin) -> Result<External, ExternalError> {
        let url = self.layout.external_url(coin).unwrap_or_default();
        External::new(coin, &url)
    }

    /// Waits until all simulated networks answer.
    async fn external_chains(&self) -> Result<(), ClusterError> {
        for coin in &self.layout.settings().coins {
            let external = self.external(*coin)?;
            let answers = async {
                loop {
                    if let Some(failure) = self.failure() {
                        return Err(ClusterError::Failed(failure));
                    }
                    match external.info().await {
                        Ok(_) => return Ok(()),
                        Err(error) => tracing::debug!(%error, "no answer yet"),
                    }
                    tokio::time::sleep(GLANCE).await;
                }
            };
            match tokio::time::timeout(CHAIN_DEADLINE, answers).await {
                Ok(result) => result?,
                Err(_) => {
                    external.info().await?;
                }
            }
        }
        Ok(())
    }

    /// What a validator's coordinator answers to one of its commands, for example `["status"]`.
    ///
    /// # Errors
    /// When the command fails or prints no JSON.
    pub async fn ask(
        &self,
        name: &Name,
        command: &[&str],
    ) -> Result<serde_json::Value, ClusterError> {
        let mut arguments = self.coordinator_arguments(name);
        arguments.extend(command.iter().map(OsString::from));
        arguments.push("--json".into());
        run(&self.binaries.coordinator, arguments).await
    }

    /// The vaults that a validator's processor holds, by its own command.
    ///
    /// # Errors
    /// When the command fails or prints no JSON.
    pub async fn vaults(&self, name: &Name, coin: Coin) -> Result<serde_json::Value, ClusterError> {
        let folder = self.layout.processor(name, coin).into_os_string();
        let arguments = ["vaults".into(), "--data".into(), folder, "--json".into()];
        run(&self.binaries.processor, arguments.into()).await
    }

    /// What a validator's processor has signed, by its own command.
    ///
    /// # Errors
    /// When the command fails or prints no JSON.
    pub async fn signings(
        &self,
        name: &Name,
        coin: Coin,
    ) -> Result<serde_json::Value, ClusterError> {
        let folder = self.layout.processor(name, coin).into_os_string();
        let arguments = ["signings".into(), "--data".into(), folder, "--json".into()];
        run(&self.binaries.processor, arguments.into()).await
    }

    /// What each program says of its version.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn versions(&self) -> Result<BTreeMap<String, String>, ClusterError> {
        let mut versions = BTreeMap::new();
        let Binaries { chain, coordinator, processor, simulated } = &self.binaries;
        for program in [chain, coordinator, processor, simulated] {
            let said = output(program, &["--version".into()]).await?;
            let said = String::from_utf8_lossy(&said);
            if let Some((name, version)) = said.trim().split_once(' ') {
                versions.insert(name.to_owned(), version.to_owned());
            }
        }
        Ok(versions)
    }

    /// The command line that asks a validator's coordinator for its status; for people.
    pub fn status_command(&self, name: &Name) -> String {
        let words: Vec<String> = self
            .coordinator_arguments(name)
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        format!("{} {} status", self.binaries.coordinator.display(), words.join(" "))
    }

    /// Stops the coordinators, which stop their processors, and then the chains.
    pub async fn stop(mut self) {
        let programs = std::mem::take(&mut self.programs);
        let (coordinators, chains): (Vec<_>, Vec<_>) = programs
            .into_iter()
            .partition(|(program, _)| matches!(program, Program::Coordinator(_)));
        for group in [coordinators, chains] {
            let stopping: Vec<_> =
                group.into_iter().map(|(_, supervisor)| tokio::spawn(supervisor.stop())).collect();
            for task in stopping {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a supervisor failed");
                }
            }
        }
        self.end_processors().await;
    }

    /// Processors end when their coordinators have; those that hang are killed.
    async fn end_processors(&self) {
        let gone = async {
            while !self.processors().is_empty() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        if tokio::time::timeout(PROCESSORS_DEADLINE, gone).await.is_err() {
            for processor in self.processors() {
                tracing::warn!(?processor, "did not end with its coordinator and is killed");
                signal(processor.pid, Signal::KILL);
            }
        }
    }

    fn launch(&mut self, program: Program) {
        let recipe = self.recipe(&program);
        let supervisor = Supervisor::start(program.clone(), recipe, self.notices.clone());
        self.programs.insert(program, supervisor);
    }

    fn recipe(&self, program: &Program) -> Recipe {
        let log = self.layout.log(&program.to_string());
        match program {
            Program::Chain => {
                let words: [OsString; 9] = [
                    "--data".into(),
                    self.layout.chain().into(),
                    "--genesis".into(),
                    self.layout.genesis().into(),
                    "--listen".into(),
                    format!("127.0.0.1:{}", self.layout.rpc_port()).into(),
                    "--block-ms".into(),
                    self.layout.settings().block_ms.to_string().into(),
                    "--exit-with-parent".into(),
                ];
                Recipe { path: self.binaries.chain.clone(), arguments: words.into(), log }
            }
            Program::Simulated(coin) => {
                let settings = self.layout.settings();
                let port = self.layout.external_port(*coin).unwrap_or_default();
                let words: [OsString; 11] = [
                    "--coin".into(),
                    coin.name().into(),
                    "--data".into(),
                    self.layout.external(*coin).into(),
                    "--listen".into(),
                    format!("127.0.0.1:{port}").into(),
                    "--block-ms".into(),
                    settings.external_ms.to_string().into(),
                    "--confirmations".into(),
                    settings.confirmations.to_string().into(),
                    "--exit-with-parent".into(),
                ];
                Recipe { path: self.binaries.simulated.clone(), arguments: words.into(), log }
            }
            Program::Coordinator(name) => {
                let odd = self.layout.settings().odd_coordinators.get(name);
                let mut command: Vec<OsString> = match odd {
                    Some(command) => command.iter().map(OsString::from).collect(),
                    None => vec![self.binaries.coordinator.clone().into()],
                };
                let path = if command.is_empty() { OsString::new() } else { command.remove(0) };
                let mut arguments = command;
                arguments.extend(self.coordinator_arguments(name));
                arguments.push("--exit-with-parent".into());
                Recipe { path: path.into(), arguments, log }
            }
        }
    }

    fn coordinator_arguments(&self, name: &Name) -> Vec<OsString> {
        vec![
            "--config_dir".into(),
            self.layout.config(name).into(),
            "--mode".into(),
            "development".into(),
            "--name".into(),
            name.as_str().into(),
        ]
    }
}

/// Waits until a run before this one, perhaps killed a moment ago, has let go of the ports.
async fn wait_for_ports(layout: &Layout) -> Result<(), ClusterError> {
    let free = async {
        while !layout.busy_ports().is_empty() {
            tokio::time::sleep(GLANCE).await;
        }
    };
    if tokio::time::timeout(PORTS_DEADLINE, free).await.is_err()
        && let Some(port) = layout.busy_ports().first()
    {
        return Err(ClusterError::PortInUse(*port));
    }
    Ok(())
}

/// Runs a program to its end and reads the JSON that it prints.
async fn run(program: &Path, arguments: Vec<OsString>) -> Result<serde_json::Value, ClusterError> {
    let said = output(program, &arguments).await?;
    serde_json::from_slice(&said)
        .map_err(|error| failed(program, &arguments, format!("its output is no JSON: {error}")))
}

/// Runs a program to its end and returns what it prints.
async fn output(program: &Path, arguments: &[OsString]) -> Result<Vec<u8>, ClusterError> {
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_DEADLINE, output)
        .await
        .map_err(|_| failed(program, arguments, format!("no answer in {COMMAND_DEADLINE:?}")))?
        .map_err(|source| ClusterError::NoCommand {
            program: program.display().to_string(),
            source,
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = format!("{}: {}", output.status, said.trim());
        return Err(failed(program, arguments, reason));
    }
    Ok(output.stdout)
}

fn failed(program: &Path, arguments: &[OsString], reason: String) -> ClusterError {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    ClusterError::Command { command: format!("{name} {}", words.join(" ")), reason }
}
