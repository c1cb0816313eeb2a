//! Validators, their processors, the network between them and the chain above them.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serai_messages::{
    BlockHash, BlockNumber, Body, Coin, KeyPair, ProcessorKey, STATEMENT_CONTEXT, Session,
    SignatureBytes, SignedStatement, Statement, ValidatorKey, ValidatorSet, Versions,
    keygen::{CoordinatorMessage, KeygenId, Party, PeerMessage, ProcessorMessage},
};
use serai_protocol::{
    keygen::{Effect, Fault, Input, Keygen, MusigRequest, Parameters},
    musig::{self, MusigComplete, MusigError, MusigMachine, MusigSign},
};
use serai_sr25519::{SUBSTRATE_CONTEXT, Signer};

use crate::processor::Processor;

pub const SET: ValidatorSet = ValidatorSet { coin: Coin::Btc, session: Session(3) };
pub const START: u64 = 100;
pub const ATTEMPT_BLOCKS: u64 = 16;
const GENESIS: BlockHash = BlockHash([9; 32]);

enum MusigState {
    Signing(Box<MusigSign>),
    Completing(Box<MusigComplete>),
}

pub struct Validator {
    pub signer: Signer,
    pub keygen: Keygen,
    pub parameters: Parameters,
    pub log: Vec<Input>,
    pub effects: Vec<Effect>,
    pub processor: Processor,
    musig: BTreeMap<KeygenId, MusigState>,
    pub faults: Vec<Fault>,
    pub done: Option<KeyPair>,
    /// Off: nothing reaches it until it is switched on again.
    pub off: bool,
    waiting: Vec<Input>,
}

enum Event {
    Input(usize, Input),
    Deliver(usize, SignedStatement),
    Processor(usize, CoordinatorMessage),
}

/// Changes what a validator says to one other; none drops it.
type Tamper = Box<dyn FnMut(usize, usize, &PeerMessage) -> Option<PeerMessage>>;
/// Changes what a validator's processor says.
pub type TamperProcessor = Box<dyn FnMut(usize, ProcessorMessage) -> Vec<ProcessorMessage>>;

pub struct World {
    pub validators: Vec<Validator>,
    /// Unordered, but for each processor's conversation.
    queue: Vec<Event>,
    pub rng: ChaCha20Rng,
    pub height: u64,
    tamper: Tamper,
    pub tamper_processor: TamperProcessor,
    /// Attempts whose `set_keys` reached the chain.
    pub published: Vec<(Vec<ValidatorKey>, KeyPair)>,
    /// One whose `set_keys` gets lost.
    pub unheard: Option<usize>,
    /// Statements so far.
    said: u64,
}

/// The version of a statement: each that this build knows in its turn, as if everybody were upgraded and
/// set back all the time. Ceremonies must not notice.
pub fn version(said: u64) -> u16 {
    let Versions { oldest, newest } = Versions::KNOWN;
    oldest + u16::try_from(said % u64::from(newest - oldest + 1)).unwrap()
}

impl World {
    /// Everybody is honest.
    pub fn new(count: usize, seed: u64) -> Self {
        Self::tampered(count, seed, |_, _, message| Some(message.clone()))
    }

