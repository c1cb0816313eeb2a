//! One `select!` over everything that the signature process is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serai_bus::{Bus, BusError, Database, DatabaseError, OffsetReset, Waker};
use serai_messages::{Coin, Incarnation, Name, ProcessorKey, Topic, Versions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::SessionError;
use super::inputs::{AT_ONCE, Item};
use super::intake::Intake;
use super::mailbox::Mailbox;
use super::running::Running;
use super::versions::Spoken;
use crate::processes::core::keys::Keys;
use crate::processes::core::status::{Board, State};
use crate::processes::core::store;
use crate::processes::observation::ReadError;
use crate::processes::{lifecycle, network, observation};

/// This process' name as a consumer of topics.
pub(super) const READER: &str = "signature";

/// Time between two looks for a block that is newer than a restored state.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Time between two looks whether the processors' topics can be read and signings move.
const PROBE: Duration = Duration::from_secs(5);

/// What this process is given.
#[derive(Debug)]
pub struct Settings {
    /// This validator's name.
    pub name: Name,
    /// Coins whose vaults it takes part in.
    pub coins: Vec<Coin>,
    /// Message versions that this program speaks.
    pub speaks: Versions,
    /// Length of a key generation's attempt, in Serai blocks; the same at all validators.
    pub attempt_blocks: u64,
    /// Where to begin on topics that were never read.
    pub offset_reset: OffsetReset,
    /// Processors' keys pinned by configuration.
    pub pinned: BTreeMap<Coin, ProcessorKey>,
    /// Members named in `[network]`, whose addresses come before the chain's.
    pub members: Vec<network::Peer>,
}

/// The other processes and shared parts that this process works with.
pub struct Surroundings {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// The coordinator's state.
    pub database: Database,
    /// Facts for `status`.
    pub board: Board,
    /// Wakers of the publishers, by topic.
    pub wakers: BTreeMap<Topic, Waker>,
    /// The observation process.
    pub observation: observation::Mailbox,
    /// The network process.
    pub network: network::Mailbox,
    /// Statements that it received.
    pub inbound: mpsc::Receiver<network::Inbound>,
    /// The lifecycle process.
    pub lifecycle: lifecycle::Mailbox,
}

/// Why the process ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A session, and with it the database.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database, within a transaction.
    #[error("state database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The bus refused for good.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Another instance of this coordinator writes to its topics.
    #[error(
        "{topic} holds a record of incarnation {other} of this coordinator, which is {own}: two \
         coordinators run with this name, and this one stops before they contradict each other. \
         Leave one running; to go on with this one's folder, restore its newest backup \
         (docs/operating.md)"
    )]
    TwoInstances {
        /// The topic.
        topic: String,
        /// Our incarnation.
        own: Incarnation,
        /// The other's.
        other: Incarnation,
    },
    /// Another process has ended.
    #[error("the {0} process has ended")]
    Ended(&'static str),
}

/// The process; see the module.
pub struct Actor {
    pub(super) settings: Settings,
    pub(super) keys: Keys,
    pub(super) incarnation: Incarnation,
    pub(super) surroundings: Surroundings,
}

/// The process and its verbs.
pub fn new(
    settings: Settings,
    keys: Keys,
    incarnation: Incarnation,
    surroundings: Surroundings,
) -> (Actor, Mailbox) {
    let spoken = Spoken { program: settings.speaks, coins: settings.coins.clone() };
    let mailbox = Mailbox::new(surroundings.database.clone(), spoken);
    (Actor { settings, keys, incarnation, surroundings }, mailbox)
}

impl Actor {
    /// Runs until `shutdown` is cancelled.
    ///
    /// # Errors
    /// [`Error`]: the state on disk is as of the last commit, and a restart goes on from there.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        // Cancelled between transactions only: what is committed goes out after the next start.
        let ended = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            ended = self.run_on() => ended,
        };
        if let Err(Error::Ended(process)) = &ended {
            // That one says why, and then this one is told to end: were both to speak, the consequence
            // could hide the cause.
            tracing::warn!(process, "the process has ended; this one waits for its own end");
            shutdown.cancelled().await;
            return Ok(());
        }
        ended
    }

    /// A restored state must know how far Serai had come before this life (DESIGN D4).
    async fn first_look(&self) -> Result<(), Error> {
        const FACT: &str = "restored state";
        let Surroundings { database, observation, board, .. } = &self.surroundings;
        let restored = database.read(store::restored)?.filter(|restored| restored.block.is_none());
        let Some(restored) = restored else { return Ok(()) };
        let restored_at = restored.at_ms.unsigned_abs();
        let wait = |why: &str| {
            let what = format!(
                "this state was restored, and Serai's newest finalized block is needed: {why}"
            );
            board.report(READER, FACT, State::Waiting(what));
        };
        wait("no node has answered yet");
        let block = loop {
            match observation.head().await {
                // A former life may have spoken of any block of before.
                Ok((head, stated)) if stated >= restored_at => break head.number,
                Ok((head, stated)) => wait(&format!(
                    "block {} of the node states {stated} ms since 1970, the restore was at \
                     {restored_at}; is the node in sync, and this machine's clock right?",
                    head.number
                )),
                Err(ReadError::Stopped) => return Err(Error::Ended("observation")),
                Err(error) => wait(&error.to_string()),
            }
            tokio::time::sleep(FIRST_LOOK).await;
        };
        database.transaction(|transaction| {
            store::set_restored_block(transaction, block).map_err(|source| database.error(source))
        })?;
        tracing::info!(%block, "restored: nothing of before is begun or opened by this life");
        board.withdraw(READER, FACT);
        Ok(())
    }

    async fn run_on(self) -> Result<(), Error> {
        let genesis = self.surroundings.observation.genesis().await;
        let genesis = genesis.map_err(|_| Error::Ended("observation"))?;
        self.first_look().await?;
        let mut running = Running::start(self, genesis).await?;
        let mut intake = running.read();
        let mut probe = tokio::time::interval(PROBE);
        probe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let first = tokio::select! {
                () = running.alarms.next() => {
                    running.handle_alarms().await?;
                    continue;
                }
                _ = probe.tick() => {
                    running.handle_probe(&intake).await?;
                    continue;
                }
                read = intake.next() => Item::Read(read?),
                inbound = running.surroundings.inbound.recv() => match inbound {
                    Some(inbound) => Item::Inbound(inbound),
                    None => return Err(Error::Ended("network")),
                },
            };
            let items = at_hand(first, &mut intake, &mut running.surroundings.inbound);
            running.handle(items).await?;
        }
    }
}

/// What waits already beside the first: one transaction for all of it.
fn at_hand(
    first: Item,
    intake: &mut Intake,
    inbound: &mut mpsc::Receiver<network::Inbound>,
) -> Vec<Item> {
    let mut items = vec![first];
    while items.len() < AT_ONCE {
        let before = items.len();
        items.extend(inbound.try_recv().ok().map(Item::Inbound));
        items.extend(intake.at_hand().map(Item::Read));
        if items.len() == before {
            break;
        }
    }
    items
}
