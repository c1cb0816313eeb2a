//! The machine's state and its two doors.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::{
    MAX_VALIDATORS, SignatureBytes, SignedStatement, ValidatorKey,
    signing::{CoordinatorMessage, PeerMessage, Request, Shares},
    threshold,
};

use super::{
    Effect, Fault, FaultKind, FaultSummary, Input, InvalidParameters, Parameters, Summary, Timer,
    judging::Accusation,
    opener::{Grace, Session, State},
};
use crate::party;

/// Time between the turns of two openers that follow each other in the draw, in milliseconds.
pub const STAGGER_MS: u64 = 500;

/// How long an opener waits for those that the draw names first, once enough others are ready, in
/// milliseconds.
pub const GRACE_MS: u64 = 300;

/// Time from the first ring of an opener's turn to the second, in milliseconds: what was lost is asked
/// for again. Each further one takes twice as long, up to [`MAX_REPEAT_MS`].
pub const REPEAT_MS: u64 = 30_000;

/// Longest time between two rings of an opener's turn, in milliseconds.
pub const MAX_REPEAT_MS: u64 = 64 * REPEAT_MS;

/// A session of some opener in which this validator was asked to sign.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) digest: [u8; 32],
    pub(super) statement: SignedStatement,
    /// The own preprocess in it.
    pub(super) preprocess: Shares,
    /// The `Share` or `Decline` that its opener was told.
    pub(super) answer: Option<PeerMessage>,
    /// How often it was told the answer again.
    pub(super) repeats: u8,
}

/// A validator that holds a share.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) key: ValidatorKey,
    /// Proven to be at fault.
    pub(super) culprit: bool,
    /// Own preprocess for its sessions that it was told and has not used.
    pub(super) told: Option<Shares>,
    /// How often it was told such a preprocess again.
    pub(super) repeats: u8,
    /// Its sessions with this validator, by number.
    pub(super) joined: BTreeMap<u32, Joined>,
    /// Its preprocess for own sessions, not used yet.
    pub(super) preprocess: Option<SignedStatement>,
    /// Own sessions in which it gave no share, as it said.
    pub(super) declined: u8,
    /// Its signatures, given to the own processor.
    pub(super) signed: Option<SignedStatement>,
    /// How often it was told the signatures.
    pub(super) answers: u8,
}

/// Signing of one thing.
#[derive(Debug)]
pub struct Signing {
    pub(super) parameters: Parameters,
    pub(super) digest: [u8; 32],
    pub(super) threshold: usize,
    /// All that hold a share, in the order of the draw. Everywhere here a validator is its position.
    pub(super) peers: Vec<Peer>,
    pub(super) order: Vec<ValidatorKey>,
    pub(super) rank: BTreeMap<ValidatorKey, usize>,
    pub(super) own: usize,
    /// How many messages are signed, as the own processor's first preprocess shows.
    pub(super) messages: Option<usize>,
    /// Whether this validator opens sessions.
    pub(super) opens: bool,
    /// This validator's turn as an opener has come.
    pub(super) turn: bool,
    /// How often the turn has rung.
    pub(super) rings: u32,
    pub(super) grace: Grace,
    pub(super) sessions: Vec<Session>,
    /// What the own processor still owes an answer.
    pub(super) asked: BTreeSet<Request>,
    pub(super) accusations: BTreeMap<(usize, usize), Accusation>,
    /// Reported to all for other content.
    pub(super) reported: BTreeSet<usize>,
    pub(super) faults: Vec<Fault>,
    pub(super) signatures: Option<Vec<SignatureBytes>>,
    /// Members of the own session that made the signatures.
    pub(super) made_by: Option<Vec<usize>>,
    pub(super) refused: Option<String>,
    pub(super) rejected: u64,
}