    /// What validators say to each other and keep of it passes `tamper` (from, to, message).
    pub fn tampered(
        count: usize,
        seed: u64,
        tamper: impl FnMut(usize, usize, &PeerMessage) -> Option<PeerMessage> + 'static,
    ) -> Self {
        let signers: Vec<_> = (0..count)
            .map(|index| {
                let mut bytes = [7; 32];
                bytes[0] = index as u8;
                Signer::from_seed(&bytes).unwrap()
            })
            .collect();
        let keys: Vec<_> = signers.iter().map(|signer| ValidatorKey(signer.public())).collect();
        let mut world = Self {
            validators: Vec::new(),
            queue: Vec::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            height: START,
            tamper: Box::new(tamper),
            tamper_processor: Box::new(|_, message| vec![message]),
            published: Vec::new(),
            unheard: None,
            said: 0,
        };
        let mut begun = Vec::new();
        for (index, signer) in signers.into_iter().enumerate() {
            let parameters = Parameters {
                genesis: GENESIS,
                set: SET,
                validators: keys.clone(),
                own: keys[index],
                own_processor: ProcessorKey([index as u8; 32]),
                start: BlockNumber(START),
                attempt_blocks: ATTEMPT_BLOCKS,
            };
            let (keygen, effects) = Keygen::new(parameters.clone()).unwrap();
            world.validators.push(Validator {
                signer,
                keygen,
                parameters,
                log: Vec::new(),
                effects: effects.clone(),
                processor: Processor::default(),
                musig: BTreeMap::new(),
                faults: Vec::new(),
                done: None,
                off: false,
                waiting: Vec::new(),
            });
            begun.push(effects);
        }
        for (index, effects) in begun.into_iter().enumerate() {
            world.queue.push(Event::Input(index, Input::Height(BlockNumber(START))));
            for effect in effects {
                world.execute(index, effect);
            }
        }
        world
    }

    pub fn key(&self, index: usize) -> ValidatorKey {
        self.validators[index].parameters.own
    }

    pub fn sign(&mut self, index: usize, message: PeerMessage) -> SignedStatement {
        self.said += 1;
        let version = version(self.said);
        let statement = Statement { version, genesis: GENESIS, body: Body::Keygen(message) };
        let signer = &self.validators[index].signer;
        let bytes = statement.signing_bytes();
        let signature = signer.sign(STATEMENT_CONTEXT, &bytes, &mut self.rng);
        let signature = SignatureBytes(signature);
        SignedStatement { signer: ValidatorKey(signer.public()), statement, signature }
    }

    /// The first statement of a kind that `signer` said to `to`.
    pub fn heard(&self, to: usize, signer: usize, kind: &str) -> Option<SignedStatement> {
        self.validators[to].log.iter().find_map(|input| match input {
            Input::Statement(statement) if statement.signer == self.key(signer) => {
                let Body::Keygen(message) = &statement.statement.body else { return None };
                (message.kind() == kind).then(|| statement.clone())
            }
            _ => None,
        })
    }

    /// What this validator votes for, in its order.
    pub fn votes(&self, index: usize) -> Vec<PeerMessage> {
        let votes = self.validators[index].effects.iter().filter_map(|effect| match effect {
            Effect::Say(vote @ PeerMessage::AttemptVote { .. }) => Some(vote.clone()),
            _ => None,
        });
        votes.collect()
    }

    /// Everybody but these liars holds nothing against anybody but them.
    pub fn assert_others_blame_only(&self, liars: &[usize]) {
        let keys: Vec<_> = liars.iter().map(|liar| self.key(*liar)).collect();
        for index in (0..self.validators.len()).filter(|index| !liars.contains(index)) {
            let faults = &self.validators[index].faults;
            assert!(
                faults.iter().all(|fault| keys.contains(&fault.accused)),
                "{index}: {faults:?}"
            );
        }
    }

    pub fn deliver(&mut self, to: usize, statement: SignedStatement) {
        self.queue.push(Event::Deliver(to, statement));
    }

    pub fn input(&mut self, index: usize, input: Input) {
        let validator = &mut self.validators[index];
        if validator.off {
            validator.waiting.push(input);
            return;
        }
        validator.log.push(input.clone());
        let effects = validator.keygen.handle(&input);
        validator.effects.extend(effects.iter().cloned());
        for effect in effects {
            self.execute(index, effect);
        }
    }

    pub fn switch_on(&mut self, index: usize) {
        self.validators[index].off = false;
        for input in std::mem::take(&mut self.validators[index].waiting) {
            self.queue.push(Event::Input(index, input));
        }
    }

    pub fn has_musig(&self, index: usize) -> bool {
        !self.validators[index].musig.is_empty()
    }

