//! Attempts: when one is given up, who is left out of the next, and whose votes begin it.
//!
//! The finalized chain's height is the clock. Attempt `m` ends at `start + (m + 1) *
//! attempt_blocks`, or at a later such height if its last stage came late; a validator that comes late gives the
//! running attempt at least half a length, and then votes at the next such height, for the attempt that begins
//! there. Where a fault is proven, or a member says that it cannot go on, the votes for the next number are due at
//! the next block. Votes that differ come together by turns: at every second number all follow a member's
//! proposal, if what they see permits.

use std::collections::BTreeSet;

use serai_messages::{
    Attempt, BlockNumber, Enclosed, SignedStatement, ValidatorKey,
    keygen::{KeygenId, PeerMessage},
};

use super::{Effect, Fault, FaultKind, Keygen, Stage, attempt::Running, receive::verified};

/// Votes of one validator that are kept, the highest numbers.
const MAX_VOTES_PER_VALIDATOR: usize = 4;

/// Lengths of an attempt that a finished one waits for the chain before a new one is voted for.
const CONFIRMATION_LENGTHS: u64 = 4;

/// A vote for an attempt to come.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    statement: SignedStatement,
    digest: [u8; 32],
    pub(super) removed: Vec<ValidatorKey>,
    /// Another one for the same number. Such a voter counts for whatever others vote for, so that whoever was
    /// told the other vote comes to the same attempt. Two quorums of one number share an honest voter, who
    /// votes once: only one can come about.
    pub(super) other: Option<SignedStatement>,
}

impl Keygen {
    pub(super) fn handle_height(&mut self, height: BlockNumber, out: &mut Vec<Effect>) {
        if self.height.is_some_and(|known| height <= known) {
            return;
        }
        self.height = Some(height);
        self.running.began.get_or_insert(height);
        self.running.since.get_or_insert(height);
        self.offer_proof(out);
        self.say_waiting(height, out);
        self.tell_missed(height, out);
        self.repeat_set_keys(height, out);
        self.vote_when_due(height, out);
    }

    /// Height of the boundary at which attempt `number` begins if the ones before it fail.
    fn boundary(&self, number: u64) -> u64 {
        let Self { parameters, .. } = self;
        parameters.start.0.saturating_add(number.saturating_mul(parameters.attempt_blocks))
    }

    /// Height at which the running attempt is given up. Whoever delays what it says until just before must not
    /// keep the others from saying whom they miss at the next stage, or from showing what they reported.
    pub(super) fn deadline(&self) -> BlockNumber {
        let length = self.parameters.attempt_blocks;
        let since = self.running.since.unwrap_or(self.parameters.start).0;
        let earliest = match self.running.stage {
            Stage::Confirming => since.saturating_add(length.saturating_mul(CONFIRMATION_LENGTHS)),
            _ => {
                let conflicts = self.running.conflicts.values().flatten();
                let news = conflicts.map(|height| height.0).fold(since, u64::max);
                news.saturating_add(2 * self.patience() + 3)
            }
        };
        self.first_deadline().max(self.boundary_from(earliest))
    }

    /// Height at which the running attempt is given up if its stages come in time.
    pub(super) fn first_deadline(&self) -> BlockNumber {
        let began = self.running.began.unwrap_or(self.parameters.start).0;
        self.boundary_from(began.saturating_add(self.parameters.attempt_blocks.div_ceil(2)))
    }

    /// The boundary at or after a height, but not that of an attempt that began already.
    fn boundary_from(&self, height: u64) -> BlockNumber {
        let Self { parameters, .. } = self;
        let number = height.saturating_sub(parameters.start.0).div_ceil(parameters.attempt_blocks);
        BlockNumber(self.boundary(number.max(u64::from(self.running.attempt().0) + 1)))
    }

    /// Blocks that statements which are on their way are waited for.
    pub(super) fn patience(&self) -> u64 {
        (self.parameters.attempt_blocks / 8).max(1)
    }

    /// Whether what was heard at this height could be answered, by whoever learned it from those who heard it.
    pub(super) fn is_answerable(&self, heard: Option<BlockNumber>) -> bool {
        let height = self.height.map_or(0, |height| height.0);
        height > heard.map_or(0, |heard| heard.0).saturating_add(self.patience())
    }