impl Signing {
    /// Begins. The first input is the own processor's `Ready`.
    ///
    /// # Errors
    /// [`InvalidParameters`].
    pub fn new(parameters: Parameters) -> Result<(Self, Vec<Effect>), InvalidParameters> {
        let count = parameters.validators.len();
        let n = u16::try_from(count).unwrap_or(u16::MAX);
        if count > MAX_VALIDATORS {
            return Err(InvalidParameters::ValidatorCount(count));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = parameters.validators.iter().find(|key| !seen.insert(**key)) {
            return Err(InvalidParameters::Duplicate(*twice));
        }
        let drawn = party::order(parameters.reference.hash, n)
            .map_err(|_| InvalidParameters::ValidatorCount(count))?;
        let order: Vec<_> = drawn
            .into_iter()
            .filter_map(|place| parameters.validators.get(usize::from(place).checked_sub(1)?))
            .filter(|key| !parameters.removed.contains(key))
            .copied()
            .collect();
        let rank: BTreeMap<_, _> = order.iter().enumerate().map(|(i, key)| (*key, i)).collect();
        let Some(own) = rank.get(&parameters.own).copied() else {
            return Err(InvalidParameters::NoShare(parameters.own));
        };
        let t = threshold(n);
        if order.len() < usize::from(t) {
            return Err(InvalidParameters::TooFew { holders: order.len(), threshold: t });
        }
        let peer = |key: &ValidatorKey| Peer {
            key: *key,
            culprit: false,
            told: None,
            repeats: 0,
            joined: BTreeMap::new(),
            preprocess: None,
            declined: 0,
            signed: None,
            answers: 0,
        };
        let signing = Self {
            digest: parameters.content.digest(&parameters.id, &parameters.reference),
            threshold: usize::from(t),
            peers: order.iter().map(peer).collect(),
            order,
            rank,
            own,
            messages: None,
            opens: true,
            turn: own == 0,
            rings: 0,
            grace: Grace::Idle,
            sessions: Vec::new(),
            asked: BTreeSet::new(),
            accusations: BTreeMap::new(),
            reported: BTreeSet::new(),
            faults: Vec::new(),
            signatures: None,
            made_by: None,
            refused: None,
            rejected: 0,
            parameters,
        };
        let after = |(delay_ms, timer)| Effect::After { delay_ms, timer };
        let out = signing.timers().into_iter().map(after).collect();
        Ok((signing, out))
    }

    /// This validator opens no session: an earlier life that it does not know of may have used their
    /// numbers, and two sessions of one number are a fault. It signs in those of others. To be said
    /// before any input, each time that the machine is made.
    pub fn abstain(&mut self) {
        self.opens = false;
    }

    /// Learns `input`; what is to be done about it. Irrelevant input has no effects.
    pub fn handle(&mut self, input: &Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Statement(statement) => self.receive(statement, &mut out),
            Input::Processor(message) => self.handle_processor(message, &mut out),
            Input::Elapsed(Timer::Turn) => self.handle_turn(&mut out),
            Input::Elapsed(Timer::Grace) => {
                if self.grace == Grace::Running {
                    self.grace = Grace::Elapsed;
                }
            }
        }
        self.open_if_ready(&mut out);
        out
    }

    /// Opens from now on. What others were told before may be lost, as may be what they said: each
    /// ring says it again.
    fn handle_turn(&mut self, out: &mut Vec<Effect>) {
        if self.is_done() {
            return;
        }
        self.turn = true;
        let delay_ms = REPEAT_MS.saturating_mul(1 << self.rings.min(6)).min(MAX_REPEAT_MS);
        self.rings = self.rings.saturating_add(1);
        out.push(Effect::After { delay_ms, timer: Timer::Turn });
        let (id, digest) = (self.parameters.id, self.digest);
        out.push(Effect::Say(PeerMessage::Request { id, digest }));
        self.ask_preprocess(self.own, out);
        self.tell_open_again(out);
    }

    /// The clocks that are waited for, to be set again after a restart: delay in milliseconds.
    pub fn timers(&self) -> Vec<(u64, Timer)> {
        let mut timers = Vec::new();
        if self.is_done() {
            return timers;
        }
        let place = u64::try_from(self.own).unwrap_or(u64::MAX);
        let delay_ms = if self.turn { REPEAT_MS } else { place.saturating_mul(STAGGER_MS) };
        timers.push((delay_ms, Timer::Turn));
        if self.grace == Grace::Running {
            timers.push((GRACE_MS, Timer::Grace));
        }
        timers
    }

    /// The own processor has verified signatures.
    pub fn is_done(&self) -> bool {
        self.signatures.is_some()
    }

    /// What signers compare: [`serai_messages::signing::Content::digest`].
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The first party: who signs when everybody is there.
    pub fn party(&self) -> &[ValidatorKey] {
        self.order.get(..self.threshold).unwrap_or(&self.order)
    }

