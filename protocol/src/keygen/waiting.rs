//! Who waits for whom. A member that cannot go on says what it misses, those who hold it show it, and
//! what is then still missing at the deadline is missing because its sender was silent.

use std::collections::BTreeSet;

use serai_messages::{
    BlockNumber, Enclosed, SignedStatement, ValidatorKey,
    keygen::{Awaited, PeerMessage},
};

use super::{
    Effect, Keygen, Stage,
    attempt::{Running, Slot},
};

/// How many members' waits are shown to all: all of a small set, and of a large one what its network carries.
const MAX_PASSED_ON: usize = 8;

/// Likewise, how many of the shares that each of these waits for.
const MAX_SHARES_PASSED_ON: usize = 32;

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
        if key == self.parameters.own {
            return;
        }
        let Some((slot, from)) = self.wants(waiter, awaited) else { return };
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
        for waiter in 0..self.running.members.len() {
            let Some(awaited) = self.latest_waiting(waiter) else { continue };
            let wanted = self
                .wants(waiter, awaited)
                .is_some_and(|(wanted, from)| wanted == slot && from.contains(&position));
            let key = self.running.members.get(waiter).copied();
            if let (true, Some(key)) = (wanted, key.filter(|key| *key != self.parameters.own)) {
                self.show(key, slot, statement, out);
            }
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

    /// The last stage at which a member said that it waits.
    fn latest_waiting(&self, waiter: usize) -> Option<Awaited> {
        self.waitings(waiter).next()
    }

    /// Where a member that is missed here says that it hangs, before this stage. All broadcasts of earlier stages
    /// are held here; only a share to that member may be missing. Who says that it has come further could have
    /// given what is missed, and others may wait for it themselves.
    fn hangs_at(&self, missing: usize) -> Option<Awaited> {
        let here = self.running.stage.awaited()?;
        self.waitings(missing).find(|awaited| *awaited < here)
    }

    /// The stages at which a member said that it waits, the last one first.
    fn waitings(&self, waiter: usize) -> impl Iterator<Item = Awaited> {
        let slots = self.running.held.get(waiter).into_iter().flat_map(|held| held.keys().rev());
        slots.filter_map(|slot| match slot {
            Slot::Waiting(awaited) => Some(*awaited),
            _ => None,
        })
    }

    /// Where a member says that it hangs, if that tells who is to blame here. Shares are for one member each: among
    /// them whoever waits for some tells what others cannot see.
    fn hangs(&self, member: usize) -> Option<Awaited> {
        let running = &self.running;
        let waits_for_shares = running.stage == Stage::Shares
            && running.held(member, Slot::ProofPreprocess).is_none()
            && self.waitings(member).next() == Some(Awaited::Share);
        let said = running.stage_slot().is_some_and(|slot| running.held(member, slot).is_some());
        let is_missed = running.needs(member) && (!said || running.stage == Stage::Party);
        waits_for_shares
            .then_some(Awaited::Share)
            .or_else(|| self.hangs_at(member).filter(|_| is_missed))
    }

    /// Shows those who are waited for, as somebody says, that they are, once: who is not told cannot answer,
    /// and would be blamed for it by whoever was told. The first few such waits are shown to all: who was not
    /// told would blame whoever waits.
    pub(super) fn tell_missed(&mut self, height: BlockNumber, out: &mut Vec<Effect>) {
        if !self.is_late(height) {
            return;
        }
        for member in self.others() {
            let Some(awaited) = self.hangs(member) else { continue };
            let Some((_, from)) = self.wants(member, awaited) else { continue };
            let held = self.running.held(member, Slot::Waiting(awaited));
            let Some(statement) = held.map(|held| held.statement.clone()) else { continue };
            // All know by the own wait that whoever is missed here as well is waited for.
            let is_known = |position: &usize| {
                self.running.stage == Stage::Shares && self.running.needs(*position)
                    || self.running.own == Some(*position)
            };
            if from.iter().all(is_known) {
                continue;
            }
            let passed_on = &mut self.running.waiting_passed_on;
            if passed_on.len() < MAX_PASSED_ON || passed_on.contains(&member) {
                passed_on.insert(member);
                self.disclose(&statement, out);
                self.disclose_wanted_shares(member, out);
                continue;
            }
            for blamed in self.unheard(member, awaited) {
                let key = self.running.members.get(blamed).copied();
                let Some(key) = key.filter(|key| *key != self.parameters.own) else { continue };
                if self.running.missed_told.insert((member, awaited, blamed)) {
                    let (id, statement) = (self.running.id, Enclosed::new(&statement));
                    out.push(Effect::Tell(key, PeerMessage::Disclosure { id, statement }));
                }
            }
        }
    }

    /// Shows all the shares of others that are held here and a member says that it waits for: whoever showed one to
    /// some alone would be blamed by the others, and the member by these.
    fn disclose_wanted_shares(&mut self, waiter: usize, out: &mut Vec<Effect>) {
        let Some((slot, from)) = self.wants(waiter, Awaited::Share) else { return };
        let held = from.into_iter().filter_map(|position| self.running.held(position, slot));
        let held: Vec<_> =
            held.take(MAX_SHARES_PASSED_ON).map(|held| held.statement.clone()).collect();
        for share in held {
            self.disclose(&share, out);
        }
    }

    /// Who is to blame that this attempt does not go on, if nobody is proven to be: members that were silent. A
    /// member that waits for somebody else's statement, which nobody showed, is not; that one is. Of an attempt
    /// that failed, whose members go no further, only those are who are waited for.
    pub(super) fn silent(&self) -> Vec<ValidatorKey> {
        let (Some(slot), running) = (self.running.stage_slot(), &self.running) else {
            return Vec::new();
        };
        let mut silent = BTreeSet::new();
        for member in self.others() {
            let heard = |awaited: &Awaited| {
                running.waiting_heard.get(&(member, *awaited)).copied().flatten()
            };
            let hangs = self.hangs(member).filter(|awaited| self.is_answerable(heard(awaited)));
            let unheard = hangs.map(|awaited| self.unheard(member, awaited)).unwrap_or_default();
            let said = running.held(member, slot).is_some() && running.stage != Stage::Party;
            let is_missed = running.needs(member) && !said;
            let is_excused = !unheard.is_empty() && hangs < running.stage.awaited();
            if is_missed && !is_excused && !running.failed {
                silent.insert(member);
            }
            silent.extend(unheard);
        }
        let members = running.members.iter().enumerate();
        let is_silent =
            |position: &usize| silent.contains(position) && running.own != Some(*position);
        members.filter(|(position, _)| is_silent(position)).map(|(_, key)| *key).collect()
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.running.own;
        (0..self.running.members.len()).filter(move |member| own != Some(*member))
    }

    /// Whose statements, of those that a member waits for, are not here.
    fn unheard(&self, waiter: usize, awaited: Awaited) -> Vec<usize> {
        let Some((slot, from)) = self.wants(waiter, awaited) else { return Vec::new() };
        from.into_iter().filter(|from| self.running.held(*from, slot).is_none()).collect()
    }
}
