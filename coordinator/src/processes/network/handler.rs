//! The gate's part on each connection: opens or accepts the one stream and hands it over.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{ConnectionHandler, Stream, SubstreamProtocol};

use super::gate::PROTOCOL;

/// Time to negotiate the stream.
const NEGOTIATION: Duration = Duration::from_secs(5);

/// The connection's stream, or why there is none; said once.
#[derive(Debug)]
pub(super) struct Outcome(pub(super) Result<Stream, String>);

/// See the module.
pub(super) struct Handler {
    /// Whether the stream is still to be requested (the dialer's first poll).
    request: bool,
    /// Whether an inbound stream is accepted.
    accept: bool,
    outcomes: VecDeque<Outcome>,
}

impl Handler {
    /// Of the side that opens the stream.
    pub(super) fn dialer() -> Self {
        Self { request: true, accept: false, outcomes: VecDeque::new() }
    }

    /// Of the side that accepts it.
    pub(super) fn listener() -> Self {
        Self { request: false, accept: true, outcomes: VecDeque::new() }
    }
}

/// Offers the protocol, or none.
#[derive(Clone)]
pub(super) struct Offer(Option<StreamProtocol>);

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Outcome;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer(self.accept.then_some(PROTOCOL)), ()).with_timeout(NEGOTIATION)
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Offer, (), Outcome>> {
        if let Some(outcome) = self.outcomes.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        if std::mem::take(&mut self.request) {
            let protocol =
                SubstreamProtocol::new(Offer(Some(PROTOCOL)), ()).with_timeout(NEGOTIATION);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        // Whatever fills `outcomes` comes from the connection, which polls again after it.
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                // A second stream whose negotiation began before the first one's end is dropped.
                let first = std::mem::take(&mut self.accept);
                self.outcomes.extend(first.then_some(Outcome(Ok(protocol))));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol, ..
            }) => self.outcomes.push_back(Outcome(Ok(protocol))),
            ConnectionEvent::DialUpgradeError(error) => {
                self.outcomes.push_back(Outcome(Err(error.error.to_string())));
            }
            _ => {}
        }
    }
}
