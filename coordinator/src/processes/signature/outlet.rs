//! Where effects go: into the transaction of their input, and a list of what to wake after its commit.

use std::collections::BTreeSet;

use rusqlite::Transaction;
use serai_messages::Coin;
use serai_messages::observation::SetMember;
use serai_messages::signing::SigningId;
use serai_protocol::signing::Timer;

use super::conversation::{Conversation, Outgoing, SendError};

/// What the outside must do once the transaction is committed.
#[derive(Debug, Default)]
pub struct Wake {
    /// Coins whose conversation has something to publish.
    pub conversations: BTreeSet<Coin>,
    /// A processor speaks other message versions than before.
    pub versions: bool,
    /// The network's outbox has grown.
    pub network: bool,
    /// Validators to connect with.
    pub members: Vec<SetMember>,
    /// `{name}-serai` has something to publish.
    pub serai: bool,
    /// `{name}-public` has something to publish.
    pub public: bool,
    /// `{name}-dead-letter` has something to publish.
    pub dead_letter: bool,
    /// Clocks that signings asked for, with their delays in milliseconds.
    pub alarms: Vec<(SigningId, u64, Timer)>,
}

/// One input's transaction, and the processor that its session is about.
pub struct Outlet<'a> {
    /// The transaction.
    pub transaction: &'a Transaction<'a>,
    /// The conversation with the processor of the session's coin.
    pub conversation: &'a Conversation,
    /// What is to be woken.
    pub wake: &'a mut Wake,
}

impl Outlet<'_> {
    /// Seals and stores a message for the processor.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&mut self, message: Outgoing<'_>) -> Result<(), SendError> {
        self.conversation.send(self.transaction, message)?;
        self.wake.conversations.insert(self.conversation.coin);
        Ok(())
    }
}
