//! Statements of other validators' coordinators.

use std::collections::VecDeque;

use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::{Body, Sequence, SignedStatement, ValidatorSet};
use serai_protocol::keygen::Input;
use tokio::sync::oneshot;

use super::actor::Error;
use super::outlet::{Outlet, Wake};
use super::running::Running;
use super::tables;
use crate::processes::network;

/// To be told to a peer once the transaction is committed.
pub(super) type Accepted = (oneshot::Sender<Sequence>, Sequence);

/// Where a statement of key generation belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To a session that runs here.
    Running,
    /// To a session that begins once the own processor's key is known.
    WaitsForProcessor,
    /// To a set that was not read from Serai yet.
    Unread,
    /// To nothing that concerns this validator any more, or ever did.
    None,
}

impl Running {
    /// Statements of a peer, in its order. Those of key generation of a set that this validator has
    /// not read from Serai yet wait here, unacknowledged, with all that follow them.
    pub(super) fn handle_inbound(
        &mut self,
        transaction: &Transaction<'_>,
        inbound: network::Inbound,
        wake: &mut Wake,
    ) -> Result<Option<Accepted>, Error> {
        let network::Inbound { from, incarnation, statements, accepted } = inbound;
        let mut statements = VecDeque::from(statements);
        let mut last = None;
        while let Some((sequence, statement)) = statements.front() {
            if self.must_wait(transaction, statement)? {
                break;
            }
            let acceptance = network::tables::accept(transaction, from, incarnation, *sequence)?;
            last = Some(*sequence);
            let Some((_, statement)) = statements.pop_front() else { break };
            if acceptance == network::tables::Acceptance::New {
                self.hear(transaction, statement, wake)?;
            }
        }
        if statements.is_empty() {
            return Ok(last.map(|last| (accepted, last)));
        }
        let statements = statements.into();
        self.parked.insert(from, network::Inbound { from, incarnation, statements, accepted });
        Ok(None)
    }

    fn must_wait(
        &self,
        transaction: &Transaction<'_>,
        statement: &SignedStatement,
    ) -> Result<bool, DatabaseError> {
        match &statement.statement.body {
            Body::Keygen(message) => {
                Ok(self.place_of(transaction, message.id().set)? == Place::Unread)
            }
            Body::Signing(_) => Ok(false),
        }
    }

    fn hear(
        &mut self,
        transaction: &Transaction<'_>,
        statement: SignedStatement,
        wake: &mut Wake,
    ) -> Result<(), Error> {
        match &statement.statement.body {
            Body::Keygen(message) => {
                let set = message.id().set;
                match self.place_of(transaction, set)? {
                    Place::Running => {
                        self.apply(transaction, set, Input::Statement(statement), wake)?;
                    }
                    Place::WaitsForProcessor => {
                        tables::keep_early(transaction, set, &statement)?;
                    }
                    Place::None | Place::Unread => {}
                }
            }
            Body::Signing(message) => {
                let coin = message.id().set.coin;
                if let Some(conversation) = self.conversations.get(&coin) {
                    let mut out = Outlet { transaction, conversation, wake };
                    self.signings.hear(&mut out, statement)?;
                }
            }
        }
        Ok(())
    }

    fn place_of(
        &self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
    ) -> Result<Place, DatabaseError> {
        if self.keygens.is_running(set) {
            return Ok(Place::Running);
        }
        if self.keygens.has_ended(set) || !self.conversations.contains_key(&set.coin) {
            return Ok(Place::None);
        }
        Ok(match tables::is_member(transaction, set, &self.speaker.own())? {
            None => Place::Unread,
            Some(true) => Place::WaitsForProcessor,
            Some(false) => Place::None,
        })
    }
}
