//! One `select!` over everything that the signature process is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serai_bus::{Bus, BusError, Database, DatabaseError, OffsetReset, Waker};
use serai_messages::observation::SetMember;
use serai_messages::{
    BlockHash, BlockNumber, Coin, Incarnation, Name, ProcessorKey, SessionId, Topic, ValidatorKey,
    ValidatorSet,
};
use serai_protocol::keygen::Input;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::intake::Intake;
use super::mailbox::Mailbox;
use super::public::Feed;
use super::sessions::{SessionError, Sessions, Wake};
use super::tables;
use crate::processes::core::keys::{self, Keys};
use crate::processes::core::status::{Board, State, Step};
use crate::processes::{lifecycle, network, observation};

/// This process' name as a consumer of topics.
pub(super) const READER: &str = "signature";

/// Time between two looks whether the processors' topics can be read.
const PROBE: Duration = Duration::from_secs(5);

/// What this process is given.
#[derive(Debug)]
pub struct Settings {
    /// This validator's name.
    pub name: Name,
    /// Coins whose vaults it takes part in.
    pub coins: Vec<Coin>,
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
    /// Another process has ended.
    #[error("the {0} process has ended")]
    Ended(&'static str),
}

/// The process; see the module.
pub struct Actor {
    settings: Settings,
    keys: Keys,
    incarnation: Incarnation,
    surroundings: Surroundings,
}

/// The process and its verbs.
pub fn new(
    settings: Settings,
    keys: Keys,
    incarnation: Incarnation,
    surroundings: Surroundings,
) -> (Actor, Mailbox) {
    let mailbox = Mailbox::new(surroundings.database.clone());
    (Actor { settings, keys, incarnation, surroundings }, mailbox)
}

impl Actor {
    /// Runs until `shutdown` is cancelled.
    ///
    /// # Errors
    /// [`Error`]: the state on disk is as of the last commit, and a restart goes on from there.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        // Cancelled between transactions only: what is committed goes out after the next start.
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            ended = self.run_on() => ended,
        }
    }

    async fn run_on(self) -> Result<(), Error> {
        let genesis = self.surroundings.observation.genesis().await;
        let genesis = genesis.map_err(|_| Error::Ended("observation"))?;
        let (mut running, mut intake) = Running::start(self, genesis).await?;
        let mut probe = tokio::time::interval(PROBE);
        probe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = probe.tick() => running.probe_topics(&intake).await,
                read = intake.next() => running.handle_read(read?).await?,
                inbound = running.surroundings.inbound.recv() => match inbound {
                    Some(inbound) => running.handle_inbound(inbound).await?,
                    None => return Err(Error::Ended("network")),
                },
            }
        }
    }
}

/// The process while it runs; what it does with each input is in `handlers.rs`.
pub(super) struct Running {
    pub(super) settings: Settings,
    pub(super) surroundings: Surroundings,
    pub(super) conversations: BTreeMap<Coin, Conversation>,
    pub(super) sessions: Sessions,
    pub(super) incarnation: Incarnation,
    pub(super) feed: Feed,
    pub(super) serai_topic: String,
    /// Highest finalized Serai block seen since the start.
    pub(super) height: BlockNumber,
    /// One batch per peer that speaks of a session not read from Serai yet.
    pub(super) parked: BTreeMap<ValidatorKey, network::Inbound>,
}

impl Running {
    async fn start(actor: Actor, genesis: BlockHash) -> Result<(Self, Intake), Error> {
        let Actor { settings, keys, incarnation, surroundings } = actor;
        let Keys { validator, processors, .. } = keys;
        let serai_topic = Topic::Serai.full_name(&settings.name);
        let mut conversations = BTreeMap::new();
        for (coin, own) in processors {
            if settings.coins.contains(&coin) {
                let mut conversation = Conversation::new(&settings.name, coin, own, incarnation);
                conversation.processor = match settings.pinned.get(&coin) {
                    Some(pinned) => Some(*pinned),
                    None => surroundings.database.read(|c| keys::trusted(c, coin))?,
                };
                conversations.insert(coin, conversation);
            }
        }
        let mut sessions = Sessions::new(
            genesis,
            validator,
            incarnation,
            serai_topic.clone(),
            settings.attempt_blocks,
        );
        let losses = sessions.resume(&surroundings.database)?;
        let intake = Intake::new(
            Arc::clone(&surroundings.bus),
            surroundings.database.clone(),
            surroundings.board.clone(),
            conversations
                .values()
                .map(|conversation| conversation.topic.clone())
                .chain([serai_topic.clone()]),
            READER,
            settings.offset_reset,
        );
        let feed = Feed::new(&settings.name, incarnation);
        let (height, parked) = (BlockNumber::default(), BTreeMap::new());
        let mut running = Self {
            settings,
            surroundings,
            conversations,
            sessions,
            incarnation,
            feed,
            serai_topic,
            height,
            parked,
        };
        running.announce(losses).await?;
        Ok((running, intake))
    }

