//! The machine's state and its two doors.

use std::collections::BTreeMap;

use serai_messages::{
    Attempt, BlockNumber, Enclosed, KeyPair, MAX_VALIDATORS, SignedStatement, ValidatorKey,
    keygen::{CoordinatorMessage, KeygenId, PeerMessage},
    threshold,
};

use super::{
    Effect, Fault, FaultKind, FaultSummary, Input, InvalidParameters, Parameters, Stage, Summary,
    WaitingFor,
    attempt::{Running, Slot},
    receive::Early,
    votes::Vote,
};

/// Most faults that are kept of one validator. Where all of these have evidence, later ones are told nobody.
const MAX_FAULTS_PER_VALIDATOR: usize = 16;

/// Key generation of one set.
#[derive(Debug)]
pub struct Keygen {
    pub(super) parameters: Parameters,
    /// `t` of the whole set.
    pub(super) threshold: u16,
    /// Position of each validator in the set.
    pub(super) index: BTreeMap<ValidatorKey, usize>,
    pub(super) height: Option<BlockNumber>,
    pub(super) running: Running,
    /// Per validator: what it said of the next attempt that it is in.
    pub(super) early: Vec<Early>,
    /// Per validator: its votes for attempts to come.
    pub(super) votes: Vec<BTreeMap<Attempt, Vote>>,
    /// Per validator: the highest attempt of which it showed the votes, being in it.
    pub(super) shown: Vec<Attempt>,
    /// The highest attempt number voted for.
    pub(super) voted: Attempt,
    /// The votes that began the running attempt.
    pub(super) quorum: Vec<SignedStatement>,
    /// Validators proven to be at fault, in any attempt.
    pub(super) culprits: Vec<bool>,
    /// How often an attempt may still be given up at once because a member cannot go on.
    pub(super) quick_restarts: usize,
    pub(super) faults: Vec<Fault>,
    pub(super) confirmed: Option<KeyPair>,
    pub(super) rejected: u64,
}

impl Keygen {
    /// Begins with attempt 0.
    ///
    /// # Errors
    /// [`InvalidParameters`].
    pub fn new(parameters: Parameters) -> Result<(Self, Vec<Effect>), InvalidParameters> {
        let count = parameters.validators.len();
        let n = u16::try_from(count).unwrap_or(u16::MAX);
        if count == 0 || count > MAX_VALIDATORS {
            return Err(InvalidParameters::ValidatorCount(count));
        }
        let mut index = BTreeMap::new();
        for (position, key) in parameters.validators.iter().enumerate() {
            if index.insert(*key, position).is_some() {
                return Err(InvalidParameters::Duplicate(*key));
            }
        }
        if !index.contains_key(&parameters.own) {
            return Err(InvalidParameters::NotInSet(parameters.own));
        }
        if parameters.attempt_blocks == 0 {
            return Err(InvalidParameters::AttemptBlocks);
        }
        let id = KeygenId { set: parameters.set, attempt: Attempt(0) };
        let running = Running::new(id, &parameters.validators, Vec::new(), parameters.own, None);
        let mut keygen = Self {
            threshold: threshold(n),
            index,
            height: None,
            running,
            early: vec![Early::default(); count],
            votes: vec![BTreeMap::new(); count],
            shown: vec![Attempt(0); count],
            voted: Attempt(0),
            quorum: Vec::new(),
            culprits: vec![false; count],
            quick_restarts: count,
            faults: Vec::new(),
            confirmed: None,
            rejected: 0,
            parameters,
        };
        let mut out = Vec::new();
        keygen.enter(Stage::Announce, &mut out);
        Ok((keygen, out))
    }

