//! Who handles which family of messages; what one of them brings about for another.

use rusqlite::Transaction;

use crate::conversation::{Answer, Request};
use crate::keygen::{self, Keygen};

/// What stops the processor: its own storage, never a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Key generation's.
    #[error(transparent)]
    Keygen(#[from] keygen::Error),
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
    fn rejected(reason: String) -> Self {
        Self { answers: Vec::new(), rejected: Some(reason) }
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
    /// Key generation.
    pub keygen: Keygen,
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
            Request::Keygen(message) => Ok(self.keygen.handle(transaction, message)?.into()),
            Request::Signing(_) => Ok(Handled::rejected(
                "this processor takes no part in signing: restart it with a version that does"
                    .to_owned(),
            )),
            Request::Vault(_) => Ok(Handled::rejected(
                "this processor observes no external chain: restart it with a version that does"
                    .to_owned(),
            )),
        }
    }

    /// Makes this processor misbehave.
    #[cfg(feature = "faults")]
    pub fn misbehave(&mut self, fault: crate::faults::Misbehaviour) {
        self.keygen.misbehave(fault);
    }
}
