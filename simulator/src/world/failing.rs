//! What goes wrong: programs that end, sides that part, states that are lost, members that lie.

use std::collections::{BTreeMap, BTreeSet};

use serai_bus::Database;
use serai_coordinator::processes::signature::driven as coordinator;
use serai_messages::{Incarnation, ValidatorKey};

use super::{EPOCH_MS, Step, World};
use crate::adversary::Adversary;
use crate::draw::Draw;
use crate::link::Link;
use crate::node::{Broken, Node, fail_next_commit};
use crate::options::{Fault, Options};

impl World {
    pub(super) fn fail_at_random(&mut self, index: usize) -> Result<(), Broken> {
        if !self.may(Fault::Crash) {
            return Ok(());
        }
        for coordinators in [true, false] {
            if self.draw.chance(60) {
                if self.draw.chance(600) {
                    self.doomed.insert((index, coordinators));
                } else {
                    self.crash(index, coordinators)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn crash(&mut self, index: usize, coordinators: bool) -> Result<(), Broken> {
        self.outcome.crashes += 1;
        let what = if coordinators { "coordinator" } else { "processor" };
        self.note(format!("{what} of {} ends", self.name(index)));
        let pause = self.draw.within(200..=40_000);
        let node = self.node(index)?;
        if coordinators {
            node.coordinator = None;
            for (_, link) in self.links.iter_mut().filter(|((from, _), _)| *from == index) {
                link.flight = None;
            }
            self.at(pause, Step::Start(index));
        } else {
            node.processor = None;
            self.at(pause, Step::StartProcessor(index));
        }
        Ok(())
    }

    /// Runs a step of a program whose commit may fail; how it ended, if it did.
    pub(super) fn doom(&mut self, index: usize, coordinators: bool) -> Result<bool, Broken> {
        let doomed = self.doomed.remove(&(index, coordinators));
        if doomed {
            fail_next_commit(self.database(index, coordinators)?, true)?;
        }
        Ok(doomed)
    }

    pub(super) fn spare(&mut self, index: usize, coordinators: bool) -> Result<(), Broken> {
        Ok(fail_next_commit(self.database(index, coordinators)?, false)?)
    }

    pub(super) fn database(
        &mut self,
        index: usize,
        coordinators: bool,
    ) -> Result<&Database, Broken> {
        let node = self.node(index)?;
        Ok(if coordinators { &node.database } else { &node.processor_database })
    }

    /// A program has ended by itself: only a commit that failed explains it.
    pub(super) fn ended(
        &mut self,
        index: usize,
        coordinators: bool,
        doomed: bool,
        error: &str,
    ) -> Result<(), Broken> {
        if !doomed {
            let what = if coordinators { "coordinator" } else { "processor" };
            return Err(Broken::Violation(format!(
                "{what} of {} ended: {error}",
                self.name(index)
            )));
        }
        self.crash(index, coordinators)
    }

    pub(super) fn part_at_random(&mut self) {
        if self.parted.is_none() && self.may(Fault::Partition) && self.draw.chance(60) {
            let sides = self.nodes.iter().map(|_| self.draw.chance(500)).collect();
            self.note(format!("parted: {sides:?}"));
            self.parted = Some(sides);
            let pause = self.draw.within(5_000..=90_000);
            self.at(pause, Step::Heal);
        }
    }

    pub(super) fn plan_restore(&mut self) {
        if !self.options.faults.has(Fault::Restore) {
            return;
        }
        let honest: Vec<_> =
            (0..self.nodes.len()).filter(|index| !self.adversaries.contains_key(index)).collect();
        if let Some(index) = self.draw.one_of(&honest).copied() {
            let backup = self.draw.below(self.heal_at.max(1));
            let restore = self.draw.within(1..=120_000);
            self.restores = true;
            self.at(backup, Step::Backup(index));
            self.at(backup + restore, Step::Restore(index));
        }
    }

    pub(super) async fn restore(&mut self, index: usize) -> Result<(), Broken> {
        // A state that is lost while keys are made takes no part in that: one more that is absent.
        if self.outcome.keys_at == 0 {
            self.at(20_000, Step::Restore(index));
            return Ok(());
        }
        let Some(backup) = self.backups.remove(&index) else { return Ok(()) };
        self.restores = false;
        self.outcome.restores += 1;
        self.note(format!("{} is restored", self.name(index)));
        let (now, newest) = ((EPOCH_MS + self.now).cast_signed(), self.chain.newest());
        coordinator::restore(&backup, now, Incarnation(0), newest)?;
        self.node(index)?.replace(backup);
        for ((from, _), link) in &mut self.links {
            if *from == index {
                *link = Link::default();
            }
        }
        self.checks.forget(index);
        self.start(index).await
    }

    pub(super) async fn start(&mut self, index: usize) -> Result<(), Broken> {
        self.note(format!("coordinator of {} starts", self.name(index)));
        self.node(index)?.start_coordinator().await?;
        self.checks.holds(index, &self.nodes)?.map_err(Broken::Violation)?;
        self.rings.remove(&index);
        self.settle(index)
    }

    pub(super) fn start_processor(&mut self, index: usize) -> Result<(), Broken> {
        self.node(index)?.start_processor()?;
        self.settle(index)
    }
}

/// Who breaks the rules, and how: no more than a third.
pub(super) fn liars(
    options: &Options,
    draw: &mut Draw,
    nodes: &[Node],
    keys: &[ValidatorKey],
) -> BTreeMap<usize, Adversary> {
    let kinds = [Fault::Silence, Fault::Equivocation, Fault::Lies, Fault::Openers];
    let kinds: Vec<_> = kinds.into_iter().filter(|kind| options.faults.has(*kind)).collect();
    let mut adversaries = BTreeMap::new();
    if kinds.is_empty() {
        return adversaries;
    }
    let most = (nodes.len() as u64).saturating_sub(1) / 3;
    let count = draw.within(0..=most) as usize;
    while adversaries.len() < count {
        let index = draw.below(nodes.len() as u64) as usize;
        let mut roles = BTreeSet::new();
        for _ in 0..draw.within(1..=2) {
            roles.extend(draw.one_of(&kinds).copied());
        }
        let Some(node) = nodes.get(index) else { continue };
        let signer = node.signer.clone();
        let adversary = Adversary::new(signer, keys.to_vec(), roles, draw.below(u64::MAX));
        adversaries.insert(index, adversary);
    }
    adversaries
}
