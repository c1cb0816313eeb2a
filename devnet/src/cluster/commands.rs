//! The programs' own commands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serai_messages::{Coin, Name};

use super::{Cluster, ClusterError};
use crate::binaries::Binaries;

/// Time in which a command of the coordinator must answer.
const COMMAND_DEADLINE: Duration = Duration::from_secs(20);

impl Cluster {
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

    pub(super) fn coordinator_arguments(&self, name: &Name) -> Vec<OsString> {
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
