//! What the actor does with each kind of thing that it is told.

use std::time::{Duration, Instant};

use rusqlite::Transaction;
use serai_bus::{DeadLetter, Delivered, exchange};
use serai_messages::keygen::ProcessorMessage;
use serai_messages::observation::{Event, SetMember};
use serai_messages::{BlockNumber, Coin, Endpoint, Record, SessionId, ValidatorSet, decode};
use serai_protocol::keygen::Input;

use super::actor::{Error, READER, Running, generating};
use super::conversation::Incoming;
use super::intake::{self, Intake, Read};
use super::sessions::Wake;
use super::tables;
use crate::processes::core::keys;
use crate::processes::core::status::{State, Step};
use crate::processes::observation::ReadError;

/// Longest that a node may lag behind the one from which a set was read, before the set counts as
/// none of Serai's.
const NODE_PATIENCE: Duration = Duration::from_secs(600);

/// Longest wait for the bus to say what a topic holds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause before the node is asked again.
const NODE_RETRY: Duration = Duration::from_millis(500);

impl Running {
    /// A record of any topic.
    pub(super) async fn handle_read(&mut self, read: Read) -> Result<(), Error> {
        let Read { topic, delivered } = read;
        if topic == self.serai_topic {
            return self.handle_serai(&delivered).await;
        }
        let coin = self.conversations.values().find(|c| c.topic == topic).map(|c| c.coin);
        match coin {
            Some(coin) => self.handle_conversation(coin, &delivered).await,
            None => Ok(()),
        }
    }

