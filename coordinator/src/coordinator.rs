//! The one place that wires the processes, readable in start order: core, lifecycle, observation,
//! network, signature, cli. They stop in reverse.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serai_bus::{Bus, BusError, Database, DatabaseError, Migration, exchange};
use serai_messages::{Incarnation, Name, Topic, Versions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::answers::Answering;
use crate::processes::cli::Telemetry;
use crate::processes::core::backup;
use crate::processes::core::config::{self, Config, Mode};
use crate::processes::core::keys::{KeyError, Keys};
use crate::processes::core::status::{Board, State, Step};
use crate::processes::core::store::{self, StoreError};
use crate::processes::core::task::{Scope, StartError};
use crate::processes::{cli, lifecycle, network, observation, signature};
use crate::publishing::Publishers;

/// Time that each process has to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// Tables of the processes above core.
const TABLES: [Migration; 3] =
    [observation::tables::MIGRATION, network::tables::MIGRATION, signature::MIGRATION];

/// All tables of the coordinator's database.
pub fn migrations() -> Vec<Migration> {
    store::migrations(&TABLES)
}

/// Pause before the bus is tried again at the start.
const BUS_RETRY: Duration = Duration::from_secs(2);

/// Why the coordinator could not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder or its database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A key is missing or unreadable.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The bus cannot be used.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A thread could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The processors' settings could not be written.
    #[error(transparent)]
    Lifecycle(#[from] lifecycle::LifecycleError),
    /// The network process could not be made.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// Another instance of this validator was at work on this bus, which this state does not know of.
    #[error(
        "this data folder is new, but {topic} holds {records} records that a coordinator of this \
         name has written: another one runs, or the folder of a former one was lost. Stop this one \
         if the other runs; otherwise restore the newest backup in place of {database} \
         (docs/operating.md)"
    )]
    ForgottenLife {
        /// The topic.
        topic: String,
        /// How many records it holds.
        records: u64,
        /// Our database.
        database: PathBuf,
    },
    /// A process ended.
    #[error("{0}")]
    Ended(crate::processes::core::task::Ended),
}

/// Runs the coordinator until `shutdown` completes, then drains it.
///
/// # Errors
/// [`Error`]: what stopped it, in one sentence.
pub async fn run(
    config: Config,
    name: Name,
    telemetry: Telemetry,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    // Held until everything has stopped: one coordinator per data folder.
    let lock = store::lock(&config.general.data_dir)?;
    if store::is_restoring(&config.general.data_dir) {
        return Err(StoreError::HalfRestored { data_dir: config.general.data_dir }.into());
    }
    let mut scope = Scope::default();
    let asked_at_prompt = CancellationToken::new();
    let running = async {
        start(config, name, telemetry, asked_at_prompt.clone(), &mut scope).await?;
        tokio::select! {
            () = asked_at_prompt.cancelled() => Ok(()),
            ended = scope.ended() => Err(Error::Ended(ended)),
        }
    };
    let ended = tokio::select! {
        () = shutdown => Ok(()),
        ended = running => ended,
    };
    stop(&mut scope).await;
    drop(lock);
    tracing::info!("stopped");
    ended
}

async fn stop(scope: &mut Scope) {
    for late in scope.stop(STOP_DEADLINE).await.err().unwrap_or_default() {
        tracing::error!("{late}");
    }
}

