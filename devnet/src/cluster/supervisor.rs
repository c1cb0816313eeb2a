//! Keeps one program running.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serai_messages::{Coin, Name};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::child::{Child, Recipe, tail};

/// A program that the cluster itself starts; processors are their coordinators' business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The chain.
    Chain,
    /// A coin's simulated network.
    Simulated(Coin),
    /// A validator's coordinator.
    Coordinator(Name),
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program::Chain => f.write_str("chain"),
            Program::Simulated(coin) => write!(f, "simulated-{coin}"),
            Program::Coordinator(name) => write!(f, "{name}"),
        }
    }
}

/// What happened to a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which.
    pub program: Program,
    /// What.
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// It was started.
    Started {
        /// Its process id.
        pid: u32,
        /// How often it was started before.
        restarts: u32,
    },
    /// It ended and will be started again.
    Ended {
        /// Exit code or signal, in words.
        how: String,
        /// Pause before the next start.
        pause: Duration,
    },
    /// It was held down on request.
    Held,
    /// It ends at every start, or says that its configuration is wrong; it is left alone.
    GaveUp {
        /// The sentence for a person, with the end of the log.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = &self.program;
        match &self.kind {
            NoticeKind::Started { pid, restarts: 0 } => {
                write!(f, "{program} started (process {pid})")
            }
            NoticeKind::Started { pid, restarts } => {
                write!(f, "{program} started again (process {pid}, restart {restarts})")
            }
            NoticeKind::Ended { how, pause } => {
                write!(f, "{program} ended ({how}); starting it again in {pause:?}")
            }
            NoticeKind::Held => write!(f, "{program} is held down"),
            NoticeKind::GaveUp { reason } => f.write_str(reason),
        }
    }
}

/// A program's present state.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Process id while it runs.
    pub(super) pid: Option<u32>,
    /// Why it is not started any more.
    pub(super) failure: Option<String>,
}

enum Command {
    Kill(oneshot::Sender<()>),
    Hold(oneshot::Sender<()>),
    Release,
    Stop,
}

/// First pause before a restart.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause before a restart.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A program that lived this long has started well: its next end counts as the first.
const WELL_STARTED: Duration = Duration::from_secs(20);
/// Ends in a row, none after a good start, after which a program is left alone. One that somebody
/// kills has not ended by its own doing.
const GIVE_UP_AFTER: u32 = 6;
/// Time that a program has to stop in order.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// Exit code of a program whose configuration is wrong; trying again cannot help.
const WRONG_CONFIGURATION: i32 = 64;

/// Handle of the task that keeps a program running.
#[derive(Debug)]
pub(super) struct Supervisor {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Supervisor {
    pub(super) fn start(
        program: Program,
        recipe: Recipe,
        notices: broadcast::Sender<Notice>,
    ) -> Self {
        let (commands, inbox) = mpsc::channel(4);
        let (state, watched) = watch::channel(State::default());
        let keeper = Keeper { program, recipe, notices, state, ends: 0, starts: 0 };
        let task = tokio::spawn(keeper.run(inbox));
        Self { commands, state: watched, task }
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Kills the program with SIGKILL; returns when it is gone. It is started again.
    pub(super) async fn kill(&self) {
        self.ask(Command::Kill).await;
    }

    /// Kills the program and leaves it down until [`Self::release`].
    pub(super) async fn hold(&self) {
        self.ask(Command::Hold).await;
    }

    pub(super) async fn release(&self) {
        // Fails only when the task has ended, and then there is nothing to release.
        let _ = self.commands.send(Command::Release).await;
    }

    pub(super) async fn stop(self) {
        let _ = self.commands.send(Command::Stop).await;
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a supervisor failed");
        }
    }

    async fn ask(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(command(done)).await.is_ok() {
            // An error means that the task has ended, and the program with it.
            let _ = wait.await;
        }
    }
}

struct Keeper {
    program: Program,
    recipe: Recipe,
    notices: broadcast::Sender<Notice>,
    state: watch::Sender<State>,
    ends: u32,
    starts: u32,
}

/// What to do next.
enum Next {
    StartAfter(Duration),
    StayDown,
    End,
}

impl Keeper {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut next = Next::StartAfter(Duration::ZERO);
        loop {
            next = match next {
                Next::End => return,
                Next::StayDown => match inbox.recv().await {
                    Some(Command::Release) => Next::StartAfter(Duration::ZERO),
                    Some(Command::Kill(done) | Command::Hold(done)) => {
                        let _ = done.send(());
                        Next::StayDown
                    }
                    Some(Command::Stop) | None => Next::End,
                },
                Next::StartAfter(pause) => tokio::select! {
                    () = tokio::time::sleep(pause) => self.live(&mut inbox).await,
                    command = inbox.recv() => match command {
                        Some(Command::Release) => Next::StartAfter(Duration::ZERO),
                        Some(Command::Kill(done)) => {
                            let _ = done.send(());
                            Next::StartAfter(pause)
                        }
                        Some(Command::Hold(done)) => {
                            let _ = done.send(());
                            self.say(NoticeKind::Held);
                            Next::StayDown
                        }
                        Some(Command::Stop) | None => Next::End,
                    },
                },
            };
        }
    }

