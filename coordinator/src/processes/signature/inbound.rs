//! Statements of other validators' coordinators.

use std::collections::VecDeque;

use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::{SessionId, ValidatorSet};
use serai_protocol::keygen::Input;

use super::actor::{Error, Running};
use super::sessions::Wake;
use super::tables;
use crate::processes::network;

/// Where a statement belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To a session that runs here.
    Running,
    /// To a session that begins once the own processor's key is known.
    WaitsForProcessor(ValidatorSet),
    /// To a set that was not read from Serai yet.
    Unread,
    /// To nothing that concerns this validator any more, or ever did.
    None,
}

impl Running {
    /// Statements of a peer, in its order. Those of a set that this validator has not read from Serai
    /// yet wait here, unacknowledged, with all that follow them.
    pub(super) async fn handle_inbound(&mut self, inbound: network::Inbound) -> Result<(), Error> {
        let network::Inbound { from, incarnation, statements, accepted } = inbound;
        let database = self.surroundings.database.clone();
        let mut wake = Wake::default();
        let mut statements = VecDeque::from(statements);
        let last = database.transaction(|transaction| {
            let mut last = None;
            while let Some((sequence, statement)) = statements.front() {
                let id = statement.statement.body.session();
                let place = self.place_of(transaction, id)?;
                if place == Place::Unread {
                    break;
                }
                let acceptance =
                    network::tables::accept(transaction, from, incarnation, *sequence)?;
                last = Some(*sequence);
                let Some((_, statement)) = statements.pop_front() else { break };
                if acceptance != network::tables::Acceptance::New {
                    continue;
                }
                match place {
                    Place::Running => {
                        self.apply(transaction, id, Input::Statement(statement), &mut wake)?;
                    }
                    Place::WaitsForProcessor(set) => {
                        tables::keep_early(transaction, set, &statement)?;
                    }
                    Place::None | Place::Unread => {}
                }
            }
            Ok::<_, Error>(last)
        })?;
        self.wake(wake).await?;
        if statements.is_empty() {
            // The network process tells the peer; when it has ended there is nobody to tell.
            if let Some(last) = last {
                let _ = accepted.send(last);
            }
            return Ok(());
        }
        let statements = statements.into();
        self.parked.insert(from, network::Inbound { from, incarnation, statements, accepted });
        Ok(())
    }

    fn place_of(
        &self,
        transaction: &Transaction<'_>,
        id: SessionId,
    ) -> Result<Place, DatabaseError> {
        let SessionId::Keygen(set) = id else { return Ok(Place::None) };
        if self.sessions.is_running(id) {
            return Ok(Place::Running);
        }
        if self.sessions.has_ended(id) || !self.conversations.contains_key(&set.coin) {
            return Ok(Place::None);
        }
        Ok(match tables::is_member(transaction, set, &self.sessions.own())? {
            None => Place::Unread,
            Some(true) => Place::WaitsForProcessor(set),
            Some(false) => Place::None,
        })
    }

    /// Looks at parked statements again after something else has happened.
    pub(super) async fn unpark(&mut self) -> Result<(), Error> {
        for (_, inbound) in std::mem::take(&mut self.parked) {
            self.handle_inbound(inbound).await?;
        }
        Ok(())
    }
}
