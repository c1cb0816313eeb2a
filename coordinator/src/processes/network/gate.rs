//! The gate: who may be connected at all, and the one stream that a connection carries.
//!
//! # Promises
//! The transport (Noise or QUIC's TLS) proves the remote's peer id. A peer id that is not on the
//! list is denied at that upgrade, in both directions: no stream is negotiated with it, and no byte
//! that it sends above the transport is read.
//!
//! A connection carries one stream of one protocol, [`PROTOCOL`], opened by the dialer. The listener
//! accepts the first and denies any further one; the dialer accepts none. Before the proof there is
//! nothing else to speak to: no identify, no ping, no second protocol.
//!
//! # Limits
//! [`MAX_CONNECTIONS_PER_PEER`] established connections per peer, [`MAX_PENDING`] inbound upgrades
//! at a time, [`MAX_PENDING_PER_ADDRESS`] of them from one IP address (IPv6: one /64). What is over
//! a limit is denied and counted; both sides dial, so a flood of strangers delays but does not
//! separate validators.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll, Waker};

use libp2p::core::{Endpoint, Multiaddr, transport::PortUse};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, Stream, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, StreamProtocol};

use super::handler::{Handler, Outcome};

/// The one protocol that is spoken.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/serai-coordinator/peer/2");

/// Most established connections with one peer: one in each direction, and as many stale ones of a
/// peer that has just restarted.
pub const MAX_CONNECTIONS_PER_PEER: usize = 6;

/// Most inbound connections whose upgrade is under way.
pub const MAX_PENDING: usize = 256;

/// Most of them from one IP address.
pub const MAX_PENDING_PER_ADDRESS: usize = 64;

/// Why a connection was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denial {
    /// The peer id belongs to no validator that was named to the network process.
    #[error("peer {0} is no known validator")]
    Stranger(PeerId),
    /// Over [`MAX_CONNECTIONS_PER_PEER`].
    #[error("peer {0} has {MAX_CONNECTIONS_PER_PEER} connections already")]
    TooManyConnections(PeerId),
    /// Over [`MAX_PENDING`] or [`MAX_PENDING_PER_ADDRESS`].
    #[error("too many connections are being set up")]
    TooManyPending,
}

/// Denied connections since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Denials {
    /// Of peer ids that are no known validator's.
    pub strangers: u64,
    /// Over the limit per peer.
    pub too_many_connections: u64,
    /// Over the limit of connections being set up.
    pub too_many_pending: u64,
}

/// A connection's stream, or why there is none.
pub(super) struct Opened {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) stream: Result<Stream, String>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Gate {
    allowed: HashSet<PeerId>,
    established: HashMap<PeerId, HashSet<ConnectionId>>,
    pending: HashMap<ConnectionId, Option<IpAddr>>,
    denials: Denials,
    opened: VecDeque<Opened>,
    waker: Option<Waker>,
}

impl Gate {
    /// Lets a peer in.
    pub(super) fn allow(&mut self, peer: PeerId) {
        self.allowed.insert(peer);
    }

    /// Lets a peer in no more. Its connections are for the caller to close.
    pub(super) fn disallow(&mut self, peer: &PeerId) {
        self.allowed.remove(peer);
    }

    /// Counts a connection no longer that is being closed.
    pub(super) fn release(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(connections) = self.established.get_mut(peer) {
            connections.remove(&connection);
            if connections.is_empty() {
                self.established.remove(peer);
            }
        }
    }

    /// What was denied so far.
    pub(super) fn denials(&self) -> Denials {
        self.denials
    }

    fn admit(&mut self, connection: ConnectionId, peer: PeerId) -> Result<(), ConnectionDenied> {
        self.pending.remove(&connection);
        if !self.allowed.contains(&peer) {
            return Err(self.deny(Denial::Stranger(peer)));
        }
        if self.established.get(&peer).map_or(0, HashSet::len) >= MAX_CONNECTIONS_PER_PEER {
            return Err(self.deny(Denial::TooManyConnections(peer)));
        }
        Ok(())
    }

    fn deny(&mut self, denial: Denial) -> ConnectionDenied {
        let count = match denial {
            Denial::Stranger(_) => &mut self.denials.strangers,
            Denial::TooManyConnections(_) => &mut self.denials.too_many_connections,
            Denial::TooManyPending => &mut self.denials.too_many_pending,
        };
        *count += 1;
        // Anyone can cause these: the log grows with the logarithm of their number.
        if count.is_power_of_two() {
            tracing::warn!(count = *count, reason = %denial, "connection denied");
        }
        ConnectionDenied::new(denial)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = Handler;
    type ToSwarm = Opened;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let source = source(remote);
        let from_source = self.pending.values().filter(|other| **other == source).count();
        if self.pending.len() >= MAX_PENDING || from_source >= MAX_PENDING_PER_ADDRESS {
            return Err(self.deny(Denial::TooManyPending));
        }
        self.pending.insert(connection, source);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(connection, peer)?;
        Ok(Handler::listener())
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        match peer {
            Some(peer) if !self.allowed.contains(&peer) => Err(self.deny(Denial::Stranger(peer))),
            _ => Ok(Vec::new()),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(connection, peer)?;
        Ok(Handler::dialer())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                self.established.entry(event.peer_id).or_default().insert(event.connection_id);
            }
            FromSwarm::ConnectionClosed(event) => {
                self.release(&event.peer_id, event.connection_id);
            }
            FromSwarm::ListenFailure(event) => {
                self.pending.remove(&event.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let Outcome(stream) = event;
        self.opened.push_back(Opened { peer, connection, stream });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ToSwarm::<Opened, Infallible>::GenerateEvent(opened));
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The network that a pending connection is counted for.
fn source(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Some(IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
        _ => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_all_slots() {
        let mut gate = Gate::default();
        let local = address("/ip4/127.0.0.1/tcp/1");
        let mut pend = |id: usize, from: &str| {
            gate.handle_pending_inbound_connection(
                ConnectionId::new_unchecked(id),
                &local,
                &address(from),
            )
            .is_ok()
        };
        for id in 0..MAX_PENDING_PER_ADDRESS {
            assert!(pend(id, "/ip6/2001:db8::1/tcp/5"), "{id}");
        }
        assert!(!pend(1000, "/ip6/2001:db8::2/tcp/6"), "the same /64");
        assert!(pend(1001, "/ip6/2001:db8:0:1::1/tcp/6"), "another network");
        assert_eq!(gate.denials().too_many_pending, 1);
    }
}
