//! The way from one validator to another: one parcel at a time, as the network process sends them.

use std::rc::Rc;

use serai_coordinator::processes::network::driven::Parcel;
use serai_messages::{Incarnation, Sequence};

/// A parcel that waits for its acknowledgement.
pub struct Flight {
    /// Of all parcels.
    pub id: u64,
    /// As it is sent, each time the same.
    pub parcel: Rc<Parcel>,
    /// The sender's start.
    life: u64,
    /// Its last sequence as the receiver knows it.
    sent_through: Sequence,
    /// The last of the outbox that it stands for.
    own_through: Sequence,
}

fn last(first: Sequence, count: usize) -> Sequence {
    Sequence((first.0 + count as u64).saturating_sub(1))
}

impl Flight {
    /// As its sender wrote it.
    pub fn new(id: u64, life: u64, parcel: Parcel) -> Self {
        let through = last(parcel.first, parcel.bodies.len());
        Self { id, parcel: Rc::new(parcel), life, sent_through: through, own_through: through }
    }
}

/// See the module.
#[derive(Default)]
pub struct Link {
    /// What is under way.
    pub flight: Option<Flight>,
    /// How many statements were sent beyond those of the outbox.
    added: u64,
}

impl Link {
    /// A parcel in which one statement may stand for another, or for several.
    pub fn expand(
        &mut self,
        id: u64,
        life: u64,
        parcel: Parcel,
        mut says: impl FnMut(Vec<u8>) -> Vec<Vec<u8>>,
    ) -> Flight {
        let Parcel { incarnation, first, bodies } = parcel;
        let own_through = last(first, bodies.len());
        let bodies: Vec<_> = bodies.into_iter().flat_map(&mut says).collect();
        let first = Sequence(first.0 + self.added);
        let sent_through = last(first, bodies.len());
        let parcel = Rc::new(Parcel { incarnation, first, bodies });
        Flight { id, parcel, life, sent_through, own_through }
    }

    /// The receiver holds all up to `through`. What the sender may forget, if that is the parcel under
    /// way.
    pub fn answered(
        &mut self,
        flight: u64,
        life: u64,
        (incarnation, through): (Incarnation, Sequence),
    ) -> Option<Sequence> {
        let flight = self.flight.take_if(|waits| {
            waits.id == flight
                && waits.life == life
                && waits.parcel.incarnation == incarnation
                && waits.sent_through <= through
        })?;
        self.added = flight.sent_through.0 - flight.own_through.0;
        Some(flight.own_through)
    }
}
