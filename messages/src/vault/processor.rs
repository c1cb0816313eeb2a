//! From a processor to its coordinator: what it sees on the external chain.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::Coin;
use crate::signing::{PaymentId, SigningId};

/// Why money that arrived is not credited to anybody on Serai. It stays in the vault and is counted
/// ([`Holdings::retained`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum KeptReason {
    /// The deposit carries no data.
    NoInstruction,
    /// Its data is no instruction of Serai, or one that this version of Serai does not know.
    NotUnderstood,
    /// It is worth no more than what the vault pays to collect it.
    TooSmall,
    /// Its instruction does not fit a batch.
    TooLarge,
}

impl fmt::Display for KeptReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeptReason::NoInstruction => "it carries no instruction",
            KeptReason::NotUnderstood => "its data is no instruction that Serai executes",
            KeptReason::TooSmall => "it is worth no more than what collecting it costs",
            KeptReason::TooLarge => "its instruction does not fit a batch",
        })
    }
}

/// What the vaults of a coin hold at a canonical height: an external block that an executed batch
/// acknowledges (DESIGN section 5, solvency). Amounts in the coin's base units on Serai.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Holdings {
    /// The coin.
    pub coin: Coin,
    /// The executed batch.
    pub batch: u32,
    /// Height of the external block.
    pub height: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// What all vaults that are not retired hold after this block, as the external chain says.
    pub holdings: u64,
    /// Burned on Serai up to the block that executed the batch, and not yet in an external block up
    /// to this height: their whole amounts, fees included.
    pub in_flight: u64,
    /// Arrived up to this height and not credited on Serai (the cost of collecting deposits, deposits
    /// without an instruction, instructions that failed), and burned but too small to be paid.
    pub retained: u64,
    /// Fees that the vaults have paid for themselves (forwardings) up to this height and have not got
    /// back from payments.
    pub costs: u64,
}

/// From a processor to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProcessorMessage {
    /// The external chain's newest finalized block.
    Finalized {
        /// The coin.
        coin: Coin,
        /// Height.
        height: u64,
        /// Hash.
        hash: [u8; 32],
    },
    /// A transaction was given to the external chain, or is on it already.
    Published {
        /// What it pays or forwards.
        id: SigningId,
        /// Its hash.
        transaction: [u8; 32],
    },
    /// A transaction is in a finalized external block.
    Completed {
        /// What it pays or forwards.
        id: SigningId,
        /// Its hash.
        transaction: [u8; 32],
        /// Height of the block.
        height: u64,
    },
    /// A deposit that nobody is credited for.
    Kept {
        /// The coin.
        coin: Coin,
        /// The deposit: hash of its transaction.
        transaction: [u8; 32],
        /// Its position in it.
        index: u32,
        /// Amount.
        amount: u64,
        /// Why.
        reason: KeptReason,
    },
    /// A burn that is not paid out: its amount does not cover the network's fee, its coin or address
    /// is none that the vault can pay. The amount stays in the vault and is counted.
    Unpayable {
        /// The coin.
        coin: Coin,
        /// The payment.
        payment: PaymentId,
        /// Amount.
        amount: u64,
        /// Why, in a sentence.
        reason: String,
    },
    /// At a canonical height.
    Holdings(Holdings),
    /// The processor cannot go on with this coin's external chain until a person has looked: what it
    /// found contradicts what it knows.
    Halted {
        /// The coin.
        coin: Coin,
        /// What, and what to do, in a sentence.
        reason: String,
    },
}

impl ProcessorMessage {
    /// The coin.
    pub fn coin(&self) -> Coin {
        match self {
            ProcessorMessage::Finalized { coin, .. }
            | ProcessorMessage::Kept { coin, .. }
            | ProcessorMessage::Unpayable { coin, .. }
            | ProcessorMessage::Halted { coin, .. } => *coin,
            ProcessorMessage::Published { id, .. } | ProcessorMessage::Completed { id, .. } => {
                id.set.coin
            }
            ProcessorMessage::Holdings(holdings) => holdings.coin,
        }
    }

    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            ProcessorMessage::Finalized { .. } => "vault.finalized",
            ProcessorMessage::Published { .. } => "vault.published",
            ProcessorMessage::Completed { .. } => "vault.completed",
            ProcessorMessage::Kept { .. } => "vault.kept",
            ProcessorMessage::Unpayable { .. } => "vault.unpayable",
            ProcessorMessage::Holdings(_) => "vault.holdings",
            ProcessorMessage::Halted { .. } => "vault.halted",
        }
    }

    /// Intent id of sending this: the same whenever it is sent again.
    pub fn intent(&self) -> String {
        let (coin, kind) = (self.coin(), self.kind());
        match self {
            ProcessorMessage::Finalized { height, .. } => format!("{kind}/{coin}/{height}"),
            ProcessorMessage::Published { id, .. } | ProcessorMessage::Completed { id, .. } => {
                format!("{id}/{kind}")
            }
            ProcessorMessage::Kept { transaction, index, .. } => {
                format!("{kind}/{coin}/{}/{index}", hex::encode(transaction))
            }
            ProcessorMessage::Unpayable { payment, .. } => format!("{kind}/{coin}/{payment}"),
            ProcessorMessage::Holdings(holdings) => format!("{kind}/{coin}/{}", holdings.batch),
            ProcessorMessage::Halted { reason, .. } => {
                let digest = crate::keygen::digest(b"serai-coordinator-halted", reason);
                format!("{kind}/{coin}/{}", hex::encode(&digest[..8]))
            }
        }
    }
}
