//! What the ledger remembers, and what goes in and out.

use std::collections::VecDeque;

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, PaymentId, SigningId, Thing};
use serai_messages::{Coin, ValidatorSet, vault};

use crate::chain::{Block, Output, OutputId, Plan, ToSign, VaultKey};

/// What a ledger is a function of.
#[derive(Clone, Debug)]
pub enum Input {
    /// The next of Serai's finalized events; only while [`Ledger::takes`](super::Ledger::takes) it.
    Event(vault::CoordinatorMessage),
    /// The finalized block that [`Ledger::wants`](super::Ledger::wants).
    Block(Block),
}

/// What is to be done; all of it again where the transaction that stored it was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To be signed by a set's vault, where this processor holds a share of it.
    Due {
        /// The thing.
        id: SigningId,
        /// Block from which the party is drawn.
        reference: SeraiBlock,
        /// What signers compare.
        content: Content,
        /// What is signed.
        messages: Vec<ToSign>,
    },
    /// To be published once its signatures are known; its [`Effect::Due`] follows.
    Planned {
        /// What it pays or forwards.
        id: SigningId,
        /// The transaction.
        plan: Plan,
    },
    /// To be said to the coordinator.
    Tell(vault::ProcessorMessage),
    /// Nothing is left to do: the batch was executed, the transaction is in a finalized block.
    Done(SigningId),
    /// A [`vault::Holdings`] is to be made, with what the chain says of these addresses.
    HoldingsAt(HoldingsAt),
}

/// [`vault::Holdings`], without what the external chain has to be asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HoldingsAt {
    /// The executed batch.
    pub batch: u32,
    /// Height of the external block that it acknowledges.
    pub height: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// As in [`vault::Holdings::in_flight`].
    pub in_flight: u64,
    /// As in [`vault::Holdings::retained`].
    pub retained: u64,
    /// As in [`vault::Holdings::costs`].
    pub costs: u64,
    /// Addresses of the vaults that were watched up to this height and are not retired.
    pub addresses: Vec<String>,
}

impl HoldingsAt {
    /// With the chain's answer.
    pub fn with(self, coin: Coin, holdings: u64) -> vault::Holdings {
        vault::Holdings {
            coin,
            batch: self.batch,
            height: self.height,
            hash: self.hash,
            holdings,
            in_flight: self.in_flight,
            retained: self.retained,
            costs: self.costs,
        }
    }
}

/// Where a vault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum Status {
    /// Serai has its keys; another one is in use.
    Activated,
    /// Pays.
    InUse,
    /// Another one is in use since batches acknowledged this height.
    Replaced { height: u64 },
    /// Retired on Serai, with a transaction that is in no acknowledged block yet.
    Retired,
}

/// A vault that is not gone.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Vault {
    pub key: VaultKey,
    pub status: Status,
    /// Whether blocks are scanned for it: from the batch after its activation on.
    pub watched: bool,
    /// Plans so far.
    pub plans: u64,
    /// Batch whose execution its last forwarding is known by.
    pub moved: Option<u32>,
    /// Whether its slash report was due.
    pub reported: bool,
}

/// A block of the external chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct At {
    pub height: u64,
    pub hash: [u8; 32],
}

/// Transactions of a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Seen {
    pub height: u64,
    pub transactions: Vec<[u8; 32]>,
}

/// Who signs the next batch, and in which party: fixed by the event that made it due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Draw {
    pub signer: ValidatorSet,
    pub reference: SeraiBlock,
}

/// What is done about the next batch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum Stage {
    /// No vault is known yet.
    Idle,
    /// A block to acknowledge is looked for.
    Scanning(Scanning),
    /// Found; the first of its batches waits to be executed.
    Found(Found),
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Scanning {
    pub draw: Draw,
    pub vaults: Vec<VaultKey>,
    /// Of these, those activated while the batch before was under way: blocks that it passed are
    /// looked at again for them alone.
    pub late: Vec<VaultKey>,
    /// Last block that was looked at.
    pub cursor: Option<At>,
    /// Deposits found in blocks that were looked at again.
    pub outputs: Vec<Output>,
    /// Blocks since the last acknowledged one.
    pub seen: Vec<Seen>,
}

