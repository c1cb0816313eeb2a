//! Who waits for whom. A member that cannot go on says what it misses, those who hold it show it, and
//! what is then still missing at the deadline is missing because its sender was silent.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::{
    BlockNumber, Enclosed, SignedStatement, ValidatorKey,
    keygen::{Awaited, PeerMessage},
};

use super::{
    Effect, Keygen, Stage,
    attempt::{Running, Slot},
};

/// How many members' waits are shown to all.
const MAX_WAITS_PASSED_ON: usize = 14;

/// Statements that one member shows to all in an attempt because others wait for shares: in a set of up to
/// fifteen every wait, every share, and what every member said after.
const MAX_PASSED_ON: usize = 256;

/// Of a larger set a member shows fewer, so that what all show one other in an attempt stays the same; beside it
/// each shows its own shares to who waits for them.
const MAX_PASSED_ON_OF_ALL: usize = 4800;

impl Keygen {
    /// Past half of the attempt, says whose statements this member misses, once per stage.
    pub(super) fn say_waiting(&mut self, height: BlockNumber, out: &mut Vec<Effect>) {
        let running = &self.running;
        let (Some(own), Some(awaited)) = (running.own, running.stage.awaited()) else { return };
        if !self.is_late(height) {
            return;
        }
        let others = (0..running.members.len()).filter(|position| *position != own);
        let from: Vec<_> = others.filter(|p| running.needs(*p)).map(Running::participant).collect();
        if from.is_empty() || !self.running.waiting_said.insert(awaited) {
            return;
        }
        // Who said nothing at all may not know that this attempt began.
        let (held, own) = (&self.running.held, self.parameters.own);
        let members = self.running.members.iter().copied().zip(held);
        let unheard: Vec<_> =
            members.filter(|(key, held)| held.is_empty() && *key != own).map(|(k, _)| k).collect();
        for key in unheard {
            self.show_votes(key, out);
        }
        out.push(Effect::Say(PeerMessage::Waiting { id: self.running.id, awaited, from }));
    }

    /// Whether the attempt is past its half, and this stage has lasted long enough.
    fn is_late(&self, height: BlockNumber) -> bool {
        let running = &self.running;
        let began = running.began.unwrap_or(height);
        let half = began.0.saturating_add(self.first_deadline().0.saturating_sub(began.0) / 2);
        // One who has just come to this stage may find its statements on their way.
        let patience = self.patience();
        let entered = running.since.unwrap_or(began).0;
        height.0 >= half && height.0 >= entered.saturating_add(patience) && !running.failed
    }

    /// What a member waits for: the statements' slot, and whose.
    fn wants(&self, waiter: usize, awaited: Awaited) -> Option<(Slot, BTreeSet<usize>)> {
        let held = self.running.held(waiter, Slot::Waiting(awaited))?;
        let PeerMessage::Waiting { from, .. } = held.message() else { return None };
        let from = from.iter().filter_map(|participant| self.running.position(*participant));
        let slot = Slot::awaited(awaited, Running::participant(waiter));
        Some((slot, from.filter(|position| *position != waiter).collect()))
    }

    /// Shows a waiting member what is held here of what it misses. An own share goes to all, so that
    /// all know that it was given.
    pub(super) fn answer_waiting(
        &mut self,
        waiter: usize,
        awaited: Awaited,
        out: &mut Vec<Effect>,
    ) {
        let Some(key) = self.running.members.get(waiter).copied() else { return };
        let Some((slot, from)) = self.wants(waiter, awaited) else { return };
        if key == self.parameters.own {
            // What came while it was said.
            if awaited == Awaited::Share {
                self.pass_on_wanted(waiter, slot, &from, out);
            }
            return;
        }
        for position in from {
            let Some(held) = self.running.held(position, slot) else { continue };
            let statement = held.statement.clone();
            self.show(key, slot, &statement, out);
        }
    }

    /// Shows a statement that has just arrived to the members who said that they miss it.
    pub(super) fn pass_to_waiting(
        &mut self,
        position: usize,
        slot: Slot,
        statement: &SignedStatement,
        out: &mut Vec<Effect>,
    ) {
        for waiter in self.others() {
            let wants = |awaited| {
                self.wants(waiter, awaited)
                    .is_some_and(|(wanted, from)| wanted == slot && from.contains(&position))
            };
            let wanted = self.waitings(waiter).any(wants);
            let key = self.running.members.get(waiter).copied();
            if let (true, Some(key)) = (wanted, key) {
                self.show(key, slot, statement, out);
            }
        }
        // A share that comes late and to its recipient alone: the others miss it still.
        let own = self.running.own.filter(|own| slot == Slot::Share(Running::participant(*own)));
        let waited = own.and_then(|own| self.wants(own, Awaited::Share));
        if waited.is_some_and(|(_, from)| from.contains(&position)) {
            self.pass_on(statement, MAX_WAITS_PASSED_ON, out);
        }
    }

    fn show(
        &mut self,
        to: ValidatorKey,
        slot: Slot,
        statement: &SignedStatement,
        out: &mut Vec<Effect>,
    ) {
        if matches!(slot, Slot::Share(_)) && statement.signer == self.parameters.own {
            return self.disclose(statement, out);
        }
        let statement = Enclosed::new(statement);
        out.push(Effect::Tell(to, PeerMessage::Disclosure { id: self.running.id, statement }));
    }

    /// The stages at which a member said that it waits.
    fn waitings(&self, waiter: usize) -> impl Iterator<Item = Awaited> {
        let slots = self.running.held.get(waiter).into_iter().flat_map(|held| held.keys());
        slots.filter_map(|slot| match slot {
            Slot::Waiting(awaited) => Some(*awaited),
            _ => None,
        })
    }

