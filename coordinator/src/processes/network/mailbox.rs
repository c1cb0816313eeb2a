//! The verbs of the network process.

use std::sync::Arc;

use libp2p::Multiaddr;
use serai_messages::{ValidatorKey, Versions};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::{ConnectError, PeerStatus, Status};

/// Verbs waiting to be handled; a caller waits when there are more.
pub(super) const QUEUE: usize = 32;

/// A validator to be connected with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its sr25519 key.
    pub validator: ValidatorKey,
    /// Its name, for people.
    pub name: Option<String>,
    /// Where it listens. Each ends in the same `/p2p/<peer id>`; an address of that part alone names
    /// a peer that dials us and cannot be dialed.
    pub addresses: Vec<Multiaddr>,
}

/// Who is reachable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Validators to be connected with.
    pub peers: usize,
    /// Those among them with whom a proven connection is up.
    pub online: Vec<ValidatorKey>,
    /// Those among them with whom none is.
    pub missing: Vec<ValidatorKey>,
    /// Those of the missing that share no message version with what this coordinator announces.
    pub apart: Vec<Apart>,
}

/// A validator that shares no message version with this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// Who.
    pub validator: ValidatorKey,
    /// What it speaks.
    pub theirs: Versions,
    /// What is announced here, for this coordinator and its processors.
    pub own: Versions,
}

pub(super) enum Command {
    Connect(Vec<Peer>, oneshot::Sender<Result<(), ConnectError>>),
    Disconnect(Vec<ValidatorKey>, oneshot::Sender<()>),
    Announce(Versions, oneshot::Sender<()>),
    Status(oneshot::Sender<Status>),
}

/// Speaks to the network process from any thread.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) wake: Arc<Notify>,
    pub(super) reach: watch::Receiver<Reach>,
}

impl Mailbox {
    /// Connects with validators, and keeps connecting until [`Mailbox::disconnect`]. Adds those
    /// that are new and updates the others' names and addresses; this coordinator's own entry is
    /// skipped. Returns once they are let in, not once they are reached: see [`Mailbox::peers`].
    ///
    /// # Errors
    /// [`ConnectError`]; nothing is changed then.
    pub async fn connect(&self, validators: Vec<Peer>) -> Result<(), ConnectError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(Command::Connect(validators, answer)).await;
        sent.map_err(|_| ConnectError::Stopped)?;
        answered.await.unwrap_or(Err(ConnectError::Stopped))
    }

    /// Ends the connections with validators and lets them in no more. What waits for them stays
    /// queued, and their cursors are kept.
    pub async fn disconnect(&self, validators: Vec<ValidatorKey>) {
        let (done, answered) = oneshot::channel();
        if self.commands.send(Command::Disconnect(validators, done)).await.is_ok() {
            // Fails only when the process stops, which ends all connections.
            let _ = answered.await;
        }
    }

    /// Has peers told that these message versions are spoken here. Connections with peers that were told
    /// others are made anew.
    pub async fn announce(&self, versions: Versions) {
        let (done, answered) = oneshot::channel();
        if self.commands.send(Command::Announce(versions, done)).await.is_ok() {
            // Fails only when the process stops, which tells nobody anything any more.
            let _ = answered.await;
        }
    }

    /// Says that the outbox has grown. Cheap; calls that come close together count as one.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Who is reachable, now and whenever it changes.
    pub fn reach(&self) -> watch::Receiver<Reach> {
        self.reach.clone()
    }

    /// The process' state; `None` once it has stopped.
    pub async fn status(&self) -> Option<Status> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Status(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Each peer's state, in the order of their keys; empty once the process has stopped.
    pub async fn peers(&self) -> Vec<PeerStatus> {
        self.status().await.map_or_else(Vec::new, |status| status.peers)
    }
}