    fn vote_when_due(&mut self, height: BlockNumber, out: &mut Vec<Effect>) {
        if matches!(self.running.stage, Stage::LeftOut | Stage::Done) {
            return;
        }
        let next = self.running.attempt().next();
        if height >= self.deadline() {
            self.name_undisclosed(out);
            let length = self.parameters.attempt_blocks;
            let number = height.0.saturating_sub(self.parameters.start.0) / length;
            let number = Attempt(u32::try_from(number).unwrap_or(u32::MAX)).max(next);
            if self.voted < number {
                self.vote(number, true, height, out);
            }
            return;
        }
        let is_new =
            |key: &ValidatorKey| self.is_culprit(key) && !self.running.removed.contains(key);
        let removes = self.running.failed && self.own_view(&[]).iter().any(is_new);
        let resigns = self.running.resigned && self.quick_restarts > 0;
        if self.voted < next && self.running.stage < Stage::Confirming && (removes || resigns) {
            self.vote(next, false, height, out);
        }
    }

    fn vote(
        &mut self,
        number: Attempt,
        at_deadline: bool,
        height: BlockNumber,
        out: &mut Vec<Effect>,
    ) {
        let silent = if at_deadline { self.silent() } else { Vec::new() };
        // Others may be silent since this member cannot give what they wait for, or since the attempt failed.
        let goes_on = !self.running.failed && !self.running.unable;
        let blamed = if goes_on { silent.as_slice() } else { &[] };
        if let Some(awaited) = self.running.stage.awaited() {
            for accused in blamed {
                self.fault(*accused, FaultKind::Silent { awaited }, Vec::new(), out);
            }
        }
        let own_view = self.own_view(blamed);
        let removed = self.proposed(number, &own_view, &silent).unwrap_or(own_view);
        self.voted = number;
        let id = KeygenId { set: self.parameters.set, attempt: number };
        out.push(Effect::Say(PeerMessage::AttemptVote { id, removed, height }));
    }

    pub(super) fn is_culprit(&self, key: &ValidatorKey) -> bool {
        let place = self.index.get(key);
        place.and_then(|place| self.culprits.get(*place)).is_some_and(|culprit| *culprit)
    }

