//! What is known of each peer: its connections, when to dial it again, and what is under way in each
//! direction.

use std::collections::{BTreeMap, HashMap};

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use rand_core::RngCore;
use serai_bus::wall_clock;
use serai_messages::{Incarnation, Sequence, ValidatorKey, Versions};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::link::Timing;
use super::wire::{Batch, Frame};
use super::{ConnectError, Counts, Peer};

/// Most peers: the largest validator set, three times over (one set per coin), with room for a set
/// that follows.
pub const MAX_PEERS: usize = 1000;

/// A connection with a peer.
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    /// Whether we dialed.
    pub(super) dialer: bool,
    /// To the link's task; `None` while its stream is not open.
    pub(super) frames: Option<mpsc::Sender<Frame>>,
    /// The incarnation that the peer has proven on it.
    pub(super) proven: Option<Incarnation>,
}

/// A batch that waits for its acknowledgement.
pub(super) struct InFlight {
    pub(super) connection: ConnectionId,
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) deadline: Instant,
}

/// One peer.
pub(super) struct State {
    pub(super) peer: Peer,
    pub(super) id: PeerId,
    /// In the order in which they were established.
    pub(super) links: Vec<Link>,
    pub(super) dialing: bool,
    /// When to dial next, unless it is being dialed or proven.
    pub(super) redial: Option<Instant>,
    pause: Duration,
    pub(super) in_flight: Option<InFlight>,
    /// Connection whose batch is with the signature process.
    pub(super) delivering: Option<ConnectionId>,
    /// A batch that came on another connection meanwhile; the newest replaces one that waits.
    pub(super) waiting: Option<(ConnectionId, Batch)>,
    /// In milliseconds since the Unix epoch.
    pub(super) last_seen_ms: Option<u64>,
    pub(super) last_error: Option<String>,
    /// Message versions that it has proven since the start.
    pub(super) speaks: Option<Versions>,
    pub(super) counts: Counts,
}

impl State {
    fn new(peer: Peer, id: PeerId, timing: &Timing, now: Instant) -> Self {
        let mut state = Self {
            peer,
            id,
            links: Vec::new(),
            dialing: false,
            redial: None,
            pause: timing.redial_min,
            in_flight: None,
            delivering: None,
            waiting: None,
            last_seen_ms: None,
            last_error: None,
            speaks: None,
            counts: Counts::default(),
        };
        state.dial_at(now);
        state
    }

    /// Whether the peer can be dialed at all.
    fn has_address(&self) -> bool {
        self.peer.addresses.iter().any(|address| address.iter().count() > 1)
    }

    /// Where to dial.
    pub(super) fn dialable(&self) -> Vec<Multiaddr> {
        self.peer.addresses.iter().filter(|address| address.iter().count() > 1).cloned().collect()
    }

    pub(super) fn dial_at(&mut self, at: Instant) {
        self.redial = self.has_address().then_some(at);
    }

    /// The proven connection that statements go out on: the newest, for an older one may be the
    /// remains of a former life of the peer.
    pub(super) fn active(&self) -> Option<&Link> {
        self.links.iter().rev().find(|link| link.proven.is_some() && link.frames.is_some())
    }

    pub(super) fn link(&mut self, connection: ConnectionId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.connection == connection)
    }

    /// Notes that a dial or connection has ended; dials again after a pause where nothing else is
    /// up.
    pub(super) fn schedule_redial(&mut self, timing: &Timing, now: Instant) {
        if self.dialing || self.active().is_some() || self.redial.is_some_and(|at| at > now) {
            return;
        }
        // Spread by half, so that two validators, or all after a common outage, do not stay in step.
        let spread = f64::from(rand_core::OsRng.next_u32()) / f64::from(u32::MAX);
        let pause = self.pause.mul_f64(0.75 + spread / 2.0);
        self.pause = (self.pause * 2).min(timing.redial_max);
        self.dial_at(now + pause);
    }

    /// Notes that a frame has arrived: the peer is there and speaks with us.
    pub(super) fn heard(&mut self, timing: &Timing) {
        self.last_seen_ms = Some(wall_clock::now_ms());
        self.pause = timing.redial_min;
    }
}

