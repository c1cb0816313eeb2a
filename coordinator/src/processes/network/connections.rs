//! Connections from establishment to end.

use std::sync::Arc;

use libp2p::PeerId;
use libp2p::swarm::{ConnectionId, DialError};
use serai_bus::wall_clock;
use serai_messages::ValidatorKey;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::{Duration, Instant};

use super::actor::Running;
use super::gate::{Denial, Opened};
use super::link::{self, Event, LinkEnd, Remote, evidence};
use super::peers::Link;
use super::proof::Proof;
use super::{Error, tables};

/// Frames that wait to be written on one connection. At most one batch and the acknowledgements of
/// two inbound ones are under way at a time; a link that has more to write is ended.
const FRAMES: usize = 8;

/// For an acknowledgement that is due on another connection than the newest.
const GRACE: Duration = Duration::from_millis(500);

impl Running {
    pub(super) fn handle_established(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        dialer: bool,
    ) {
        let Some(state) = self.peers.by_id(&peer) else {
            // Removed from the list while the upgrade was under way.
            self.swarm.close_connection(connection);
            return;
        };
        if dialer {
            state.dialing = false;
        }
        state.links.push(Link { connection, dialer, frames: None, proven: None });
    }

    pub(super) fn handle_dial_failed(&mut self, peer: PeerId, error: &DialError) {
        let Some(state) = self.peers.by_id(&peer) else { return };
        state.dialing = false;
        let reason = dial_failure(error);
        tracing::debug!(peer = %state.peer.validator, %reason, "dial failed");
        if state.active().is_none() {
            state.last_error = Some(reason);
        }
        state.schedule_redial(&self.own.timing, Instant::now());
    }

    pub(super) fn handle_opened(&mut self, opened: Opened) -> Result<(), Error> {
        let Opened { peer, connection, stream } = opened;
        let Some(state) = self.peers.by_id(&peer) else {
            self.swarm.close_connection(connection);
            return Ok(());
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(reason) => {
                state.last_error = Some(format!("no stream: {reason}"));
                self.close(connection);
                return Ok(());
            }
        };
        let validator = state.peer.validator;
        let Some(link) = state.link(connection) else { return Ok(()) };
        let cursor = self.database.read(|connection| tables::cursor(connection, validator))?;
        let (frames, receiver) = mpsc::channel(FRAMES);
        link.frames = Some(frames);
        let remote = Remote {
            validator,
            peer,
            newest: cursor.map(|cursor| (cursor.incarnation, cursor.proof)),
        };
        let (own, events) = (Arc::clone(&self.own), self.events_sender.clone());
        self.links.spawn(async move {
            let end = link::run(stream, own, remote, receiver, events, connection).await;
            Ended { validator, connection, end }
        });
        Ok(())
    }

    pub(super) fn handle_link_event(
        &mut self,
        connection: ConnectionId,
        event: Event,
    ) -> Result<(), Error> {
        let Some(state) = self.peers.by_connection(connection) else { return Ok(()) };
        if state.link(connection).is_none_or(|link| link.frames.is_none()) {
            // What a link said before it was ended by us.
            return Ok(());
        }
        match event {
            Event::Proven(proof) => return self.handle_proven(connection, &proof),
            Event::Alive => state.heard(&self.own.timing),
            Event::Batch(batch) => {
                state.heard(&self.own.timing);
                return self.handle_batch(connection, batch);
            }
            Event::Ack(ack) => {
                state.heard(&self.own.timing);
                return self.handle_ack(connection, ack);
            }
        }
        Ok(())
    }

    fn handle_proven(&mut self, connection: ConnectionId, proof: &Proof) -> Result<(), Error> {
        let Some(state) = self.peers.by_connection(connection) else { return Ok(()) };
        let validator = state.peer.validator;
        let incarnation = proof.claim.incarnation;
        let newest = self.database.transaction(|transaction| {
            tables::set_incarnation(transaction, validator, incarnation, &evidence(proof))
                .and_then(|()| tables::cursor(transaction, validator))
                .and_then(|newest| match &newest {
                    Some(cursor) if cursor.incarnation > incarnation => Ok(newest),
                    _ => tables::set_versions(transaction, validator, proof.claim.speaks)
                        .map(|()| newest),
                })
                .map_err(|source| self.database.error(source))
        })?;
        if newest.is_some_and(|cursor| cursor.incarnation > incarnation) {
            // A newer instance was proven on another connection meanwhile.
            state.counts.replaced += 1;
            self.close(connection);
            return Ok(());
        }
        state.last_error = None;
        state.speaks = Some(proof.claim.speaks);
        state.last_seen_ms = Some(wall_clock::now_ms());
        state.redial = None;
        let Some(link) = state.link(connection) else { return Ok(()) };
        link.proven = Some(incarnation);
        let dialer = link.dialer;
        let name = state.peer.name.as_deref();
        let speaks = proof.claim.speaks;
        tracing::info!(peer = %validator, name, %incarnation, %speaks, dialer, "peer proven");
        // One connection per direction: an older one is a remainder of the peer's former life, and
        // one of an older incarnation has been replaced.
        let stale: Vec<_> = state
            .links
            .iter()
            .filter(|other| other.connection != connection)
            .filter(|other| {
                other.proven.is_some_and(|proven| proven < incarnation || other.dialer == dialer)
            })
            .map(|other| other.connection)
            .collect();
        for connection in stale {
            self.close(connection);
        }
        // The peer may have started anew, and a connection with its former life may take long to be
        // noticed as dead: what waits there for an acknowledgement does not wait much longer.
        if let Some(batch) = self.peers.get_mut(&validator).and_then(|s| s.in_flight.as_mut())
            && batch.connection != connection
        {
            batch.deadline = batch.deadline.min(Instant::now() + GRACE);
        }
        self.pump(validator)
    }