/// A block to acknowledge. One batch unless its instructions are too long for one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Found {
    pub vaults: Vec<VaultKey>,
    /// Who signs the batch that is under way.
    pub signer: ValidatorSet,
    pub block: At,
    pub fee: u64,
    /// For vaults, in the block's order.
    pub outputs: Vec<Output>,
    pub seen: Vec<Seen>,
    /// Whether the first part was executed.
    pub acknowledged: bool,
    /// Not executed yet.
    pub parts: VecDeque<Part>,
}

/// What one batch holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Part {
    /// The encoded list.
    pub instructions: Vec<u8>,
    /// Amount that each credits.
    pub credits: Vec<u64>,
}

/// A burn that has no plan yet.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Burn {
    pub id: PaymentId,
    pub reference: SeraiBlock,
    pub external_coin: u8,
    pub amount: u64,
    pub address: Vec<u8>,
}

/// A plan whose transaction is in no acknowledged block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Open {
    pub id: SigningId,
    pub hash: [u8; 32],
    pub created: Vec<OutputId>,
    /// Of a payment, what was burned.
    pub gross: u64,
    pub cost: u64,
    pub recovered: u64,
    /// Whether a block with it is acknowledged for it alone: from the batch after its making on.
    pub watched: bool,
}

/// The snapshot.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct State {
    /// In the order of their activation.
    pub vaults: Vec<Vault>,
    pub stage: Stage,
    /// Number of the next batch.
    pub next: u32,
    /// Last acknowledged block, and the one acknowledged before it.
    pub acknowledged: Option<At>,
    pub before: Option<At>,
    /// Block that executed the last batch.
    pub executed: Option<SeraiBlock>,
    /// Of the last acknowledged block.
    pub fee: u64,
    /// Outputs that no plan spends.
    pub available: Vec<Output>,
    pub open: Vec<Open>,
    pub burns: VecDeque<Burn>,
    /// Arrived or burned, and of nobody on Serai.
    pub retained: u64,
    /// Paid by vaults themselves in acknowledged blocks, and not recovered in these.
    pub costs: u64,
    pub halted: Option<String>,
}

impl State {
    pub fn new() -> Self {
        Self {
            vaults: Vec::new(),
            stage: Stage::Idle,
            next: 0,
            acknowledged: None,
            before: None,
            executed: None,
            fee: 0,
            available: Vec::new(),
            open: Vec::new(),
            burns: VecDeque::new(),
            retained: 0,
            costs: 0,
            halted: None,
        }
    }

    pub fn vault(&self, set: ValidatorSet) -> Option<&Vault> {
        self.vaults.iter().find(|vault| vault.key.set == set)
    }

    /// Vaults that blocks are looked at for: a set that may be retired at any time, and signs no more,
    /// could not move what still came.
    pub fn scanned(&self) -> impl Iterator<Item = &Vault> {
        self.vaults.iter().filter(|vault| !vault.reported)
    }

    pub fn in_use(&self) -> Option<&Vault> {
        self.vaults.iter().find(|vault| vault.status == Status::InUse)
    }

    /// Who signs a batch that becomes due now: the newest vault, once it is activated. Its first
    /// batch is the hand-over.
    pub fn signer(&self) -> Option<ValidatorSet> {
        self.vaults.iter().map(|vault| vault.key.set).max_by_key(|set| set.session)
    }

    /// Burned, and in no acknowledged block yet.
    pub fn in_flight(&self) -> u64 {
        let burns = self.burns.iter().map(|burn| burn.amount);
        let open = self.open.iter().map(|open| open.gross);
        burns.chain(open).fold(0, u64::saturating_add)
    }

    /// Costs that no plan has recovered yet.
    pub fn recoverable(&self) -> u64 {
        let planned = self.open.iter().map(|open| open.recovered).fold(0, u64::saturating_add);
        self.costs.saturating_sub(planned)
    }

    pub fn is_open(&self, id: SigningId) -> bool {
        self.open.iter().any(|open| open.id == id)
    }

    /// Whether this is still to be signed.
    pub fn is_due(&self, id: SigningId) -> bool {
        match id.thing {
            Thing::Batch(batch) => batch == self.next,
            Thing::Payment(_) | Thing::Forward(_) => self.is_open(id),
            Thing::Slashes => self.vault(id.set).is_some_and(|vault| vault.reported),
        }
    }
}
