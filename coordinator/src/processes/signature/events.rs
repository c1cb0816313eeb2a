//! Records of `{name}-serai`: what observation saw.

use std::time::{Duration, Instant};

use rusqlite::Transaction;
use serai_bus::{Delivered, exchange};
use serai_messages::observation::{Event, SetMember};
use serai_messages::signing::{SigningId, Thing};
use serai_messages::{BlockNumber, Coin, ValidatorSet, decode};
use serai_protocol::keygen::Input;

use super::actor::{Error, READER};
use super::intake::{self, Read};
use super::outlet::{Outlet, Wake};
use super::running::Running;
use super::start::generating;
use super::tables;
use crate::processes::core::status::{State, Step};
use crate::processes::observation::ReadError;

/// Longest that a node may lag behind the one from which a set was read, before the set counts as
/// none of Serai's.
const NODE_PATIENCE: Duration = Duration::from_secs(600);

/// Pause before the node is asked again.
const NODE_RETRY: Duration = Duration::from_millis(500);

impl Running {
    /// Before the transaction: a new set is compared with the node. Returns the reason when the
    /// record is to be put aside.
    pub(super) async fn check(&self, read: &Read) -> Result<Option<String>, Error> {
        if read.topic != self.serai_topic {
            return Ok(None);
        }
        let Ok(record) = &read.delivered.record else { return Ok(None) };
        match decode::<Event>(&record.body) {
            Ok(Event::NewSet { set, members, .. })
                if self.conversations.contains_key(&set.coin) =>
            {
                self.check_with_node(set, &members).await
            }
            _ => Ok(None),
        }
    }

    /// A record of `{name}-serai`.
    pub(super) fn handle_serai(
        &mut self,
        transaction: &Transaction<'_>,
        delivered: &Delivered,
        refused: Option<String>,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let topic = self.serai_topic.clone();
        let consumer = exchange::Consumer { reader: READER, topic: &topic };
        let bad = match intake::take(transaction, consumer, delivered)? {
            Err(reason) => reason,
            Ok(None) => return Ok(()),
            Ok(Some(record)) => {
                if !intake::is_new(transaction, consumer, record)? {
                    return Ok(());
                }
                match (decode::<Event>(&record.body), refused) {
                    (Ok(event), None) => return self.handle_event(transaction, event, wake),
                    (Ok(_), Some(reason)) => reason,
                    (Err(error), _) => error.to_string(),
                }
            }
        };
        self.put_aside(transaction, &topic, delivered, &bad, wake)
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
                Ok(on_node) if !same_members(&on_node, members) => {
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
        let relayed = event.clone();
        match event {
            Event::SeraiFinalized { block } => {
                self.height = self.height.max(block.number);
                for set in self.keygens.running() {
                    self.apply(transaction, set, Input::Height(block.number), wake)?;
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
                self.surroundings.board.set(Step::GenesisVault(set.coin), State::Ok);
                self.apply(transaction, set, Input::KeyGen { key_pair }, wake)?;
            }
            Event::AcceptedHandover { block, set } => {
                tables::hand_over(transaction, set)?;
                self.feed.vault(transaction, set, None, "in use", block.number.0)?;
                wake.public = true;
            }
            Event::SetRetired { block, set } => {
                tables::retire(transaction, set)?;
                let slashes = SigningId { set, thing: Thing::Slashes };
                self.signings.overtake(transaction, |id| id == slashes)?;
                self.feed.vault(transaction, set, None, "retired", block.number.0)?;
                wake.public = true;
            }
            Event::ParticipantRemoved { set, removed, .. } => {
                tables::insert_removed(transaction, set, &removed)?;
            }
            Event::BatchExecuted { coin, id: executed, .. } => {
                let is_over = |id: SigningId| {
                    matches!(id.thing, Thing::Batch(batch) if batch <= executed)
                        && id.set.coin == coin
                };
                self.signings.overtake(transaction, is_over)?;
            }
            // Observation's own consumers handle these, and processors what is relayed below.
            Event::SetKeys { .. }
            | Event::Batch { .. }
            | Event::SlashReport { .. }
            | Event::Burn { .. }
            | Event::ExternalFinalized { .. }
            | Event::Published { .. }
            | Event::Completed { .. }
            | Event::Kept { .. }
            | Event::Unpayable { .. }
            | Event::Holdings(_) => {}
        }
        // After what this coordinator does itself: a processor learns that its keys are confirmed
        // before it learns that their vault is active.
        self.relay(transaction, &relayed, wake)?;
        Ok(())
    }

    /// Begins the key generations that only waited for the processor's key.
    pub(super) fn begin_waiting(
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
            let own = self.speaker.own();
            if known.members.iter().any(|member| member.validator == own) {
                let height = self.height.max(BlockNumber(known.block));
                let mut out = Outlet { transaction, conversation, wake };
                self.keygens.begin(&mut out, &known, height)?;
                // The chain may be ahead of a coordinator whose state or processor is new.
                if let Some(key_pair) = tables::vault_keys(transaction, known.set)? {
                    self.keygens.apply(&mut out, known.set, Input::KeyGen { key_pair })?;
                }
            }
        }
        Ok(())
    }
}

/// Whether these are the same validators with the same shares, in the same order. Their addresses are
/// theirs to change at any time.
fn same_members(some: &[SetMember], others: &[SetMember]) -> bool {
    let held = |member: &SetMember| (member.validator, member.shares);
    some.iter().map(held).eq(others.iter().map(held))
}
