//! Signings that have ended: who asks is given the signatures; who is accused late is judged.

use std::collections::VecDeque;

use serai_messages::signing::{PeerMessage, SigningId};
use serai_messages::{Body, SignedStatement};

use super::super::error::SessionError;
use super::super::outlet::Outlet;
use super::super::speaker::Speaker;
use super::super::tables::{self, Ended};
use super::session::Session;

/// Machines of ended signings that are kept in memory.
pub const LINGERING: usize = 64;

/// Machines of ended signings, oldest first.
#[derive(Default)]
pub struct Lingering(VecDeque<Session>);

impl Lingering {
    /// Keeps a machine; the oldest makes room.
    pub fn keep(&mut self, session: Session) {
        if self.0.len() >= LINGERING {
            self.0.pop_front();
        }
        self.0.push_back(session);
    }

    /// The machine of a thing, if it is still there.
    pub fn get(&self, id: SigningId) -> Option<&Session> {
        self.0.iter().rev().find(|session| session.id == id)
    }

    /// Likewise, to be told something.
    pub fn get_mut(&mut self, id: SigningId) -> Option<&mut Session> {
        self.0.iter_mut().rev().find(|session| session.id == id)
    }
}

/// Gives the signatures to whoever still works for them: asks for preprocesses, gives one to this
/// validator, or opens a session. Whether the statement is one of those. Who speaks of another content
/// is given nothing.
///
/// # Errors
/// The database's.
pub fn answer(
    out: &mut Outlet<'_>,
    speaker: &Speaker,
    ended: &Ended,
    statement: &SignedStatement,
) -> Result<bool, SessionError> {
    let Body::Signing(message) = &statement.statement.body else { return Ok(false) };
    let works_on = match message {
        PeerMessage::Request { digest, .. } | PeerMessage::Open { digest, .. } => Some(digest),
        PeerMessage::Preprocess { digest, opener, .. } if *opener == speaker.own() => Some(digest),
        _ => None,
    };
    let (id, digest) = (message.id(), ended.digest);
    if works_on != Some(&digest)
        || tables::is_member(out.transaction, id.set, &statement.signer)? != Some(true)
    {
        return Ok(false);
    }
    let signatures = ended.signatures.clone();
    let signed = PeerMessage::Signed { id, digest, signatures };
    let signed = speaker.sign(out.transaction, Body::Signing(signed))?;
    speaker.post(out.transaction, statement.signer, &signed)?;
    out.wake.network = true;
    Ok(true)
}
