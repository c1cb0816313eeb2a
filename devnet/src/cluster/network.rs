//! The running cluster.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use rustix::process::Signal;
use serai_messages::{Coin, Name, ValidatorKey};
use tokio::sync::broadcast;

use super::child::{Recipe, signal};
use super::configuration::{Identity, make_keys, write_configuration, write_genesis};
use super::layout::{read, store};
use super::supervisor::Supervisor;
use super::{ClusterError, Layout, Notice, Processor, Program, processors};
use crate::binaries::Binaries;
use crate::chain::Chain;
use crate::external::{External, ExternalError};

/// Time in which the programs of a run before this one must have let go of its ports.
const PORTS_DEADLINE: Duration = Duration::from_secs(15);
/// Time in which the chain must answer.
const CHAIN_DEADLINE: Duration = Duration::from_secs(60);
/// Time in which processors must have ended after their coordinators.
const PROCESSORS_DEADLINE: Duration = Duration::from_secs(10);
/// Notices kept for a slow listener; then it misses the oldest.
const NOTICES: usize = 256;
/// Pause between two looks at something that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// A running network. Dropping it kills its programs; [`Cluster::stop`] ends them in order.
#[derive(Debug)]
pub struct Cluster {
    pub(super) layout: Layout,
    pub(super) binaries: Binaries,
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
