//! Records of `{name}-serai`: what observation saw.

use rusqlite::Transaction;
use serai_bus::{Delivered, exchange};
use serai_messages::keygen::CoordinatorMessage;
use serai_messages::observation::Event;
use serai_messages::signing::{SigningId, Thing};
use serai_messages::{BlockNumber, Coin, KeyPair, ValidatorSet, decode};
use serai_protocol::keygen::Input;

use super::actor::{Error, READER};
use super::conversation::Outgoing;
use super::error::SessionError;
use super::intake;
use super::outlet::{Outlet, Wake};
use super::running::Running;
use super::start::generating;
use super::tables;
use crate::processes::core::status::{State, Step};

impl Running {
    /// A record of `{name}-serai`.
    pub(super) fn handle_serai(
        &mut self,
        transaction: &Transaction<'_>,
        delivered: &Delivered,
        refused: Option<&str>,
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
                    (Ok(_), Some(reason)) => reason.to_owned(),
                    (Err(error), _) => error.to_string(),
                }
            }
        };
        self.put_aside(transaction, &topic, delivered, &bad, wake)
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
                for ready in tables::take_ready(transaction, set)? {
                    if let Some(reason) = self.handle_signing(transaction, ready, wake)? {
                        tracing::warn!(%set, reason, "ready early, and not to be signed");
                    }
                }
            }
            Event::KeyGen { block, set, key_pair } => {
                tables::insert_vault(transaction, set, &key_pair, block.number.0)?;
                let state = tables::vault_state(transaction, set)?;
                let (state, number) = (state.as_deref().unwrap_or("confirmed"), block.number.0);
                self.feed.vault(transaction, set, Some(&key_pair), state, number)?;
                wake.public = true;
                self.surroundings.board.set(Step::GenesisVault(set.coin), State::Ok);
                self.confirm_again(transaction, set, &key_pair, wake)?;
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

    /// Keys of a key generation that is done are seen again: events are published again where the bus
    /// was lost, for a processor that has to learn them anew.
    fn confirm_again(
        &mut self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
        key_pair: &KeyPair,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let Some(conversation) = self.conversations.get(&set.coin) else { return Ok(()) };
        if conversation.processor.is_some() && self.keygens.has_ended(set) {
            let message = CoordinatorMessage::Confirmed { set, key_pair: key_pair.clone() };
            let mut out = Outlet { transaction, conversation, wake };
            out.send(Outgoing::Keygen(&message)).map_err(SessionError::from)?;
        }
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
        if !conversation.is_open() {
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