    /// SEED, signature process start-up: publish the public keys; and what a restart must tell the
    /// sessions.
    async fn announce(&mut self, losses: Vec<(SessionId, Input)>) -> Result<(), Error> {
        let database = self.surroundings.database.clone();
        let mut wake = Wake::default();
        database.transaction(|transaction| {
            for conversation in self.conversations.values() {
                conversation.announce(transaction).map_err(SessionError::from)?;
                wake.conversations.push(conversation.coin);
            }
            for (id, input) in losses {
                if let SessionId::Keygen(set) = id
                    && let Some(conversation) = self.conversations.get(&set.coin)
                {
                    self.sessions.apply(transaction, id, conversation, input, &mut wake)?;
                }
            }
            Ok::<_, Error>(())
        })?;
        let board = self.surroundings.board.clone();
        for known in database.read(|c| Ok(tables::sets(c)))?? {
            board.set(Step::ReadValidators(known.set.coin), State::Ok);
            board.set(Step::GenesisVault(known.set.coin), generating(known.set));
            wake.members.extend(known.members);
        }
        for vault in database.read(|c| Ok(tables::vaults(c)))?? {
            board.set(Step::GenesisVault(vault.set.coin), State::Ok);
        }
        self.wake(wake).await?;
        for conversation in self.conversations.values() {
            let coin = conversation.coin;
            board.set(Step::PublishKeys(coin), State::Ok);
            board.set(
                Step::LearnProcessorKey(coin),
                match conversation.processor {
                    Some(_) => State::Ok,
                    None => State::Waiting(format!(
                        "the {coin} processor has not announced its key on {}",
                        conversation.topic
                    )),
                },
            );
        }
        Ok(())
    }

    /// After the commit: what it stored goes out.
    pub(super) async fn wake(&self, wake: Wake) -> Result<(), Error> {
        let topics = wake
            .conversations
            .iter()
            .map(|coin| Topic::Chain(*coin))
            .chain(wake.serai.then_some(Topic::Serai))
            .chain(wake.public.then_some(Topic::Public))
            .chain(wake.dead_letter.then_some(Topic::DeadLetter));
        for topic in topics {
            if let Some(waker) = self.surroundings.wakers.get(&topic) {
                waker.wake();
            }
        }
        if !wake.members.is_empty() {
            self.meet(&wake.members).await?;
        }
        if wake.network {
            self.surroundings.network.wake();
        }
        Ok(())
    }

    /// Asks the network to connect to the members of a set (SEED, "Retrieve/Test Connect
    /// Validators"). Addresses in `[network]` come before the chain's.
    async fn meet(&self, members: &[SetMember]) -> Result<(), Error> {
        let configured = &self.settings.members;
        let peers = members.iter().map(|member| {
            let known = configured.iter().find(|peer| peer.validator == member.validator);
            known.cloned().unwrap_or_else(|| network::Peer {
                validator: member.validator,
                name: None,
                addresses: member.addresses.iter().filter_map(|text| text.parse().ok()).collect(),
            })
        });
        // One unusable entry must not keep the others away.
        for peer in peers {
            let validator = peer.validator;
            match self.surroundings.network.connect(vec![peer]).await {
                Ok(()) => {}
                Err(network::ConnectError::Stopped) => return Err(Error::Ended("network")),
                Err(error) => {
                    let reason = error.to_string();
                    tracing::warn!(%validator, reason, "validator cannot be connected with");
                    let name = format!("address of {validator}");
                    self.surroundings.board.report(READER, name, State::Failed(reason));
                }
            }
        }
        Ok(())
    }
}

/// State of a coin's vault while its keys are made.
pub(super) fn generating(set: ValidatorSet) -> State {
    State::Waiting(format!("keys of {set} are being generated; see `explain keygen/{set}`"))
}
