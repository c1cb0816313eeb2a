//! One child process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{ChildStdin, Command};

/// How to start a program.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// The program.
    pub(super) path: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Where its output goes.
    pub(super) log: PathBuf,
}

/// A running program. Its standard input is a pipe whose other end this process holds: when this
/// process ends, however it ends, the kernel closes it and the program reads end-of-file.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    pid: u32,
    _parent: Option<ChildStdin>,
}

impl Recipe {
    /// Starts the program in its own process group: Ctrl-C at the terminal reaches this process
    /// alone, which then stops the others in order.
    pub(super) fn start(&self) -> std::io::Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut process = Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .env("NO_COLOR", "1")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let parent = process.stdin.take();
        let pid = process.id().unwrap_or_default();
        Ok(Child { process, pid, _parent: parent })
    }
}

impl Child {
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end. Cancel safe.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Kills at once and waits for the end.
    pub(super) async fn kill(&mut self) {
        if let Err(error) = self.process.kill().await {
            tracing::warn!(pid = self.pid, %error, "cannot kill a process");
        }
    }

    /// Asks to end, and kills what has not ended after `deadline`.
    pub(super) async fn stop(mut self, deadline: Duration) {
        if self.process.id().is_some() {
            signal(self.pid, Signal::TERM);
        }
        if tokio::time::timeout(deadline, self.process.wait()).await.is_err() {
            tracing::warn!(pid = self.pid, "a process did not stop in time and is killed");
            self.kill().await;
        }
    }
}

/// Sends a signal to one process that is this program's child or grandchild.
pub(super) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, signal)) {
        tracing::debug!(%error, "the process has ended already");
    }
}

/// The last lines of a log file, at most 2 KiB.
pub(super) fn tail(log: &Path) -> String {
    const BYTES: u64 = 2048;
    const LINES: usize = 8;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).copied().collect::<Vec<_>>().join("\n")
}
