//! The cluster, and the one queue of all that happens in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serai_bus::Database;
use serai_coordinator::processes::network::driven::{self as network, Parcel};
use serai_coordinator::processes::observation::driven as observation;
use serai_coordinator::processes::signature::driven::{self as coordinator, Heard};
use serai_messages::observation::Event;
use serai_messages::{Incarnation, Sequence, Session, ValidatorKey, ValidatorSet, threshold};
use serai_processor::crypto::Engines;
use serai_processor::{crypto, driven as processor, keystore};
use tokio::time::Instant;

use crate::adversary::Adversary;
use crate::chain::{BLOCK_MS, Chain};
use crate::checks::Checks;
use crate::draw::Draw;
use crate::link::{Flight, Link};
use crate::node::{Birth, Broken, COIN, Node, Publishing, Reading, fail_next_commit, signer};
use crate::options::{Cryptography, Fault, Options};
use crate::stand_in;
use crate::things::{self, Item};

/// The set whose vault is made.
pub const SET: ValidatorSet = ValidatorSet { coin: COIN, session: Session(0) };

/// Longest time that faults happen, in milliseconds.
const FAULTY_MS: u64 = 300_000;

/// Time from the last fault to the end, within which all must be done, in milliseconds.
const PATIENCE_MS: u64 = 5_400_000;

/// Time that goes on when all is done, for what is still under way, in milliseconds.
const AFTER_MS: u64 = 40_000;

/// After so long without an acknowledgement a parcel is sent again, in milliseconds.
const RESEND_MS: u64 = 15_000;

/// When the simulation begins, in milliseconds since the Unix epoch.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// Lines of the trace that a failure shows.
const SHOWN: usize = 80;

/// What happens.
#[derive(Clone)]
enum Step {
    Block,
    Observe(usize),
    Publish(usize, Publishing),
    Read(usize, Reading),
    Pump(usize, usize),
    Arrive { from: usize, to: usize, flight: u64, life: Option<u64>, parcel: Rc<Parcel> },
    Answer { from: usize, to: usize, flight: u64, through: (Incarnation, Sequence) },
    Timeout { from: usize, to: usize, flight: u64 },
    Ring(usize),
    Due(usize, usize),
    Start(usize),
    StartProcessor(usize),
    Heal,
    Backup(usize),
    Restore(usize),
}

/// What is to happen once, however often it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Once {
    Observe(usize),
    Publish(usize, Publishing),
    Read(usize, Reading),
    Pump(usize, usize),
    Due(usize, usize),
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Simulated time, in milliseconds.
    pub simulated_ms: u64,
    /// Things that happened.
    pub steps: u64,
    /// Statements that arrived.
    pub statements: u64,
    /// Coordinators and processors that ended, and restores.
    pub crashes: u64,
    /// Serai's newest block when the vault's keys were there.
    pub keys_at: u64,
    /// Members that broke the rules.
    pub liars: usize,
    /// Records that were put aside.
    pub dead_letters: usize,
    /// Of all that happened, in order: the same for the same seed.
    pub trace: [u8; 32],
}

/// What is wrong, and what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed with which it happens.
    pub seed: u64,
    /// The rule that was broken.
    pub what: String,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// What happened last.
    pub before: Vec<String>,
}

/// A cluster.
pub struct World {
    options: Options,
    draw: Draw,
    now: u64,
    began: Instant,
    queue: BTreeMap<(u64, u64), Step>,
    counter: u64,
    once: BTreeSet<Once>,
    rings: BTreeMap<usize, u64>,
    nodes: Vec<Node>,
    index: BTreeMap<ValidatorKey, usize>,
    chain: Chain,
    links: BTreeMap<(usize, usize), Link>,
    /// On which side each is, while there are two.
    parted: Option<Vec<bool>>,
    heal_at: u64,
    adversaries: BTreeMap<usize, Adversary>,
    /// Whose next commit fails.
    doomed: BTreeSet<(usize, bool)>,
    backups: BTreeMap<usize, Database>,
    things: Vec<Item>,
    /// Things that processors know of.
    told: BTreeSet<(usize, usize)>,
    done_at: Option<u64>,
    checks: Checks,
    outcome: Outcome,
    trace: blake2::Blake2b512,
    before: VecDeque<String>,
    /// For the processors' files.
    _folder: tempfile::TempDir,
}

