//! Records of the topic: what each is, and what follows from it.

use rusqlite::Transaction;
use serai_bus::exchange::{self, Acceptance, Consumer};
use serai_bus::{DeadLetter, Delivered};
use serai_messages::control::KeyAnnouncement;
use serai_messages::{Endpoint, ProcessorKey, Record, Versions};

use super::Actor;
use crate::conversation::{Answer, Request};
use crate::inbox::{Input, Reader, Refusal};
use crate::settings::Error;
use crate::state;

impl Actor {
    /// Records, in order: position, sequences, state and effects in one transaction.
    pub(crate) fn handle_delivered(
        &mut self,
        consumer: Consumer<'_>,
        records: &[Delivered],
    ) -> Result<(), Error> {
        let database = self.database.clone();
        database.transaction(|transaction| {
            for delivered in records {
                exchange::set_position(transaction, consumer, &delivered.position())?;
                let rejected = match &delivered.record {
                    Ok(record) => {
                        self.handle_record(transaction, consumer, delivered.offset, record)?
                    }
                    // The letter says why by itself.
                    Err(_) => Some(String::new()),
                };
                if let Some(reason) = rejected {
                    DeadLetter::new(consumer, delivered, &reason).enqueue(
                        transaction,
                        &self.name,
                        Endpoint::Processor(self.outbox.coin),
                        self.outbox.incarnation,
                    )?;
                }
            }
            Ok::<_, Error>(self.handlers.store(transaction)?)
        })?;
        self.wake();
        self.order()
    }

    pub(super) fn answer(
        &self,
        transaction: &Transaction<'_>,
        answers: &[Answer],
    ) -> Result<(), Error> {
        // Nothing is asked for, and nothing seen that matters, before the coordinator's key is known.
        if let Some(coordinator) = &self.coordinator {
            for answer in answers {
                self.outbox.answer(transaction, answer, coordinator)?;
            }
        }
        Ok(())
    }

    /// Returns why the record could not be handled, if so.
    fn handle_record(
        &mut self,
        transaction: &Transaction<'_>,
        consumer: Consumer<'_>,
        offset: u64,
        record: &Record,
    ) -> Result<Option<String>, Error> {
        let reader = Reader {
            coin: self.outbox.coin,
            incarnation: self.outbox.incarnation,
            secret: &self.outbox.secret,
            coordinator: self.coordinator.as_ref(),
            speaks: self.outbox.speaks,
            birth: self.birth,
        };
        match reader.open(offset, record) {
            Ok(Input::Own | Input::ForEarlierLife) => Ok(None),
            Ok(Input::EarlierLife) => {
                if !self.birth.superseding {
                    self.birth.superseding = true;
                    state::set_birth(transaction, self.birth)?;
                    tracing::warn!(
                        "this data folder takes the place of an earlier one: what was begun with \
                         that one is not taken up"
                    );
                }
                Ok(None)
            }
            Ok(Input::Announcement(announcement)) => {
                let KeyAnnouncement { key, speaks, .. } = announcement;
                let refused = self.handle_announcement(transaction, key)?;
                if refused.is_some() {
                    return Ok(refused);
                }
                self.handle_versions(transaction, speaks)
            }
            Ok(Input::Message(request)) => {
                let (from, sequence) = (record.from, record.sequence);
                let acceptance =
                    exchange::accept(transaction, consumer, from, record.incarnation, sequence)?;
                match acceptance {
                    Acceptance::New => self.handle_request(transaction, &request),
                    Acceptance::Repeat => Ok(None),
                    Acceptance::Replaced => {
                        tracing::warn!(id = %record.id, "record of a replaced coordinator dropped");
                        Ok(None)
                    }
                }
            }
            Err(error @ (Refusal::Replaced { .. } | Refusal::Newer { .. })) => {
                Err(Error::Stopped(error.to_string()))
            }
            Err(Refusal::Unusable(reason)) => Ok(Some(reason)),
        }
    }

    fn handle_announcement(
        &mut self,
        transaction: &Transaction<'_>,
        key: ProcessorKey,
    ) -> Result<Option<String>, Error> {
        match self.coordinator {
            Some(known) if known == key => Ok(None),
            Some(known) if self.pinned.is_some() => Ok(Some(format!(
                "the coordinator announces the key {key}, but {known} is pinned by \
                 --coordinator-key; it is refused"
            ))),
            Some(known) => Ok(Some(format!(
                "the coordinator announces the key {key} in place of {known}; it is refused. If \
                 that is meant, restart the processor with --accept-coordinator-key {key}"
            ))),
            None => {
                state::set_coordinator_key(transaction, &key)?;
                self.coordinator = Some(key);
                tracing::info!(%key, "coordinator's key kept at first sight");
                Ok(None)
            }
        }
    }

    /// What the coordinator speaks. Returns why neither understands the other, if so.
    fn handle_versions(
        &mut self,
        transaction: &Transaction<'_>,
        speaks: Versions,
    ) -> Result<Option<String>, Error> {
        if self.outbox.coordinator_speaks != speaks {
            state::set_coordinator_versions(transaction, speaks)?;
            self.outbox.coordinator_speaks = speaks;
            tracing::info!(%speaks, "message versions of the coordinator");
        }
        let apart = self.outbox.apart();
        if let Some(reason) = &apart {
            tracing::error!(reason, "nothing can be said");
        }
        Ok(apart)
    }

    fn handle_request(
        &mut self,
        transaction: &Transaction<'_>,
        request: &Request,
    ) -> Result<Option<String>, Error> {
        let handled = self.handlers.handle(transaction, request)?;
        let answers: Vec<_> = handled.answers.iter().map(|answer| answer.kind()).collect();
        tracing::info!(kind = request.kind(), subject = request.subject(), ?answers, "handled");
        self.answer(transaction, &handled.answers)?;
        Ok(handled.rejected)
    }
}
