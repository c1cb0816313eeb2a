//! Who handles which family of messages; what one of them brings about for another.

use std::collections::BTreeSet;

use rusqlite::Transaction;
use serai_messages::{Coin, ValidatorSet, keygen as messages, vault};

use crate::conversation::{Answer, Request};
use crate::keygen::{self, Keygen};
use crate::ledger::{self, Book, Taken};
use crate::signing::{self, Due, Signing};
use crate::watcher::Report;

/// What stops the processor: its own storage, never a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Key generation's.
    #[error(transparent)]
    Keygen(#[from] keygen::Error),
    /// Signing's.
    #[error(transparent)]
    Signing(#[from] signing::Error),
    /// The ledger's.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A query in the processor's database.
    #[error("processor's database: {0}")]
    Query(#[from] rusqlite::Error),
}

/// What a message led to.
#[derive(Debug, Default)]
pub struct Handled {
    /// To be sent to the coordinator, in this order.
    pub answers: Vec<Answer>,
    /// Why the message was not obeyed, for the dead letters.
    pub rejected: Option<String>,
}

impl Handled {
    fn answers(answers: Vec<Answer>) -> Self {
        Self { answers, rejected: None }
    }
}

impl From<keygen::Outcome> for Handled {
    fn from(outcome: keygen::Outcome) -> Self {
        let answers = outcome.answers.into_iter().map(Answer::from).collect();
        Self { answers, rejected: outcome.rejected }
    }
}

/// The processor's parts.
#[derive(Debug)]
pub struct Handlers {
    /// The coin.
    pub coin: Coin,
    /// Key generation.
    pub keygen: Keygen,
    /// Signing.
    pub signing: Signing,
    /// The ledger.
    pub book: Book,
}

impl Handlers {
    /// Handles one authenticated message within the caller's transaction.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn handle(
        &mut self,
        transaction: &Transaction<'_>,
        request: &Request,
    ) -> Result<Handled, Error> {
        match request {
            Request::Keygen(message) => {
                let mut handled: Handled = self.keygen.handle(transaction, message)?.into();
                if let messages::CoordinatorMessage::Confirmed { .. } = **message {
                    // A vault that is held from now on: what was due before.
                    let due = self.book.due(transaction)?;
                    let ready = self.take(transaction, Taken { due, ..Taken::default() })?;
                    handled.answers.extend(ready);
                }
                Ok(handled)
            }
            Request::Signing(message) => {
                let outcome = self.signing.handle(transaction, message)?;
                let mut rejected = outcome.rejected;
                let signed = outcome.signed.as_ref().map(|(id, _)| id.set);
                if let Some((id, signatures)) = outcome.signed
                    && let Some(reason) = self.book.signed(transaction, id, &signatures)?
                {
                    rejected = Some(reason);
                }
                let mut answers: Vec<Answer> =
                    outcome.answers.into_iter().map(Answer::from).collect();
                if let Some(set) = signed {
                    self.admit(transaction, set, &mut answers)?;
                }
                Ok(Handled { answers, rejected })
            }
            Request::Vault(event) => {
                let taken = self.book.event(transaction, event)?;
                Ok(Handled::answers(self.take(transaction, taken)?))
            }
        }
    }

    /// Handles what the watcher has seen, within the caller's transaction.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn report(
        &mut self,
        transaction: &Transaction<'_>,
        report: Report,
    ) -> Result<Vec<Answer>, Error> {
        let coin = self.coin;
        let told = match report {
            Report::Chain { genesis } => {
                if ledger::genesis(transaction)?.is_none() {
                    ledger::set_genesis(transaction, genesis)?;
                }
                None
            }
            Report::WrongChain { reason } => Some(vault::ProcessorMessage::Halted { coin, reason }),
            Report::Finalized { height, hash } => {
                Some(vault::ProcessorMessage::Finalized { coin, height, hash })
            }
            Report::Blocks { blocks, .. } => {
                let blocks = blocks.iter().map(|block| (**block).clone());
                let taken = self.book.blocks(transaction, blocks)?;
                return self.take(transaction, taken);
            }
            Report::Published { id, transaction: hash } => {
                self.book.published(transaction, id, hash)?
            }
            Report::Final { id } => {
                self.book.finalized(transaction, id)?;
                None
            }
            Report::Holdings { batch, holdings } => {
                self.book.held(transaction, batch, holdings)?.map(vault::ProcessorMessage::Holdings)
            }
        };
        Ok(told.into_iter().map(Answer::from).collect())
    }

    /// Something is due.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn due(&mut self, transaction: &Transaction<'_>, due: Due) -> Result<Vec<Answer>, Error> {
        self.take(transaction, Taken { due: vec![due], ..Taken::default() })
    }

    /// Carries out what the ledger asks for.
    fn take(&mut self, transaction: &Transaction<'_>, taken: Taken) -> Result<Vec<Answer>, Error> {
        for message in &taken.told {
            if let vault::ProcessorMessage::Halted { reason, .. } = message {
                tracing::error!(reason, "the ledger has stopped");
            }
        }
        let mut answers: Vec<Answer> = taken.told.into_iter().map(Answer::from).collect();
        let done: BTreeSet<ValidatorSet> = taken.done.iter().map(|id| id.set).collect();
        for id in taken.done {
            self.signing.forget(transaction, id)?;
        }
        for due in taken.due {
            let id = due.id;
            if let Some(ready) = self.signing.due(transaction, due)? {
                tracing::info!(%id, "due");
                answers.push(ready.into());
            }
        }
        for set in done {
            self.admit(transaction, set, &mut answers)?;
        }
        Ok(answers)
    }

    /// Payments whose turn has come.
    fn admit(
        &mut self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Error> {
        while let Some(ready) = self.signing.next(transaction, set)? {
            tracing::info!(id = %ready.id(), "due");
            answers.push(ready.into());
        }
        Ok(())
    }

    /// Ends a transaction: what was changed in memory alone is stored.
    ///
    /// # Errors
    /// [`Error`]; the caller rolls back and stops.
    pub fn store(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        Ok(self.book.store(transaction)?)
    }

    /// Makes this processor misbehave.
    #[cfg(feature = "faults")]
    pub fn misbehave(&mut self, fault: crate::faults::Misbehaviour) {
        self.keygen.misbehave(fault);
        self.signing.misbehave(fault);
    }
}
