//! One child process from start to reaping.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serai_messages::Coin;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;

use super::log_file::{CAP_BYTES, LogFile};
use super::plan::Plan;

/// Time for the last output to reach the log after the child's end. A grandchild may hold the pipe
/// open for longer; its output is not waited for.
const DRAIN: Duration = Duration::from_millis(500);

/// A running processor. Dropping it kills it.
pub(super) struct Processor {
    coin: Coin,
    child: Child,
    // Held open: its end tells the child that its parent is gone.
    stdin: Option<ChildStdin>,
    output: Vec<JoinHandle<()>>,
    stop_timeout: Duration,
}

impl Processor {
    /// Starts the processor in its own process group, so that a Ctrl-C at this program's terminal
    /// reaches it only in order.
    pub(super) fn start(plan: &Plan) -> std::io::Result<Self> {
        std::fs::create_dir_all(&plan.folder)?;
        let log = Arc::new(Mutex::new(LogFile::open(&plan.log, CAP_BYTES)?));
        let mut child = Command::new(&plan.program)
            .args(&plan.arguments)
            .env_clear()
            .envs(&plan.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            output.push(tokio::spawn(pump(plan.coin, stdout, log.clone())));
        }
        if let Some(stderr) = child.stderr.take() {
            output.push(tokio::spawn(pump(plan.coin, stderr, log)));
        }
        let stdin = child.stdin.take();
        Ok(Self { coin: plan.coin, child, stdin, output, stop_timeout: plan.stop_timeout })
    }

    /// Its process id, until it is reaped.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end and reaps it. Cancel safe.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to stop, kills it where it does not, and reaps it.
    pub(super) async fn stop(&mut self) {
        drop(self.stdin.take());
        self.signal(Signal::TERM);
        if tokio::time::timeout(self.stop_timeout, self.child.wait()).await.is_err() {
            tracing::warn!(
                coin = %self.coin,
                "the processor did not stop within {:?}; killing it",
                self.stop_timeout
            );
            self.kill().await;
        }
        self.drain().await;
    }

    /// Kills it with its process group and reaps it.
    pub(super) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Err(error) = self.child.wait().await {
            tracing::error!(coin = %self.coin, %error, "cannot reap the processor");
        }
    }

    /// Lets the last output reach the log.
    pub(super) async fn drain(&mut self) {
        for mut task in self.output.drain(..) {
            if tokio::time::timeout(DRAIN, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    // Only while the child is not reaped: until then its id can't belong to another process.
    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process_group(pid, signal)
        {
            tracing::debug!(coin = %self.coin, %error, "the processor is gone already");
        }
    }
}

async fn pump(coin: Coin, mut from: impl AsyncRead + Unpin, log: Arc<Mutex<LogFile>>) {
    let mut buffer = [0; 8 * 1024];
    let mut warned = false;
    // Read on even when the log can't be written: a full pipe would block the processor.
    while let Ok(length) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return };
        let written = log.lock().unwrap_or_else(PoisonError::into_inner).write(bytes);
        if let Err(error) = written
            && !std::mem::replace(&mut warned, true)
        {
            tracing::warn!(%coin, %error, "cannot write the processor's log");
        }
    }
}
