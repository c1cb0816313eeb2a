//! Records of `{name}-{chain}`: what processors say.

use rusqlite::Transaction;
use serai_bus::{Delivered, exchange};
use serai_messages::keygen::ProcessorMessage;
use serai_messages::{Coin, Endpoint, Record};
use serai_protocol::keygen::Input;

use super::actor::{Error, READER};
use super::conversation::Incoming;
use super::intake;
use super::outlet::Wake;
use super::running::Running;
use super::versions;
use crate::processes::core::keys;
use crate::processes::core::status::{State, Step};

impl Running {
    /// A record of a coin's conversation.
    pub(super) fn handle_conversation(
        &mut self,
        transaction: &Transaction<'_>,
        coin: Coin,
        delivered: &Delivered,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let Some(topic) = self.conversations.get(&coin).map(|c| c.topic.clone()) else {
            return Ok(());
        };
        let consumer = exchange::Consumer { reader: READER, topic: &topic };
        let bad = match intake::take(transaction, consumer, delivered)? {
            Ok(None) => None,
            Err(reason) => Some(reason),
            Ok(Some(record)) => self.handle_record(transaction, consumer, coin, record, wake)?,
        };
        if let Some(reason) = bad {
            self.put_aside(transaction, &topic, delivered, &reason, wake)?;
        }
        Ok(())
    }

    /// A record for the coordinator. Only what opens is authentic, and only then does its sequence
    /// count. Returns the reason when it is to be put aside.
    fn handle_record(
        &mut self,
        transaction: &Transaction<'_>,
        consumer: exchange::Consumer<'_>,
        coin: Coin,
        record: &Record,
        wake: &mut Wake,
    ) -> Result<Option<String>, Error> {
        let Some(conversation) = self.conversations.get(&coin) else { return Ok(None) };
        if record.from != Endpoint::Processor(coin) {
            return Ok(Some(format!("a record from {} has no place on this topic", record.from)));
        }
        match conversation.read(record) {
            Err(unreadable) => Ok(Some(unreadable.to_string())),
            Ok(incoming @ Incoming::Key(_)) => {
                self.handle_incoming(transaction, coin, incoming, wake)
            }
            Ok(incoming) if intake::is_new(transaction, consumer, record)? => {
                self.handle_incoming(transaction, coin, incoming, wake)
            }
            Ok(_) => Ok(None),
        }
    }

    /// What a processor said. Returns the reason when it is to be put aside.
    fn handle_incoming(
        &mut self,
        transaction: &Transaction<'_>,
        coin: Coin,
        incoming: Incoming,
        wake: &mut Wake,
    ) -> Result<Option<String>, Error> {
        // Whatever it says, it lives: one that has much to do has its heartbeats wait behind that.
        if !matches!(incoming, Incoming::Key(_)) {
            self.surroundings.lifecycle.heartbeat(coin);
        }
        match incoming {
            Incoming::Heartbeat(heartbeat) => {
                tracing::trace!(%coin, pid = heartbeat.pid, "heartbeat");
            }
            Incoming::Key(announcement) => {
                let step = Step::LearnProcessorKey(coin);
                let board = &self.surroundings.board;
                let pinned = self.settings.pinned.get(&coin).copied();
                match keys::observe(transaction, coin, announcement.key, pinned)? {
                    keys::Trust::Trusted | keys::Trust::FirstSeen => {
                        wake.versions |= versions::hear(transaction, coin, announcement.speaks)?;
                        if let Some(conversation) = self.conversations.get_mut(&coin) {
                            conversation.processor = Some(announcement.key);
                            conversation.processor_speaks = announcement.speaks;
                            if let Some(apart) = conversation.apart() {
                                board.set(step, State::Failed(apart.clone()));
                                return Ok(Some(apart));
                            }
                        }
                        board.set(step, State::Ok);
                        self.begin_waiting(transaction, coin, wake)?;
                        self.relay_kept(transaction, coin, wake)?;
                    }
                    keys::Trust::Refused { trusted } => {
                        let remedy = match pinned {
                            Some(_) => {
                                format!("correct processors.{coin}.pinned_key and start again")
                            }
                            None => format!("run `keys accept {coin}`"),
                        };
                        let reason = format!(
                            "the {coin} processor announced key {}, but {trusted} is trusted; if \
                             the change is meant, {remedy}",
                            announcement.key
                        );
                        board.set(step, State::Failed(reason.clone()));
                        return Ok(Some(reason));
                    }
                }
            }
            Incoming::Keygen(message) => {
                self.note_proof(transaction, &message, wake)?;
                let set = message.id().set;
                self.apply(transaction, set, Input::Processor(message), wake)?;
            }
            Incoming::Signing(message) => return self.handle_signing(transaction, message, wake),
            Incoming::Vault(message) => self.handle_vault(transaction, message, wake)?,
        }
        Ok(None)
    }

    /// Proven keys go to the public feed, where anybody can verify them.
    fn note_proof(
        &mut self,
        transaction: &Transaction<'_>,
        message: &ProcessorMessage,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        if let ProcessorMessage::Proven { id, key_pair, signatures } = message
            && let Some(party) = self.keygens.party(*id)
        {
            self.feed.proven(transaction, *id, party, key_pair, signatures)?;
            wake.public = true;
        }
        Ok(())
    }
}
