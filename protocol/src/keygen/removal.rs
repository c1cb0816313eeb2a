//! Whom to leave out of the next attempt: what a validator sees itself, and what it follows.

use serai_messages::{Attempt, ValidatorKey};

use super::Keygen;

impl Keygen {
    /// Whom this validator wants to leave out: those proven to be at fault, those left out already, and the
    /// silent, as far as Serai and the threshold permit. Where that is not all of them, who is silent now
    /// goes before who was silent once: otherwise one who was away for a moment would stay out, and one
    /// who never speaks would stay in.
    pub(super) fn own_view(&self, silent: &[ValidatorKey]) -> Vec<ValidatorKey> {
        let culprit = |key: &ValidatorKey| self.is_culprit(key);
        let mut removed: Vec<_> =
            self.running.removed.iter().copied().filter(|key| culprit(key)).collect();
        for key in self.parameters.validators.iter().filter(|key| culprit(key)) {
            if !removed.contains(key) && self.permits(removed.len() + 1) {
                removed.push(*key);
            }
        }
        let before = self.running.removed.iter().copied().filter(|key| !culprit(key));
        let before: Vec<_> = before.collect();
        let both: Vec<_> =
            silent.iter().filter(|key| !before.contains(key)).chain(&before).copied().collect();
        for more in [both, silent.to_vec(), before] {
            let more: Vec<_> = more.into_iter().filter(|key| !removed.contains(key)).collect();
            if self.permits(removed.len() + more.len()) {
                removed.extend(more);
                break;
            }
        }
        removed.sort_by_key(|key| self.index.get(key).copied());
        removed
    }

    /// Whether so many may be left out: of `f` removed, `2f + 1` remain, and so do `t`.
    pub(super) fn permits(&self, removed: usize) -> bool {
        let remaining = self.parameters.validators.len().saturating_sub(removed);
        remaining > 2 * removed && remaining >= usize::from(self.threshold)
    }

    /// What brings views together that differ: at every second number, counted from the running attempt, what a
    /// member whose turn it is voted for the number before, if that is acceptable. At the others all vote by
    /// their own view, which gives the next proposer something to propose. Rotating coordinators, as in Chandra
    /// and Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems", 1996.
    pub(super) fn proposed(
        &self,
        number: Attempt,
        own_view: &[ValidatorKey],
        silent: &[ValidatorKey],
    ) -> Option<Vec<ValidatorKey>> {
        let running = &self.running;
        let ahead = number.0.checked_sub(running.attempt().0)?;
        if !ahead.is_multiple_of(2) {
            return None;
        }
        // Half the number: the numbers of one parity would meet only half of an even number of members.
        let turn = usize::try_from(number.0 / 2).ok()?.checked_rem(running.members.len())?;
        let proposer = self.index.get(running.members.get(turn)?)?;
        let previous = Attempt(number.0.checked_sub(1)?);
        let vote = self.votes.get(*proposer)?.get(&previous)?;
        // Which of its votes one that voted twice told whom first differs.
        let removed = Some(&vote.removed).filter(|_| vote.other.is_none())?;
        let acceptable = self.goes_further(removed, own_view)
            && removed.iter().all(|key| self.may_be_left_out(key, previous, silent));
        acceptable.then(|| removed.clone())
    }

    /// Whether an attempt without these keeps out whom the running one does and this validator would, but for the
    /// merely silent where these permit no more, and leaves out somebody new if this validator would. Otherwise
    /// a liar whose turn it is would have the same attempt begin anew.
    fn goes_further(&self, removed: &[ValidatorKey], own_view: &[ValidatorKey]) -> bool {
        let is_out = |key: &ValidatorKey| self.running.removed.contains(key);
        let names_new = |keys: &[ValidatorKey]| keys.iter().any(|key| !is_out(key));
        let comes_back = |key: &&ValidatorKey| is_out(key) && !removed.contains(key);
        let back: Vec<_> = own_view.iter().filter(comes_back).collect();
        let must_stay = back.iter().any(|key| self.is_culprit(key))
            || (!back.is_empty() && self.permits(removed.len() + back.len()));
        !must_stay && (names_new(removed) || !names_new(own_view))
    }

    /// Whether somebody may be left out as another one proposes: who is at fault, out already, or silent, as this
    /// validator sees or somebody honest does by its vote for the `previous` number. Who can go on does not vote
    /// itself out; who cannot does, as the others may not come together without it.
    fn may_be_left_out(
        &self,
        key: &ValidatorKey,
        previous: Attempt,
        silent: &[ValidatorKey],
    ) -> bool {
        if *key == self.parameters.own {
            return self.running.unable;
        }
        let dishonest = self.parameters.validators.len() - usize::from(self.threshold);
        let votes = self.votes.iter().filter_map(|votes| votes.get(&previous));
        self.is_culprit(key)
            || self.running.removed.contains(key)
            || silent.contains(key)
            || votes.filter(|vote| vote.removed.contains(key)).count() > dishonest
    }
}
