//! Things that are due: begun, held while their coin's vaults are short, shown when they are late.

use std::time::Duration;

use rusqlite::Transaction;
use serai_messages::signing::{ProcessorMessage, Thing};
use serai_protocol::signing::Input;

use super::actor::{Error, READER};
use super::outlet::{Outlet, Wake};
use super::running::Running;
use super::signings::{Late, Ready};
use super::tables;
use crate::processes::core::status::State;
use crate::processes::observation::tables::{executed, is_paused};

/// A signing that takes longer is shown, with whom it waits for, and this coordinator is not well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Validators that are named.
const NAMED: usize = 5;

impl Running {
    /// What a processor said of a thing to be signed. Returns the reason when it is to be put aside.
    pub(super) fn handle_signing(
        &mut self,
        transaction: &Transaction<'_>,
        message: ProcessorMessage,
        wake: &mut Wake,
    ) -> Result<Option<String>, Error> {
        let id = message.id();
        let coin = id.set.coin;
        let Some(conversation) = self.conversations.get(&coin) else { return Ok(None) };
        let mut out = Outlet { transaction, conversation, wake };
        match message {
            ProcessorMessage::Ready { .. } if tables::set(transaction, id.set)?.is_none() => {
                tracing::info!(%id, "ready early: its set was not read from Serai yet");
                tables::keep_ready(transaction, id.set, &message)?;
                Ok(None)
            }
            ProcessorMessage::Ready { id, reference, content, preprocess } => {
                if let Thing::Batch(batch) = id.thing
                    && executed(transaction, coin, batch)?.is_some()
                {
                    tracing::info!(%id, "ready late: Serai has executed it");
                    return Ok(None);
                }
                let paused = matches!(id.thing, Thing::Payment(_)) && is_paused(transaction, coin)?;
                let ready = Ready { id, reference, content, preprocess };
                let refused = self.signings.ready(&mut out, ready, paused)?;
                self.goes_on(transaction, coin)?;
                Ok(refused)
            }
            message => {
                self.signings.apply(&mut out, id, Input::Processor(message))?;
                Ok(None)
            }
        }
    }

    /// Begins held payments of coins that are not short any more.
    pub(super) async fn release_held(&mut self) -> Result<(), Error> {
        if self.signings.held().is_empty() {
            return Ok(());
        }
        self.commit(|this, transaction, wake| {
            for coin in this.signings.held() {
                let Some(conversation) = this.conversations.get(&coin) else { continue };
                if !is_paused(transaction, coin)? {
                    this.signings.release(&mut Outlet { transaction, conversation, wake })?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Health is not green while a signing stands still.
    pub(super) fn show_late(&self) {
        let late = self.signings.late(PATIENCE);
        for coin in self.conversations.keys().copied() {
            let fact = format!("signings of {coin}");
            let state = match late.iter().find(|late| late.id.set.coin == coin) {
                Some(late) => State::Failed(sentence(late)),
                None => State::Ok,
            };
            self.surroundings.board.report(READER, fact, state);
        }
    }
}

fn sentence(late: &Late) -> String {
    let named: Vec<_> = late.waiting_for.iter().take(NAMED).map(ToString::to_string).collect();
    let more = late.waiting_for.len().saturating_sub(named.len());
    let whom = match (named.is_empty(), more) {
        (true, _) => "other openers".to_owned(),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    };
    let minutes = late.since.as_secs() / 60;
    let mut text = format!("{} is not signed for {minutes} min: waits for {whom}", late.id);
    if let Some(reason) = &late.refused {
        text.push_str(&format!("; the own processor refused: {reason}"));
    }
    if late.count > 1 {
        text.push_str(&format!("; {} more of this coin are late", late.count - 1));
    }
    text.push_str("; see `explain`");
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::signing::SigningId;
    use serai_messages::{Coin, Session, ValidatorKey, ValidatorSet};

    use super::*;

    #[test]
    fn a_late_signing_names_whom_it_waits_for() {
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let mut late = Late {
            id: SigningId { set, thing: Thing::Batch(3) },
            since: Duration::from_secs(150),
            count: 1,
            waiting_for: vec![ValidatorKey([7; 32])],
            refused: None,
        };
        let seven = ValidatorKey([7; 32]);
        let expected =
            format!("sign/btc-0/batch/3 is not signed for 2 min: waits for {seven}; see");
        assert!(sentence(&late).starts_with(&expected), "{}", sentence(&late));
        late.waiting_for = vec![seven; NAMED + 2];
        (late.count, late.refused) = (4, Some("no such key".to_owned()));
        let text = sentence(&late);
        for part in ["and 2 more", "refused: no such key", "3 more of this coin"] {
            assert!(text.contains(part), "{text} should say {part}");
        }
    }
}
