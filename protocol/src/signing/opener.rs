//! This validator as an opener of sessions.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::{
    Body, Enclosed, SignedStatement, ValidatorKey,
    signing::{CoordinatorMessage, PeerMessage, Request, Shares},
    statement_digest,
};

use super::{
    Effect, FaultKind, Signing, Timer, machine::GRACE_MS, member::MAX_REPEATS, receive::verified,
};

/// Sessions of one opener that a validator may decline before the opener goes without it: each costs
/// all other members a share.
const MAX_DECLINES: u8 = 2;

/// The wait for members that the draw names first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grace {
    Idle,
    Running,
    Elapsed,
}

/// Where an own session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Shares come in.
    Shares,
    /// All are there, and the own processor makes the signatures of them.
    Aggregating,
    /// Made no signatures: nobody owes a share of it any more.
    Dead,
}

/// A session that this validator opened.
#[derive(Debug)]
pub(super) struct Session {
    /// Digest of the own `Open` statement.
    pub(super) open: [u8; 32],
    /// Members in the order of the draw, with their signed preprocesses.
    pub(super) members: Vec<(usize, SignedStatement)>,
    pub(super) shares: BTreeMap<usize, SignedStatement>,
    /// Whose share verifies.
    pub(super) valid: BTreeSet<usize>,
    pub(super) state: State,
}

impl Session {
    /// Members whose share is not there.
    pub(super) fn missing(&self) -> impl Iterator<Item = usize> {
        let missing = |rank: &usize| !self.shares.contains_key(rank);
        self.members.iter().map(|(rank, _)| *rank).filter(missing)
    }

    /// A share that verifies. Without that, one bad share could spoil several sessions.
    fn owes(&self, rank: usize) -> bool {
        self.state == State::Shares
            && self.members.iter().any(|(member, _)| *member == rank)
            && !(self.valid.contains(&rank) && self.shares.contains_key(&rank))
    }

    fn set(&self) -> Vec<(ValidatorKey, Shares)> {
        self.members.iter().filter_map(|(_, statement)| preprocess_of(statement)).collect()
    }
}

/// What a signed preprocess statement carries.
pub(super) fn preprocess_of(statement: &SignedStatement) -> Option<(ValidatorKey, Shares)> {
    let Body::Signing(PeerMessage::Preprocess { preprocess, .. }) = &statement.statement.body
    else {
        return None;
    };
    Some((statement.signer, preprocess.clone()))
}

/// What a signed share statement carries.
pub(super) fn share_of(statement: &SignedStatement) -> Option<(ValidatorKey, Shares)> {
    let Body::Signing(PeerMessage::Share { share, .. }) = &statement.statement.body else {
        return None;
    };
    Some((statement.signer, share.clone()))
}

impl Signing {
    /// Is taken into no session any more: at fault, or it declined too often.
    fn is_left_out(&self, rank: usize) -> bool {
        self.peers.get(rank).is_none_or(|peer| peer.culprit || peer.declined > MAX_DECLINES)
    }

    /// Has given a preprocess that is not used, and owes no share.
    pub(super) fn is_ready(&self, rank: usize) -> bool {
        self.peers.get(rank).is_some_and(|peer| peer.preprocess.is_some())
            && !self.is_left_out(rank)
            && !self.sessions.iter().any(|session| session.owes(rank))
    }

    /// The first `t` of these in the order of the draw, this validator always among them.
    fn first_of(&self, ranks: impl Iterator<Item = usize>) -> Vec<usize> {
        let others = ranks.filter(|rank| *rank != self.own);
        let mut chosen: Vec<_> = others.take(self.threshold.saturating_sub(1)).collect();
        chosen.push(self.own);
        chosen.sort_unstable();
        chosen
    }

    /// Whom the draw names first of those that are not left out.
    pub(super) fn wanted(&self) -> Vec<usize> {
        self.first_of((0..self.peers.len()).filter(|rank| !self.is_left_out(*rank)))
    }

