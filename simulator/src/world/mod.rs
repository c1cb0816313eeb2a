//! The cluster, and the one queue of all that happens in it.

mod carrying;
mod ending;
mod failing;
mod programs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serai_bus::Database;
use serai_coordinator::processes::network::driven::{self as network, Parcel};
use serai_coordinator::processes::signature::driven as coordinator;
use serai_messages::{Incarnation, Sequence, Session, ValidatorKey, ValidatorSet};
use serai_processor::crypto::Engines;
use serai_processor::{crypto, driven as processor};
use tokio::time::Instant;

use crate::adversary::Adversary;
use crate::chain::{BLOCK_MS, Chain};
use crate::checks::Checks;
use crate::draw::Draw;
use crate::link::Link;
use crate::node::{Birth, Broken, COIN, Node, Publishing, Reading, signer};
use crate::options::{Cryptography, Fault, Options};
use crate::outcome::{Failure, Outcome};
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
    /// Whether a restore is still to come.
    restores: bool,
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
        let adversaries = failing::liars(options, &mut draw, &nodes, &keys);
        let honest = (0..nodes.len()).filter(|index| !adversaries.contains_key(index));
        let checks = Checks::new(honest.filter_map(|index| keys.get(index).copied()).collect());
        let outcome = Outcome {
            simulated_ms: 0,
            steps: 0,
            statements: 0,
            crashes: 0,
            restores: 0,
            short: false,
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
            restores: false,
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
            self.outcome.short = self.short_of_signers();
        }
        if self.done_at.is_none() && self.now > self.heal_at + PATIENCE_MS {
            return Err(Broken::Violation(self.missing()?));
        }
        Ok(())
    }
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
