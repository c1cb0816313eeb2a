//! Statements under way: ours to the peers, and theirs to the signature process.

use futures::future::BoxFuture;
use libp2p::swarm::ConnectionId;
use serai_messages::{Incarnation, Sequence, ValidatorKey};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Error;
use super::actor::Running;
use super::inbound::{Inbound, Rule, judge};
use super::peers::InFlight;
use super::tables::{self, RefusedStatement};
use super::wire::{Ack, Batch, Frame, MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS};

/// One peer's statements with the signature process.
pub(super) type Delivering = BoxFuture<'static, Delivered>;

/// What became of them.
pub(super) struct Delivered {
    from: ValidatorKey,
    connection: ConnectionId,
    incarnation: Incarnation,
    /// Statements that were passed on.
    count: u64,
    /// Sequence of the last of them.
    last: Sequence,
    /// Sequence of the last of the batch, put aside or not.
    through: Sequence,
    refused: Vec<RefusedStatement>,
    answer: Answer,
}

enum Answer {
    Committed(Sequence),
    Dropped,
    NoConsumer,
}

impl Running {
    pub(super) fn handle_wake(&mut self) -> Result<(), Error> {
        for validator in self.database.read(tables::waiting)? {
            self.pump(validator)?;
        }
        Ok(())
    }

    /// Sends the peer's oldest statements, unless a batch is in flight already.
    pub(super) fn pump(&mut self, validator: ValidatorKey) -> Result<(), Error> {
        let Some(state) = self.peers.get_mut(&validator) else { return Ok(()) };
        let (None, Some(link)) = (&state.in_flight, state.active()) else { return Ok(()) };
        let pending = self.database.read(|connection| {
            tables::pending(connection, validator, MAX_BATCH_STATEMENTS, MAX_BATCH_BYTES)
        })?;
        let Some(pending) = pending else { return Ok(()) };
        let batch = Batch {
            incarnation: self.own.incarnation,
            first: pending.first,
            bodies: pending.bodies,
        };
        let connection = link.connection;
        let in_flight = InFlight {
            connection,
            first: batch.first,
            last: batch.last(),
            deadline: Instant::now() + self.own.timing.acknowledgement,
        };
        let sent =
            link.frames.as_ref().is_some_and(|frames| frames.try_send(Frame::Batch(batch)).is_ok());
        if sent {
            state.in_flight = Some(in_flight);
        } else {
            self.close(connection);
        }
        Ok(())
    }

    pub(super) fn handle_ack(&mut self, connection: ConnectionId, ack: Ack) -> Result<(), Error> {
        let Some(state) = self.peers.by_connection(connection) else { return Ok(()) };
        let validator = state.peer.validator;
        let Some(batch) = state.in_flight.take_if(|batch| batch.connection == connection) else {
            return self.violation(connection, "an acknowledgement of nothing");
        };
        if ack.incarnation != self.own.incarnation
            || ack.sequence < batch.first
            || ack.sequence > batch.last
        {
            return self.violation(connection, "an acknowledgement of what was not sent");
        }
        // What is forgotten too late is sent again, and dropped by the peer.
        self.database.lazy_transaction(|transaction| {
            tables::confirm(transaction, validator, ack.sequence)
                .map_err(|source| self.database.error(source))
        })?;
        if let Some(state) = self.peers.get_mut(&validator) {
            state.counts.sent += ack.sequence.0 - batch.first.0 + 1;
        }
        self.pump(validator)
    }

    pub(super) fn handle_batch(
        &mut self,
        connection: ConnectionId,
        batch: Batch,
    ) -> Result<(), Error> {
        let Some(state) = self.peers.by_connection(connection) else { return Ok(()) };
        let incarnation = state.link(connection).and_then(|link| link.proven);
        if incarnation != Some(batch.incarnation) {
            return self.violation(connection, "a batch of an incarnation that was not proven");
        }
        let waits = |other: ConnectionId| other == connection;
        if state.delivering.is_some_and(waits)
            || state.waiting.as_ref().is_some_and(|(other, _)| waits(*other))
        {
            return self.violation(connection, "a batch before the last one was acknowledged");
        }
        if state.delivering.is_some() {
            state.waiting = Some((connection, batch));
            return Ok(());
        }
        self.deliver(connection, batch)
    }