    /// One life of the program.
    async fn live(&mut self, inbox: &mut mpsc::Receiver<Command>) -> Next {
        let mut child = match self.recipe.start() {
            Ok(child) => child,
            Err(error) => {
                let reason = format!("cannot start {}: {error}", self.recipe.path.display());
                return self.give_up(reason);
            }
        };
        let born = Instant::now();
        let pid = child.pid();
        self.state.send_modify(|state| state.pid = Some(pid));
        self.say(NoticeKind::Started { pid, restarts: self.starts });
        self.starts = self.starts.saturating_add(1);
        loop {
            tokio::select! {
                ended = child.ended() => {
                    self.down();
                    return self.ended(ended, born);
                }
                command = inbox.recv() => match command {
                    Some(Command::Release) => {}
                    Some(Command::Kill(done)) => {
                        child.kill().await;
                        self.down();
                        let _ = done.send(());
                        self.say(NoticeKind::Ended {
                            how: "killed on request".to_owned(),
                            pause: PAUSE_MIN,
                        });
                        return Next::StartAfter(PAUSE_MIN);
                    }
                    Some(Command::Hold(done)) => {
                        child.kill().await;
                        self.down();
                        let _ = done.send(());
                        self.say(NoticeKind::Held);
                        return Next::StayDown;
                    }
                    Some(Command::Stop) | None => {
                        Child::stop(child, STOP_DEADLINE).await;
                        self.down();
                        return Next::End;
                    }
                },
            }
        }
    }

    fn ended(&mut self, ended: std::io::Result<ExitStatus>, born: Instant) -> Next {
        let (how, code) = match ended {
            Ok(status) if status.signal() == Some(Signal::KILL.as_raw()) => {
                let how = status.to_string();
                self.say(NoticeKind::Ended { how, pause: PAUSE_MIN });
                return Next::StartAfter(PAUSE_MIN);
            }
            Ok(status) => (status.to_string(), status.code()),
            Err(error) => (error.to_string(), None),
        };
        self.ends = if born.elapsed() >= WELL_STARTED { 1 } else { self.ends.saturating_add(1) };
        if code == Some(WRONG_CONFIGURATION) || self.ends >= GIVE_UP_AFTER {
            let log = &self.recipe.log;
            let reason = format!(
                "{} does not stay up ({how}); its log {} ends with:\n{}",
                self.program,
                log.display(),
                tail(log)
            );
            return self.give_up(reason);
        }
        let pause = PAUSE_MIN.saturating_mul(1 << (self.ends - 1)).min(PAUSE_MAX);
        self.say(NoticeKind::Ended { how, pause });
        Next::StartAfter(pause)
    }

    fn give_up(&self, reason: String) -> Next {
        self.state.send_modify(|state| state.failure = Some(reason.clone()));
        self.say(NoticeKind::GaveUp { reason });
        Next::StayDown
    }

    fn down(&self) {
        self.state.send_modify(|state| state.pid = None);
    }

    fn say(&self, kind: NoticeKind) {
        // Without a listener nobody wants to know.
        let _ = self.notices.send(Notice { program: self.program.clone(), kind });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    fn supervise(
        script: &str,
        folder: &tempfile::TempDir,
    ) -> (Supervisor, broadcast::Receiver<Notice>) {
        let recipe = Recipe {
            path: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            log: folder.path().join("log"),
        };
        let (notices, heard) = broadcast::channel(64);
        (Supervisor::start(Program::Chain, recipe, notices), heard)
    }

    async fn started(heard: &mut broadcast::Receiver<Notice>) -> (u32, u32) {
        let wait = async {
            loop {
                if let NoticeKind::Started { pid, restarts } = heard.recv().await.unwrap().kind {
                    return (pid, restarts);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it starts")
    }

    fn lives(pid: u32) -> bool {
        std::path::Path::new(&format!("/proc/{pid}")).exists()
    }

    #[tokio::test]
    async fn a_killed_program_comes_back_and_a_stopped_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (supervisor, mut heard) = supervise("cat", &folder);
        let (first, restarts) = started(&mut heard).await;
        assert_eq!(restarts, 0);
        supervisor.kill().await;
        assert!(!lives(first));
        let (second, restarts) = started(&mut heard).await;
        assert_eq!(restarts, 1);
        assert_eq!(supervisor.state().pid, Some(second));
        supervisor.hold().await;
        assert_eq!(supervisor.state().pid, None);
        supervisor.release().await;
        let (third, _) = started(&mut heard).await;
        supervisor.stop().await;
        assert!(!lives(third));
    }

    #[tokio::test]
    async fn a_wrong_configuration_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (supervisor, mut heard) = supervise("echo no such key; exit 64", &folder);
        started(&mut heard).await;
        let notice = heard.recv().await.unwrap();
        let NoticeKind::GaveUp { reason } = notice.kind else { panic!("{notice}") };
        assert!(reason.contains("exit status: 64") && reason.ends_with("no such key"), "{reason}");
        assert_eq!(supervisor.state().failure, Some(reason));
        supervisor.stop().await;
    }
}