async fn start(
    config: Config,
    name: Name,
    telemetry: Telemetry,
    stop: CancellationToken,
    scope: &mut Scope,
) -> Result<(), Error> {
    let coins = config.chains.enabled.clone();
    let production = config.mode == Mode::Production;

    // Core: state, keys, bus.
    let board = Board::new(&coins);
    board.set(Step::CheckConfiguration, State::Ok);
    let keys = Keys::load(&config, &name)?.keys;
    board.set(Step::LoadKeys, State::Ok);
    let database = store::open(&config.general.data_dir, &TABLES)?;
    let incarnation = store::incarnation(&database)?;
    let bus = serai_bus::connect(&config.kafka, production)?;
    let topics: Vec<Topic> = [Topic::Serai, Topic::Public, Topic::DeadLetter]
        .into_iter()
        .chain(coins.iter().map(|coin| Topic::Chain(*coin)))
        .collect();
    create_topics(bus.as_ref(), &name, &topics).await?;
    let first_life = database.read(store::is_first_life)?;
    if first_life {
        refuse_forgotten_life(bus.as_ref(), &database, &name).await?;
    }
    let mut publishers = Publishers::new(&bus, &database, &name, &topics);
    tracing::info!(%name, validator = %keys.public(), %incarnation, "coordinator starts");

    let own = publishers.take([Topic::Public, Topic::DeadLetter]);
    let schedule = backup::Schedule {
        places: backup::Places::new(&config, &name),
        interval: config.general.backup_interval,
        migrations: migrations(),
        board: board.clone(),
    };
    scope.start("core", move |token| async move {
        tokio::select! {
            ended = own.run(token) => ended,
            never = schedule.run() => match never {},
        }
    })?;

    // Lifecycle: the processors.
    lifecycle::Actor::write_bus_settings(&config)?;
    let plans = lifecycle::plans(&config, &name, &keys.processors);
    let (actor, lifecycle) = lifecycle::new(plans, board.clone());
    scope.start("lifecycle", move |token| actor.run(token))?;

    // Observation: Serai.
    let (actor, observation) = observation::new(
        observation_settings(&config, incarnation, board.clone()),
        &name,
        Arc::clone(&bus),
        database.clone(),
        observation::Wakers {
            serai: publishers.waker(Topic::Serai),
            public: publishers.waker(Topic::Public),
        },
    )?;
    let own = publishers.take([Topic::Serai]);
    scope.start("observation", move |token| own.beside(actor.run(token)))?;

    // Network: the other validators.
    let genesis = observation.clone();
    let speaks = spoken();
    let told = signature::Spoken { program: speaks, coins: coins.clone() };
    let (actor, network, inbound) = network::new(
        network::Settings {
            listen: config.network.listen.clone(),
            timing: Default::default(),
            first_life,
            reads: speaks,
            announces: database.read(|connection| told.announced(connection))?,
        },
        &keys.identity,
        Arc::clone(&keys.validator),
        incarnation,
        database.clone(),
    )?;
    let (reach, shown) = (network.reach(), board.clone());
    let public = publishers.waker(Topic::Public);
    let told = network::ReachFeed::new(&name, incarnation, database.clone(), public);
    let telling = told.run(network.reach());
    scope.start("network", move |token| async move {
        let running = async {
            match genesis.genesis().await {
                Ok(genesis) => actor.run(genesis, token.clone()).await,
                // Observation tells why it ended.
                Err(_) => Ok(()),
            }
        };
        tokio::select! {
            () = token.cancelled() => Ok(()),
            ended = running => ended.map_err(|error| error.to_string()),
            () = show_reach(reach, shown) => Ok(()),
            ended = telling => match ended {
                Ok(never) => match never {},
                Err(error) => Err(error.to_string()),
            },
        }
    })?;

    // Signature: the ceremonies.
    let surroundings = signature::Surroundings {
        bus: Arc::clone(&bus),
        database: database.clone(),
        board: board.clone(),
        wakers: publishers.wakers(),
        observation: observation.clone(),
        network: network.clone(),
        inbound,
        lifecycle: lifecycle.clone(),
    };
    let settings = signature_settings(&config, &name, speaks);
    let validator = keys.public();
    let (actor, signature) = signature::new(settings, keys, incarnation, surroundings);
    let own = publishers.take(coins.iter().map(|coin| Topic::Chain(*coin)));
    scope.start("signature", move |token| own.beside(actor.run(token)))?;

    // Cli: whoever asks.
    let answers = Answering {
        name: name.clone(),
        validator,
        incarnation,
        coins,
        board: board.clone(),
        bus,
        database,
        lifecycle,
        observation,
        network,
        signature,
    };
    let settings = cli::Settings {
        name,
        data_dir: config.general.data_dir.clone(),
        http: config.http.listen,
        prompt: true,
        stop,
    };
    scope.start("cli", move |token| async move {
        let (actor, _) = cli::new(settings, Arc::new(answers), board, telemetry)?;
        actor.run(token).await
    })?;
    Ok(())
}

/// Message versions that this program speaks.
fn spoken() -> Versions {
    #[cfg(feature = "faults")]
    if let Some(asked) = signature::versions_from_environment() {
        return asked;
    }
    Versions::SPOKEN
}

