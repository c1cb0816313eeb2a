//! Statements on their way.

use std::rc::Rc;

use serai_coordinator::processes::network::driven::{self as network, Parcel};
use serai_coordinator::processes::signature::driven::Heard;
use serai_messages::{Incarnation, Sequence};

use super::{RESEND_MS, Step, World};
use crate::link::Flight;
use crate::node::Broken;
use crate::options::Fault;

impl World {
    /// The oldest that waits for a peer goes out, as its sender says it.
    pub(super) fn pump(&mut self, from: usize, to: usize) -> Result<(), Broken> {
        let receiver = self.node(to)?.key;
        let node = self.node(from)?;
        let Some(coordinator) = &node.coordinator else { return Ok(()) };
        let incarnation = coordinator.incarnation();
        let outgoing = network::outgoing(&node.database, incarnation, receiver)?;
        let (Some(parcel), life) = (outgoing, node.life) else { return Ok(()) };
        let now = self.now;
        let link = self.links.entry((from, to)).or_default();
        if link.flight.is_some() {
            return Ok(());
        }
        self.counter += 1;
        let flight = match self.adversaries.get_mut(&from) {
            Some(adversary) if adversary.is_silent(to, now) => return Ok(()),
            Some(adversary) => {
                link.expand(self.counter, life, parcel, |body| adversary.says(body, to))
            }
            None => Flight::new(self.counter, life, parcel),
        };
        let (id, parcel) = (flight.id, Rc::clone(&flight.parcel));
        link.flight = Some(flight);
        self.send((from, to), id, &parcel);
        Ok(())
    }

    pub(super) fn send(&mut self, way: (usize, usize), flight: u64, parcel: &Rc<Parcel>) {
        let (from, to) = way;
        self.at(RESEND_MS, Step::Timeout { from, to, flight });
        if self.is_lost(way) {
            return;
        }
        let life = self.nodes.get(to).map(|node| node.life);
        let arrive = |life| Step::Arrive { from, to, flight, life, parcel: Rc::clone(parcel) };
        let delay = self.latency();
        self.at(delay, arrive(life));
        if self.may(Fault::Duplication) && self.draw.chance(40) {
            let delay = self.latency();
            self.at(delay, arrive(life));
        }
        if self.may(Fault::Reordering) && self.draw.chance(40) {
            let delay = self.draw.within(2_000..=60_000);
            self.at(delay, arrive(None));
        }
    }

    pub(super) fn is_lost(&mut self, (from, to): (usize, usize)) -> bool {
        let side = |sides: &Vec<bool>, index: usize| sides.get(index).copied();
        let parted = self.parted.as_ref().is_some_and(|sides| side(sides, from) != side(sides, to));
        parted || (self.may(Fault::Loss) && self.draw.chance(50))
    }

    pub(super) async fn arrive(
        &mut self,
        way: (usize, usize),
        flight: u64,
        life: Option<u64>,
        parcel: &Parcel,
    ) -> Result<(), Broken> {
        let (from, to) = way;
        let sender = self.node(from)?.key;
        let node = self.node(to)?;
        if node.coordinator.is_none() || life.is_some_and(|life| life != node.life) {
            return Ok(());
        }
        self.outcome.statements += parcel.bodies.len() as u64;
        self.note(format!(
            "{} hears {} of {}",
            self.name(to),
            parcel.bodies.len(),
            self.name(from)
        ));
        for body in &parcel.bodies {
            self.checks.hear(body).map_err(Broken::Violation)?;
            if let Some(adversary) = self.adversaries.get_mut(&to) {
                adversary.hears(body);
            }
        }
        let doomed = self.doom(to, true)?;
        let node = self.node(to)?;
        let Some(coordinator) = &mut node.coordinator else { return Ok(()) };
        let heard = coordinator.hear(sender, parcel.clone()).await;
        self.spare(to, true)?;
        let acknowledged = match &heard {
            Ok(Heard::Acknowledged(through)) | Err((_, Some(through))) => Some(*through),
            Ok(Heard::Waits | Heard::Replaced) | Err((_, None)) => None,
        };
        if let Some(sequence) = acknowledged {
            let through = (parcel.incarnation, sequence);
            self.checks.acknowledge(to, from, through);
            if !self.is_lost(way) {
                let delay = self.latency();
                self.at(delay, Step::Answer { from, to, flight, through });
            }
        }
        if let Err((error, _)) = heard {
            return self.ended(to, true, doomed, &error.to_string());
        }
        self.settle(to)
    }

    pub(super) fn answer(
        &mut self,
        (from, to): (usize, usize),
        flight: u64,
        through: (Incarnation, Sequence),
    ) -> Result<(), Broken> {
        let receiver = self.node(to)?.key;
        let node = self.node(from)?;
        let (running, life) = (node.coordinator.is_some(), node.life);
        let Some(link) = self.links.get_mut(&(from, to)).filter(|_| running) else { return Ok(()) };
        let Some(confirmed) = link.answered(flight, life, through) else { return Ok(()) };
        network::acknowledged(&self.node(from)?.database, receiver, confirmed)?;
        self.settle(from)
    }

    pub(super) fn time_out(&mut self, way: (usize, usize), flight: u64) {
        let waits = self.links.get(&way).and_then(|link| link.flight.as_ref());
        let Some(parcel) =
            waits.filter(|waits| waits.id == flight).map(|waits| Rc::clone(&waits.parcel))
        else {
            return;
        };
        self.send(way, flight, &parcel);
    }
}
