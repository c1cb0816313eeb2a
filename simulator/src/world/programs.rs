//! What programs do next.

use serai_coordinator::processes::observation::driven as observation;
use serai_processor::keystore;

use super::{Once, SET, World};
use crate::node::{Broken, Publishing, Reading};
use crate::options::Fault;

impl World {
    pub(super) fn observe(&mut self, index: usize) -> Result<(), Broken> {
        let genesis = self.chain.genesis;
        let node = self.nodes.get(index).ok_or_else(|| Broken::System("node".to_owned()))?;
        let Some(coordinator) = &node.coordinator else { return Ok(()) };
        let cursor = observation::cursor(&node.database)?;
        let next = cursor.map_or(0, |cursor| cursor.number.0 as usize + 1);
        let Some(blocks) = self.chain.blocks.get(next..).filter(|blocks| !blocks.is_empty()) else {
            return Ok(());
        };
        let (topic, incarnation) = (node.serai_topic(), coordinator.incarnation());
        observation::observe(&node.database, &topic, incarnation, genesis, blocks)?;
        self.settle(index)
    }

    pub(super) fn publish(&mut self, index: usize, publishing: Publishing) -> Result<(), Broken> {
        let count = self.draw.within(1..=12) as u32;
        let confirmed = !(self.may(Fault::Duplication) && self.draw.chance(30));
        let node = self.node(index)?;
        if !node.has_outgoing(publishing)? {
            return Ok(());
        }
        let submitted = node.publish(publishing, count, confirmed)?;
        let liar = self.adversaries.contains_key(&index);
        for event in submitted {
            let accepted = self.chain.submit(&event);
            if let Err(what) = accepted
                && !liar
            {
                return Err(Broken::Violation(format!("{}: {what}", self.name(index))));
            }
        }
        self.settle(index)
    }

    pub(super) async fn read(&mut self, index: usize, reading: Reading) -> Result<(), Broken> {
        if !self.node(index)?.is_behind(reading) {
            return Ok(());
        }
        let coordinators = reading.is_coordinators();
        let doomed = self.doom(index, coordinators)?;
        let read = self.node(index)?.read(reading).await?;
        self.spare(index, coordinators)?;
        self.note(format!("{} reads {reading:?}", self.name(index)));
        if let Err(error) = read {
            return self.ended(index, coordinators, doomed, &error);
        }
        self.settle(index)
    }

    pub(super) async fn ring(&mut self, index: usize) -> Result<(), Broken> {
        if self.rings.get(&index) != Some(&self.now) {
            return Ok(());
        }
        self.rings.remove(&index);
        if self.node(index)?.coordinator.is_none() {
            return Ok(());
        }
        let doomed = self.doom(index, true)?;
        let node = self.node(index)?;
        let Some(coordinator) = &mut node.coordinator else { return Ok(()) };
        let rung = coordinator.ring().await;
        self.spare(index, true)?;
        if let Err(error) = rung {
            return self.ended(index, true, doomed, &error.to_string());
        }
        self.settle(index)
    }

    pub(super) fn tell_what_is_due(&mut self, index: usize) -> Result<(), Broken> {
        if self.things.is_empty() {
            return Ok(());
        }
        let held = self.node(index)?.processor_database.read(|c| keystore::confirmed(c, SET))?;
        if held.is_none() {
            return Ok(());
        }
        for thing in 0..self.things.len() {
            if !self.told.contains(&(index, thing)) {
                let delay = self.draw.below(20_000);
                self.once(delay, Once::Due(index, thing));
            }
        }
        Ok(())
    }

    pub(super) fn due(&mut self, index: usize, thing: usize) -> Result<(), Broken> {
        let Some(item) = self.things.get(thing).cloned() else { return Ok(()) };
        if self.node(index)?.processor.is_none() {
            return Ok(());
        }
        let doomed = self.doom(index, false)?;
        let node = self.node(index)?;
        let Some(processor) = &mut node.processor else { return Ok(()) };
        let told = processor.due(item.due);
        self.spare(index, false)?;
        if let Err(error) = told {
            return self.ended(index, false, doomed, &error.to_string());
        }
        self.told.insert((index, thing));
        self.settle(index)
    }
}