    pub(super) fn receive_vote(
        &mut self,
        statement: &SignedStatement,
        voter: usize,
        number: Attempt,
        removed: &[ValidatorKey],
        height: BlockNumber,
        out: &mut Vec<Effect>,
    ) {
        if number < self.running.attempt() {
            return self.help_late(statement, out);
        }
        let positions: Vec<_> = removed.iter().map(|key| self.index.get(key)).collect();
        let in_order = positions.iter().all(Option::is_some)
            && positions.windows(2).all(|pair| pair.first() < pair.last());
        if number == self.running.attempt() || !in_order || !self.permits(removed.len()) {
            return;
        }
        let digest = statement.digest();
        let Some(votes) = self.votes.get(voter) else { return };
        let known = votes.get(&number).cloned();
        let too_low = votes.len() >= MAX_VOTES_PER_VALIDATOR
            && votes.first_key_value().is_some_and(|(lowest, _)| number < *lowest);
        let repeats = |vote: &Vote| vote.digest == digest || vote.other.is_some();
        if known.as_ref().is_some_and(repeats) || too_low {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        let candidates = if let Some(vote) = known {
            let slot = statement.statement.body.slot().unwrap_or_default();
            let evidence = vec![vote.statement, statement.clone()];
            self.fault(statement.signer, FaultKind::Equivocation { slot }, evidence, out);
            if let Some(vote) = self.votes.get_mut(voter).and_then(|votes| votes.get_mut(&number)) {
                vote.other = Some(statement.clone());
            }
            let voted = self.votes.iter().filter_map(|votes| votes.get(&number));
            voted.map(|vote| vote.removed.clone()).collect()
        } else {
            let (statement, removed) = (statement.clone(), removed.to_vec());
            let vote = Vote { statement, digest, removed: removed.clone(), other: None };
            if let Some(votes) = self.votes.get_mut(voter) {
                votes.insert(number, vote);
                while votes.len() > MAX_VOTES_PER_VALIDATOR {
                    votes.pop_first();
                }
            }
            BTreeSet::from([removed])
        };
        // Who is left out and lacks the votes for that stays behind, and its votes count nowhere.
        let (signer, own) = (statement.signer, self.parameters.own);
        if self.running.removed.contains(&signer) && signer != own {
            self.show_votes(signer, out);
        }
        self.hear_resignation(statement, number, removed, height);
        self.count_votes(number, candidates, height, out);
    }

    /// Begins the attempt without whom enough voted to leave out, if one of these `candidates` is that.
    fn count_votes(
        &mut self,
        number: Attempt,
        candidates: BTreeSet<Vec<ValidatorKey>>,
        height: BlockNumber,
        out: &mut Vec<Effect>,
    ) {
        let agree = |removed: &Vec<ValidatorKey>| self.agreeing(number, removed).count();
        let most = candidates.into_iter().map(|removed| (agree(&removed), removed)).max();
        let Some((agree, removed)) = most else { return };
        if agree >= usize::from(self.threshold) {
            return self.begin(number, removed, out);
        }
        // Who has no part in the running attempt has no view of it: it votes as somebody honest does.
        let dishonest = self.parameters.validators.len() - usize::from(self.threshold);
        if self.running.stage == Stage::LeftOut && self.voted < number && agree > dishonest {
            self.voted = number;
            let id = KeygenId { set: self.parameters.set, attempt: number };
            let height = self.height.unwrap_or(height);
            out.push(Effect::Say(PeerMessage::AttemptVote { id, removed, height }));
        }
    }

    /// The votes that count for leaving these out of an attempt.
    fn agreeing(&self, number: Attempt, removed: &[ValidatorKey]) -> impl Iterator<Item = &Vote> {
        let votes = self.votes.iter().filter_map(move |votes| votes.get(&number));
        votes.filter(move |vote| vote.other.is_some() || vote.removed == removed)
    }

    /// A member that votes for the next attempt before any member's deadline, and leaves nobody new out,
    /// cannot go on with this one.
    fn hear_resignation(
        &mut self,
        statement: &SignedStatement,
        number: Attempt,
        removed: &[ValidatorKey],
        height: BlockNumber,
    ) {
        let deadline = self.first_deadline();
        self.running.resigned |= number == self.running.attempt().next()
            && removed == self.running.removed
            && self.running.positions.contains_key(&statement.signer)
            && self.running.stage < Stage::Confirming
            && height < deadline
            && self.height.is_some_and(|own| own < deadline);
    }

    fn begin(&mut self, attempt: Attempt, removed: Vec<ValidatorKey>, out: &mut Vec<Effect>) {
        let quorum = self.agreeing(attempt, &removed);
        let quorum = quorum.flat_map(|vote| [Some(&vote.statement), vote.other.as_ref()]);
        let quorum: Vec<_> = quorum.flatten().cloned().collect();
        let quick = removed == self.running.removed && self.height < Some(self.deadline());
        self.quick_restarts = self.quick_restarts.saturating_sub(usize::from(quick));
        for accused in removed.iter().copied() {
            let known = self.running.removed.contains(&accused)
                || self.faults.iter().any(|fault| fault.accused == accused);
            if !known {
                let (attempt, evidence) = (self.running.attempt(), quorum.clone());
                self.record(Fault { attempt, accused, kind: FaultKind::LeftOut, evidence }, out);
            }
        }
        let id = KeygenId { set: self.parameters.set, attempt };
        let Self { parameters, height, .. } = self;
        self.running = Running::new(id, &parameters.validators, removed, parameters.own, *height);
        self.quorum = quorum;
        self.voted = self.voted.max(attempt);
        for votes in &mut self.votes {
            votes.retain(|number, _| *number > attempt);
        }
        self.enter(self.running.stage, out);
        self.take_early(out);
    }

    /// Shows the votes that began the running attempt to a validator that speaks of an earlier one.
    pub(super) fn help_late(&mut self, statement: &SignedStatement, out: &mut Vec<Effect>) {
        let late = statement.signer;
        let known = late == self.parameters.own || self.running.helped.contains(&late);
        if known || self.quorum.is_empty() || !verified(statement) {
            return;
        }
        self.show_votes(late, out);
    }

    /// Shows the votes that began the running attempt to one who may lack them, once.
    pub(super) fn show_votes(&mut self, to: ValidatorKey, out: &mut Vec<Effect>) {
        if self.running.helped.insert(to) {
            let id = self.running.id;
            out.extend(self.quorum.iter().map(|vote| {
                Effect::Tell(to, PeerMessage::Disclosure { id, statement: Enclosed::new(vote) })
            }));
        }
    }

    /// A transaction may be lost: `set_keys` is published again each length of an attempt.
    fn repeat_set_keys(&mut self, height: BlockNumber, out: &mut Vec<Effect>) {
        let Some(since) = self.running.since.filter(|_| self.running.stage == Stage::Confirming)
        else {
            return;
        };
        let due = since.0.saturating_add(
            self.running.set_keys_repeated.saturating_add(1) * self.parameters.attempt_blocks,
        );
        if height.0 >= due {
            self.running.set_keys_repeated =
                height.0.saturating_sub(since.0) / self.parameters.attempt_blocks;
            out.extend(self.set_keys());
        }
    }
}