    /// Who made the signatures; none where another opener made them, or they are not known.
    pub fn signed_by(&self) -> Option<Vec<ValidatorKey>> {
        let made_by = self.made_by.as_ref()?;
        Some(made_by.iter().filter_map(|rank| self.order.get(*rank).copied()).collect())
    }

    pub(super) fn ask_preprocess(&mut self, opener: usize, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get(opener) else { return };
        let key = peer.key;
        if peer.told.is_none() && self.asked.insert(Request::Preprocess { opener: key }) {
            let id = self.parameters.id;
            out.push(Effect::ToProcessor(CoordinatorMessage::Preprocess { id, opener: key }));
        }
    }

    pub(super) fn is_culprit(&self, rank: usize) -> bool {
        self.peers.get(rank).is_none_or(|peer| peer.culprit)
    }

    /// Records a fault, once per validator and kind.
    pub(super) fn fault(
        &mut self,
        rank: usize,
        kind: FaultKind,
        evidence: Vec<SignedStatement>,
        out: &mut Vec<Effect>,
    ) {
        let Some(peer) = self.peers.get_mut(rank) else { return };
        let accused = peer.key;
        peer.culprit = true;
        peer.preprocess = None;
        let same = |f: &Fault| f.accused == accused && f.kind.name() == kind.name();
        if !self.faults.iter().any(same) {
            let fault = Fault { accused, kind, evidence };
            self.faults.push(fault.clone());
            out.push(Effect::Fault(fault));
        }
    }

    pub(super) fn has_fault(&self, rank: usize, name: &str) -> bool {
        let Some(peer) = self.peers.get(rank) else { return false };
        self.faults.iter().any(|fault| fault.accused == peer.key && fault.kind.name() == name)
    }

    /// State for a person.
    pub fn summary(&self) -> Summary {
        let key = |rank: &usize| self.order.get(*rank).copied();
        let made_by = self.made_by.as_ref().map(|made| made.iter().filter_map(key).collect());
        Summary {
            id: self.parameters.id.to_string(),
            digest: hex::encode(self.digest),
            reference: self.parameters.reference.number,
            reference_hash: self.parameters.reference.hash,
            stage: self.stage(),
            threshold: self.threshold,
            order: self.order.clone(),
            party: made_by.unwrap_or_else(|| self.party().to_vec()),
            opened: self.sessions.len(),
            seen: self.peers.iter().map(|peer| peer.joined.len()).sum(),
            waiting_for: self.waiting_for().iter().filter_map(key).collect(),
            faults: self.faults.iter().map(FaultSummary::from).collect(),
            signatures: self.signatures.clone(),
            refused: self.refused.clone(),
            rejected: self.rejected,
        }
    }

    fn stage(&self) -> &'static str {
        let any = |state| self.sessions.iter().any(|session| session.state == state);
        let joined = |peer: &Peer| peer.joined.values().any(|joined| joined.answer.is_none());
        if self.is_done() {
            "done"
        } else if any(State::Aggregating) {
            "aggregate"
        } else if any(State::Shares) || self.peers.iter().any(joined) {
            "shares"
        } else {
            "preprocesses"
        }
    }

    fn waiting_for(&self) -> Vec<usize> {
        if self.is_done() {
            return Vec::new();
        }
        let mut waiting = BTreeSet::new();
        if self.messages.is_none() || !self.asked.is_empty() {
            waiting.insert(self.own);
        }
        if self.turn {
            let live = |session: &&Session| session.state == State::Shares;
            match self.sessions.iter().rev().find(live) {
                Some(session) => waiting.extend(session.missing()),
                None => {
                    waiting.extend(self.wanted().into_iter().filter(|rank| !self.is_ready(*rank)))
                }
            }
        } else {
            // Whoever has a preprocess of this validator and has done nothing with it yet, and whoever
            // has its share.
            let shared = |joined: &Joined| matches!(joined.answer, Some(PeerMessage::Share { .. }));
            let busy = |peer: &Peer| peer.told.is_some() || peer.joined.values().any(shared);
            waiting.extend((0..).zip(&self.peers).filter(|(_, peer)| busy(peer)).map(|(i, _)| i));
        }
        waiting.into_iter().collect()
    }
}
