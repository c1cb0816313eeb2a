//! Serai's events on their way to the processors, and what processors see on their way to
//! `{name}-serai`.
//!
//! # Promises
//! A processor is told every event that concerns its coin, in the order of the topic, in the
//! transaction that handles the record, whether or not this validator is in the set (ADR 0011). Until
//! its key is known, and while no message version is spoken on both sides, they are kept, and then told
//! before any later one.
//!
//! # Limits
//! What is kept for a processor that never announces its key grows with Serai's chain.

use rusqlite::Transaction;
use serai_messages::Coin;
use serai_messages::observation::Event;
use serai_messages::signing::PaymentId;
use serai_messages::vault::{CoordinatorMessage, ProcessorMessage};

use super::actor::{Error, READER};
use super::conversation::Outgoing;
use super::error::SessionError;
use super::outlet::{Outlet, Wake};
use super::running::Running;
use super::tables;
use crate::processes::core::status::{Board, State};
use crate::processes::observation;

/// What a processor is told of an event; nothing of those that concern no vault.
pub fn told(event: &Event) -> Option<CoordinatorMessage> {
    Some(match event.clone() {
        Event::KeyGen { block, set, key_pair } => {
            CoordinatorMessage::Activated { set, key_pair, block }
        }
        Event::BatchExecuted { block, coin, id, external_block, instructions_hash, failed } => {
            let (hash, external) = (instructions_hash, external_block);
            CoordinatorMessage::Executed {
                coin,
                id,
                block,
                external_block: external,
                instructions_hash: hash,
                failed,
            }
        }
        Event::Burn { block, index, from: _, external_coin, amount, address, data } => {
            CoordinatorMessage::Burned {
                id: PaymentId { block: block.number, index },
                block,
                coin: observation::network_of(external_coin)?,
                external_coin,
                amount,
                address,
                data,
            }
        }
        Event::AcceptedHandover { block, set } => CoordinatorMessage::HandedOver { set, block },
        Event::SetRetired { block, set } => CoordinatorMessage::Retired { set, block },
        _ => return None,
    })
}

/// The event that a processor's word becomes; none of a halt.
pub fn seen(message: ProcessorMessage) -> Option<Event> {
    Some(match message {
        ProcessorMessage::Finalized { coin, height, hash } => {
            Event::ExternalFinalized { coin, height, hash }
        }
        ProcessorMessage::Published { id, transaction } => Event::Published { id, transaction },
        ProcessorMessage::Completed { id, transaction, height } => {
            Event::Completed { id, transaction, height }
        }
        ProcessorMessage::Kept { coin, transaction, index, amount, reason } => {
            Event::Kept { coin, transaction, index, amount, reason }
        }
        ProcessorMessage::Unpayable { coin, payment, amount, reason } => {
            Event::Unpayable { coin, payment, amount, reason }
        }
        ProcessorMessage::Holdings(holdings) => Event::Holdings(holdings),
        ProcessorMessage::Halted { .. } => return None,
    })
}

impl Running {
    /// Tells a coin's processor what happened on Serai, now or once its key is known.
    pub(super) fn relay(
        &self,
        transaction: &Transaction<'_>,
        event: &Event,
        wake: &mut Wake,
    ) -> Result<(), SessionError> {
        let Some(message) = told(event) else { return Ok(()) };
        let Some(conversation) = self.conversations.get(&message.coin()) else { return Ok(()) };
        if !conversation.is_open() {
            tables::keep_relayed(transaction, &message)?;
            return Ok(());
        }
        Outlet { transaction, conversation, wake }.send(Outgoing::Vault(&message))?;
        Ok(())
    }

    /// Tells a processor whose key is known what was kept for it.
    pub(super) fn relay_kept(
        &self,
        transaction: &Transaction<'_>,
        coin: Coin,
        wake: &mut Wake,
    ) -> Result<(), SessionError> {
        let Some(conversation) = self.conversations.get(&coin) else { return Ok(()) };
        if !conversation.is_open() {
            return Ok(());
        }
        let mut out = Outlet { transaction, conversation, wake };
        for message in tables::take_relayed(transaction, coin)? {
            out.send(Outgoing::Vault(&message))?;
        }
        Ok(())
    }

    /// What a processor sees on its chain.
    pub(super) fn handle_vault(
        &mut self,
        transaction: &Transaction<'_>,
        message: ProcessorMessage,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        let coin = message.coin();
        match &message {
            ProcessorMessage::Halted { reason, .. } => {
                tracing::error!(%coin, reason, "the processor cannot go on");
                tables::set_halt(transaction, coin, Some(reason))?;
                show_halt(&self.surroundings.board, coin, Some(reason));
            }
            // Said whether or not its ledger goes on.
            ProcessorMessage::Finalized { .. }
            | ProcessorMessage::Published { .. }
            | ProcessorMessage::Holdings(_) => {}
            ProcessorMessage::Completed { id: completed, .. } => {
                let completed = *completed;
                self.signings.overtake(transaction, |id| id == completed)?;
                self.goes_on(transaction, coin)?;
            }
            ProcessorMessage::Kept { .. } | ProcessorMessage::Unpayable { .. } => {
                self.goes_on(transaction, coin)?
            }
        }
        if let Some(event) = seen(message) {
            self.speaker.record(transaction, &event)?;
            wake.serai = true;
        }
        Ok(())
    }

    /// A processor's ledger moves: it is not halted, or not any more.
    pub(super) fn goes_on(
        &self,
        transaction: &Transaction<'_>,
        coin: Coin,
    ) -> Result<(), SessionError> {
        if tables::set_halt(transaction, coin, None)? {
            show_halt(&self.surroundings.board, coin, None);
        }
        Ok(())
    }
}

/// Shows on the board that a coin's processor cannot go on, or that it does.
pub(super) fn show_halt(board: &Board, coin: Coin, reason: Option<&str>) {
    let fact = format!("vaults of {coin}");
    match reason {
        Some(reason) => board.report(READER, fact, State::Failed(reason.to_owned())),
        None => board.withdraw(READER, &fact),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::observation::SeraiBlock;
    use serai_messages::{BlockHash, BlockNumber, Session, ValidatorKey, ValidatorSet};

    use super::*;

    #[test]
    fn a_burn_goes_to_the_coins_network() {
        let block = SeraiBlock { number: BlockNumber(9), hash: BlockHash([9; 32]) };
        let burn = |external_coin| Event::Burn {
            block,
            index: 4,
            from: ValidatorKey([1; 32]),
            external_coin,
            amount: 7,
            address: vec![2],
            data: None,
        };
        for (external_coin, coin) in
            [(4, Coin::Btc), (5, Coin::Eth), (6, Coin::Eth), (7, Coin::Xmr)]
        {
            let told = told(&burn(external_coin)).unwrap();
            assert_eq!((told.coin(), told.intent()), (coin, format!("vault/{coin}/burned/9-4")));
        }
        assert_eq!(told(&burn(0)), None);
        assert_eq!(told(&Event::SeraiFinalized { block }), None);
        let set = ValidatorSet { coin: Coin::Xmr, session: Session(2) };
        let retired = told(&Event::SetRetired { block, set }).unwrap();
        assert_eq!(retired, CoordinatorMessage::Retired { set, block });
    }
}
