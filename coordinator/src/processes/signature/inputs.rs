//! Inputs of all kinds: those that are at hand, in one transaction.

use std::time::Duration;

use rusqlite::Transaction;
use serai_bus::{DeadLetter, Delivered, Waker, exchange};
use serai_messages::signing::SigningId;
use serai_messages::{Endpoint, ValidatorSet, planted};
use serai_protocol::{keygen, signing};

use super::actor::{Error, READER};
use super::intake::{Intake, Read};
use super::outlet::{Outlet, Wake};
use super::running::Running;
use crate::processes::core::status::State;
use crate::processes::network;

/// Inputs that are handled in one transaction.
pub(super) const AT_ONCE: usize = 16;

/// Longest wait for the bus to say what a topic holds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// One input.
#[derive(Debug)]
pub(super) enum Item {
    /// A record of any topic.
    Read(Read),
    /// Statements of a peer.
    Inbound(network::Inbound),
}

impl Running {
    /// Handles inputs in order, and then what waited for one of them.
    pub(super) async fn handle(&mut self, items: Vec<Item>) -> Result<(), Error> {
        let accepted = self
            .commit(|this, transaction, wake| {
                let mut accepted = Vec::new();
                for item in items {
                    match item {
                        Item::Read(read) => this.handle_read(transaction, &read, wake)?,
                        Item::Inbound(inbound) => {
                            accepted.extend(this.handle_inbound(transaction, inbound, wake)?);
                        }
                    }
                }
                for (_, inbound) in std::mem::take(&mut this.parked) {
                    accepted.extend(this.handle_inbound(transaction, inbound, wake)?);
                }
                if planted::is_planted(planted::Bug::AcknowledgedBeforeStored) {
                    for (peer, last) in std::mem::take(&mut accepted) {
                        let _ = peer.send(last);
                    }
                }
                Ok(accepted)
            })
            .await?;
        for (peer, last) in accepted {
            // The network process tells the peer; when it has ended there is nobody to tell.
            let _ = peer.send(last);
        }
        Ok(())
    }

    fn handle_read(
        &mut self,
        transaction: &Transaction<'_>,
        read: &Read,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let Read { topic, delivered, refused } = read;
        if *topic == self.serai_topic {
            self.refuse_other_instance(topic, delivered)?;
            return self.handle_serai(transaction, delivered, refused.as_deref(), wake);
        }
        let coin = self.conversations.values().find(|c| c.topic == *topic).map(|c| c.coin);
        match coin {
            Some(coin) => self.handle_conversation(transaction, coin, delivered, wake),
            None => Ok(()),
        }
    }

    /// A record of this coordinator's that a later life has written, or, where this state knows of no life
    /// but its own, any other. Of the topic on which coordinators alone write: a record says by itself whose
    /// it is, and a processor's word must not end its coordinator.
    fn refuse_other_instance(&self, topic: &str, delivered: &Delivered) -> Result<(), Error> {
        let Ok(record) = &delivered.record else { return Ok(()) };
        let (own, other) = (self.incarnation, record.incarnation);
        let stranger = other > own || (other < own && self.first_life);
        if record.from == Endpoint::Coordinator && stranger {
            return Err(Error::TwoInstances { topic: topic.to_owned(), own, other });
        }
        Ok(())
    }

    /// Clocks that ring.
    pub(super) async fn handle_alarms(&mut self) -> Result<(), Error> {
        let due = self.alarms.take_due();
        self.ring(due).await
    }

    pub(super) async fn ring(
        &mut self,
        due: Vec<(SigningId, signing::Timer)>,
    ) -> Result<(), Error> {
        self.commit(|this, transaction, wake| {
            for (id, timer) in due {
                if let Some(conversation) = this.conversations.get(&id.set.coin) {
                    let mut out = Outlet { transaction, conversation, wake };
                    this.signings.apply(&mut out, id, signing::Input::Elapsed(timer))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Every few seconds: whether topics can be read, whether signings move.
    pub(super) async fn handle_probe(&mut self, intake: &Intake) -> Result<(), Error> {
        self.probe_topics(intake).await;
        self.show_late();
        self.release_held().await
    }

    /// A processor's silence counts only while its topic can be read, and while the bus takes what is
    /// written: a bus that is away must not get processors killed in the middle of a ceremony (DESIGN D12).
    async fn probe_topics(&self, intake: &Intake) {
        const FACT: &str = "bus";
        let away = self.surroundings.wakers.values().find_map(Waker::away);
        match &away {
            Some(reason) => {
                let what =
                    format!("{reason}; what is to be said waits, and goes out once it can be");
                self.surroundings.board.report(READER, FACT, State::Waiting(what));
            }
            None => self.surroundings.board.withdraw(READER, FACT),
        }
        for conversation in self.conversations.values() {
            let held = self.surroundings.bus.info(&conversation.topic);
            let held = tokio::time::timeout(PROBE_TIMEOUT, held).await;
            let reading = away.is_none()
                && matches!(held, Ok(Ok(_)))
                && intake.is_reading(&conversation.topic);
            self.surroundings.lifecycle.set_listening(conversation.coin, reading);
        }
    }

    /// Feeds one input to a key generation.
    pub(super) fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
        input: keygen::Input,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        if let Some(conversation) = self.conversations.get(&set.coin) {
            let mut out = Outlet { transaction, conversation, wake };
            self.keygens.apply(&mut out, set, input)?;
        }
        Ok(())
    }

    pub(super) fn put_aside(
        &self,
        transaction: &Transaction<'_>,
        topic: &str,
        delivered: &Delivered,
        reason: &str,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let consumer = exchange::Consumer { reader: READER, topic };
        let letter = DeadLetter::new(consumer, delivered, reason);
        let from = Endpoint::Coordinator;
        letter.enqueue(transaction, &self.settings.name, from, self.incarnation)?;
        wake.dead_letter = true;
        Ok(())
    }
}