impl World {
    /// A cluster of one seed, with empty states that are copies of `states`.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn new(options: &Options, seed: u64, states: &[Database; 2]) -> Result<Self, Broken> {
        let mut draw = Draw::new(seed);
        let engines: Engines = match options.cryptography {
            Cryptography::Real => crypto::engine,
            Cryptography::StandIn => stand_in::engine,
        };
        // Files in memory where there is such a place: the processors wait for the disk.
        let memory = std::path::Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new()
            .prefix("serai-simulator-")
            .tempdir_in(place)
            .map_err(|error| Broken::System(error.to_string()))?;
        let secrets: Vec<_> =
            (0..options.validators).map(|_| [(); 4].map(|()| draw.bytes())).collect();
        let mut keys = Vec::new();
        for secrets in &secrets {
            keys.push(ValidatorKey(signer(&secrets[0])?.public()));
        }
        let mut chain = Chain::new(draw.bytes(), keys.clone(), engines);
        chain.announce(SET);
        let mut nodes = Vec::new();
        for (index, secrets) in secrets.into_iter().enumerate() {
            let states = [states[0].duplicate()?, states[1].duplicate()?];
            let folder = folder.path().join(index.to_string());
            let genesis = chain.genesis;
            nodes.push(Node::new(Birth { index, secrets, states, folder, genesis, engines })?);
        }
        let index = keys.iter().enumerate().map(|(index, key)| (*key, index)).collect();
        let adversaries = liars(options, &mut draw, &nodes, &keys);
        let honest = (0..nodes.len()).filter(|index| !adversaries.contains_key(index));
        let checks = Checks::new(honest.filter_map(|index| keys.get(index).copied()).collect());
        let outcome = Outcome {
            simulated_ms: 0,
            steps: 0,
            statements: 0,
            crashes: 0,
            keys_at: 0,
            liars: adversaries.len(),
            dead_letters: 0,
            trace: [0; 32],
        };
        let mut world = Self {
            options: options.clone(),
            heal_at: if options.faults == Default::default() {
                0
            } else {
                draw.within(30_000..=FAULTY_MS)
            },
            draw,
            now: 0,
            began: Instant::now(),
            queue: BTreeMap::new(),
            counter: 0,
            once: BTreeSet::new(),
            rings: BTreeMap::new(),
            nodes,
            index,
            chain,
            links: BTreeMap::new(),
            parted: None,
            adversaries,
            doomed: BTreeSet::new(),
            backups: BTreeMap::new(),
            things: Vec::new(),
            told: BTreeSet::new(),
            done_at: None,
            checks,
            outcome,
            trace: Default::default(),
            before: VecDeque::new(),
            _folder: folder,
        };
        for index in 0..world.nodes.len() {
            world.start(index).await?;
            world.start_processor(index)?;
        }
        world.at(BLOCK_MS, Step::Block);
        world.plan_restore();
        Ok(world)
    }

    /// Lets it run until all is done.
    ///
    /// # Errors
    /// The rule that was broken.
    pub async fn run(mut self, seed: u64) -> Result<Outcome, Failure> {
        match self.go_on().await {
            Ok(()) => {
                use blake2::Digest;
                let digest = self.trace.finalize();
                self.outcome.trace.copy_from_slice(&digest[..32]);
                self.outcome.simulated_ms = self.now;
                self.outcome.dead_letters = self.nodes.iter().map(|node| node.dead_letters).sum();
                Ok(self.outcome)
            }
            Err(broken) => Err(Failure {
                seed,
                what: broken.to_string(),
                at_ms: self.now,
                before: self.before.into(),
            }),
        }
    }

    async fn go_on(&mut self) -> Result<(), Broken> {
        while let Some(((at, _), step)) = self.queue.pop_first() {
            if self.done_at.is_some_and(|done| at > done + AFTER_MS) {
                return self.end();
            }
            if at > self.now {
                tokio::time::advance(Duration::from_millis(at - self.now)).await;
                self.now = at;
            }
            self.outcome.steps += 1;
            self.take(step).await?;
        }
        Err(Broken::Violation("nothing is left to happen".to_owned()))
    }

    /// Everything is done: what must hold in the end.
    fn end(&mut self) -> Result<(), Broken> {
        self.checks.accusations(&self.nodes)?.map_err(Broken::Violation)?;
        let keys = self.chain.keys.get(&SET);
        for (index, node) in self.nodes.iter().enumerate() {
            if self.adversaries.contains_key(&index) {
                continue;
            }
            let vault = node.processor_database.read(|c| keystore::confirmed(c, SET))?;
            if let Some(vault) = vault
                && Some(&vault.key_pair) != keys
            {
                let what = format!("{} holds shares of other keys than the vault's", node.name);
                return Err(Broken::Violation(what));
            }
        }
        for item in &self.things {
            if let Some(number) = item.batch()
                && !self.short_of_signers()
                && !self.chain.executed.contains_key(&(SET, number))
            {
                let what = format!("batch {number} is signed and was never submitted");
                return Err(Broken::Violation(what));
            }
        }
        Ok(())
    }

    fn at(&mut self, delay: u64, step: Step) {
        self.counter += 1;
        self.queue.insert((self.now + delay, self.counter), step);
    }

    fn once(&mut self, delay: u64, once: Once) {
        if self.once.insert(once) {
            let step = match once {
                Once::Observe(node) => Step::Observe(node),
                Once::Publish(node, what) => Step::Publish(node, what),
                Once::Read(node, what) => Step::Read(node, what),
                Once::Pump(from, to) => Step::Pump(from, to),
                Once::Due(node, thing) => Step::Due(node, thing),
            };
            self.at(delay, step);
        }
    }

    fn note(&mut self, line: String) {
        use blake2::Digest;
        let line = format!("{:>8} {line}", self.now);
        self.trace.update(line.as_bytes());
        if self.before.len() == SHOWN {
            self.before.pop_front();
        }
        self.before.push_back(line);
    }

    /// Whether the fault may happen now.
    fn may(&self, fault: Fault) -> bool {
        self.now < self.heal_at && self.options.faults.has(fault)
    }

    fn latency(&mut self) -> u64 {
        if self.may(Fault::Delay) && self.draw.chance(60) {
            return self.draw.within(500..=9_000);
        }
        self.draw.within(1..=15)
    }

    fn name(&self, index: usize) -> String {
        self.nodes.get(index).map_or_else(String::new, |node| node.name.to_string())
    }

    fn node(&mut self, index: usize) -> Result<&mut Node, Broken> {
        let missing = || Broken::System(format!("there is no validator {index}"));
        self.nodes.get_mut(index).ok_or_else(missing)
    }

    async fn take(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Block => self.block()?,
            Step::Observe(index) => {
                self.once.remove(&Once::Observe(index));
                self.observe(index)?;
            }
            Step::Publish(index, publishing) => {
                self.once.remove(&Once::Publish(index, publishing));
                self.publish(index, publishing)?;
            }
            Step::Read(index, reading) => {
                self.once.remove(&Once::Read(index, reading));
                self.read(index, reading).await?;
            }
            Step::Pump(from, to) => {
                self.once.remove(&Once::Pump(from, to));
                self.pump(from, to)?;
            }
            Step::Arrive { from, to, flight, life, parcel } => {
                self.arrive((from, to), flight, life, &parcel).await?;
            }
            Step::Answer { from, to, flight, through } => {
                self.answer((from, to), flight, through)?
            }
            Step::Timeout { from, to, flight } => self.time_out((from, to), flight),
            Step::Ring(index) => self.ring(index).await?,
            Step::Due(index, thing) => {
                self.once.remove(&Once::Due(index, thing));
                self.due(index, thing)?;
            }
            Step::Start(index) => {
                if self.node(index)?.coordinator.is_none() {
                    self.start(index).await?;
                }
            }
            Step::StartProcessor(index) => {
                if self.node(index)?.processor.is_none() {
                    self.start_processor(index)?;
                }
            }
            Step::Heal => self.parted = None,
            Step::Backup(index) => {
                self.note(format!("{} is backed up", self.name(index)));
                let copy = self.node(index)?.database.duplicate()?;
                self.backups.insert(index, copy);
            }
            Step::Restore(index) => self.restore(index).await?,
        }
        Ok(())
    }

    /// What is committed at a node is carried on.
    fn settle(&mut self, index: usize) -> Result<(), Broken> {
        for publishing in Publishing::ALL {
            if self.node(index)?.has_outgoing(publishing)? {
                let delay = self.latency();
                self.once(delay, Once::Publish(index, publishing));
            }
        }
        for reading in Reading::ALL {
            if self.node(index)?.is_behind(reading) {
                let delay = self.latency();
                self.once(delay, Once::Read(index, reading));
            }
        }
        let node = self.node(index)?;
        let Some(coordinator) = &node.coordinator else { return Ok(()) };
        let (waiting, ring) = (network::waiting(&node.database)?, coordinator.next_ring());
        for to in waiting {
            let Some(to) = self.index.get(&to).copied() else { continue };
            if self.links.get(&(index, to)).is_none_or(|link| link.flight.is_none()) {
                let delay = self.draw.within(1..=5);
                self.once(delay, Once::Pump(index, to));
            }
        }
        if let Some(ring) = ring {
            let at = ring.saturating_duration_since(self.began).as_millis() as u64;
            let at = at.max(self.now + 1);
            let planned = self.rings.get(&index).copied();
            if planned.is_none_or(|planned| planned > at || planned <= self.now) {
                self.rings.insert(index, at);
                self.at(at - self.now, Step::Ring(index));
            }
        }
        Ok(())
    }

    fn block(&mut self) -> Result<(), Broken> {
        self.chain.finalize();
        let number = self.chain.newest();
        if self.outcome.keys_at == 0 && self.chain.keys.contains_key(&SET) {
            self.outcome.keys_at = number.0;
            self.note("the keys are on the chain".to_owned());
            self.things = things::of(&mut self.chain, &mut self.draw, self.options.things);
            for adversary in self.adversaries.values_mut() {
                adversary.things =
                    self.things.iter().map(|item| (item.due.id, item.due.reference)).collect();
            }
        }
        for index in 0..self.nodes.len() {
            let delay = self.latency() + self.draw.below(500);
            self.once(delay, Once::Observe(index));
            self.node(index)?.drain()?;
            self.fail_at_random(index)?;
            self.tell_what_is_due(index)?;
        }
        self.part_at_random();
        self.at(BLOCK_MS, Step::Block);
        if self.done_at.is_none() && self.is_done()? {
            self.note("all is done".to_owned());
            self.done_at = Some(self.now);
        }
        if self.done_at.is_none() && self.now > self.heal_at + PATIENCE_MS {
            return Err(Broken::Violation(self.missing()?));
        }
        Ok(())
    }

    fn is_done(&self) -> Result<bool, Broken> {
        if self.now < self.heal_at || self.things.len() < self.options.things as usize {
            return Ok(false);
        }
        if self.short_of_signers() {
            return Ok(true);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if !self.adversaries.contains_key(&index) && signed(node)? < self.expected(node)? {
                return Ok(false);
            }
        }
        Ok(self.outcome.keys_at > 0)
    }

    /// Whether honest holders of shares alone cannot sign: who was away when the keys were made holds
    /// none, and liars do. Nothing need be signed then; what is, must be right.
    fn short_of_signers(&self) -> bool {
        let removed = self.removed();
        let holds = |index: usize| {
            let key = self.nodes.get(index).map(|node| node.key);
            !self.adversaries.contains_key(&index) && key.is_some_and(|key| !removed.contains(&key))
        };
        let honest = (0..self.nodes.len()).filter(|index| holds(*index)).count();
        honest < usize::from(threshold(self.nodes.len() as u16))
    }

    /// Validators without a share of the vault.
    fn removed(&self) -> BTreeSet<ValidatorKey> {
        let events = self.chain.blocks.iter().flat_map(|(_, events)| events);
        let removed = events.filter_map(|event| match event {
            Event::ParticipantRemoved { removed, .. } => Some(*removed),
            _ => None,
        });
        removed.collect()
    }

    /// How many things a node should have: none where it holds no share of the vault.
    fn expected(&self, node: &Node) -> Result<usize, Broken> {
        let held = node.processor_database.read(|c| keystore::confirmed(c, SET))?;
        let without = self.removed().contains(&node.key) && held.is_none();
        Ok(if without { 0 } else { self.things.len() })
    }

    fn missing(&self) -> Result<String, Broken> {
        let mut text = format!("after {} ms not all is done:", self.now);
        if self.outcome.keys_at == 0 {
            text.push_str(" there are no keys;");
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let liar = if self.adversaries.contains_key(&index) { " (liar)" } else { "" };
            let signed = signed(node)?;
            text.push_str(&format!(
                " {}{liar} has signed {signed} of {},",
                node.name,
                self.things.len()
            ));
            if let Some(coordinator) = &node.coordinator
                && liar.is_empty()
            {
                for session in coordinator.sessions()?.as_array().into_iter().flatten() {
                    if session["done"] == false {
                        text.push_str(&format!("\n  {}: {session}", node.name));
                    }
                }
            }
        }
        Ok(text)
    }

    fn fail_at_random(&mut self, index: usize) -> Result<(), Broken> {
        if !self.may(Fault::Crash) {
            return Ok(());
        }
        for coordinators in [true, false] {
            if self.draw.chance(60) {
                if self.draw.chance(600) {
                    self.doomed.insert((index, coordinators));
                } else {
                    self.crash(index, coordinators)?;
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self, index: usize, coordinators: bool) -> Result<(), Broken> {
        self.outcome.crashes += 1;
        let what = if coordinators { "coordinator" } else { "processor" };
        self.note(format!("{what} of {} ends", self.name(index)));
        let pause = self.draw.within(200..=40_000);
        let node = self.node(index)?;
        if coordinators {
            node.coordinator = None;
            for (_, link) in self.links.iter_mut().filter(|((from, _), _)| *from == index) {
                link.flight = None;
            }
            self.at(pause, Step::Start(index));
        } else {
            node.processor = None;
            self.at(pause, Step::StartProcessor(index));
        }
        Ok(())
    }

    /// Runs a step of a program whose commit may fail; how it ended, if it did.
    fn doom(&mut self, index: usize, coordinators: bool) -> Result<bool, Broken> {
        let doomed = self.doomed.remove(&(index, coordinators));
        if doomed {
            fail_next_commit(self.database(index, coordinators)?, true)?;
        }
        Ok(doomed)
    }

    fn spare(&mut self, index: usize, coordinators: bool) -> Result<(), Broken> {
        Ok(fail_next_commit(self.database(index, coordinators)?, false)?)
    }

    fn database(&mut self, index: usize, coordinators: bool) -> Result<&Database, Broken> {
        let node = self.node(index)?;
        Ok(if coordinators { &node.database } else { &node.processor_database })
    }

    /// A program has ended by itself: only a commit that failed explains it.
    fn ended(
        &mut self,
        index: usize,
        coordinators: bool,
        doomed: bool,
        error: &str,
    ) -> Result<(), Broken> {
        if !doomed {
            let what = if coordinators { "coordinator" } else { "processor" };
            return Err(Broken::Violation(format!(
                "{what} of {} ended: {error}",
                self.name(index)
            )));
        }
        self.crash(index, coordinators)
    }

    fn part_at_random(&mut self) {
        if self.parted.is_none() && self.may(Fault::Partition) && self.draw.chance(60) {
            let sides = self.nodes.iter().map(|_| self.draw.chance(500)).collect();
            self.note(format!("parted: {sides:?}"));
            self.parted = Some(sides);
            let pause = self.draw.within(5_000..=90_000);
            self.at(pause, Step::Heal);
        }
    }

    fn plan_restore(&mut self) {
        if !self.options.faults.has(Fault::Restore) {
            return;
        }
        let honest: Vec<_> =
            (0..self.nodes.len()).filter(|index| !self.adversaries.contains_key(index)).collect();
        if let Some(index) = self.draw.one_of(&honest).copied() {
            let backup = self.draw.below(self.heal_at.max(1));
            let restore = self.draw.within(1..=120_000);
            self.at(backup, Step::Backup(index));
            self.at(backup + restore, Step::Restore(index));
        }
    }

    async fn restore(&mut self, index: usize) -> Result<(), Broken> {
        // A state that is lost while keys are made takes no part in that: one more that is absent.
        if self.outcome.keys_at == 0 {
            if self.now < self.heal_at + PATIENCE_MS / 2 {
                self.at(20_000, Step::Restore(index));
            }
            return Ok(());
        }
        let Some(backup) = self.backups.remove(&index) else { return Ok(()) };
        self.outcome.crashes += 1;
        self.note(format!("{} is restored", self.name(index)));
        let (now, newest) = ((EPOCH_MS + self.now).cast_signed(), self.chain.newest());
        coordinator::restore(&backup, now, Incarnation(0), newest)?;
        self.node(index)?.replace(backup);
        for ((from, _), link) in &mut self.links {
            if *from == index {
                *link = Link::default();
            }
        }
        self.checks.forget(index);
        self.start(index).await
    }

    async fn start(&mut self, index: usize) -> Result<(), Broken> {
        self.note(format!("coordinator of {} starts", self.name(index)));
        self.node(index)?.start_coordinator().await?;
        self.checks.holds(index, &self.nodes)?.map_err(Broken::Violation)?;
        self.rings.remove(&index);
        self.settle(index)
    }

    fn start_processor(&mut self, index: usize) -> Result<(), Broken> {
        self.node(index)?.start_processor()?;
        self.settle(index)
    }

    fn observe(&mut self, index: usize) -> Result<(), Broken> {
        let genesis = self.chain.genesis;
        let node = self.nodes.get(index).ok_or_else(|| Broken::System("node".to_owned()))?;
        let Some(coordinator) = &node.coordinator else { return Ok(()) };
        let cursor = observation::cursor(&node.database)?;
        let next = cursor.map_or(0, |cursor| cursor.number.0 as usize + 1);
        let Some(blocks) = self.chain.blocks.get(next..).filter(|blocks| !blocks.is_empty()) else {
            return Ok(());
        };
        let (topic, incarnation) = (node.serai_topic(), coordinator.incarnation());
        observation::observe(&node.database, &topic, incarnation, genesis, blocks)?;
        self.settle(index)
    }

    fn publish(&mut self, index: usize, publishing: Publishing) -> Result<(), Broken> {
        let count = self.draw.within(1..=12) as u32;
        let confirmed = !(self.may(Fault::Duplication) && self.draw.chance(30));
        let node = self.node(index)?;
        if !node.has_outgoing(publishing)? {
            return Ok(());
        }
        let submitted = node.publish(publishing, count, confirmed)?;
        let liar = self.adversaries.contains_key(&index);
        for event in submitted {
            let accepted = self.chain.submit(&event);
            if let Err(what) = accepted
                && !liar
            {
                return Err(Broken::Violation(format!("{}: {what}", self.name(index))));
            }
        }
        self.settle(index)
    }

    async fn read(&mut self, index: usize, reading: Reading) -> Result<(), Broken> {
        if !self.node(index)?.is_behind(reading) {
            return Ok(());
        }
        let coordinators = reading.is_coordinators();
        let doomed = self.doom(index, coordinators)?;
        let read = self.node(index)?.read(reading).await?;
        self.spare(index, coordinators)?;
        self.note(format!("{} reads {reading:?}", self.name(index)));
        if let Err(error) = read {
            return self.ended(index, coordinators, doomed, &error);
        }
        self.settle(index)
    }

    async fn ring(&mut self, index: usize) -> Result<(), Broken> {
        if self.rings.get(&index) != Some(&self.now) {
            return Ok(());
        }
        self.rings.remove(&index);
        if self.node(index)?.coordinator.is_none() {
            return Ok(());
        }
        let doomed = self.doom(index, true)?;
        let node = self.node(index)?;
        let Some(coordinator) = &mut node.coordinator else { return Ok(()) };
        let rung = coordinator.ring().await;
        self.spare(index, true)?;
        if let Err(error) = rung {
            return self.ended(index, true, doomed, &error.to_string());
        }
        self.settle(index)
    }

    fn tell_what_is_due(&mut self, index: usize) -> Result<(), Broken> {
        if self.things.is_empty() {
            return Ok(());
        }
        let held = self.node(index)?.processor_database.read(|c| keystore::confirmed(c, SET))?;
        if held.is_none() {
            return Ok(());
        }
        for thing in 0..self.things.len() {
            if !self.told.contains(&(index, thing)) {
                let delay = self.draw.below(20_000);
                self.once(delay, Once::Due(index, thing));
            }
        }
        Ok(())
    }

    fn due(&mut self, index: usize, thing: usize) -> Result<(), Broken> {
        let Some(item) = self.things.get(thing).cloned() else { return Ok(()) };
        if self.node(index)?.processor.is_none() {
            return Ok(());
        }
        let doomed = self.doom(index, false)?;
        let node = self.node(index)?;
        let Some(processor) = &mut node.processor else { return Ok(()) };
        let told = processor.due(item.due);
        self.spare(index, false)?;
        if let Err(error) = told {
            return self.ended(index, false, doomed, &error.to_string());
        }
        self.told.insert((index, thing));
        self.settle(index)
    }

    /// The oldest that waits for a peer goes out, as its sender says it.
    fn pump(&mut self, from: usize, to: usize) -> Result<(), Broken> {
        let receiver = self.node(to)?.key;
        let node = self.node(from)?;
        let Some(coordinator) = &node.coordinator else { return Ok(()) };
        let incarnation = coordinator.incarnation();
        let outgoing = network::outgoing(&node.database, incarnation, receiver)?;
        let (Some(parcel), life) = (outgoing, node.life) else { return Ok(()) };
        let now = self.now;
        let link = self.links.entry((from, to)).or_default();
        if link.flight.is_some() {
            return Ok(());
        }
        self.counter += 1;
        let flight = match self.adversaries.get_mut(&from) {
            Some(adversary) if adversary.is_silent(to, now) => return Ok(()),
            Some(adversary) => {
                link.expand(self.counter, life, parcel, |body| adversary.says(body, to))
            }
            None => Flight::new(self.counter, life, parcel),
        };
        let (id, parcel) = (flight.id, Rc::clone(&flight.parcel));
        link.flight = Some(flight);
        self.send((from, to), id, &parcel);
        Ok(())
    }

    fn send(&mut self, way: (usize, usize), flight: u64, parcel: &Rc<Parcel>) {
        let (from, to) = way;
        self.at(RESEND_MS, Step::Timeout { from, to, flight });
        if self.is_lost(way) {
            return;
        }
        let life = self.nodes.get(to).map(|node| node.life);
        let arrive = |life| Step::Arrive { from, to, flight, life, parcel: Rc::clone(parcel) };
        let delay = self.latency();
        self.at(delay, arrive(life));
        if self.may(Fault::Duplication) && self.draw.chance(40) {
            let delay = self.latency();
            self.at(delay, arrive(life));
        }
        if self.may(Fault::Reordering) && self.draw.chance(40) {
            let delay = self.draw.within(2_000..=60_000);
            self.at(delay, arrive(None));
        }
    }

    fn is_lost(&mut self, (from, to): (usize, usize)) -> bool {
        let side = |sides: &Vec<bool>, index: usize| sides.get(index).copied();
        let parted = self.parted.as_ref().is_some_and(|sides| side(sides, from) != side(sides, to));
        parted || (self.may(Fault::Loss) && self.draw.chance(50))
    }

    async fn arrive(
        &mut self,
        way: (usize, usize),
        flight: u64,
        life: Option<u64>,
        parcel: &Parcel,
    ) -> Result<(), Broken> {
        let (from, to) = way;
        let sender = self.node(from)?.key;
        let node = self.node(to)?;
        if node.coordinator.is_none() || life.is_some_and(|life| life != node.life) {
            return Ok(());
        }
        self.outcome.statements += parcel.bodies.len() as u64;
        self.note(format!(
            "{} hears {} of {}",
            self.name(to),
            parcel.bodies.len(),
            self.name(from)
        ));
        for body in &parcel.bodies {
            self.checks.hear(body).map_err(Broken::Violation)?;
            if let Some(adversary) = self.adversaries.get_mut(&to) {
                adversary.hears(body);
            }
        }
        let doomed = self.doom(to, true)?;
        let node = self.node(to)?;
        let Some(coordinator) = &mut node.coordinator else { return Ok(()) };
        let heard = coordinator.hear(sender, parcel.clone()).await;
        self.spare(to, true)?;
        let acknowledged = match &heard {
            Ok(Heard::Acknowledged(through)) | Err((_, Some(through))) => Some(*through),
            Ok(Heard::Waits | Heard::Replaced) | Err((_, None)) => None,
        };
        if let Some(sequence) = acknowledged {
            let through = (parcel.incarnation, sequence);
            self.checks.acknowledge(to, from, through);
            if !self.is_lost(way) {
                let delay = self.latency();
                self.at(delay, Step::Answer { from, to, flight, through });
            }
        }
        if let Err((error, _)) = heard {
            return self.ended(to, true, doomed, &error.to_string());
        }
        self.settle(to)
    }

    fn answer(
        &mut self,
        (from, to): (usize, usize),
        flight: u64,
        through: (Incarnation, Sequence),
    ) -> Result<(), Broken> {
        let receiver = self.node(to)?.key;
        let node = self.node(from)?;
        let (running, life) = (node.coordinator.is_some(), node.life);
        let Some(link) = self.links.get_mut(&(from, to)).filter(|_| running) else { return Ok(()) };
        let Some(confirmed) = link.answered(flight, life, through) else { return Ok(()) };
        network::acknowledged(&self.node(from)?.database, receiver, confirmed)?;
        self.settle(from)
    }

    fn time_out(&mut self, way: (usize, usize), flight: u64) {
        let waits = self.links.get(&way).and_then(|link| link.flight.as_ref());
        let Some(parcel) =
            waits.filter(|waits| waits.id == flight).map(|waits| Rc::clone(&waits.parcel))
        else {
            return;
        };
        self.send(way, flight, &parcel);
    }
}

/// Things that a coordinator has signed.
fn signed(node: &Node) -> Result<usize, Broken> {
    let count = node.database.read(|connection| {
        let sql = "SELECT count(*) FROM signings WHERE state = 'done'";
        connection.query_row(sql, (), |row| row.get::<_, i64>(0))
    })?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Who breaks the rules, and how: no more than a third.
fn liars(
    options: &Options,
    draw: &mut Draw,
    nodes: &[Node],
    keys: &[ValidatorKey],
) -> BTreeMap<usize, Adversary> {
    let kinds = [Fault::Silence, Fault::Equivocation, Fault::Lies, Fault::Openers];
    let kinds: Vec<_> = kinds.into_iter().filter(|kind| options.faults.has(*kind)).collect();
    let mut adversaries = BTreeMap::new();
    if kinds.is_empty() {
        return adversaries;
    }
    let most = (nodes.len() as u64).saturating_sub(1) / 3;
    let count = draw.within(0..=most) as usize;
    while adversaries.len() < count {
        let index = draw.below(nodes.len() as u64) as usize;
        let mut roles = BTreeSet::new();
        for _ in 0..draw.within(1..=2) {
            roles.extend(draw.one_of(&kinds).copied());
        }
        let Some(node) = nodes.get(index) else { continue };
        let signer = node.signer.clone();
        let adversary = Adversary::new(signer, keys.to_vec(), roles, draw.below(u64::MAX));
        adversaries.insert(index, adversary);
    }
    adversaries
}

/// The empty states that a cluster is made of.
///
/// # Errors
/// The database's.
pub fn empty_states() -> Result<[Database; 2], Broken> {
    Ok([
        Database::in_memory(&coordinator::migrations())?,
        Database::in_memory(processor::MIGRATIONS)?,
    ])
}
