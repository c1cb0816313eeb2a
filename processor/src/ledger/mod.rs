//! The ledger of a coin's vaults (ADR 0011): batches, payments, forwardings, as every processor of the
//! coin works them out by itself.
//!
//! ```text
//!  Serai's finalized events ──┐              ┌──▶ Due: batch, payment, forwarding, slash report
//!                             ├──▶ Ledger ───┼──▶ Planned, Done: what to publish
//!  finalized external blocks ─┘   (Network)  └──▶ Tell, HoldingsAt: what to report
//! ```
//!
//! # Owns
//! Which vault is watched, signs batches, pays; which external block is acknowledged next, and what
//! its batch says; which outputs are available and what they are spent for; the figures of solvency.
//!
//! # Promises
//! A function of Serai's events and the external chain's blocks, whatever their interleaving: the
//! choice of a block depends on the vaults and plans known when the batch before was executed. A
//! burn has one plan, which is never replaced. An output is spent by one plan. At every canonical
//! height, holdings and costs are what Serai has supplied, what is in flight and what is retained.
//! What contradicts this stops the ledger ([`Halted`](serai_messages::vault::ProcessorMessage::Halted))
//! instead of being signed.
//!
//! # Limits
//! What is sent to a vault after its set's slash report is due is lost to whoever sent it. A deposit
//! whose data is no instruction, or whose instruction fails, stays in the vault; nobody is
//! refunded. Payments carry no data: that of a burn is left out. The slash report is empty. Blocks
//! are scanned from the chain's first on.

mod blocks;
mod events;
mod money;
pub mod scale;
mod state;
mod store;

#[cfg(test)]
mod tests;

use serai_messages::vault::{CoordinatorMessage, ProcessorMessage};
use serai_messages::{DecodeError, decode, encode};

use crate::chain::Network;
pub use state::{Effect, HoldingsAt, Input};
use state::{Stage, State};
pub use store::{
    Book, Error, MIGRATION, PlanReport, Publication, Taken, genesis, plans, set_genesis,
};

/// A block without anything for the vaults is acknowledged when it is the 10th since the last
/// acknowledged one, so that hand-overs and solvency checks do not wait for a deposit.
pub const QUIET_BLOCKS: usize = 10;

/// Blocks that are acknowledged between a vault's replacement and its set's slash report: late
/// deposits are still forwarded meanwhile.
pub const CLOSING_BLOCKS: u64 = 20;

/// How a stopped ledger is begun anew. Not from a copy of the folder: its nonces may have signed since.
const ANEW: &str = "begin anew with a new data folder and the vaults' backups (serai-processor \
                    restore), never with an older copy of this folder: its nonces may have signed";

/// A coin's ledger.
pub struct Ledger {
    network: &'static dyn Network,
    state: State,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("coin", &self.network.coin())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Of nothing yet.
    pub fn new(network: &'static dyn Network) -> Self {
        Self { network, state: State::new() }
    }

    /// As it was when [`Ledger::snapshot`] was taken.
    ///
    /// # Errors
    /// [`DecodeError`] of bytes that are no snapshot.
    pub fn restore(network: &'static dyn Network, snapshot: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { network, state: decode(snapshot)? })
    }

    /// All that it knows.
    pub fn snapshot(&self) -> Vec<u8> {
        encode(&self.state)
    }

    /// Why it has stopped, if so.
    pub fn halted(&self) -> Option<&str> {
        self.state.halted.as_deref()
    }

    /// Number of the next batch to be executed.
    pub fn next_batch(&self) -> u32 {
        self.state.next
    }

    /// Whether this is still to be signed, as far as the ledger knows.
    pub fn is_due(&self, id: serai_messages::signing::SigningId) -> bool {
        self.state.is_due(id)
    }

    /// Whether this event can be handled now. An executed batch waits until the own one is made;
    /// events after it wait behind it.
    pub fn takes(&self, event: &CoordinatorMessage) -> bool {
        let waits = matches!(event, CoordinatorMessage::Executed { id, .. } if *id == self.state.next)
            && matches!(self.state.stage, Stage::Scanning(_));
        self.state.halted.is_none() && !waits
    }

    /// What follows from the next event or block.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        if self.state.halted.is_some() {
            return Vec::new();
        }
        match input {
            Input::Event(event) => self.handle_event(event),
            Input::Block(block) => self.handle_block(&block),
        }
    }

    fn halt(&mut self, reason: String) -> Vec<Effect> {
        self.state.halted = Some(reason.clone());
        vec![Effect::Tell(ProcessorMessage::Halted { coin: self.network.coin(), reason })]
    }
}