    /// Not by the connection's entry: the swarm may have told of its end before.
    pub(super) fn handle_link_end(&mut self, ended: Result<Ended, JoinError>) -> Result<(), Error> {
        let Ended { validator, connection, end } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Its stream is gone, so the swarm closes the connection as idle.
                tracing::error!(%error, "a link's task has failed");
                return Ok(());
            }
        };
        if let LinkEnd::Replaced { newest } = end {
            return Err(Error::Replaced {
                own: self.own.incarnation,
                newest,
                by: validator,
                database: self.database.path().to_owned(),
            });
        }
        if let LinkEnd::Forgotten { former } = end {
            return Err(Error::Forgotten {
                own: self.own.incarnation,
                former,
                by: validator,
                database: self.database.path().to_owned(),
            });
        }
        self.close(connection);
        if let LinkEnd::Apart { theirs, .. } = end {
            self.database.transaction(|transaction| {
                tables::set_versions(transaction, validator, theirs)
                    .map_err(|source| self.database.error(source))
            })?;
        }
        let Some(state) = self.peers.get_mut(&validator) else { return Ok(()) };
        if let LinkEnd::Apart { theirs, .. } = end {
            state.speaks = Some(theirs);
        }
        let counts = &mut state.counts;
        let refusal = match &end {
            LinkEnd::BadProof => Some(&mut counts.refused_proofs),
            LinkEnd::ProofTimeout(_) => Some(&mut counts.unfinished_proofs),
            LinkEnd::RefusedByPeer => Some(&mut counts.refusals_of_us),
            LinkEnd::PeerReplaced { .. } => Some(&mut counts.replaced),
            LinkEnd::Apart { .. } => Some(&mut counts.apart),
            LinkEnd::Wire(_) => Some(&mut counts.violations),
            LinkEnd::Lost(_) | LinkEnd::Silent(_) | LinkEnd::Slow(_) => None,
            LinkEnd::Replaced { .. } | LinkEnd::Forgotten { .. } | LinkEnd::Closed => {
                return Ok(());
            }
        };
        match refusal {
            Some(count) => {
                *count += 1;
                // The peer can cause these at will: the log grows with the logarithm of their
                // number.
                if count.is_power_of_two() {
                    tracing::warn!(peer = %validator, count = *count, reason = %end, "refused");
                }
            }
            None => tracing::debug!(peer = %validator, reason = %end, "connection ended"),
        }
        // With another connection at work this is no trouble of the present, and that a connection
        // was lost says less than why.
        let known = state.last_error.is_some() && matches!(end, LinkEnd::Lost(_));
        if state.active().is_none() && !known {
            state.last_error = Some(end.to_string());
        }
        Ok(())
    }

    /// Ends a connection from our side.
    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.retire(connection);
        self.swarm.close_connection(connection);
    }

    /// Forgets a connection: ends its link, has what was under way on it taken up on another, and
    /// the peer dialed again where there is none. At once, not when the swarm has closed it: towards
    /// a remote that has vanished this can take many minutes.
    fn retire(&mut self, connection: ConnectionId) {
        let Some(state) = self.peers.by_connection(connection) else { return };
        state.links.retain(|link| link.connection != connection);
        state.in_flight.take_if(|batch| batch.connection == connection);
        state.waiting.take_if(|(waiting, _)| *waiting == connection);
        state.schedule_redial(&self.own.timing, Instant::now());
        let (peer, validator) = (state.id, state.peer.validator);
        self.swarm.behaviour_mut().release(&peer, connection);
        self.to_pump.push(validator);
    }

    pub(super) fn handle_closed(&mut self, connection: ConnectionId, cause: Option<String>) {
        if let Some(state) = self.peers.by_connection(connection)
            && state.last_error.is_none()
        {
            state.last_error = cause;
        }
        self.retire(connection);
    }
}

/// A link's end.
pub(super) struct Ended {
    validator: ValidatorKey,
    connection: ConnectionId,
    end: LinkEnd,
}

/// One sentence for a dial's failure.
fn dial_failure(error: &DialError) -> String {
    match error {
        DialError::Transport(attempts) => {
            let attempts: Vec<_> =
                attempts.iter().map(|(address, error)| format!("{address}: {error}")).collect();
            format!("not reached: {}", attempts.join("; "))
        }
        DialError::WrongPeerId { obtained, address } => {
            format!("{address} is peer {obtained}: correct its address in [network]")
        }
        DialError::Denied { cause } => match cause.downcast_ref::<Denial>() {
            Some(denial) => format!("not reached: {denial}"),
            None => format!("not reached: {cause}"),
        },
        other => format!("not reached: {other}"),
    }
}
