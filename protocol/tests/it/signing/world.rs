//! Validators in the order of the draw, what travels between them, and a simulated clock.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serai_messages::{
    BlockHash, BlockNumber, Body, Coin, STATEMENT_CONTEXT, Session, SignatureBytes,
    SignedStatement, Statement, ValidatorKey, ValidatorSet,
    observation::SeraiBlock,
    signing::{
        Content, CoordinatorMessage, PeerMessage, ProcessorMessage, Request, SigningId, Thing,
    },
    threshold,
};
use serai_protocol::signing::{Effect, Fault, Input, Parameters, Signing, Timer};
use serai_sr25519::Signer;

use super::processor::{Processor, digest, verifies};
use crate::world::version;

pub const ID: SigningId = SigningId {
    set: ValidatorSet { coin: Coin::Btc, session: Session(1) },
    thing: Thing::Batch(7),
};
const GENESIS: BlockHash = BlockHash([9; 32]);
/// Whatever is silent or lies, when nothing is lost: every live honest validator has the signatures by then.
const WITHIN_MS: u64 = 10_000;
/// Events after which a world is said to go round in circles.
const MAX_EVENTS: usize = 400_000;

pub fn content(marker: u8) -> Content {
    Content::Batch { batch: vec![marker; 40] }
}

pub struct Validator {
    pub signer: Signer,
    pub machine: Signing,
    pub parameters: Parameters,
    pub processor: Processor,
    pub log: Vec<Input>,
    effects: Vec<Effect>,
    pub faults: Vec<Fault>,
    pub done: Option<(u64, Vec<SignatureBytes>)>,
    /// Opens nothing: it was restored.
    abstains: bool,
    /// Says and hears nothing from this time on.
    pub dead_from: Option<u64>,
    /// Timers that were set before belong to a program that has ended.
    life: u64,
    /// When the last message of the conversation with the processor is there.
    conversation: [u64; 2],
}

enum Event {
    Input(usize, Input),
    Timer(usize, u64, Timer),
    Processor(usize, CoordinatorMessage),
    Tick(usize),
    Restart(usize),
    Restore(usize, bool),
}

/// Changes what a validator says to another one (from, to, message); own copies stay as they are.
pub type Lie = Box<dyn FnMut(usize, usize, &PeerMessage) -> Vec<PeerMessage>>;
/// Changes what a processor answers to a request.
pub type ProcessorLie = Box<dyn FnMut(usize, Request, ProcessorMessage) -> ProcessorMessage>;
/// Plays a validator by hand: learns a statement, or nothing every 50 ms; says what to whom.
pub type Puppet = Box<dyn FnMut(Option<&SignedStatement>) -> Vec<(usize, PeerMessage)>>;

pub struct World {
    pub now: u64,
    pub rng: ChaCha20Rng,
    pub validators: Vec<Validator>,
    pub threshold: usize,
    pub content: [u8; 32],
    /// Who may be at fault.
    pub liars: BTreeSet<usize>,
    /// When the last timer rings, and the signatures are there.
    pub within_ms: u64,
    /// Sessions that are declined, beyond those that the silent cost.
    pub declined: usize,
    pub lie: Lie,
    pub processor_lie: ProcessorLie,
    pub puppets: BTreeMap<usize, Puppet>,
    queue: BTreeMap<(u64, u64), Event>,
    events: u64,
    started: bool,
    /// Statements so far.
    said: u64,
}

fn parameters(keys: &[ValidatorKey], own: ValidatorKey, marker: u8, seed: u64) -> Parameters {
    let hash = BlockHash(digest(b"test-block", &seed));
    Parameters {
        genesis: GENESIS,
        id: ID,
        reference: SeraiBlock { number: BlockNumber(seed), hash },
        content: content(marker),
        validators: keys.to_vec(),
        removed: Vec::new(),
        own,
    }
}

impl Validator {
    /// A machine that has learned what is in the log, and its effects.
    fn replayed(&self) -> (Signing, Vec<Effect>) {
        let (mut machine, mut effects) = Signing::new(self.parameters.clone()).unwrap();
        if self.abstains {
            machine.abstain();
        }
        for input in &self.log {
            let bytes = serai_messages::encode(input);
            effects.extend(machine.handle(&serai_messages::decode(&bytes).unwrap()));
        }
        (machine, effects)
    }
}