    fn deliver(&mut self, connection: ConnectionId, batch: Batch) -> Result<(), Error> {
        let Some(state) = self.peers.by_connection(connection) else { return Ok(()) };
        let (from, incarnation) = (state.peer.validator, batch.incarnation);
        let through = batch.last();
        let rule = Rule { genesis: self.own.genesis, reads: self.reads };
        let cursor = self.database.read(|database| tables::cursor(database, from))?;
        let judged = judge(batch, from, cursor.as_ref(), rule);
        state.counts.repeats += judged.repeats;
        state.counts.missing += judged.missing;
        if judged.missing > 0 {
            tracing::debug!(peer = %from, missing = judged.missing, "statements skipped by their sender");
        }
        let Some(last) = judged.fresh.last().map(|(sequence, _)| *sequence) else {
            self.put_aside(from, incarnation, judged.refused, through)?;
            self.acknowledge(connection, Ack { incarnation, sequence: through });
            return Ok(());
        };
        state.delivering = Some(connection);
        let mut delivered = Delivered {
            from,
            connection,
            incarnation,
            count: judged.fresh.len() as u64,
            last,
            through,
            refused: judged.refused,
            answer: Answer::NoConsumer,
        };
        let (accepted, committed) = oneshot::channel();
        let inbound = Inbound { from, incarnation, statements: judged.fresh, accepted };
        let sender = self.inbound.clone();
        self.deliveries.push(Box::pin(async move {
            if sender.send(inbound).await.is_ok() {
                delivered.answer = match committed.await {
                    Ok(sequence) => Answer::Committed(sequence),
                    Err(_) if sender.is_closed() => Answer::NoConsumer,
                    Err(_) => Answer::Dropped,
                };
            }
            delivered
        }));
        Ok(())
    }

    pub(super) fn handle_delivered(&mut self, delivered: Delivered) -> Result<(), Error> {
        let Delivered { from, connection, incarnation, .. } = delivered;
        if let Some(state) = self.peers.get_mut(&from) {
            state.delivering = None;
        }
        match delivered.answer {
            Answer::NoConsumer => return Err(Error::NoConsumer),
            Answer::Committed(sequence) if sequence >= delivered.last => {
                self.put_aside(from, incarnation, delivered.refused, delivered.through)?;
                if let Some(state) = self.peers.get_mut(&from) {
                    state.counts.received += delivered.count;
                }
                self.acknowledge(connection, Ack { incarnation, sequence: delivered.through });
            }
            Answer::Committed(_) | Answer::Dropped => {
                // The peer connects again after a pause, and sends again what is not committed.
                if let Some(state) = self.peers.get_mut(&from) {
                    state.last_error = Some("its statements could not be committed here".into());
                }
                self.close(connection);
            }
        }
        let waiting = self.peers.get_mut(&from).and_then(|state| state.waiting.take());
        match waiting {
            Some((connection, batch)) => self.deliver(connection, batch),
            None => Ok(()),
        }
    }

    fn put_aside(
        &mut self,
        from: ValidatorKey,
        incarnation: Incarnation,
        refused: Vec<RefusedStatement>,
        through: Sequence,
    ) -> Result<(), Error> {
        if refused.is_empty() {
            return Ok(());
        }
        self.database.transaction(|transaction| {
            tables::put_aside(transaction, &refused, from, incarnation, through)
                .map_err(|source| self.database.error(source))
        })?;
        let Some(state) = self.peers.get_mut(&from) else { return Ok(()) };
        for statement in refused {
            let count = &mut state.counts.refused_statements;
            *count += 1;
            if count.is_power_of_two() {
                let RefusedStatement { sequence, reason, .. } = statement;
                tracing::warn!(peer = %from, count = *count, %sequence, reason, "statement put aside");
            }
        }
        Ok(())
    }

    /// On a connection that has ended meanwhile nothing is said: the peer sends again on another,
    /// and is told then.
    fn acknowledge(&mut self, connection: ConnectionId, ack: Ack) {
        let Some(state) = self.peers.by_connection(connection) else { return };
        let Some(frames) = state.link(connection).and_then(|link| link.frames.as_ref()) else {
            return;
        };
        if frames.try_send(Frame::Ack(ack)).is_err() {
            self.close(connection);
        }
    }

    fn violation(&mut self, connection: ConnectionId, what: &str) -> Result<(), Error> {
        if let Some(state) = self.peers.by_connection(connection) {
            let count = &mut state.counts.violations;
            *count += 1;
            if count.is_power_of_two() {
                let peer = state.peer.validator;
                tracing::warn!(%peer, count = *count, what, "peer broke the protocol");
            }
            state.last_error = Some(format!("the peer sent {what}"));
        }
        self.close(connection);
        Ok(())
    }
}
