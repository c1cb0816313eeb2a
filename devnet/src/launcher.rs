//! The program: starts a network, shows what it does, and ends it.
//!
//! # Owns
//! The order of things, and the words for the person who looks on.
//!
//! # Promises
//! However it ends, the programs that it started end too. With `--until` it ends by itself: well
//! when the goal is reached and the report holds, with the reason otherwise.
//!
//! # Limits
//! A goal counts as out of reach when nothing has changed for [`STUCK_AFTER`].

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serai_messages::{Coin, ValidatorSet};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast;

use crate::binaries::{Binaries, BinariesError};
use crate::chain::{ChainError, ChainEvent, SetEvent};
use crate::cluster::{Cluster, ClusterError, Layout, LayoutError, Notice};
use crate::external::ExternalError;
use crate::follower::Follower;
use crate::options::{Options, Until};
use crate::progress::{Progress, describe, describe_start};
use crate::report::{Reader, ReportError, Session};
use crate::summary::{summary, where_to_look};
use crate::tour::{Tour, TourError};

/// Without any change for this long, a goal counts as out of reach.
pub const STUCK_AFTER: Duration = Duration::from_secs(300);

/// Time in which the report must be complete once the chain has all keys.
const REPORT_DEADLINE: Duration = Duration::from_secs(120);

/// Pause between two looks at the network.
const LOOK: Duration = Duration::from_millis(500);

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Not what the data folder holds.
    #[error("{0}")]
    Contradiction(String),
    /// The programs.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// The data folder.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The network.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The chain says what cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A simulated network.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A program does not stay up.
    #[error("{0}")]
    Failed(String),
    /// Nothing goes on.
    #[error("still waiting for {missing}: nothing has changed for {after:?}; last seen: {last}")]
    Stuck {
        /// What was waited for.
        missing: String,
        /// For how long.
        after: Duration,
        /// Where it stopped.
        last: String,
    },
    /// Somebody ended it before the goal.
    #[error("interrupted before the goal was reached")]
    Interrupted,
    /// The report cannot be written.
    #[error("cannot write the report to {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be listened to.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
}

/// Runs the program.
///
/// # Errors
/// [`LaunchError`], one sentence for a person.
pub async fn run(options: Options) -> Result<(), LaunchError> {
    let mut signals = Signals::new()?;
    let binaries = tokio::task::spawn_blocking(Binaries::ready)
        .await
        .map_err(|error| LaunchError::Failed(error.to_string()))??;
    let layout = Layout::open(&options.data, options.fresh, options.settings())?;
    if let Some(sentence) = options.contradiction(layout.settings()) {
        return Err(LaunchError::Contradiction(sentence));
    }
    let progress = Progress::new(&layout.settings().coins);
    announce(&layout, &progress);
    let starting = Cluster::start(layout, binaries);
    let cluster = tokio::select! {
        cluster = starting => cluster?,
        () = signals.recv() => return Err(LaunchError::Interrupted),
    };
    let result = match Show::new(&cluster, progress) {
        Ok(mut show) => {
            let result = show.run(&cluster, &options, &mut signals).await;
            show.progress.event("stopping");
            result
        }
        Err(error) => Err(error),
    };
    cluster.stop().await;
    result
}

