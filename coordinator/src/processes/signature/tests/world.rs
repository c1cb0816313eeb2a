//! Four coordinators of one set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_core::OsRng;
use serai_bus::sealing::{open, seal};
use serai_bus::{
    Bus, Database, Delivered, OffsetReset, SecretKey, Settings as BusSettings, connect, exchange,
};
use serai_messages::control::KeyAnnouncement;
use serai_messages::observation::{Event, SeraiBlock, SetMember};
use serai_messages::signing::{Content, CoordinatorMessage, ProcessorMessage, SigningId, Thing};
use serai_messages::{
    BlockHash, BlockNumber, Coin, Endpoint, Incarnation, IntentId, Name, Record, Sequence, Session,
    SignatureBytes, SignedStatement, Topic, ValidatorKey, ValidatorSet, Versions, decode,
    decode_in, encode, encode_in, vault,
};
use serai_sr25519::Signer;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::super::actor::{Actor, Settings, Surroundings};
use super::super::inputs::Item;
use super::super::intake::Read;
use super::super::running::Running;
use super::super::{answers, tables};
use crate::processes::core::config::ShortfallAction;
use crate::processes::core::keys::Keys;
use crate::processes::core::status::Board;
use crate::processes::core::store;
use crate::processes::{lifecycle, network, observation};

pub const COIN: Coin = Coin::Btc;
pub const SET: ValidatorSet = ValidatorSet { coin: COIN, session: Session(0) };
pub const REFERENCE: SeraiBlock = SeraiBlock { number: BlockNumber(7), hash: BlockHash([7; 32]) };
pub const SIGNATURE: SignatureBytes = SignatureBytes([5; 64]);
const GENESIS: BlockHash = BlockHash([9; 32]);

pub fn batch(number: u32) -> SigningId {
    SigningId { set: SET, thing: Thing::Batch(number) }
}

/// What is to be signed of a thing.
pub fn content(id: SigningId) -> Content {
    match id.thing {
        Thing::Batch(number) => Content::Batch { batch: number.to_le_bytes().to_vec() },
        Thing::Slashes => Content::Slashes { report: vec![0] },
        Thing::Payment(_) | Thing::Forward(_) => {
            Content::Transaction { hash: [1; 32], unsigned: vec![2], amount: 3, fee: 4 }
        }
    }
}

/// What a coordinator told its processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Signing(CoordinatorMessage),
    Vault(vault::CoordinatorMessage),
}

/// One coordinator, with the test as its surroundings.
pub struct Validator {
    pub name: Name,
    pub key: ValidatorKey,
    pub database: Database,
    pub board: Board,
    pub running: Running,
    /// What its processor was told, oldest first.
    pub told: Vec<Told>,
    /// Off: its processor answers nothing.
    pub mute: bool,
    /// What it was told while it was mute: answered later.
    unanswered: Vec<Told>,
    /// Message versions that its coordinator and its processor speak, from their next start on.
    pub speaks: Versions,
    /// Version of what its processor says.
    pub version: u16,
    signer: Arc<Signer>,
    own: SecretKey,
    processor: SecretKey,
    bus: Arc<dyn Bus>,
    taken: i64,
    offset: u64,
    preprocesses: u64,
    /// Sequences that each of the others has acknowledged.
    acknowledged: BTreeMap<ValidatorKey, i64>,
    folder: tempfile::TempDir,
}

impl Validator {
    async fn new(number: u8) -> Self {
        let name: Name = format!("v{number}").parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let signer = Arc::new(Signer::from_seed(&[number; 32]).unwrap());
        let migrations =
            [observation::tables::MIGRATION, network::tables::MIGRATION, super::super::MIGRATION];
        let database = store::open(folder.path(), &migrations).unwrap();
        let bus = connect(&BusSettings::embedded(folder.path().join("bus.sqlite")), false).unwrap();
        let topics = [Topic::Serai, Topic::Chain(COIN)].map(|topic| topic.full_name(&name));
        bus.create_topics(&topics).await.unwrap();
        let own = SecretKey::from_bytes(&[number + 100; 32]);
        let processor = SecretKey::from_bytes(&[number + 200; 32]);
        let board = Board::default();
        let speaks = Versions::FIRST;
        let running = start(&name, &signer, &own, &database, &bus, &board, speaks).await;
        Self {
            key: ValidatorKey(signer.public()),
            name,
            database,
            board,
            running,
            told: Vec::new(),
            mute: false,
            unanswered: Vec::new(),
            speaks,
            version: 1,
            signer,
            own,
            processor,
            bus,
            taken: 0,
            offset: 0,
            preprocesses: 0,
            acknowledged: BTreeMap::new(),
            folder,
        }
    }