    /// Whose shares, of those that a member says it waits for, are not here; nobody's once it has gone on, and `None`
    /// if it does not say that it waits for any. All broadcasts of earlier stages are here, so nothing but a
    /// share may be missing to somebody else; who has come further than the shares had them all.
    fn lacks_shares(&self, member: usize) -> Option<Vec<usize>> {
        let running = &self.running;
        let among_shares = matches!(running.stage, Stage::Shares | Stage::ProofPreprocesses);
        let (slot, from) = self.wants(member, Awaited::Share).filter(|_| among_shares)?;
        let has_had = running.held(member, Slot::ProofPreprocess).is_some();
        let lacks = |from: &usize| !has_had && running.held(*from, slot).is_none();
        Some(from.into_iter().filter(lacks).collect())
    }

    /// Shows those whose shares are waited for, as somebody says, that they are, once: who is not told cannot
    /// answer, and would be blamed for it by whoever was told. The first few such waits are shown to all: who was
    /// not told would blame whoever waits.
    pub(super) fn tell_missed(&mut self, height: BlockNumber, out: &mut Vec<Effect>) {
        if !self.is_late(height) {
            return;
        }
        let mut shown = Vec::new();
        for member in self.others() {
            let Some(lacks) = self.lacks_shares(member) else { continue };
            let Some((slot, from)) = self.wants(member, Awaited::Share) else { continue };
            let held = self.running.held(member, Slot::Waiting(Awaited::Share));
            let Some(statement) = held.map(|held| held.statement.clone()) else { continue };
            // Who is missed here as well is blamed by all for the own wait, which all were told; and this member
            // shows its own share as soon as it is made.
            let is_known = |position: &usize| {
                self.running.stage == Stage::Shares && self.running.needs(*position)
                    || self.running.own == Some(*position)
            };
            if from.iter().all(is_known) {
                continue;
            }
            let passed_on = &self.running.waiting_passed_on;
            let is_first = passed_on.len() < MAX_WAITS_PASSED_ON || passed_on.contains(&member);
            if is_first && self.pass_on(&statement, 0, out) {
                self.running.waiting_passed_on.insert(member);
                shown.push((member, slot, from));
                continue;
            }
            for lacking in lacks {
                let key = self.running.members.get(lacking).copied();
                let Some(key) = key.filter(|key| *key != self.parameters.own) else { continue };
                if self.running.missed_told.insert((member, lacking)) {
                    let (id, statement) = (self.running.id, Enclosed::new(&statement));
                    out.push(Effect::Tell(key, PeerMessage::Disclosure { id, statement }));
                }
            }
        }
        for (waiter, slot, from) in shown {
            self.pass_on_wanted(waiter, slot, &from, out);
        }
    }

    /// Shows all what is held here of the shares that a member says it waits for, and what it said once it had them:
    /// whoever showed either to some alone would have these blame one, and the others somebody else.
    fn pass_on_wanted(
        &mut self,
        waiter: usize,
        slot: Slot,
        from: &BTreeSet<usize>,
        out: &mut Vec<Effect>,
    ) {
        let shares = from.iter().filter_map(|position| self.running.held(*position, slot));
        let lacks = from.iter().any(|position| self.running.held(*position, slot).is_none());
        let went_on = self.running.held(waiter, Slot::ProofPreprocess).filter(|_| lacks);
        let held: Vec<_> =
            went_on.into_iter().chain(shares).map(|it| it.statement.clone()).collect();
        for statement in held {
            self.pass_on(&statement, MAX_WAITS_PASSED_ON, out);
        }
    }

    /// Shows a statement to all, if as many as `reserved` can be shown in this attempt after it; false if not.
    fn pass_on(
        &mut self,
        statement: &SignedStatement,
        reserved: usize,
        out: &mut Vec<Effect>,
    ) -> bool {
        let running = &mut self.running;
        if running.disclosed.contains(&statement.digest()) {
            return true;
        }
        let most = (MAX_PASSED_ON_OF_ALL / running.members.len().max(1)).min(MAX_PASSED_ON);
        if running.passed_on.saturating_add(reserved) >= most {
            return false;
        }
        running.passed_on += 1;
        self.disclose(statement, out);
        true
    }

    /// Who is to blame that this attempt does not go on, if nobody is proven to be, and what is missed of them:
    /// members that were silent, and who keeps a share from any member that says so, which excuses that one at
    /// the next stage. Of an attempt that failed, whose members go no further, only the latter are.
    pub(super) fn silent(&self) -> Vec<(ValidatorKey, Awaited)> {
        let running = &self.running;
        let (Some(slot), Some(awaited)) = (running.stage_slot(), running.stage.awaited()) else {
            return Vec::new();
        };
        let mut silent = BTreeMap::new();
        for member in self.others() {
            let heard = running.waiting_heard.get(&member).copied().flatten();
            let lacks = self.lacks_shares(member).filter(|_| self.is_answerable(heard));
            let lacks = lacks.unwrap_or_default();
            let said = running.held(member, slot).is_some() && running.stage != Stage::Party;
            let is_excused = !lacks.is_empty() && running.stage > Stage::Shares;
            if running.needs(member) && !said && !is_excused && !running.failed {
                silent.entry(member).or_insert(awaited);
            }
            silent.extend(lacks.into_iter().map(|lacking| (lacking, Awaited::Share)));
        }
        let others = silent.into_iter().filter(|(position, _)| running.own != Some(*position));
        let key = |position: usize| running.members.get(position).copied();
        others.filter_map(|(position, awaited)| Some((key(position)?, awaited))).collect()
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.running.own;
        (0..self.running.members.len()).filter(move |member| own != Some(*member))
    }
}