    /// The program ends and starts again: replays its log; MuSig machines are gone.
    pub fn restart(&mut self, index: usize) {
        let validator = &mut self.validators[index];
        let (mut keygen, _) = Keygen::new(validator.parameters.clone()).unwrap();
        for input in &validator.log {
            keygen.handle(input);
        }
        validator.keygen = keygen;
        let lost: Vec<_> = std::mem::take(&mut validator.musig).into_keys().collect();
        for id in lost {
            self.input(index, Input::MusigLost { id });
        }
    }

    fn send(&mut self, from: usize, to: usize, message: &PeerMessage, own: &SignedStatement) {
        let Some(said) = (self.tamper)(from, to, message) else { return };
        let same = own.statement.body == Body::Keygen(said.clone());
        let statement = if same { own.clone() } else { self.sign(from, said) };
        self.queue.push(Event::Deliver(to, statement));
    }

    /// A validator learns nothing by what it shows itself.
    fn hear_own(&mut self, index: usize, own: &SignedStatement) {
        if !matches!(own.statement.body, Body::Keygen(PeerMessage::Disclosure { .. })) {
            self.queue.push(Event::Input(index, Input::Statement(own.clone())));
        }
    }

    fn execute(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Say(message) => {
                // A lie that is told to all is one that the liar keeps to.
                let kept = (self.tamper)(index, index, &message).unwrap_or(message.clone());
                let own = self.sign(index, kept);
                self.hear_own(index, &own);
                for to in (0..self.validators.len()).filter(|to| *to != index) {
                    self.send(index, to, &message, &own);
                }
            }
            Effect::Tell(key, message) => {
                let own = self.sign(index, message.clone());
                self.hear_own(index, &own);
                let to = (0..self.validators.len()).find(|to| self.key(*to) == key).unwrap();
                assert_ne!(to, index);
                self.send(index, to, &message, &own);
            }
            Effect::ToProcessor(message) => self.queue.push(Event::Processor(index, message)),
            Effect::SignParty { digest } => {
                let signer = &self.validators[index].signer;
                let signature = signer.sign(Party::SIGNATURE_CONTEXT, &digest, &mut self.rng);
                let signature = SignatureBytes(signature);
                self.queue.push(Event::Input(index, Input::PartySignature { digest, signature }));
            }
            Effect::Musig(request) => {
                if let Some(answer) = self.musig(index, request) {
                    self.queue.push(Event::Input(index, answer));
                }
            }
            Effect::SetKeys { set, removed, key_pair, signature } => {
                assert_eq!(set, SET);
                let all = &self.validators[index].parameters.validators;
                let members: Vec<_> =
                    all.iter().filter(|key| !removed.contains(key)).copied().collect();
                let aggregate = musig::aggregate(set, &members).unwrap();
                let message = musig::set_keys_message(set, &removed, &key_pair);
                serai_sr25519::verify(&aggregate.0, SUBSTRATE_CONTEXT, &message, &signature.0)
                    .expect("set_keys is signed by all who are not removed");
                if self.unheard != Some(index) {
                    self.published.push((removed, key_pair));
                }
            }
            Effect::Fault(fault) => self.validators[index].faults.push(fault),
            Effect::Done(key_pair) => {
                assert_eq!(self.validators[index].done.replace(key_pair), None);
            }
        }
    }

    fn musig(&mut self, index: usize, request: MusigRequest) -> Option<Input> {
        let validator = &mut self.validators[index];
        match request {
            MusigRequest::Preprocess { id, members } => {
                let machine = MusigMachine::new(&validator.signer, SET, &members).unwrap();
                let (machine, preprocess) = machine.preprocess(&mut self.rng);
                validator.musig.insert(id, MusigState::Signing(Box::new(machine)));
                Some(Input::MusigPreprocess { id, preprocess })
            }
            MusigRequest::Sign { id, preprocesses, message } => {
                let Some(MusigState::Signing(machine)) = validator.musig.remove(&id) else {
                    return Some(Input::MusigLost { id });
                };
                match machine.sign(&preprocesses, &message) {
                    Ok((machine, share)) => {
                        let state = MusigState::Completing(Box::new(machine));
                        validator.musig.insert(id, state);
                        Some(Input::MusigShare { id, share })
                    }
                    Err(MusigError::Invalid(accused)) => {
                        Some(Input::MusigInvalidShare { id, accused })
                    }
                    Err(MusigError::Other(_)) => Some(Input::MusigLost { id }),
                }
            }
            MusigRequest::Complete { id, shares } => {
                let Some(MusigState::Completing(machine)) = validator.musig.remove(&id) else {
                    return Some(Input::MusigLost { id });
                };
                match machine.complete(&shares) {
                    Ok(signature) => Some(Input::MusigSignature { id, signature }),
                    Err(MusigError::Invalid(accused)) => {
                        Some(Input::MusigInvalidShare { id, accused })
                    }
                    Err(MusigError::Other(_)) => Some(Input::MusigLost { id }),
                }
            }
        }
    }

    /// One event, any of those that may be next. False: there is none.
    pub fn step(&mut self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        let mut chosen = (self.rng.next_u64() % self.queue.len() as u64) as usize;
        if let Event::Processor(index, _) = self.queue[chosen] {
            let first = |event: &Event| matches!(event, Event::Processor(i, _) if *i == index);
            chosen = self.queue.iter().position(first).unwrap();
            let Event::Processor(_, message) = self.queue.remove(chosen) else { unreachable!() };
            let key = self.key(index);
            for answer in self.validators[index].processor.handle(key, message) {
                for said in (self.tamper_processor)(index, answer) {
                    self.queue.push(Event::Input(index, Input::Processor(said)));
                }
            }
            return true;
        }
        match self.queue.swap_remove(chosen) {
            Event::Input(index, input) => self.input(index, input),
            Event::Deliver(index, statement) => self.input(index, Input::Statement(statement)),
            Event::Processor(..) => unreachable!(),
        }
        true
    }

    /// Everything that is on its way arrives.
    pub fn settle(&mut self) {
        while self.step() {}
    }

    /// The chain grows by one finalized block, with the first `set_keys` that reached it.
    pub fn block(&mut self) {
        self.height += 1;
        for index in 0..self.validators.len() {
            self.queue.push(Event::Input(index, Input::Height(BlockNumber(self.height))));
            if let Some((_, key_pair)) = self.published.first() {
                let key_pair = key_pair.clone();
                self.queue.push(Event::Input(index, Input::KeyGen { key_pair }));
            }
        }
    }

    /// Blocks until `done`, everything settled between them; panics with the state after `blocks`.
    pub fn run(&mut self, blocks: u64, done: impl Fn(&World) -> bool) {
        for _ in 0..blocks {
            self.settle();
            if done(self) {
                return;
            }
            self.block();
        }
        self.settle();
        if !done(self) {
            for (index, validator) in self.validators.iter().enumerate() {
                let summary = validator.keygen.summary();
                eprintln!("{index}: {}", serde_json::to_string(&summary).unwrap());
            }
            panic!("not done after {blocks} blocks");
        }
    }

    /// Replaying each validator's inputs leads to the same machine and the same effects.
    pub fn assert_replays(&self) {
        for validator in &self.validators {
            let (mut keygen, mut effects) = Keygen::new(validator.parameters.clone()).unwrap();
            for input in &validator.log {
                let bytes = serai_messages::encode(input);
                effects.extend(keygen.handle(&serai_messages::decode(&bytes).unwrap()));
            }
            assert_eq!(format!("{keygen:?}"), format!("{:?}", validator.keygen));
            assert_eq!(effects, validator.effects);
        }
    }

    /// All of `who` are done with the one key pair on the chain.
    pub fn all_done(&self, who: impl IntoIterator<Item = usize>) -> bool {
        let Some((_, on_chain)) = self.published.first() else { return false };
        who.into_iter().all(|index| {
            let validator = &self.validators[index];
            validator.done.as_ref() == Some(on_chain)
                && validator.processor.confirmed.as_slice() == [on_chain.clone()]
        })
    }

    pub fn attempt(&self, index: usize) -> u32 {
        self.validators[index].keygen.summary().attempt.0
    }
}