    /// The program ends between two transactions and starts again.
    pub async fn restart(&mut self) {
        assert!(self.folder.path().exists());
        self.running = start(
            &self.name,
            &self.signer,
            &self.own,
            &self.database,
            &self.bus,
            &self.board,
            self.speaks,
        )
        .await;
    }

    /// Its processor announces its key.
    pub async fn announce(&mut self) {
        self.announces(self.speaks).await;
    }

    /// Likewise, as one of these versions.
    pub async fn announces(&mut self, speaks: Versions) {
        let announcement = KeyAnnouncement {
            coin: COIN,
            key: self.processor.public(),
            incarnation: Incarnation(1),
            speaks,
        };
        let mut record = self.record("control.key", encode(&announcement));
        record.version = 1;
        self.read(Topic::Chain(COIN), record).await;
    }

    /// Its processor says something.
    pub async fn says(&mut self, kind: &str, body: Vec<u8>) {
        let mut record = self.record(kind, body);
        seal(&mut record, &self.processor, &self.own.public(), &mut OsRng).unwrap();
        self.read(Topic::Chain(COIN), record).await;
    }

    pub async fn signs(&mut self, message: ProcessorMessage) {
        self.says(message.kind(), encode_in(self.version, &message)).await;
    }

    pub async fn sees(&mut self, message: vault::ProcessorMessage) {
        self.says(message.kind(), encode_in(self.version, &message)).await;
    }

    pub async fn ready(&mut self, id: SigningId) {
        self.ready_for(id, content(id)).await;
    }

    pub async fn ready_for(&mut self, id: SigningId, content: Content) {
        let preprocess = self.preprocess();
        let message = ProcessorMessage::Ready { id, reference: REFERENCE, content, preprocess };
        self.signs(message).await;
    }

    /// Observation publishes an event.
    pub async fn event(&mut self, event: Event) {
        let mut record = self.record(event.kind(), encode(&event));
        record.from = Endpoint::Coordinator;
        record.version = 1;
        self.read(Topic::Serai, record).await;
    }

    fn preprocess(&mut self) -> Vec<Vec<u8>> {
        self.preprocesses += 1;
        vec![[&self.key.0[..], &self.preprocesses.to_le_bytes()].concat()]
    }

    fn record(&mut self, kind: &str, body: Vec<u8>) -> Record {
        self.offset += 1;
        Record {
            id: IntentId::new(format!("{kind}/{}", self.offset)).unwrap(),
            kind: kind.to_owned(),
            from: Endpoint::Processor(COIN),
            to: Endpoint::Coordinator,
            session: String::new(),
            incarnation: Incarnation(1),
            sequence: Sequence(self.offset),
            version: self.version,
            sealed: false,
            body,
        }
    }

    async fn read(&mut self, topic: Topic, record: Record) {
        let topic = topic.full_name(&self.name);
        let delivered = Delivered { offset: self.offset, record: Ok(record) };
        self.running
            .handle(vec![Item::Read(Read { topic, delivered, refused: None })])
            .await
            .unwrap();
    }

    /// What its processor was told since the last look.
    fn take_told(&mut self) -> Vec<Told> {
        let topic = Topic::Chain(COIN).full_name(&self.name);
        let pending = self.database.read(|c| exchange::pending(c, &topic, 100_000)).unwrap();
        let mut new = Vec::new();
        let taken = self.taken;
        for outgoing in pending.into_iter().filter(|outgoing| outgoing.row > taken) {
            self.taken = outgoing.row;
            let record = outgoing.record;
            if !record.sealed {
                continue;
            }
            let body = open(&record, &self.processor, &self.own.public()).unwrap();
            let told = match record.kind.split_once('.').unwrap().0 {
                "signing" => Told::Signing(decode_in(record.version, &body).unwrap()),
                "vault" => Told::Vault(decode_in(record.version, &body).unwrap()),
                _ => continue,
            };
            self.told.push(told.clone());
            new.push(told);
        }
        new
    }

    /// Records that wait for `{name}-serai`.
    pub fn recorded(&self) -> Vec<Event> {
        let topic = Topic::Serai.full_name(&self.name);
        let pending = self.database.read(|c| exchange::pending(c, &topic, 100_000)).unwrap();
        pending.iter().map(|outgoing| decode(&outgoing.record.body).unwrap()).collect()
    }

    /// Types of events of its public feed.
    pub fn published(&self) -> Vec<Value> {
        let topic = Topic::Public.full_name(&self.name);
        let pending = self.database.read(|c| exchange::pending(c, &topic, 100_000)).unwrap();
        let body =
            |outgoing: &exchange::Outgoing| serde_json::from_slice(&outgoing.record.body).unwrap();
        pending.iter().map(body).collect()
    }

