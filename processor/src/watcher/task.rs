//! The watcher's loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serai_messages::signing::SigningId;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::publishing::Publishing;
use crate::chain::{Block, ChainError, ExternalChain, Info};
use crate::ledger::{HoldingsAt, Publication};

/// How many finalized blocks are kept from the wanted one on.
pub const LOOK_AHEAD: u64 = 16;

/// Reports that wait for the processor.
const CAPACITY: usize = 16;

/// Longest pause while the chain does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Shortest time between two reports of the newest finalized block, unless many came.
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);

/// So many new finalized blocks are reported at once.
const MANY_BLOCKS: u64 = 10;

/// How the chain is asked.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time between two looks at the newest finalized block.
    pub poll: Duration,
    /// Time between two looks at a published transaction.
    pub check: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { poll: Duration::from_millis(250), check: Duration::from_secs(1) }
    }
}

/// A block that the ledger wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Its height.
    pub height: u64,
    /// Each is answered once: raised whenever an answer was handled.
    pub round: u64,
}

/// What is to be done, as the processor's database has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Hash of the known chain's block 0.
    pub genesis: Option<[u8; 32]>,
    /// From which block on blocks are wanted.
    pub wants: Option<Want>,
    /// Transactions that are in no finalized block yet, oldest first.
    pub publications: Vec<Publication>,
    /// What the chain is to be asked for.
    pub holdings: Vec<HoldingsAt>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The chain is seen for the first time.
    Chain {
        /// Hash of its block 0.
        genesis: [u8; 32],
    },
    /// The chain is not the known one.
    WrongChain {
        /// In a sentence.
        reason: String,
    },
    /// The newest finalized block.
    Finalized {
        /// Height.
        height: u64,
        /// Hash.
        hash: [u8; 32],
    },
    /// Finalized blocks from the wanted one on, one after the other.
    Blocks {
        /// [`Want::round`].
        round: u64,
        /// At least one.
        blocks: Vec<Arc<Block>>,
    },
    /// The chain has this transaction.
    Published {
        /// What it pays or forwards.
        id: SigningId,
        /// Its hash.
        transaction: [u8; 32],
    },
    /// This transaction is in a finalized block.
    Final {
        /// What it pays or forwards.
        id: SigningId,
    },
    /// Answer to [`Orders::holdings`].
    Holdings {
        /// The batch.
        batch: u32,
        /// In base units.
        holdings: u64,
    },
}

/// Why a turn ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The chain gave no answer.
    Chain(ChainError),
    /// Nobody listens any more.
    Gone,
}

impl From<ChainError> for Stop {
    fn from(error: ChainError) -> Self {
        Stop::Chain(error)
    }
}

/// Where reports go.
#[derive(Clone, Debug)]
pub(super) struct Reports(mpsc::Sender<Report>);

impl Reports {
    pub async fn send(&self, report: Report) -> Result<(), Stop> {
        self.0.send(report).await.map_err(|_| Stop::Gone)
    }
}

/// Watches a chain.
pub struct Watcher {
    chain: Arc<dyn ExternalChain>,
    settings: Settings,
    orders: watch::Receiver<Orders>,
    reports: Reports,
    finalized: Option<u64>,
    reported: Option<(u64, Instant)>,
    /// Finalized blocks from `floor` on.
    blocks: BTreeMap<u64, Arc<Block>>,
    floor: u64,
    answered: Option<u64>,
    asked: BTreeSet<u32>,
    publishing: Publishing,
    /// Whether the chain's genesis was told or refused in this life.
    told: Option<bool>,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("finalized", &self.finalized).finish_non_exhaustive()
    }
}

impl Watcher {
    /// Gives also where orders go in and reports come out.
    pub fn new(
        chain: Arc<dyn ExternalChain>,
        settings: Settings,
    ) -> (Self, watch::Sender<Orders>, mpsc::Receiver<Report>) {
        let (sender, orders) = watch::channel(Orders::default());
        let (reports, receiver) = mpsc::channel(CAPACITY);
        let watcher = Self {
            publishing: Publishing::new(chain.clone(), settings.check),
            chain,
            settings,
            orders,
            reports: Reports(reports),
            finalized: None,
            reported: None,
            blocks: BTreeMap::new(),
            floor: 0,
            answered: None,
            asked: BTreeSet::new(),
            told: None,
        };
        (watcher, sender, receiver)
    }