impl World {
    /// Everybody is honest. Validator `i` is the `i`-th of the draw.
    pub fn new(count: usize, seed: u64) -> Self {
        let mut signers: BTreeMap<ValidatorKey, Signer> = (0..count)
            .map(|index| {
                let mut bytes = [7; 32];
                bytes[0] = index as u8;
                let signer = Signer::from_seed(&bytes).unwrap();
                (ValidatorKey(signer.public()), signer)
            })
            .collect();
        let keys: Vec<_> = signers.keys().copied().collect();
        let (machine, _) = Signing::new(parameters(&keys, keys[0], 1, seed)).unwrap();
        let (order, content) = (machine.summary().order, machine.digest());
        let threshold = usize::from(threshold(count as u16));
        let validators = order.iter().map(|key| {
            let parameters = parameters(&keys, *key, 1, seed);
            let (machine, _) = Signing::new(parameters.clone()).unwrap();
            Validator {
                signer: signers.remove(key).unwrap(),
                machine,
                parameters,
                processor: Processor::new(*key, ID, content, threshold),
                log: Vec::new(),
                effects: Vec::new(),
                faults: Vec::new(),
                done: None,
                abstains: false,
                dead_from: None,
                life: 0,
                conversation: [0; 2],
            }
        });
        let mut world = Self {
            now: 0,
            rng: ChaCha20Rng::seed_from_u64(seed),
            validators: validators.collect(),
            threshold,
            content,
            liars: BTreeSet::new(),
            within_ms: WITHIN_MS,
            declined: 0,
            lie: Box::new(|_, _, message| vec![message.clone()]),
            processor_lie: Box::new(|_, _, message| message),
            puppets: BTreeMap::new(),
            queue: BTreeMap::new(),
            events: 0,
            started: false,
            said: 0,
        };
        eprintln!("{count} validators, seed {seed}");
        world.rng.next_u64();
        world
    }

    pub fn count(&self) -> usize {
        self.validators.len()
    }

    /// Validators that may be anything, and the signature still comes about.
    pub fn spare(&self) -> usize {
        self.count() - self.threshold
    }