    /// Reasons of its dead letters.
    pub fn dead_letters(&self) -> usize {
        let topic = Topic::DeadLetter.full_name(&self.name);
        self.database.read(|c| exchange::pending(c, &topic, 1_000)).unwrap().len()
    }

    pub fn explain(&self, id: SigningId) -> Result<Value, String> {
        let answer = answers::explain(&self.database, Some(&id.to_string())).unwrap();
        answer.map(|explained| explained[0].clone())
    }

    /// Whether the thing is signed.
    pub fn is_done(&self, id: SigningId) -> bool {
        self.explain(id).is_ok_and(|explained| explained["done"] == true)
    }

    pub fn inputs(&self) -> i64 {
        let count = |c: &rusqlite::Connection| {
            c.query_row("SELECT count(*) FROM inputs", [], |row| row.get(0))
        };
        self.database.read(count).unwrap()
    }

    fn posted(&self, to: ValidatorKey) -> Vec<(i64, SignedStatement)> {
        let after = self.acknowledged.get(&to).copied().unwrap_or_default();
        let rows = self.database.read(|c| {
            c.prepare(
                "SELECT sequence, body FROM peer_outbox WHERE receiver = ?1 AND sequence > ?2
                 ORDER BY sequence",
            )?
            .query_map((to.0, after), |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = rows.unwrap().into_iter();
        rows.map(|(sequence, body)| (sequence, decode(&body).unwrap())).collect()
    }
}

async fn start(
    name: &Name,
    signer: &Arc<Signer>,
    own: &SecretKey,
    database: &Database,
    bus: &Arc<dyn Bus>,
    board: &Board,
    speaks: Versions,
) -> Running {
    let identity = Zeroizing::new(signer.public());
    let incarnation = Incarnation(1);
    let settings = network::Settings {
        listen: Vec::new(),
        timing: Default::default(),
        first_life: false,
        reads: speaks,
        announces: Versions::only(speaks.oldest),
    };
    let (actor, network, inbound) =
        network::new(settings, &identity, Arc::clone(signer), incarnation, database.clone())
            .unwrap();
    // Takes part in nothing; answers who wants to connect.
    tokio::spawn(actor.run(GENESIS, CancellationToken::new()));
    drop(inbound);
    let mut observed = observation::Settings::new(
        vec!["ws://127.0.0.1:1".to_owned()],
        observation::Profile::Development,
        vec![COIN],
        incarnation,
    );
    observed.on_shortfall = ShortfallAction::Pause;
    let wakers = observation::Wakers { serai: Default::default(), public: Default::default() };
    let (_, observation) =
        observation::new(observed, name, Arc::clone(bus), database.clone(), wakers).unwrap();
    let surroundings = Surroundings {
        bus: Arc::clone(bus),
        database: database.clone(),
        board: board.clone(),
        wakers: BTreeMap::new(),
        observation,
        network,
        inbound: mpsc::channel(1).1,
        lifecycle: lifecycle::new(Vec::new(), board.clone()).1,
    };
    let settings = Settings {
        name: name.clone(),
        coins: vec![COIN],
        speaks,
        attempt_blocks: 16,
        offset_reset: OffsetReset::Earliest,
        pinned: BTreeMap::new(),
        members: Vec::new(),
    };
    let keys = Keys {
        validator: Arc::clone(signer),
        identity,
        processors: BTreeMap::from([(COIN, SecretKey::from_bytes(&own.to_bytes()))]),
    };
    let actor = Actor { settings, keys, incarnation, surroundings };
    Running::start(actor, GENESIS).await.unwrap()
}

/// Four validators and what is between them.
pub struct World {
    pub validators: Vec<Validator>,
    /// Whose shares do not verify.
    pub bad: BTreeSet<ValidatorKey>,
    /// Each step one more restart: who is started again after how many deliveries.
    pub restarts: bool,
    deliveries: usize,
    /// Versions of the statements that were delivered.
    pub versions: BTreeSet<u16>,
}

impl World {
    /// All processors' keys are known, and the set.
    pub async fn new() -> Self {
        let mut world = Self::unannounced().await;
        for validator in &mut world.validators {
            validator.announce().await;
        }
        world
    }

    /// No processor has announced its key.
    pub async fn unannounced() -> Self {
        let mut validators = Vec::new();
        for number in 1..=4 {
            validators.push(Validator::new(number).await);
        }
        let world = Self {
            validators,
            bad: BTreeSet::new(),
            restarts: false,
            deliveries: 0,
            versions: BTreeSet::new(),
        };
        for validator in &world.validators {
            world.know(validator);
        }
        world
    }

    /// As if its `NewSet` had been read, and keys generated.
    fn know(&self, validator: &Validator) {
        let member =
            |v: &Validator| SetMember { validator: v.key, shares: 1, addresses: Vec::new() };
        let members: Vec<_> = self.validators.iter().map(member).collect();
        let database = &validator.database;
        let known = database.transaction(|transaction| {
            tables::insert_set(transaction, SET, 3, &members)?;
            let session = tables::StoredSession {
                id: "keygen/btc-0".to_owned(),
                set: SET,
                parameters: Vec::new(),
                summary: "{}".to_owned(),
                done: true,
                started_ms: 0,
                ended_ms: Some(1),
            };
            tables::insert_session(transaction, &session)?;
            Ok::<_, super::super::Error>(())
        });
        known.unwrap();
    }

    pub fn done(&self, id: SigningId) -> usize {
        self.validators.iter().filter(|validator| validator.is_done(id)).count()
    }

    /// Carries messages until nothing moves.
    pub async fn run(&mut self) {
        loop {
            let mut moved = false;
            for index in 0..self.validators.len() {
                moved |= self.process(index).await;
                moved |= self.carry(index).await;
            }
            if !moved {
                return;
            }
        }
    }

    /// All clocks ring.
    pub async fn ring(&mut self) {
        for validator in &mut self.validators {
            let all = validator.running.alarms.take_all();
            validator.running.ring(all).await.unwrap();
        }
        self.run().await;
    }

    /// One's processor answers.
    async fn process(&mut self, index: usize) -> bool {
        let bad = self.bad.clone();
        let validator = &mut self.validators[index];
        let told = validator.take_told();
        for told in validator.unanswered.drain(..).chain(told.iter().cloned()).collect::<Vec<_>>() {
            if validator.mute {
                validator.unanswered.push(told);
                continue;
            }
            if let Told::Signing(message) = &told
                && let Some(answer) = answer(validator, &bad, message)
            {
                validator.signs(answer).await;
                self.deliveries += 1;
            }
        }
        !told.is_empty()
    }

    /// What one has posted reaches the others, and is acknowledged.
    async fn carry(&mut self, from: usize) -> bool {
        let mut moved = false;
        for to in (0..self.validators.len()).filter(|to| *to != from) {
            let (sender, receiver) = (self.validators[from].key, self.validators[to].key);
            let posted = self.validators[from].posted(receiver);
            let Some(last) = posted.last().map(|(sequence, _)| *sequence) else { continue };
            self.versions.extend(posted.iter().map(|(_, statement)| statement.statement.version));
            let (accepted, answer) = oneshot::channel();
            let numbered =
                |(number, statement): (i64, _)| (Sequence(number.cast_unsigned()), statement);
            let inbound = network::Inbound {
                from: sender,
                incarnation: Incarnation(1),
                statements: posted.into_iter().map(numbered).collect(),
                accepted,
            };
            let receiving = &mut self.validators[to];
            receiving.running.handle(vec![Item::Inbound(inbound)]).await.unwrap();
            assert_eq!(answer.await.unwrap().0.cast_signed(), last);
            self.validators[from].acknowledged.insert(receiver, last);
            self.deliveries += 1;
            moved = true;
            if self.restarts {
                let restarted = self.deliveries % self.validators.len();
                self.validators[restarted].restart().await;
            }
        }
        moved
    }
}

fn answer(
    validator: &mut Validator,
    bad: &BTreeSet<ValidatorKey>,
    message: &CoordinatorMessage,
) -> Option<ProcessorMessage> {
    let id = message.id();
    Some(match message {
        CoordinatorMessage::Preprocess { opener, .. } => {
            let preprocess = validator.preprocess();
            ProcessorMessage::Preprocess { id, opener: *opener, preprocess }
        }
        CoordinatorMessage::Sign { open, .. } => {
            ProcessorMessage::Share { id, open: *open, share: vec![validator.key.0.to_vec()] }
        }
        CoordinatorMessage::Aggregate { open, shares, .. } => {
            match shares.iter().find(|(signer, _)| bad.contains(signer)) {
                Some((accused, _)) => {
                    ProcessorMessage::InvalidShare { id, open: *open, accused: *accused }
                }
                None => ProcessorMessage::Signed { id, signatures: vec![SIGNATURE] },
            }
        }
        CoordinatorMessage::Judge { open, accused, .. } => {
            let valid = !bad.contains(accused);
            ProcessorMessage::Judged { id, open: *open, accused: *accused, valid }
        }
        CoordinatorMessage::Signature { signatures, .. } if *signatures == [SIGNATURE] => {
            ProcessorMessage::Signed { id, signatures: signatures.clone() }
        }
        CoordinatorMessage::Signature { .. } => {
            let (request, reason) = (message.request(), "they do not verify".to_owned());
            ProcessorMessage::Refused { id, request, reason }
        }
    })
}
