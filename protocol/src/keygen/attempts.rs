//! Attempts: when one is given up, and how the next begins.
//!
//! The finalized chain's height is the clock. Attempt `m` ends at `start + (m + 1) *
//! attempt_blocks`, or at a later such height if its last stage came late; a validator that comes late gives the
//! running attempt at least half a length, and then votes at the next such height, for the attempt that begins
//! there. Where a fault is proven, or a member says that it cannot go on, the votes for the next number are due at
//! the next block. Votes that differ come together by turns: at every second number all follow a member's
//! proposal, if what they see permits.

use serai_messages::{
    Attempt, BlockNumber, ValidatorKey,
    keygen::{Awaited, KeygenId, PeerMessage},
};

use super::{Effect, Fault, FaultKind, Keygen, Stage, attempt::Running};

/// Lengths of an attempt that a finished one waits for the chain before a new one is voted for.
const CONFIRMATION_LENGTHS: u64 = 4;

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

    /// The number that is voted for at a height, if the running attempt is given up there.
    pub(super) fn due(&self, height: BlockNumber) -> Attempt {
        let Self { parameters, .. } = self;
        let number = height.0.saturating_sub(parameters.start.0) / parameters.attempt_blocks;
        Attempt(u32::try_from(number).unwrap_or(u32::MAX)).max(self.running.attempt().next())
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
            let number = self.due(height);
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
        for (accused, awaited) in blamed {
            self.fault(*accused, FaultKind::Silent { awaited: *awaited }, Vec::new(), out);
        }
        let keys =
            |missed: &[(ValidatorKey, Awaited)]| missed.iter().map(|(key, _)| *key).collect();
        let (blamed, silent): (Vec<_>, Vec<_>) = (keys(blamed), keys(&silent));
        let own_view = self.own_view(&blamed);
        let removed = self.proposed(number, &own_view, &silent).unwrap_or(own_view);
        self.voted = number;
        let id = KeygenId { set: self.parameters.set, attempt: number };
        out.push(Effect::Say(PeerMessage::AttemptVote { id, removed, height }));
    }

    pub(super) fn is_culprit(&self, key: &ValidatorKey) -> bool {
        let place = self.index.get(key);
        place.and_then(|place| self.culprits.get(*place)).is_some_and(|culprit| *culprit)
    }

    pub(super) fn begin(
        &mut self,
        attempt: Attempt,
        removed: Vec<ValidatorKey>,
        out: &mut Vec<Effect>,
    ) {
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
        self.drop_votes();
        self.enter(self.running.stage, out);
        self.take_early(out);
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