    pub(super) fn receive_preprocess(
        &mut self,
        statement: &SignedStatement,
        rank: usize,
        opener: ValidatorKey,
        preprocess: &Shares,
        out: &mut Vec<Effect>,
    ) {
        if opener != self.parameters.own || self.is_culprit(rank) {
            return;
        }
        if self.is_done() {
            return self.answer_with_signatures(rank, out);
        }
        let digest = statement.digest();
        let is_it = |known: &SignedStatement| known.digest() == digest;
        let held = self.peers.get(rank).and_then(|peer| peer.preprocess.as_ref());
        let used = |(_, known): &(usize, SignedStatement)| is_it(known);
        if held.is_some_and(is_it)
            || self.sessions.iter().any(|session| session.members.iter().any(used))
        {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        if self.messages.is_some_and(|messages| messages != preprocess.len()) {
            let evidence = vec![statement.clone()];
            return self.fault(rank, FaultKind::InvalidPreprocess, evidence, out);
        }
        if let Some(peer) = self.peers.get_mut(rank) {
            peer.preprocess = Some(statement.clone());
        }
    }

    /// Opens a session when those are ready that should be.
    pub(super) fn open_if_ready(&mut self, out: &mut Vec<Effect>) {
        let aggregating = self.sessions.iter().any(|session| session.state == State::Aggregating);
        if self.is_done() || !self.opens || !self.turn || aggregating {
            return;
        }
        self.verify_shares(out);
        let ready: Vec<_> = (0..self.peers.len()).filter(|rank| self.is_ready(*rank)).collect();
        if ready.len() < self.threshold || !ready.contains(&self.own) {
            return;
        }
        let chosen = self.first_of(ready.into_iter());
        let at_once = match self.sessions.len() {
            0 => chosen == self.wanted(),
            // Its slowest member may be about to answer: once, the same wait is given to it.
            1 => self.sessions.iter().any(|session| session.state == State::Dead),
            _ => true,
        };
        match self.grace {
            _ if at_once => (),
            Grace::Elapsed => (),
            Grace::Running => return,
            Grace::Idle => {
                self.grace = Grace::Running;
                out.push(Effect::After { delay_ms: GRACE_MS, timer: Timer::Grace });
                return;
            }
        }
        self.open(&chosen, out);
        self.grace = Grace::Idle;
        if self.sessions.len() == 1 && self.peers.len() > self.threshold {
            self.grace = Grace::Running;
            out.push(Effect::After { delay_ms: GRACE_MS, timer: Timer::Grace });
        }
    }

    /// Before members of a session that is not complete are taken into another one, the own processor
    /// verifies what they gave.
    fn verify_shares(&mut self, out: &mut Vec<Effect>) {
        if self.sessions.len() < 2 && self.grace != Grace::Elapsed {
            return;
        }
        for session in self.sessions.iter().filter(|session| session.state == State::Shares) {
            let unknown = |(rank, _): &(&usize, &SignedStatement)| !session.valid.contains(*rank);
            for (_, share) in session.shares.iter().filter(unknown) {
                let (open, Some((accused, share))) = (session.open, share_of(share)) else {
                    continue;
                };
                if self.asked.insert(Request::Judge { open, accused }) {
                    let (id, preprocesses) = (self.parameters.id, session.set());
                    out.push(Effect::ToProcessor(CoordinatorMessage::Judge {
                        id,
                        open,
                        preprocesses,
                        accused,
                        share,
                    }));
                }
            }
        }
    }

    /// The own processor has judged a share of an own session.
    pub(super) fn handle_verified(
        &mut self,
        open: [u8; 32],
        rank: usize,
        valid: bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.open == open) else {
            return;
        };
        if !session.shares.contains_key(&rank) {
            return;
        }
        if valid {
            session.valid.insert(rank);
        } else {
            self.accuse(open, rank, out);
        }
    }

    fn open(&mut self, chosen: &[usize], out: &mut Vec<Effect>) {
        let Ok(session) = u32::try_from(self.sessions.len()) else { return };
        let mut members = Vec::new();
        for rank in chosen {
            let preprocess = self.peers.get_mut(*rank).and_then(|peer| peer.preprocess.take());
            members.extend(preprocess.map(|statement| (*rank, statement)));
        }
        let message = PeerMessage::Open {
            id: self.parameters.id,
            digest: self.digest,
            session,
            members: members.iter().map(|(_, statement)| Enclosed::new(statement)).collect(),
        };
        let (own, genesis) = (self.parameters.own, self.parameters.genesis);
        let digest = statement_digest(own, genesis, &Body::Signing(message.clone()));
        // Told to another one, it comes back as well.
        let told = |rank: &&usize| **rank != self.own || chosen.len() == 1;
        for key in chosen.iter().filter(told).filter_map(|rank| self.order.get(*rank)) {
            out.push(Effect::Tell(*key, message.clone()));
        }
        self.sessions.push(Session {
            open: digest,
            members,
            shares: BTreeMap::new(),
            valid: BTreeSet::from([self.own]),
            state: State::Shares,
        });
    }

