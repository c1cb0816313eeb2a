//! The programs that the devnet starts.
//!
//! # Owns
//! Where they are, and how they come to be there.
//!
//! # Promises
//! Started through cargo, the other programs are built first, with the profile and into the target
//! folder of this one, so that all are of one version.
//!
//! # Limits
//! Started without cargo, the programs must stand beside this one.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// `serai-devchain`.
    pub chain: PathBuf,
    /// `serai-coordinator`.
    pub coordinator: PathBuf,
    /// `serai-processor`.
    pub processor: PathBuf,
    /// `serai-simchain`.
    pub simulated: PathBuf,
}

/// Programs that misbehave on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faulty {
    /// `serai-coordinator`; the environment variable `SERAI_COORDINATOR_FAULT` says what it does.
    pub coordinator: PathBuf,
    /// `serai-processor`; likewise `SERAI_PROCESSOR_FAULT`.
    pub processor: PathBuf,
}

/// Why there are no programs to start.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// The operating system does not say where this program is.
    #[error("cannot find out where this program is: {0}")]
    Unknown(#[source] std::io::Error),
    /// A program is not there.
    #[error("{missing} is missing; build it with `cargo build --workspace`")]
    Missing {
        /// The path looked at.
        missing: PathBuf,
    },
    /// Cargo could not be run.
    #[error("cannot run {cargo}: {source}")]
    NoCargo {
        /// The command.
        cargo: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Cargo said no.
    #[error("building the programs failed ({0}); the reason is above")]
    BuildFailed(std::process::ExitStatus),
}

const PACKAGES: [&str; 4] =
    ["serai-devchain", "serai-coordinator", "serai-processor", "serai-simchain"];

impl Binaries {
    /// Builds the programs where cargo started this one, then finds them beside it.
    ///
    /// # Errors
    /// When the build fails or a program is missing.
    pub fn ready() -> Result<Self, BinariesError> {
        let own = std::env::current_exe().map_err(BinariesError::Unknown)?;
        let folder = folder_of(&own);
        if let Some(cargo) = std::env::var_os("CARGO") {
            build(&PathBuf::from(cargo), folder, &[])?;
        }
        Self::beside(folder)
    }

    /// The coordinator and the processor built with their feature `faults`, which lets them
    /// misbehave on demand; for tests. They have a folder of their own, so that nobody mistakes them
    /// for the real ones.
    ///
    /// # Errors
    /// When not started through cargo, or the build fails.
    pub fn faulty() -> Result<Faulty, BinariesError> {
        let own = std::env::current_exe().map_err(BinariesError::Unknown)?;
        let folder = folder_of(&own);
        let programs = folder.join("faults").join(folder.file_name().unwrap_or_default());
        let [coordinator, processor] =
            ["serai-coordinator", "serai-processor"].map(|name| programs.join(name));
        let cargo = std::env::var_os("CARGO")
            .ok_or_else(|| BinariesError::Missing { missing: processor.clone() })?;
        let features = ["--features", "serai-coordinator/faults,serai-processor/faults"];
        build(&PathBuf::from(cargo), folder, &features)?;
        Ok(Faulty { coordinator, processor })
    }

    /// The programs in `folder`.
    ///
    /// # Errors
    /// When one is missing.
    pub fn beside(folder: &Path) -> Result<Self, BinariesError> {
        let find = |name: &str| {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(BinariesError::Missing { missing: path }) }
        };
        let [chain, coordinator, processor, simulated] = PACKAGES;
        Ok(Self {
            chain: find(chain)?,
            coordinator: find(coordinator)?,
            processor: find(processor)?,
            simulated: find(simulated)?,
        })
    }
}

/// The folder of cargo's finished programs; tests run from `deps` inside of it.
fn folder_of(program: &Path) -> &Path {
    let folder = program.parent().unwrap_or(Path::new("."));
    match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().unwrap_or(folder),
        _ => folder,
    }
}

fn build(cargo: &Path, folder: &Path, features: &[&str]) -> Result<(), BinariesError> {
    let mut command = Command::new(cargo);
    command
        .args(arguments(folder))
        // Of this package alone; cargo would take them for settings of the other packages.
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_MANIFEST_PATH")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    // A person sees how far it is; a log does not fill with it.
    if !std::io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    let target = folder.parent().unwrap_or(folder);
    if features.is_empty() {
        command.args(["--bins".into(), "--target-dir".into(), target.as_os_str().to_owned()]);
    } else {
        // The dependencies are shared, the finished program is not.
        command
            .args(["--bin", "serai-coordinator", "--bin", "serai-processor"])
            .args(features)
            .args([OsStr::new("--target-dir"), folder.join("faults").as_os_str()])
            .env("CARGO_BUILD_BUILD_DIR", target);
    }
    let status = command
        .status()
        .map_err(|source| BinariesError::NoCargo { cargo: cargo.to_owned(), source })?;
    if status.success() { Ok(()) } else { Err(BinariesError::BuildFailed(status)) }
}

/// Selects this package too: the features of shared dependencies are then those that this program
/// was built with, and nothing is built twice.
fn arguments(folder: &Path) -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<std::ffi::OsString> =
        ["build", "--package", "serai-devnet"].map(Into::into).into();
    for package in PACKAGES {
        arguments.extend(["--package".into(), package.into()]);
    }
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    arguments.extend(["--profile".into(), profile.into()]);
    arguments
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_programs_share_a_folder() {
        for program in ["/t/debug/serai-devnet", "/t/debug/deps/it-0123456789abcdef"] {
            assert_eq!(folder_of(Path::new(program)), Path::new("/t/debug"));
        }
    }

    #[test]
    fn builds_with_the_same_profile() {
        for (folder, profile) in [("/t/debug", "dev"), ("/t/release", "release")] {
            let arguments = arguments(Path::new(folder)).join(OsStr::new(" "));
            let arguments = arguments.to_str().unwrap();
            assert!(arguments.ends_with(&format!("--profile {profile}")), "{arguments}");
            assert!(arguments.contains("--package serai-coordinator"), "{arguments}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Binaries::beside(folder.path()).unwrap_err().to_string();
        assert!(error.contains("serai-devchain is missing; build it with"), "{error}");
    }
}