    /// Runs until nobody gives orders or listens any more.
    pub async fn run(mut self) {
        let mut poll = tokio::time::interval(self.settings.poll.max(Duration::from_millis(1)));
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0_u32;
        loop {
            let look = tokio::select! {
                changed = self.orders.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
                _ = poll.tick() => true,
            };
            match self.turn(look).await {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!("the external chain answers again");
                    }
                    failures = 0;
                }
                Err(Stop::Gone) => return,
                Err(Stop::Chain(error)) => {
                    if failures == 0 {
                        tracing::warn!(%error, "the external chain does not answer; it is asked again");
                    }
                    failures = failures.saturating_add(1);
                    let pause = self.settings.poll.saturating_mul(1 << failures.min(6));
                    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
                }
            }
        }
    }

    async fn turn(&mut self, look: bool) -> Result<(), Stop> {
        let orders = self.orders.borrow_and_update().clone();
        if look || self.finalized.is_none() {
            let info = self.chain.info().await?;
            if !self.is_known(&orders, &info).await? {
                self.finalized = None;
                return Ok(());
            }
            self.finalized = info.finalized;
            self.report_finalized().await?;
        }
        let Some(finalized) = self.finalized else { return Ok(()) };
        self.send_blocks(&orders, finalized).await?;
        let published = self.publishing.turn(&orders.publications, &self.reports).await;
        self.ask_holdings(&orders.holdings).await?;
        published
    }

    /// Whether it is the chain that is known, or the first one seen.
    async fn is_known(&mut self, orders: &Orders, info: &Info) -> Result<bool, Stop> {
        let known = orders.genesis.is_none_or(|genesis| genesis == info.genesis);
        if self.told != Some(known) {
            self.told = Some(known);
            let report = if known {
                Report::Chain { genesis: info.genesis }
            } else {
                let reason = format!(
                    "the external chain's block 0 is {}, but the one known is {}: --chain-rpc names \
                     a node of another chain. Give it the right one",
                    hex::encode(info.genesis),
                    orders.genesis.map(hex::encode).unwrap_or_default()
                );
                tracing::error!(reason, "external chain is not used");
                Report::WrongChain { reason }
            };
            self.reports.send(report).await?;
        }
        Ok(known)
    }

    async fn report_finalized(&mut self) -> Result<(), Stop> {
        let Some(height) = self.finalized else { return Ok(()) };
        let now = Instant::now();
        let due = self.reported.is_none_or(|(last, at)| {
            height >= last.saturating_add(MANY_BLOCKS)
                || (height > last && now.duration_since(at) >= BETWEEN_REPORTS)
        });
        if !due {
            return Ok(());
        }
        let hash = match self.blocks.get(&height) {
            Some(block) => block.hash,
            None => match self.chain.block(height).await? {
                Some(block) => block.hash,
                None => return Ok(()),
            },
        };
        self.reports.send(Report::Finalized { height, hash }).await?;
        self.reported = Some((height, now));
        Ok(())
    }

    /// Keeps finalized blocks ready, and sends those that are wanted.
    async fn send_blocks(&mut self, orders: &Orders, finalized: u64) -> Result<(), Stop> {
        if let Some(want) = orders.wants {
            if want.height < self.floor || want.height >= self.floor.saturating_add(LOOK_AHEAD) {
                self.blocks.clear();
            }
            self.floor = want.height;
            self.blocks = self.blocks.split_off(&self.floor);
        }
        self.answer(orders).await?;
        let end = self.floor.saturating_add(LOOK_AHEAD).min(finalized.saturating_add(1));
        for height in self.floor..end {
            if self.blocks.contains_key(&height) {
                continue;
            }
            let Some(block) = self.chain.block(height).await? else { break };
            self.blocks.insert(height, Arc::new(block));
            // What is wanted now goes before what may be wanted later.
            if self.orders.has_changed().unwrap_or(false) {
                break;
            }
        }
        self.answer(orders).await
    }

    async fn answer(&mut self, orders: &Orders) -> Result<(), Stop> {
        let Some(want) = orders.wants.filter(|want| self.answered != Some(want.round)) else {
            return Ok(());
        };
        let ready = (want.height..).map_while(|height| self.blocks.get(&height).cloned());
        let blocks: Vec<_> = ready.collect();
        if !blocks.is_empty() {
            self.reports.send(Report::Blocks { round: want.round, blocks }).await?;
            self.answered = Some(want.round);
        }
        Ok(())
    }

    async fn ask_holdings(&mut self, due: &[HoldingsAt]) -> Result<(), Stop> {
        self.asked.retain(|batch| due.iter().any(|due| due.batch == *batch));
        for due in due {
            if self.asked.contains(&due.batch) {
                continue;
            }
            let holdings = self.chain.holdings(&due.addresses, due.height).await?;
            self.reports.send(Report::Holdings { batch: due.batch, holdings }).await?;
            self.asked.insert(due.batch);
        }
        Ok(())
    }
}