    /// The newest session that waits for shares, to those that owe one; as often as they answer.
    pub(super) fn tell_open_again(&self, out: &mut Vec<Effect>) {
        if self.rings > u32::from(MAX_REPEATS) {
            return;
        }
        let mut sessions = self.sessions.iter().rev();
        let Some(session) = sessions.find(|session| session.state == State::Shares) else { return };
        let own = self.peers.get(self.own);
        let opened = own.and_then(|own| own.joined.values().find(|j| j.digest == session.open));
        let Some(Body::Signing(message)) = opened.map(|opened| &opened.statement.statement.body)
        else {
            // Not signed yet.
            return;
        };
        let owing = session.missing().filter(|rank| *rank != self.own);
        for key in owing.filter_map(|rank| self.order.get(rank)) {
            out.push(Effect::Tell(*key, message.clone()));
        }
    }

    pub(super) fn receive_share(
        &mut self,
        statement: &SignedStatement,
        rank: usize,
        open: [u8; 32],
        share: &Shares,
        out: &mut Vec<Effect>,
    ) {
        let messages = self.messages;
        let Some(session) = self.sessions.iter_mut().find(|session| session.open == open) else {
            return;
        };
        if !session.members.iter().any(|(member, _)| *member == rank) {
            return;
        }
        let digest = statement.digest();
        if let Some(held) = session.shares.get(&rank) {
            if held.digest() != digest {
                if !verified(statement) {
                    self.rejected += 1;
                    return;
                }
                let evidence = vec![held.clone(), statement.clone()];
                let slot = statement.statement.body.slot().unwrap_or_default();
                self.fault(rank, FaultKind::Equivocation { slot }, evidence, out);
            }
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        session.shares.insert(rank, statement.clone());
        if messages.is_some_and(|messages| messages != share.len()) {
            return self.accuse(open, rank, out);
        }
        if session.state != State::Shares || session.missing().next().is_some() || self.is_done() {
            return;
        }
        let Some(session) = self.sessions.iter_mut().find(|session| session.open == open) else {
            return;
        };
        session.state = State::Aggregating;
        let preprocesses = session.set();
        let shares = session.shares.values().filter_map(share_of).collect();
        let id = self.parameters.id;
        self.asked.insert(Request::Aggregate { open });
        out.push(Effect::ToProcessor(CoordinatorMessage::Aggregate {
            id,
            open,
            preprocesses,
            shares,
        }));
    }

    /// A member gives no share: the session ends, since it cannot be completed any more.
    pub(super) fn receive_decline(
        &mut self,
        statement: &SignedStatement,
        rank: usize,
        open: [u8; 32],
    ) {
        let waits = |session: &&mut Session| {
            session.open == open
                && session.state == State::Shares
                && session.missing().any(|missing| missing == rank)
        };
        let Some(session) = self.sessions.iter_mut().find(waits) else { return };
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        session.state = State::Dead;
        if let Some(peer) = self.peers.get_mut(rank) {
            peer.declined = peer.declined.saturating_add(1);
        }
    }

    /// A member's share of an own session is bad: it is named to all.
    pub(super) fn accuse(&mut self, open: [u8; 32], accused: usize, out: &mut Vec<Effect>) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.open == open) else {
            return;
        };
        session.state = State::Dead;
        let own = self.peers.get(self.own);
        let opened = own.and_then(|own| own.joined.values().find(|joined| joined.digest == open));
        let (opened, share) =
            (opened.map(|opened| &opened.statement), session.shares.get(&accused));
        let (opened, share) = (opened.cloned(), share.cloned());
        let evidence = opened.iter().chain(&share).cloned().collect();
        if let (Some(opened), Some(share)) = (&opened, &share)
            && accused != self.own
            && !self.has_fault(accused, "invalid-share")
        {
            out.push(Effect::Say(PeerMessage::Accusation {
                id: self.parameters.id,
                open: Enclosed::new(opened),
                share: Enclosed::new(share),
            }));
        }
        self.fault(accused, FaultKind::InvalidShare, evidence, out);
    }
}
