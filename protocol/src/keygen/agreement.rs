//! Agreement on broadcasts: reports are compared, and where two differ both reporters show what they
//! received. Either its sender said two things, or a reporter did not receive what it reported.

use serai_messages::{
    Enclosed, SignedStatement,
    keygen::{PeerMessage, Round},
    planted::{Bug, is_planted},
};

use super::{
    Effect, FaultKind, Keygen,
    attempt::{Conflict, Slot},
    receive::{MAX_DEPTH, verified},
};

impl Keygen {
    /// Compares a member's report of a round with what is held here; true when they are the same.
    pub(super) fn compare(&mut self, reporter: usize, round: Round, out: &mut Vec<Effect>) -> bool {
        let slot = Slot::compared(round);
        let n = self.running.members.len();
        let Some(report) = self.running.held(reporter, Slot::report(round)) else { return false };
        let digests = report.report().unwrap_or_default();
        if digests.len() != n {
            let slots = [Slot::report(round)];
            self.fault_of(reporter, FaultKind::Malformed, &slots, out);
            return false;
        }
        let differs = |(about, digest): &(usize, &[u8; 32])| {
            self.running.held(*about, slot).is_none_or(|held| held.digest != **digest)
        };
        // Two honest members differ at most about the dishonest ones: whoever differs about more
        // cannot show all of it, and is found by the first of them.
        let dishonest = self.parameters.validators.len() - usize::from(self.threshold);
        let mismatches: Vec<_> = digests
            .iter()
            .enumerate()
            .filter(|_| !is_planted(Bug::AgreementSkipped))
            .filter(differs)
            .take(dishonest + 1)
            .map(|(about, digest)| Conflict { round, reporter, about, digest: *digest })
            .collect();
        let same = mismatches.is_empty();
        for conflict in mismatches {
            let proven = self.running.contradicted.contains(&(conflict.about, slot));
            if !proven {
                self.running.conflicts.entry(conflict).or_insert(self.height);
            }
            if let Some(held) = self.running.held(conflict.about, slot) {
                let statement = held.statement.clone();
                self.disclose(&statement, out);
            }
        }
        same
    }

    /// Shows a statement to all, once.
    pub(super) fn disclose(&mut self, statement: &SignedStatement, out: &mut Vec<Effect>) {
        if self.running.disclosed.insert(statement.digest()) {
            let statement = Enclosed::new(statement);
            out.push(Effect::Say(PeerMessage::Disclosure { id: self.running.id, statement }));
        }
    }

    /// Takes a disclosure: what is in it counts as if it came from its signer, and it may contradict
    /// what the discloser has reported.
    pub(super) fn receive_disclosure(
        &mut self,
        outer: &SignedStatement,
        enclosed: &Enclosed,
        discloser: usize,
        depth: u8,
        out: &mut Vec<Effect>,
    ) {
        if self.running.own == Some(discloser) {
            return;
        }
        let Ok(inner) = enclosed.open() else {
            if verified(outer) {
                self.fault(outer.signer, FaultKind::Malformed, vec![outer.clone()], out);
            }
            return;
        };
        // Of one that is enclosed too deep nothing is read, and nothing follows.
        let read = depth < MAX_DEPTH;
        let conflict = self.conflict_about(discloser, &inner).filter(|_| read);
        self.receive(&inner, depth + 1, out);
        let Some(conflict) =
            conflict.filter(|conflict| self.running.conflicts.contains_key(conflict))
        else {
            return;
        };
        // The conflict stands: had the right statement been shown, it would be known as a second one.
        if !verified(outer) {
            self.rejected += 1;
            return;
        }
        let about = self.running.members.get(conflict.about).copied();
        let report = self.running.held(discloser, Slot::report(conflict.round));
        let (Some(about), Some(report)) = (about, report) else { return };
        let evidence = vec![report.statement.clone(), outer.clone()];
        let kind = FaultKind::FalseReport { round: conflict.round, about };
        self.running.conflicts.remove(&conflict);
        self.fault(outer.signer, kind, evidence, out);
    }

    /// The open conflict that a disclosure of `inner` by `discloser` should end.
    fn conflict_about(&self, discloser: usize, inner: &SignedStatement) -> Option<Conflict> {
        let serai_messages::Body::Keygen(message) = &inner.statement.body else { return None };
        let about = self.running.positions.get(&inner.signer).copied()?;
        let round = Slot::of(message).and_then(Slot::round)?;
        let of_this = |conflict: &&Conflict| {
            conflict.reporter == discloser && conflict.about == about && conflict.round == round
        };
        let same_attempt = message.id() == self.running.id;
        self.running.conflicts.keys().find(of_this).copied().filter(|_| same_attempt)
    }

    /// Names whoever reported what it has not shown, and had time to. Due at the deadline.
    pub(super) fn name_undisclosed(&mut self, out: &mut Vec<Effect>) {
        let open = self.running.conflicts.iter();
        let due = open.filter(|(_, since)| self.is_answerable(**since));
        let due: Vec<_> = due.map(|(conflict, _)| *conflict).collect();
        for conflict in due {
            self.running.conflicts.remove(&conflict);
            if let Some(about) = self.running.members.get(conflict.about).copied() {
                let kind = FaultKind::Undisclosed { round: conflict.round, about };
                self.fault_of(conflict.reporter, kind, &[Slot::report(conflict.round)], out);
            }
        }
    }
}