    /// Learns `input`; what is to be done about it. Irrelevant input has no effects.
    pub fn handle(&mut self, input: &Input) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.confirmed.is_some() {
            return out;
        }
        match input {
            Input::Height(height) => self.handle_height(*height, &mut out),
            Input::Statement(statement) => self.receive(statement, 0, &mut out),
            Input::Processor(message) => self.handle_processor(message, &mut out),
            Input::PartySignature { digest, signature } => {
                let party = self.running.party.as_ref().map(|party| party.digest());
                if self.running.stage == Stage::Party && party == Some(*digest) {
                    let (id, digest, signature) = (self.running.id, *digest, *signature);
                    out.push(Effect::Say(PeerMessage::PartySignature { id, digest, signature }));
                }
            }
            Input::MusigPreprocess { id, preprocess } => {
                if self.in_stage(*id, Stage::MusigPreprocesses) {
                    let preprocess = preprocess.clone();
                    out.push(Effect::Say(PeerMessage::MusigPreprocess { id: *id, preprocess }));
                }
            }
            Input::MusigShare { id, share } => {
                if self.in_stage(*id, Stage::MusigShares) {
                    let digests = self.running.digests(Slot::MusigPreprocess);
                    let share = share.clone();
                    out.push(Effect::Say(PeerMessage::MusigShare { id: *id, digests, share }));
                    self.running.musig_shared = true;
                }
            }
            Input::MusigSignature { id, signature } => {
                if self.in_stage(*id, Stage::MusigSignature) {
                    self.running.signature = Some(*signature);
                }
            }
            Input::MusigInvalidShare { id, accused } => {
                let stage = self.running.stage;
                if matches!(stage, Stage::MusigShares | Stage::MusigSignature)
                    && *id == self.running.id
                    && let Some(position) = self.running.position(*accused)
                {
                    let slots = [Slot::MusigPreprocess, Slot::MusigShare];
                    self.fault_of(position, FaultKind::InvalidMusigShare, &slots, &mut out);
                }
            }
            Input::MusigLost { id } => self.handle_musig_lost(*id),
            Input::KeyGen { key_pair } => {
                self.confirmed = Some(key_pair.clone());
                self.running.stage = Stage::Done;
                let set = self.parameters.set;
                let key_pair = key_pair.clone();
                out.push(Effect::ToProcessor(CoordinatorMessage::Confirmed {
                    set,
                    key_pair: key_pair.clone(),
                }));
                out.push(Effect::Done(key_pair));
            }
        }
        self.advance(&mut out);
        out
    }

    /// The nonce is gone: without the own share the signature cannot come about; with it, the others
    /// complete it.
    fn handle_musig_lost(&mut self, id: KeygenId) {
        if id != self.running.id {
            return;
        }
        match self.running.stage {
            Stage::MusigPreprocesses | Stage::MusigShares if !self.running.musig_shared => {
                self.running.resigned = true;
                self.running.unable = true;
            }
            Stage::MusigShares | Stage::MusigSignature => self.running.musig_lost = true,
            _ => (),
        }
    }

    pub(super) fn in_stage(&self, id: KeygenId, stage: Stage) -> bool {
        id == self.running.id && stage == self.running.stage
    }

    /// A fault proven by what is held of a member in these slots.
    pub(super) fn fault_of(
        &mut self,
        position: usize,
        kind: FaultKind,
        slots: &[Slot],
        out: &mut Vec<Effect>,
    ) {
        let Some(accused) = self.running.members.get(position).copied() else { return };
        let held = slots.iter().filter_map(|slot| self.running.held(position, *slot));
        let evidence = held.map(|held| held.statement.clone()).collect();
        self.fault(accused, kind, evidence, out);
    }

    /// Records a fault, shows its evidence to all, and ends the attempt for it; one that is merely
    /// silent has no evidence and ends nothing.
    pub(super) fn fault(
        &mut self,
        accused: ValidatorKey,
        kind: FaultKind,
        evidence: Vec<SignedStatement>,
        out: &mut Vec<Effect>,
    ) {
        let attempt = self.running.attempt();
        let known: Vec<_> = self.faults.iter().filter(|fault| fault.accused == accused).collect();
        if known.iter().any(|fault| fault.attempt == attempt && fault.kind.name() == kind.name()) {
            return;
        }
        let told = known.iter().filter(|fault| !fault.evidence.is_empty()).count();
        let told_enough = told >= MAX_FAULTS_PER_VALIDATOR;
        let proven = !evidence.is_empty();
        // An own fault is for the operator to see; the others will say what follows from it.
        if proven && accused != self.parameters.own {
            if let Some(culprit) = self.index.get(&accused).and_then(|i| self.culprits.get_mut(*i))
            {
                *culprit = true;
            }
            self.running.failed |= self.running.positions.contains_key(&accused)
                && self.running.stage < Stage::Confirming;
            // All members have agreed on the commitments, and hold them.
            if !matches!(kind, FaultKind::InvalidCommitments { .. }) && !told_enough {
                let id = self.running.id;
                let statements = evidence.iter().map(Enclosed::new).collect();
                out.push(Effect::Say(PeerMessage::Evidence { id, statements }));
            }
        }
        if !told_enough {
            self.record(Fault { attempt, accused, kind, evidence }, out);
        }
    }

    /// Records a fault from which nothing more follows.
    pub(super) fn record(&mut self, fault: Fault, out: &mut Vec<Effect>) {
        let known = |other: &&Fault| other.accused == fault.accused;
        if self.faults.iter().filter(known).count() < MAX_FAULTS_PER_VALIDATOR {
            self.faults.push(fault.clone());
        }
        out.push(Effect::Fault(fault));
    }

    /// State for a person.
    pub fn summary(&self) -> Summary {
        let running = &self.running;
        Summary {
            set: self.parameters.set,
            attempt: running.attempt(),
            stage: running.stage.name(),
            members: running.members.clone(),
            removed: running.removed.clone(),
            waiting_for: self.waiting_for(),
            faults: self.faults.iter().map(FaultSummary::from).collect(),
            start: self.parameters.start,
            height: self.height,
            began: running.began,
            deadline: self.deadline(),
            key_pair: running.key_pair.clone(),
            confirmed: self.confirmed.clone(),
            refused: running.refused.clone(),
            rejected: self.rejected,
        }
    }

    fn waiting_for(&self) -> Vec<WaitingFor> {
        let running = &self.running;
        match running.stage {
            Stage::Done => return Vec::new(),
            Stage::Confirming => return vec![WaitingFor::Chain],
            Stage::LeftOut => return vec![WaitingFor::OtherMembers],
            Stage::Proof => return vec![WaitingFor::OwnProcessor],
            Stage::MusigSignature => return vec![WaitingFor::OwnSigner],
            _ if running.failed || running.resigned => return vec![WaitingFor::OtherMembers],
            _ => (),
        }
        let own = match running.stage {
            Stage::Announce
            | Stage::Party
            | Stage::Agreement
            | Stage::MusigPreprocesses
            | Stage::MusigShares => WaitingFor::OwnSigner,
            _ => WaitingFor::OwnProcessor,
        };
        let mut waiting = Vec::new();
        if running.stage == Stage::Shares && !running.shares_made {
            waiting.push(own);
        }
        for (position, key) in running.members.iter().enumerate() {
            if running.needs(position) {
                let is_own = running.own == Some(position);
                waiting.push(if is_own { own } else { WaitingFor::Validator(*key) });
            }
        }
        waiting
    }
}