/// All peers.
#[derive(Default)]
pub(super) struct Peers {
    by_key: BTreeMap<ValidatorKey, State>,
    by_id: HashMap<PeerId, ValidatorKey>,
}

impl Peers {
    pub(super) fn get_mut(&mut self, validator: &ValidatorKey) -> Option<&mut State> {
        self.by_key.get_mut(validator)
    }

    pub(super) fn by_id(&mut self, id: &PeerId) -> Option<&mut State> {
        self.by_key.get_mut(self.by_id.get(id)?)
    }

    /// The peer of a connection.
    pub(super) fn by_connection(&mut self, connection: ConnectionId) -> Option<&mut State> {
        self.by_key
            .values_mut()
            .find(|state| state.links.iter().any(|link| link.connection == connection))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &State> {
        self.by_key.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut State> {
        self.by_key.values_mut()
    }

    /// Adds and updates peers. Returns the former peer ids of validators that have another one now,
    /// with their states.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing is changed then.
    pub(super) fn update(
        &mut self,
        peers: Vec<Peer>,
        timing: &Timing,
        now: Instant,
    ) -> Result<Vec<State>, ConnectError> {
        let mut ids: HashMap<PeerId, ValidatorKey> = self.by_id.clone();
        let mut checked = Vec::new();
        for peer in peers {
            let id = peer_id(&peer)?;
            ids.retain(|_, validator| *validator != peer.validator);
            if let Some(other) = ids.insert(id, peer.validator) {
                return Err(ConnectError::SharedPeerId {
                    one: other,
                    other: peer.validator,
                    peer: id.to_string(),
                });
            }
            checked.push((id, peer));
        }
        if ids.len() > MAX_PEERS {
            return Err(ConnectError::TooMany(ids.len()));
        }
        self.by_id = ids;
        let mut former = Vec::new();
        for (id, peer) in checked {
            match self.by_key.get_mut(&peer.validator) {
                Some(state) if state.id == id => {
                    if state.peer.addresses != peer.addresses {
                        state.peer = peer;
                        state.pause = timing.redial_min;
                        if !state.dialing && state.active().is_none() {
                            state.dial_at(now);
                        }
                    } else {
                        state.peer = peer;
                    }
                }
                _ => {
                    let validator = peer.validator;
                    let state = State::new(peer, id, timing, now);
                    former.extend(self.by_key.insert(validator, state));
                }
            }
        }
        Ok(former)
    }

    pub(super) fn remove(&mut self, validator: &ValidatorKey) -> Option<State> {
        let state = self.by_key.remove(validator)?;
        self.by_id.remove(&state.id);
        Some(state)
    }

    /// When something is next due: a dial, or an acknowledgement that did not come.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.by_key
            .values()
            .flat_map(|state| {
                let acknowledgement = state.in_flight.as_ref().map(|batch| batch.deadline);
                [state.redial, acknowledgement]
            })
            .flatten()
            .min()
    }
}

/// The one peer id that a validator's addresses end in.
fn peer_id(peer: &Peer) -> Result<PeerId, ConnectError> {
    let mut found: Option<PeerId> = None;
    for address in &peer.addresses {
        let Some(Protocol::P2p(id)) = address.iter().last() else {
            return Err(ConnectError::NoPeerId {
                validator: peer.validator,
                address: address.clone(),
            });
        };
        match found {
            Some(one) if one != id => {
                let (one, other) = (one.to_string(), id.to_string());
                return Err(ConnectError::TwoPeerIds { validator: peer.validator, one, other });
            }
            _ => found = Some(id),
        }
    }
    found.ok_or(ConnectError::NoAddress(peer.validator))
}
