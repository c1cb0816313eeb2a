//! The verbs of the process.

use serai_messages::observation::{SeraiBlock, SetMember};
use serai_messages::{BlockHash, KeyPair, ValidatorSet};
use tokio::sync::{mpsc, oneshot};

use super::Status;
use super::error::ReadError;

/// Requests that wait to be taken up; callers of further ones wait.
pub(super) const CAPACITY: usize = 16;

/// A request to the actor.
#[derive(Debug)]
pub(super) enum Request {
    Genesis(oneshot::Sender<Result<BlockHash, ReadError>>),
    SetMembers(ValidatorSet, oneshot::Sender<Result<Vec<SetMember>, ReadError>>),
    KeysOf(ValidatorSet, oneshot::Sender<Result<Option<KeyPair>, ReadError>>),
    Head(oneshot::Sender<Result<(SeraiBlock, u64), ReadError>>),
    Status(oneshot::Sender<Result<Status, ReadError>>),
}

/// A handle to the process. Verbs that read the chain wait for a node, without a limit: give them
/// one where it matters, and say what is waited for ([`Status::waiting`]).
#[derive(Clone, Debug)]
pub struct Mailbox(pub(super) mpsc::Sender<Request>);

impl Mailbox {
    /// Hash of the chain's block 0. Known without a node once one has been reached: a node of
    /// another chain is refused.
    ///
    /// # Errors
    /// [`ReadError::Stopped`] or [`ReadError::Database`].
    pub async fn genesis(&self) -> Result<BlockHash, ReadError> {
        self.ask(Request::Genesis).await
    }

    /// The members of a set in storage order, read from the node now. The chain keeps those of a
    /// network's latest set only.
    ///
    /// # Errors
    /// [`ReadError::NotLatest`] for another set; [`ReadError::Node`] when the node fails meanwhile.
    pub async fn set_members(&self, set: ValidatorSet) -> Result<Vec<SetMember>, ReadError> {
        self.ask(|answer| Request::SetMembers(set, answer)).await
    }

    /// The keys that the chain has for a set, read from the node now; `None` before its key
    /// generation and after the next set took over.
    ///
    /// # Errors
    /// [`ReadError::Node`] when the node fails meanwhile.
    pub async fn keys_of(&self, set: ValidatorSet) -> Result<Option<KeyPair>, ReadError> {
        self.ask(|answer| Request::KeysOf(set, answer)).await
    }

    /// The newest finalized block of the node, and the time that it states in milliseconds since the Unix
    /// epoch: a node that is behind has an old one.
    ///
    /// # Errors
    /// [`ReadError::Node`] when the node fails meanwhile.
    pub async fn head(&self) -> Result<(SeraiBlock, u64), ReadError> {
        self.ask(Request::Head).await
    }

    /// How the process stands. Never waits for a node.
    ///
    /// # Errors
    /// [`ReadError::Stopped`] or [`ReadError::Database`].
    pub async fn status(&self) -> Result<Status, ReadError> {
        self.ask(Request::Status).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ReadError>>) -> Request,
    ) -> Result<T, ReadError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(request(answer)).await.map_err(|_| ReadError::Stopped)?;
        answered.await.map_err(|_| ReadError::Stopped)?
    }
}