    pub fn key(&self, index: usize) -> ValidatorKey {
        self.validators[index].parameters.own
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    /// So many different validators.
    pub fn choose(&mut self, count: usize) -> BTreeSet<usize> {
        let mut chosen = BTreeSet::new();
        while chosen.len() < count {
            let index = self.below(self.validators.len() as u64);
            chosen.insert(index as usize);
        }
        chosen
    }

    /// This validator's processor works out something else.
    pub fn differ(&mut self, index: usize) {
        let validator = &mut self.validators[index];
        validator.parameters.content = content(2);
        validator.machine = Signing::new(validator.parameters.clone()).unwrap().0;
        validator.processor.content = validator.machine.digest();
    }

    pub fn sign(&mut self, index: usize, message: PeerMessage) -> SignedStatement {
        let body = Body::Signing(message);
        self.said += 1;
        let statement = Statement { version: version(self.said), genesis: GENESIS, body };
        let signer = &self.validators[index].signer;
        let bytes = statement.signing_bytes();
        let signature = SignatureBytes(signer.sign(STATEMENT_CONTEXT, &bytes, &mut self.rng));
        SignedStatement { signer: ValidatorKey(signer.public()), statement, signature }
    }

    fn push(&mut self, at: u64, event: Event) {
        self.events += 1;
        self.queue.insert((at, self.events), event);
    }

    /// Arrives after some time, sometimes twice.
    pub fn deliver(&mut self, to: usize, statement: &SignedStatement) {
        let copies = if self.below(4) == 0 { 2 } else { 1 };
        for _ in 0..copies {
            let at = self.now + 1 + self.below(60);
            self.push(at, Event::Input(to, Input::Statement(statement.clone())));
        }
    }

    pub fn restart_at(&mut self, index: usize, at: u64) {
        self.push(at, Event::Restart(index));
    }

    /// The program's state is lost at this time and comes from a backup, which is some inputs older;
    /// where `folder`, its processor's folder as well.
    pub fn restore_at(&mut self, index: usize, at: u64, folder: bool) {
        self.push(at, Event::Restore(index, folder));
    }

    fn start(&mut self) {
        self.started = true;
        for index in 0..self.count() {
            if self.puppets.contains_key(&index) {
                self.push(1, Event::Tick(index));
                continue;
            }
            let validator = &mut self.validators[index];
            let (machine, effects) = Signing::new(validator.parameters.clone()).unwrap();
            validator.machine = machine;
            validator.effects.extend(effects.iter().cloned());
            let opener = validator.machine.summary().order[0];
            let ready = ProcessorMessage::Ready {
                id: ID,
                reference: validator.parameters.reference,
                content: validator.parameters.content.clone(),
                preprocess: validator.processor.preprocess(opener),
            };
            self.push(0, Event::Input(index, Input::Processor(ready)));
            for effect in effects {
                self.execute(index, effect);
            }
        }
    }

    fn is_dead(&self, index: usize) -> bool {
        self.validators[index].dead_from.is_some_and(|from| from <= self.now)
    }

    fn input(&mut self, index: usize, input: Input) {
        if let (Some(mut puppet), Input::Statement(statement)) =
            (self.puppets.remove(&index), &input)
        {
            let says = puppet(Some(statement));
            self.puppets.insert(index, puppet);
            return self.play(index, says);
        }
        let validator = &mut self.validators[index];
        validator.log.push(input.clone());
        let effects = validator.machine.handle(&input);
        validator.effects.extend(effects.iter().cloned());
        for effect in effects {
            self.execute(index, effect);
        }
    }

    fn play(&mut self, index: usize, says: Vec<(usize, PeerMessage)>) {
        for (to, message) in says {
            let statement = self.sign(index, message);
            if to != index {
                self.deliver(to, &statement);
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, message: &PeerMessage, own: &SignedStatement) {
        for said in (self.lie)(from, to, message) {
            let same = own.statement.body == Body::Signing(said.clone());
            let statement = if same { own.clone() } else { self.sign(from, said) };
            self.deliver(to, &statement);
        }
    }

    fn execute(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Say(message) => {
                let own = self.sign(index, message.clone());
                let at = self.now + self.below(3);
                self.push(at, Event::Input(index, Input::Statement(own.clone())));
                for to in (0..self.count()).filter(|to| *to != index) {
                    self.send(index, to, &message, &own);
                }
            }
            Effect::Tell(key, message) => {
                let own = self.sign(index, message.clone());
                let at = self.now + self.below(3);
                self.push(at, Event::Input(index, Input::Statement(own.clone())));
                let to = (0..self.count()).find(|to| self.key(*to) == key).unwrap();
                if to != index {
                    self.send(index, to, &message, &own);
                }
            }
            Effect::ToProcessor(message) => {
                let at = self.now + 1 + self.below(10);
                let at = at.max(self.validators[index].conversation[0]);
                self.validators[index].conversation[0] = at;
                self.push(at, Event::Processor(index, message));
            }
            Effect::After { delay_ms, timer } => {
                self.set_timer(index, delay_ms, timer);
            }
            Effect::Fault(fault) => self.validators[index].faults.push(fault),
            Effect::Done { signatures } => {
                let done = self.validators[index].done.replace((self.now, signatures));
                assert_eq!(done, None);
            }
        }
    }

    fn restore(&mut self, index: usize, folder: bool) {
        let kept = self.below(self.validators[index].log.len() as u64 + 1) as usize;
        let validator = &mut self.validators[index];
        validator.log.truncate(kept);
        validator.abstains = true;
        validator.faults.clear();
        validator.done = None;
        validator.life += 1;
        let (machine, effects) = validator.replayed();
        validator.machine = machine;
        validator.effects = effects;
        for effect in validator.effects.clone() {
            match effect {
                Effect::Fault(fault) => validator.faults.push(fault),
                Effect::Done { signatures } => validator.done = Some((self.now, signatures)),
                _ => (),
            }
        }
        if folder {
            validator.processor.lose();
        }
        // The ledger finds it due, whatever the state knows.
        let opener = validator.machine.summary().order[0];
        let ready = ProcessorMessage::Ready {
            id: ID,
            reference: validator.parameters.reference,
            content: validator.parameters.content.clone(),
            preprocess: validator.processor.preprocess(opener),
        };
        for (delay_ms, timer) in validator.machine.timers() {
            self.set_timer(index, delay_ms, timer);
        }
        self.push(self.now + 20, Event::Input(index, Input::Processor(ready)));
    }

    /// The program ends and starts again with what it stored.
    fn restart(&mut self, index: usize) {
        let validator = &mut self.validators[index];
        let (machine, _) = validator.replayed();
        assert_eq!(format!("{machine:?}"), format!("{:?}", validator.machine));
        validator.machine = machine;
        validator.life += 1;
        for (delay_ms, timer) in validator.machine.timers() {
            self.set_timer(index, delay_ms, timer);
        }
    }

    fn set_timer(&mut self, index: usize, delay_ms: u64, timer: Timer) {
        let (at, life) = (self.now + delay_ms, self.validators[index].life);
        if at <= self.within_ms {
            self.push(at, Event::Timer(index, life, timer));
        }
    }

    /// Until nothing is under way any more.
    pub fn run(&mut self) {
        if !self.started {
            self.start();
        }
        let mut events = 0;
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            events += 1;
            assert!(events < MAX_EVENTS, "no end after {events} events, {at} ms");
            let (Event::Input(index, _)
            | Event::Timer(index, ..)
            | Event::Processor(index, _)
            | Event::Tick(index)
            | Event::Restart(index)
            | Event::Restore(index, _)) = event;
            if self.is_dead(index) {
                continue;
            }
            match event {
                Event::Input(_, input) => self.input(index, input),
                Event::Timer(_, life, timer) => {
                    if self.validators[index].life == life {
                        self.input(index, Input::Elapsed(timer));
                    }
                }
                Event::Processor(_, message) => {
                    let request = message.request();
                    let answer = self.validators[index].processor.handle(message);
                    let answer = (self.processor_lie)(index, request, answer);
                    let at = self.now + 1 + self.below(5);
                    let at = at.max(self.validators[index].conversation[1]);
                    self.validators[index].conversation[1] = at;
                    self.push(at, Event::Input(index, Input::Processor(answer)));
                }
                Event::Tick(_) => {
                    if let Some(mut puppet) = self.puppets.remove(&index) {
                        let says = puppet(None);
                        self.puppets.insert(index, puppet);
                        self.play(index, says);
                    }
                    if self.now < 3_000 {
                        self.push(self.now + 50, Event::Tick(index));
                    }
                }
                Event::Restore(_, folder) => self.restore(index, folder),
                Event::Restart(_) => {
                    if !self.puppets.contains_key(&index) {
                        self.restart(index);
                    }
                }
            }
        }
    }

    /// Alive to the end, and not lying.
    pub fn honest(&self) -> Vec<usize> {
        let bad = |index: &usize| {
            self.liars.contains(index)
                || self.puppets.contains_key(index)
                || self.validators[*index].dead_from.is_some()
        };
        (0..self.count()).filter(|index| !bad(index)).collect()
    }

    /// Runs, and asserts what must hold whatever the others do: signatures in time with each live
    /// honest validator, nobody honest at fault, sessions bounded, replays the same. Gives the time
    /// at which the last one had them.
    pub fn assert_signed(&mut self) -> u64 {
        self.run();
        let honest = self.honest();
        let mut last = 0;
        for &index in &honest {
            let validator = &self.validators[index];
            let summary = validator.machine.summary();
            let Some((at, signatures)) = &validator.done else {
                panic!("{index}: {}", serde_json::to_string(&summary).unwrap());
            };
            assert!(verifies(self.content, signatures));
            assert!(*at <= self.within_ms, "{index} has the signatures after {at} ms");
            last = last.max(*at);
            let most = self.spare() + 1 + self.declined;
            assert!(summary.opened <= most, "{index} opened {}", summary.opened);
            for fault in &validator.faults {
                let accused = (0..self.count()).find(|i| self.key(*i) == fault.accused).unwrap();
                let may = self.liars.contains(&accused) || self.puppets.contains_key(&accused);
                assert!(may, "{index} accuses {accused}, who is honest: {fault:?}");
                assert!(!fault.evidence.is_empty(), "{fault:?}");
            }
            self.assert_replays(index);
        }
        last
    }

    fn assert_replays(&self, index: usize) {
        let validator = &self.validators[index];
        let (machine, effects) = validator.replayed();
        assert_eq!(format!("{machine:?}"), format!("{:?}", validator.machine));
        assert_eq!(effects, validator.effects);
    }

    /// Names of the faults that a validator has found of another one.
    pub fn named(&self, by: usize, accused: usize) -> Vec<&'static str> {
        let key = self.key(accused);
        let faults = self.validators[by].faults.iter().filter(|fault| fault.accused == key);
        faults.map(|fault| fault.kind.name()).collect()
    }

    /// Every live honest validator has found this.
    pub fn assert_named_by_all(&self, accused: usize, kind: &str) {
        for by in self.honest() {
            let named = self.named(by, accused);
            assert!(named.contains(&kind), "{by} names {accused} for {named:?}, not for {kind}");
        }
    }

    /// Whether it was restored.
    pub fn abstains(&self, index: usize) -> bool {
        self.validators[index].abstains
    }

    pub fn effects(&self, index: usize) -> &[Effect] {
        &self.validators[index].effects
    }
}