    /// A record of `{name}-{chain}`.
    async fn handle_conversation(
        &mut self,
        coin: Coin,
        delivered: &Delivered,
    ) -> Result<(), Error> {
        let Some(topic) = self.conversations.get(&coin).map(|c| c.topic.clone()) else {
            return Ok(());
        };
        let consumer = exchange::Consumer { reader: READER, topic: &topic };
        let database = self.surroundings.database.clone();
        let mut wake = Wake::default();
        database.transaction(|transaction| {
            let bad = match intake::take(transaction, consumer, delivered)? {
                Ok(None) => None,
                Err(reason) => Some(reason),
                Ok(Some(record)) => {
                    self.handle_record(transaction, consumer, coin, record, &mut wake)?
                }
            };
            if let Some(reason) = bad {
                self.put_aside(transaction, consumer, delivered, &reason, &mut wake)?;
            }
            Ok::<_, Error>(())
        })?;
        self.wake(wake).await?;
        self.unpark().await
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
        match incoming {
            Incoming::Heartbeat(heartbeat) => {
                tracing::trace!(%coin, pid = heartbeat.pid, "heartbeat");
                self.surroundings.lifecycle.heartbeat(coin);
            }
            Incoming::Key(announcement) => {
                let step = Step::LearnProcessorKey(coin);
                let board = &self.surroundings.board;
                let pinned = self.settings.pinned.get(&coin).copied();
                match keys::observe(transaction, coin, announcement.key, pinned)? {
                    keys::Trust::Trusted | keys::Trust::FirstSeen => {
                        board.set(step, State::Ok);
                        if let Some(conversation) = self.conversations.get_mut(&coin) {
                            conversation.processor = Some(announcement.key);
                        }
                        self.begin_waiting(transaction, coin, wake)?;
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
                let id = SessionId::Keygen(message.id().set);
                self.apply(transaction, id, Input::Processor(message), wake)?;
            }
        }
        Ok(None)
    }

    fn put_aside(
        &self,
        transaction: &Transaction<'_>,
        consumer: exchange::Consumer<'_>,
        delivered: &Delivered,
        reason: &str,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let letter = DeadLetter::new(consumer, delivered, reason);
        let from = Endpoint::Coordinator;
        letter.enqueue(transaction, &self.settings.name, from, self.incarnation)?;
        wake.dead_letter = true;
        Ok(())
    }

    /// A record of `{name}-serai`.
    async fn handle_serai(&mut self, delivered: &Delivered) -> Result<(), Error> {
        let event = delivered.record.as_ref().ok().map(|record| decode::<Event>(&record.body));
        let mut refused = None;
        if let Some(Ok(Event::NewSet { set, members, .. })) = &event
            && self.conversations.contains_key(&set.coin)
        {
            refused = self.check_with_node(*set, members).await?;
        }
        let database = self.surroundings.database.clone();
        let topic = self.serai_topic.clone();
        let consumer = exchange::Consumer { reader: READER, topic: &topic };
        let mut wake = Wake::default();
        database.transaction(|transaction| {
            let bad = match (intake::take(transaction, consumer, delivered)?, event) {
                (Err(reason), _) => reason,
                (Ok(Some(record)), Some(event)) => {
                    if !intake::is_new(transaction, consumer, record)? {
                        return Ok(());
                    }
                    match (event, refused) {
                        (Ok(event), None) => {
                            return self.handle_event(transaction, event, &mut wake);
                        }
                        (Ok(_), Some(reason)) => reason,
                        (Err(error), _) => error.to_string(),
                    }
                }
                (Ok(_), _) => return Ok(()),
            };
            self.put_aside(transaction, consumer, delivered, &bad, &mut wake)
        })?;
        self.wake(wake).await?;
        self.unpark().await
    }

    /// SEED, start-up: the validators read from the topic are checked against the node. Returns the
    /// reason when they are not the same. Waits for the node: without it nothing could begin.
    async fn check_with_node(
        &self,
        set: ValidatorSet,
        members: &[SetMember],
    ) -> Result<Option<String>, Error> {
        let step = Step::ReadValidators(set.coin);
        let board = &self.surroundings.board;
        let begun = Instant::now();
        loop {
            match self.surroundings.observation.set_members(set).await {
                Ok(on_node) if on_node != members => {
                    let reason = format!(
                        "the validators of {set} on {} are not those that the Serai node gives; \
                         check who else writes to the topic",
                        self.serai_topic
                    );
                    board.set(step, State::Failed(reason.clone()));
                    return Ok(Some(reason));
                }
                Ok(_) => {
                    board.set(step, State::Ok);
                    return Ok(None);
                }
                // The node keeps the members of the latest set only.
                Err(ReadError::NotLatest { current: Some(current), .. })
                    if current > set.session =>
                {
                    board.set(step, State::Ok);
                    return Ok(None);
                }
                Err(ReadError::Stopped) => return Err(Error::Ended("observation")),
                Err(error @ ReadError::NotLatest { .. }) if begun.elapsed() > NODE_PATIENCE => {
                    let reason = format!("{set} on {} is not on Serai: {error}", self.serai_topic);
                    board.set(step, State::Failed(reason.clone()));
                    return Ok(Some(reason));
                }
                Err(error) => {
                    board.set(step, State::Waiting(error.to_string()));
                    // Heartbeats are not read meanwhile.
                    for coin in self.conversations.keys() {
                        self.surroundings.lifecycle.set_listening(*coin, false);
                    }
                    tokio::time::sleep(NODE_RETRY).await;
                }
            }
        }
    }

    fn handle_event(
        &mut self,
        transaction: &Transaction<'_>,
        event: Event,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        match event {
            Event::SeraiFinalized { block } => {
                self.height = self.height.max(block.number);
                for id in self.sessions.running() {
                    self.apply(transaction, id, Input::Height(block.number), wake)?;
                }
            }
            Event::NewSet { block, set, members } => {
                if !self.conversations.contains_key(&set.coin) {
                    return Ok(());
                }
                tables::insert_set(transaction, set, block.number.0, &members)?;
                let step = Step::GenesisVault(set.coin);
                if self.surroundings.board.get(step) != Some(State::Ok) {
                    self.surroundings.board.set(step, generating(set));
                }
                wake.members.extend(members);
                self.begin_waiting(transaction, set.coin, wake)?;
            }
            Event::KeyGen { block, set, key_pair } => {
                tables::insert_vault(transaction, set, &key_pair, block.number.0)?;
                let state = tables::vault_state(transaction, set)?;
                let (state, number) = (state.as_deref().unwrap_or("confirmed"), block.number.0);
                self.feed.vault(transaction, set, Some(&key_pair), state, number)?;
                wake.public = true;
                let id = SessionId::Keygen(set);
                self.surroundings.board.set(Step::GenesisVault(set.coin), State::Ok);
                self.apply(transaction, id, Input::KeyGen { key_pair }, wake)?;
            }
            Event::AcceptedHandover { block, set } => {
                tables::hand_over(transaction, set)?;
                self.feed.vault(transaction, set, None, "in use", block.number.0)?;
                wake.public = true;
            }
            Event::SetRetired { block, set } => {
                tables::retire(transaction, set)?;
                self.feed.vault(transaction, set, None, "retired", block.number.0)?;
                wake.public = true;
            }
            // Observation's own consumers handle these.
            Event::ParticipantRemoved { .. }
            | Event::SetKeys { .. }
            | Event::Batch { .. }
            | Event::SlashReport { .. }
            | Event::BatchExecuted { .. }
            | Event::Burn { .. }
            | Event::ExternalFinalized { .. }
            | Event::Published { .. }
            | Event::Completed { .. }
            | Event::Kept { .. }
            | Event::Unpayable { .. }
            | Event::Holdings(_) => {}
        }
        Ok(())
    }

    /// Begins the key generations that only waited for the processor's key.
    fn begin_waiting(
        &mut self,
        transaction: &Transaction<'_>,
        coin: Coin,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let Some(conversation) = self.conversations.get(&coin) else { return Ok(()) };
        if conversation.processor.is_none() {
            return Ok(());
        }
        for known in tables::sets_without_session(transaction, coin)? {
            let own = self.sessions.own();
            if known.members.iter().any(|member| member.validator == own) {
                let height = self.height.max(BlockNumber(known.block));
                self.sessions.begin(transaction, &known, height, conversation, wake)?;
                // The chain may be ahead of a coordinator whose state or processor is new.
                if let Some(key_pair) = tables::vault_keys(transaction, known.set)? {
                    let (id, input) = (SessionId::Keygen(known.set), Input::KeyGen { key_pair });
                    self.sessions.apply(transaction, id, conversation, input, wake)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        id: SessionId,
        input: Input,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        if let SessionId::Keygen(set) = id
            && let Some(conversation) = self.conversations.get(&set.coin)
        {
            self.sessions.apply(transaction, id, conversation, input, wake)?;
        }
        Ok(())
    }

    /// Proven keys go to the public feed, where anybody can verify them.
    fn note_proof(
        &mut self,
        transaction: &Transaction<'_>,
        message: &ProcessorMessage,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        if let ProcessorMessage::Proven { id, key_pair, signatures } = message
            && let Some(party) = self.sessions.party(*id)
        {
            self.feed.proven(transaction, *id, party, key_pair, signatures)?;
            wake.public = true;
        }
        Ok(())
    }

    /// A processor's silence counts only while its topic can be read: a bus that is away must not get
    /// processors killed in the middle of a ceremony (DESIGN D12).
    pub(super) async fn probe_topics(&self, intake: &Intake) {
        for conversation in self.conversations.values() {
            let held = self.surroundings.bus.info(&conversation.topic);
            let held = tokio::time::timeout(PROBE_TIMEOUT, held).await;
            let reading = matches!(held, Ok(Ok(_))) && intake.is_reading(&conversation.topic);
            self.surroundings.lifecycle.set_listening(conversation.coin, reading);
        }
    }
}
