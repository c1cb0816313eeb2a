//! Votes for attempts to come: which are kept, which begin an attempt, and who is shown them.

use std::collections::BTreeSet;

use serai_messages::{
    Attempt, BlockNumber, Enclosed, SignedStatement, ValidatorKey,
    keygen::{KeygenId, PeerMessage},
};

use super::{Effect, FaultKind, Keygen, Stage, receive::verified};

/// Votes of one validator that are kept for attempts that are due, and as many for later ones, besides those for
/// attempts whose votes somebody shows.
const MAX_VOTES_PER_VALIDATOR: usize = 4;

/// A vote for an attempt to come.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) statement: SignedStatement,
    digest: [u8; 32],
    pub(super) removed: Vec<ValidatorKey>,
    /// Another one for the same number. Such a voter counts for whatever others vote for, so that whoever was
    /// told the other vote comes to the same attempt. Two quorums of one number share an honest voter, who
    /// votes once: only one can come about.
    pub(super) other: Option<SignedStatement>,
}

impl Keygen {
    pub(super) fn receive_vote(
        &mut self,
        statement: &SignedStatement,
        voter: usize,
        number: Attempt,
        removed: &[ValidatorKey],
        height: BlockNumber,
        out: &mut Vec<Effect>,
    ) {
        if statement.signer == self.parameters.own && verified(statement) {
            // Also one that was said before a restart, by other rules: nobody votes twice for a number.
            self.voted = self.voted.max(number);
        }
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
        let repeats = |vote: &Vote| vote.digest == digest || vote.other.is_some();
        let numbers = votes.keys().copied().chain([number]).collect();
        if known.as_ref().is_some_and(repeats) || self.too_many(numbers).contains(&number) {
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
            }
            self.drop_votes_of(voter);
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

    /// Keeps the votes of an attempt that a validator is in and shows, those that come from now on, until it shows
    /// those of a later one, whatever else their voters say.
    pub(super) fn keep_shown(&mut self, statement: &SignedStatement, by: usize, number: Attempt) {
        let Some(shown) = self.shown.get_mut(by).filter(|shown| **shown < number) else { return };
        if verified(statement) {
            *shown = number;
            self.drop_votes();
        } else {
            self.rejected += 1;
        }
    }

    /// Drops votes for attempts that are over, and what is too many of a voter.
    pub(super) fn drop_votes(&mut self) {
        for voter in 0..self.votes.len() {
            self.drop_votes_of(voter);
        }
    }

    fn drop_votes_of(&mut self, voter: usize) {
        let over = self.running.attempt();
        let Some(votes) = self.votes.get_mut(voter) else { return };
        votes.retain(|number, _| *number > over);
        let numbers = votes.keys().copied().collect();
        for number in self.too_many(numbers) {
            if let Some(votes) = self.votes.get_mut(voter) {
                votes.remove(&number);
            }
        }
    }

    /// Which of the numbers that one validator voted for are not kept: of those that are due here all but the
    /// highest, of others all but the lowest. Others' heights may be ahead of the own one; and no number far ahead
    /// takes the place of what is needed now.
    fn too_many(&self, mut numbers: BTreeSet<Attempt>) -> Vec<Attempt> {
        numbers.retain(|number| !self.shown.contains(number));
        let height = self.height.unwrap_or(self.parameters.start);
        let first_later = self.due(height).max(self.voted).next();
        let later = numbers.split_off(&first_later).into_iter();
        let due = numbers.into_iter().rev();
        later.skip(MAX_VOTES_PER_VALIDATOR).chain(due.skip(MAX_VOTES_PER_VALIDATOR)).collect()
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
    pub(super) fn agreeing(
        &self,
        number: Attempt,
        removed: &[ValidatorKey],
    ) -> impl Iterator<Item = &Vote> {
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
}