/// Creates the topics, waiting for the bus as long as it takes.
async fn create_topics(bus: &dyn Bus, name: &Name, topics: &[Topic]) -> Result<(), BusError> {
    let names: Vec<String> = topics.iter().map(|topic| topic.full_name(name)).collect();
    loop {
        match bus.create_topics(&names).await {
            Err(BusError::Unavailable { bus, reason }) => {
                tracing::warn!(bus, reason, "waiting for the bus");
                tokio::time::sleep(BUS_RETRY).await;
            }
            done => return done,
        }
    }
}

/// A folder that has never said anything finds its topic empty, unless there was another before it, or is
/// one beside it (ADR 0019).
async fn refuse_forgotten_life(
    bus: &dyn Bus,
    database: &Database,
    name: &Name,
) -> Result<(), Error> {
    let topic = Topic::Serai.full_name(name);
    if database.read(|connection| exchange::has_spoken(connection, &topic))? {
        return Ok(());
    }
    let held = loop {
        match bus.info(&topic).await {
            Ok(held) => break held,
            Err(BusError::Unavailable { bus, reason }) => {
                tracing::warn!(bus, reason, "waiting for the bus");
                tokio::time::sleep(BUS_RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    match held.next.saturating_sub(held.earliest) {
        0 => Ok(()),
        records => {
            let database = database.path().to_owned();
            Err(Error::ForgottenLife { topic, records, database })
        }
    }
}

/// SEED, start-up: connect to each validator and prove identity both ways. The step is done once all
/// have been reached; who is away later is a fact of its own.
async fn show_reach(mut reach: watch::Receiver<network::Reach>, board: Board) {
    const APART: &str = "message versions";
    let mut all_met = false;
    loop {
        let network::Reach { peers, missing, apart, .. } = reach.borrow_and_update().clone();
        let sentences: Vec<_> = apart
            .iter()
            .map(|network::Apart { validator, theirs, own }| {
                own.apart("this validator", *theirs, &format!("validator {validator}"))
            })
            .collect();
        match sentences.as_slice() {
            [] => board.withdraw("network", APART),
            some => board.report("network", APART, State::Failed(some.join("; "))),
        }
        let waiting = match missing.as_slice() {
            _ if peers == 0 => Some("no validator set has been read yet".to_owned()),
            [] => None,
            [one] => Some(format!("validator {one} is not connected and proven")),
            [first, ..] => Some(format!(
                "{} of {peers} validators are not connected and proven, {first} among them; see \
                 `peers`",
                missing.len()
            )),
        };
        all_met |= waiting.is_none();
        let state = waiting.map_or(State::Ok, State::Waiting);
        if all_met {
            board.set(Step::ConnectValidators, State::Ok);
            board.report("network", "validators", state);
        } else {
            board.set(Step::ConnectValidators, state);
        }
        if reach.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn observation_settings(
    config: &Config,
    incarnation: Incarnation,
    board: Board,
) -> observation::Settings {
    let profile = match config.observation.profile {
        config::Profile::Development => observation::Profile::Development,
        config::Profile::Serai => observation::Profile::Serai,
    };
    let mut settings = observation::Settings::new(
        config.observation.endpoints.clone(),
        profile,
        config.chains.enabled.clone(),
        incarnation,
    );
    settings.reset = config.kafka.offset_reset;
    settings.on_shortfall = config.solvency.on_shortfall;
    settings.board = board;
    settings
}

fn signature_settings(config: &Config, name: &Name, speaks: Versions) -> signature::Settings {
    let members = config.network.members.iter().filter_map(|(name, member)| {
        Some(network::Peer {
            validator: member.validator?,
            name: Some(name.to_string()),
            addresses: member.addresses.clone(),
        })
    });
    let pinned = config
        .processors
        .iter()
        .filter_map(|(coin, processor)| processor.pinned_key.map(|key| (*coin, key)));
    signature::Settings {
        name: name.clone(),
        coins: config.chains.enabled.clone(),
        speaks,
        attempt_blocks: config.protocol.attempt_blocks.into(),
        offset_reset: config.kafka.offset_reset,
        pinned: pinned.collect(),
        members: members.collect(),
    }
}