fn announce(layout: &Layout, progress: &Progress) {
    let settings = layout.settings();
    let names: Vec<&str> = settings.validators.iter().map(|name| name.as_str()).collect();
    let coins: Vec<&str> = settings.coins.iter().map(|coin| coin.name()).collect();
    progress.event(&format!(
        "{} {} validators ({}) for {} over the bus {}, in {}",
        if layout.resumed() { "resuming" } else { "starting" },
        names.len(),
        names.join(", "),
        coins.join(", "),
        settings.bus,
        layout.root().display()
    ));
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// What is shown, and what was seen so far.
struct Show {
    progress: Progress,
    follower: Follower,
    notices: broadcast::Receiver<Notice>,
    coins: Vec<Coin>,
    /// Coins with a confirmed vault.
    active: Vec<Coin>,
    /// Moves money, once all vaults are there.
    tour: Tour,
    last: String,
    changed: Instant,
    confirmed: Option<Instant>,
    reader: Reader,
    reported: bool,
}

impl Show {
    fn new(cluster: &Cluster, progress: Progress) -> Result<Self, LaunchError> {
        let layout = cluster.layout();
        Ok(Self {
            progress,
            follower: Follower::new(layout.rpc_url()),
            notices: cluster.notices(),
            coins: layout.settings().coins.clone(),
            active: Vec::new(),
            tour: Tour::new(layout)?,
            last: "nothing yet".to_owned(),
            changed: Instant::now(),
            confirmed: None,
            reader: Reader::default(),
            reported: false,
        })
    }

    async fn run(
        &mut self,
        cluster: &Cluster,
        options: &Options,
        signals: &mut Signals,
    ) -> Result<(), LaunchError> {
        let mut clock = tokio::time::interval(LOOK);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = signals.recv() => return match options.until {
                    Some(_) => Err(LaunchError::Interrupted),
                    None => Ok(()),
                },
                notice = self.notices.recv() => {
                    if let Ok(notice) = notice {
                        self.progress.event(&notice.to_string());
                    }
                }
                _ = clock.tick() => {
                    if self.look(cluster, options).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// One look at the network; `true` when the goal is reached.
    async fn look(&mut self, cluster: &Cluster, options: &Options) -> Result<bool, LaunchError> {
        if let Some(failure) = cluster.failure() {
            return Err(LaunchError::Failed(failure));
        }
        match self.follower.poll().await {
            Ok(events) => {
                for event in events {
                    self.chain_event(cluster, &event);
                }
            }
            Err(error @ ChainError::Undecodable { .. }) => return Err(error.into()),
            // Its supervisor says so where the chain is down.
            Err(error) => tracing::debug!(%error, "the chain does not answer"),
        }
        if self.reported {
            return Ok(false);
        }
        let vaults = self.active.len() == self.coins.len();
        if !vaults {
            self.stages(cluster).await;
        } else if options.until != Some(Until::Vaults) && !self.tour.done() {
            self.tour().await?;
        } else {
            return self.report(cluster, options).await;
        }
        if options.until.is_some() { self.stuck().map(|()| false) } else { Ok(false) }
    }

    /// The next step of the money's way in and out.
    async fn tour(&mut self) -> Result<(), LaunchError> {
        match self.tour.step().await {
            Ok(()) => {}
            Err(TourError::Chain(error @ ChainError::Undecodable { .. })) => {
                return Err(error.into());
            }
            // Its supervisor says so where a chain is down.
            Err(error) => tracing::debug!(%error, "the tour waits"),
        }
        for text in self.tour.news() {
            self.note(&text);
            self.progress.event(&text);
        }
        for (coin, text, done) in self.tour.stages() {
            if done {
                self.progress.done(coin, &text);
            } else {
                self.progress.stage(coin, &text);
            }
        }
        Ok(())
    }

    fn chain_event(&mut self, cluster: &Cluster, event: &ChainEvent) {
        let ValidatorSet { coin, session } = event.set;
        let block = event.block;
        let text = match &event.event {
            SetEvent::New => format!("{coin}: set of session {session} elected in block {block}"),
            SetEvent::Removed(validator) => {
                let name = cluster.name_of(validator);
                let name = name.map_or_else(|| validator.to_string(), String::from);
                format!("{coin}: session {session} goes on without {name}")
            }
            SetEvent::Keys(_) => {
                format!("{coin}: keys of session {session} confirmed in block {block}")
            }
            SetEvent::Handover => format!("{coin}: session {session} took over in block {block}"),
            SetEvent::Retired => format!("{coin}: session {session} retired in block {block}"),
        };
        self.note(&text);
        self.progress.event(&text);
        if matches!(event.event, SetEvent::Keys(_)) && !self.active.contains(&coin) {
            self.active.push(coin);
            self.progress.stage(coin, &format!("vault of session {session} is active"));
        }
    }

    /// Asks the first coordinator that answers what it is at.
    async fn stages(&mut self, cluster: &Cluster) {
        for name in &cluster.layout().settings().validators {
            let Ok(sessions) = cluster.ask(name, &["sessions"]).await else { continue };
            let open: Vec<Coin> =
                self.coins.iter().copied().filter(|coin| !self.active.contains(coin)).collect();
            let all_known = open.iter().all(|coin| describe(&sessions, *coin).is_some());
            let status = if all_known { None } else { cluster.ask(name, &["status"]).await.ok() };
            for coin in open {
                let start = || describe_start(status.as_ref()?, coin);
                let Some(text) = describe(&sessions, coin).or_else(start) else { continue };
                if text != self.progress.text(coin) {
                    self.note(&format!("{coin}: {text}"));
                }
                self.progress.stage(coin, &text);
            }
            return;
        }
    }

    fn note(&mut self, text: &str) {
        text.clone_into(&mut self.last);
        self.changed = Instant::now();
    }

    fn stuck(&self) -> Result<(), LaunchError> {
        let after = self.changed.elapsed();
        if after < STUCK_AFTER {
            return Ok(());
        }
        let missing = self.coins.iter().filter(|coin| !self.active.contains(coin));
        let mut missing: Vec<String> = missing.map(|coin| format!("the vault of {coin}")).collect();
        if missing.is_empty() {
            missing = self.tour.waiting();
        }
        Err(LaunchError::Stuck { missing: missing.join(", "), after, last: self.last.clone() })
    }

    /// The goal is reached: reads everything back and says what there is.
    async fn report(&mut self, cluster: &Cluster, options: &Options) -> Result<bool, LaunchError> {
        let confirmed = *self.confirmed.get_or_insert_with(Instant::now);
        let report = match self.reader.report(cluster).await {
            Ok(report) => report,
            Err(error) if error.may_still_come() && confirmed.elapsed() < REPORT_DEADLINE => {
                tracing::debug!(%error, "not yet");
                return Ok(false);
            }
            // A network that stays up goes on: a validator that was restored without its bus, say, has
            // topics that are not whole.
            Err(error) if error.may_still_come() && options.until.is_none() => {
                self.reported = true;
                self.progress.event(&format!("{error}; the network goes on"));
                for line in where_to_look(cluster) {
                    self.progress.print(&line);
                }
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let unfinished = |session: &&Session| session.end.is_none();
        if let Some(session) = report.sessions.iter().find(unfinished)
            && confirmed.elapsed() < REPORT_DEADLINE
        {
            tracing::debug!(session.id, "not acknowledged on Serai yet");
            return Ok(false);
        }
        self.reported = true;
        if let Some(path) = &options.report {
            let write = |source| LaunchError::Write { path: path.clone(), source };
            let text = serde_json::to_string_pretty(&report)
                .map_err(|error| write(std::io::Error::other(error)))?;
            std::fs::write(path, text + "\n").map_err(write)?;
        }
        for line in summary(cluster, &report, options) {
            self.progress.print(&line);
        }
        Ok(options.until.is_some())
    }
}
