//! A chain, a bus, a database, and the process over them.

use std::sync::Arc;
use std::time::Duration;

use serai_bus::{
    Bus, Database, Publisher, Settings as BusSettings, Start, Waker, connect, exchange,
};
use serai_coordinator::processes::core::config::ShortfallAction;
use serai_coordinator::processes::core::status::Board;
use serai_coordinator::processes::observation::tables::SubmissionState;
use serai_coordinator::processes::observation::{
    self, Error, Mailbox, Profile, Settings, Status, Wakers, enqueue, tables,
};
use serai_devchain::{Chain, Finality, Genesis, RpcServer};
use serai_messages::observation::Event;
use serai_messages::{Coin, Incarnation, Name, decode};
use serai_sr25519::Signer;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take before the test says what is missing.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub const TOPIC: &str = "alice-serai";

/// Everything that outlives the process.
pub struct World {
    pub chain: Chain,
    pub bus: Arc<dyn Bus>,
    pub database: Database,
    pub signers: Vec<Signer>,
    pub chains: Vec<Coin>,
    /// Where the process says how it stands.
    pub board: Board,
    pub on_shortfall: ShortfallAction,
    /// On: nothing that is stored for the topic comes there.
    pub bus_away: bool,
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Finality::Lag(0), 4).await
    }

    pub async fn with(finality: Finality, validators: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signers: Vec<_> =
            (1..=validators).map(|seed| Signer::from_seed(&[seed; 32]).unwrap()).collect();
        let chain = chain(&folder.path().join("chain"), &signers, finality);
        let bus = connect(&BusSettings::embedded(folder.path().join("bus.sqlite")), false).unwrap();
        bus.create_topics(&[TOPIC.to_owned()]).await.unwrap();
        let migrations = [exchange::MIGRATION, tables::MIGRATION];
        let database = Database::open(&folder.path().join("state.sqlite"), &migrations).unwrap();
        let chains = Coin::ALL.to_vec();
        let (board, on_shortfall) = (Board::default(), ShortfallAction::Report);
        let bus_away = false;
        Self {
            chain,
            bus,
            database,
            signers,
            chains,
            board,
            on_shortfall,
            bus_away,
            _folder: folder,
        }
    }

    /// Serves the chain on a port of the system's choice.
    pub async fn serve(&self) -> RpcServer {
        RpcServer::start(self.chain.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap()
    }

    /// Starts the process.
    pub fn observe(&self, endpoints: &[String]) -> Running {
        self.observe_as(endpoints, Profile::Development)
    }

    pub fn observe_as(&self, endpoints: &[String], profile: Profile) -> Running {
        self.run(self.settings(endpoints, profile))
    }

    pub fn settings(&self, endpoints: &[String], profile: Profile) -> Settings {
        let chains = self.chains.clone();
        let mut settings = Settings::new(endpoints.to_vec(), profile, chains, Incarnation(1));
        settings.silence = Duration::from_secs(600);
        settings.backoff_min = Duration::from_millis(10);
        settings.backoff_max = Duration::from_millis(50);
        settings.submission_backoff_max = settings.backoff_max;
        settings.board = self.board.clone();
        settings.on_shortfall = self.on_shortfall;
        settings
    }

    pub fn run(&self, settings: Settings) -> Running {
        let name: Name = "alice".parse().unwrap();
        let (publisher, waker) =
            Publisher::new(self.bus.clone(), self.database.clone(), TOPIC.to_owned());
        let (actor, mailbox) = observation::new(
            settings,
            &name,
            self.bus.clone(),
            self.database.clone(),
            Wakers { serai: waker.clone(), public: Waker::default() },
        )
        .unwrap();
        let shutdown = CancellationToken::new();
        let process = tokio::spawn(actor.run(shutdown.clone()));
        let publisher = tokio::spawn(async move { publisher.run().await.unwrap() });
        if self.bus_away {
            publisher.abort();
        }
        Running { mailbox, waker, shutdown, process, publisher }
    }

    /// Authors so many empty blocks.
    pub fn author(&self, blocks: u64) {
        for _ in 0..blocks {
            self.chain.author(Vec::new()).unwrap();
        }
    }

    /// Puts an event on the topic, as the signature process does.
    pub fn publish(&self, process: &Running, event: &Event) {
        self.database
            .transaction(|transaction| {
                enqueue(transaction, TOPIC, Incarnation(1), event)
                    .map_err(|source| self.database.error(source))
            })
            .unwrap();
        process.waker.wake();
    }

    /// All events of the topic, in order, without the repeats that every reader drops.
    pub async fn events(&self) -> Vec<Event> {
        let info = self.bus.info(TOPIC).await.unwrap();
        let mut reader = self.bus.read(TOPIC, Start::Earliest).await.unwrap();
        let mut events = Vec::new();
        let mut newest = 0;
        for _ in info.earliest..info.next {
            let delivered = tokio::time::timeout(DEADLINE, reader.next()).await;
            let record = delivered.expect("no record within the deadline").unwrap().record.unwrap();
            if record.sequence.0 <= newest {
                continue;
            }
            newest = record.sequence.0;
            let event: Event = decode(&record.body).unwrap();
            assert_eq!(record.kind, event.kind());
            events.push(event);
        }
        events
    }

    /// What the public is told, in order: nobody takes it from the outbox here.
    pub fn told(&self) -> Vec<Value> {
        let rows = self.database.read(|c| exchange::pending(c, "alice-public", 1_000)).unwrap();
        rows.iter().map(|row| serde_json::from_slice(&row.record.body).unwrap()).collect()
    }

    /// The ids of what the public is told of these types.
    pub fn told_ids(&self, kinds: &[&str]) -> Vec<String> {
        let told =
            self.told().into_iter().filter(|event| kinds.iter().any(|k| event["type"] == *k));
        told.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Submissions that are settled.
    pub fn done(&self) -> Vec<String> {
        let done = self.database.read(|c| tables::submissions(c, SubmissionState::Done, 100));
        done.unwrap().into_iter().map(|submission| submission.event.intent()).collect()
    }

    /// Transactions that wait for a block.
    pub fn pending(&self) -> usize {
        self.chain.pending_extrinsics().len()
    }

    /// Numbers of the blocks that were announced one by one.
    pub async fn announced(&self) -> Vec<u64> {
        let finalized = |event| match event {
            Event::SeraiFinalized { block } => Some(block.number.0),
            _ => None,
        };
        self.events().await.into_iter().filter_map(finalized).collect()
    }

    /// Waits until the topic's events satisfy `condition`.
    pub async fn until(&self, what: &str, condition: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let events = self.events().await;
            if condition(&events) {
                return events;
            }
            assert!(tokio::time::Instant::now() < deadline, "no {what} among {events:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The address that the chain has of the `number`th signer, from 1.
pub fn address(number: usize) -> String {
    format!("/ip4/127.0.0.1/tcp/{number}")
}

/// A chain with one key share of each signer in each network.
pub fn chain(folder: &std::path::Path, signers: &[Signer], finality: Finality) -> Chain {
    std::fs::create_dir_all(folder).unwrap();
    let keys: Vec<_> = signers.iter().map(|signer| hex::encode(signer.public())).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let mut genesis = Genesis::development(&keys, &["Bitcoin", "Ethereum", "Monero"]);
    for (number, validator) in (1..).zip(&mut genesis.validators) {
        validator.addresses = vec![address(number)];
    }
    Chain::open(folder, &genesis, finality).unwrap()
}

/// The running process.
pub struct Running {
    pub mailbox: Mailbox,
    waker: Waker,
    shutdown: CancellationToken,
    process: JoinHandle<Result<(), Error>>,
    publisher: JoinHandle<()>,
}

impl Running {
    /// Waits until the status satisfies `condition`.
    pub async fn until(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        self.until_for(DEADLINE, what, condition).await
    }

    /// Likewise, for longer.
    pub async fn until_for(
        &self,
        deadline: Duration,
        what: &str,
        condition: impl Fn(&Status) -> bool,
    ) -> Status {
        let deadline = tokio::time::Instant::now() + deadline;
        loop {
            let status = self.mailbox.status().await.unwrap();
            if condition(&status) {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "not {what}: {status:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a block was published.
    pub async fn until_block(&self, number: u64) -> Status {
        let reached = |status: &Status| status.cursor.is_some_and(|c| c.number.0 >= number);
        self.until(&format!("at block {number}"), reached).await
    }

    /// Stops it as the coordinator does.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.process.await.unwrap().unwrap();
        self.publisher.abort();
    }

    /// Waits for it to end by itself.
    pub async fn ended(self) -> Error {
        let ended = tokio::time::timeout(DEADLINE, self.process).await;
        self.publisher.abort();
        ended.expect("the process goes on").unwrap().unwrap_err()
    }
}
