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
use crate::follower::Follower;
use crate::options::{Options, Until};
use crate::progress::{Progress, describe, describe_start};
use crate::report::{Report, ReportError, collect};

/// Without any change for this long, a goal counts as out of reach.
pub const STUCK_AFTER: Duration = Duration::from_secs(300);

/// Time in which the report must be complete once the chain has all keys.
const REPORT_DEADLINE: Duration = Duration::from_secs(120);

/// Pause between two looks at the network.
const LOOK: Duration = Duration::from_millis(500);

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Asked for what this version has not.
    #[error("payments are not available in this version; use --until vaults")]
    NoPayments,
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
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A program does not stay up.
    #[error("{0}")]
    Failed(String),
    /// Nothing goes on.
    #[error("no vault for {missing}: nothing has changed for {after:?}; last seen: {last}")]
    Stuck {
        /// Coins without a vault.
        missing: String,
        /// For how long.
        after: Duration,
        /// Where it stopped.
        last: String,
    },
    /// Somebody ended it before the goal.
    #[error("interrupted before the vaults were there")]
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
    if options.until == Some(Until::Payments) {
        return Err(LaunchError::NoPayments);
    }
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
    let mut show = Show::new(&cluster, progress);
    let result = show.run(&cluster, &options, &mut signals).await;
    show.progress.event("stopping");
    drop(show);
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
    last: String,
    changed: Instant,
    confirmed: Option<Instant>,
    reported: bool,
}

impl Show {
    fn new(cluster: &Cluster, progress: Progress) -> Self {
        let layout = cluster.layout();
        Self {
            progress,
            follower: Follower::new(layout.rpc_url()),
            notices: cluster.notices(),
            coins: layout.settings().coins.clone(),
            active: Vec::new(),
            last: "nothing yet".to_owned(),
            changed: Instant::now(),
            confirmed: None,
            reported: false,
        }
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
        if self.active.len() < self.coins.len() {
            self.stages(cluster).await;
            return if options.until.is_some() { self.stuck().map(|()| false) } else { Ok(false) };
        }
        self.report(cluster, options).await
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
            self.progress.done(coin, &format!("vault of session {session} is active"));
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
        Err(LaunchError::Stuck {
            missing: missing.map(|coin| coin.name()).collect::<Vec<_>>().join(", "),
            after,
            last: self.last.clone(),
        })
    }

    /// All keys are on the chain: reads everything back and says what there is.
    async fn report(&mut self, cluster: &Cluster, options: &Options) -> Result<bool, LaunchError> {
        let confirmed = *self.confirmed.get_or_insert_with(Instant::now);
        let report = match collect(cluster).await {
            Ok(report) => report,
            Err(error) if error.may_still_come() && confirmed.elapsed() < REPORT_DEADLINE => {
                tracing::debug!(%error, "not yet");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
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

/// What a person wants to know at the end.
fn summary(cluster: &Cluster, report: &Report, options: &Options) -> Vec<String> {
    let layout = cluster.layout();
    let mut lines = vec![String::new()];
    for vault in &report.vaults {
        lines.push(format!("{} vault, session {}", vault.coin, vault.session));
        lines.push(format!("  address        {} ({})", vault.address.text, vault.address.kind));
        lines.push(format!("  external key   {}", vault.external_key));
        lines.push(format!("  Ristretto key  {}", vault.ristretto_key));
        let verified: Vec<String> =
            vault.proven.iter().map(|one| format!("{} by {}", one.key, one.verified_by)).collect();
        lines.push(format!(
            "  held by {} processors; signatures verified: {}",
            vault.held_by.len(),
            verified.join(", ")
        ));
    }
    lines.push(String::new());
    lines.push("Read back from the chain, the topics and the processors; all agree.".to_owned());
    if let Some(path) = &options.report {
        lines.push(format!("Report          {}", path.display()));
    }
    if options.until.is_some() {
        lines.push(format!("Data            {}", layout.root().display()));
        return lines;
    }
    lines.push(format!("Chain RPC       {}", layout.rpc_url()));
    for name in &layout.settings().validators {
        if let Some(url) = layout.http_url(name) {
            lines.push(format!("{:<15} {url}", name.as_str()));
        }
    }
    lines.push(format!("Data and logs   {}", layout.root().display()));
    if let Some(name) = layout.settings().validators.first() {
        lines.push(format!("Ask one         {}", cluster.status_command(name)));
    }
    lines.push("Ctrl-C stops everything; the same command resumes it.".to_owned());
    lines
}
