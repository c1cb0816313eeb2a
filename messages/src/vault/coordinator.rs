//! From a coordinator to its processor: Serai's finalized events that concern the coin.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::observation::SeraiBlock;
use crate::signing::PaymentId;
use crate::{Coin, KeyPair, ValidatorSet};

/// From a coordinator to its processor, in the order of Serai's finalized events.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum CoordinatorMessage {
    /// `KeyGen`: this vault's addresses are watched from the next batch on, and it may sign batches.
    /// Also said of sets that this validator is no member of.
    Activated {
        /// The set.
        set: ValidatorSet,
        /// Its keys.
        key_pair: KeyPair,
        /// Block with the event.
        block: SeraiBlock,
    },
    /// `Batch`: batch `id` was executed.
    Executed {
        /// The coin.
        coin: Coin,
        /// The batch.
        id: u32,
        /// Block with the event.
        block: SeraiBlock,
        /// External block that it acknowledges.
        external_block: [u8; 32],
        /// Blake2b-256 of its instructions, SCALE-encoded.
        instructions_hash: [u8; 32],
        /// Positions of the instructions that failed, ascending.
        failed: Vec<u32>,
    },
    /// `BurnWithInstruction` of a coin of this network: to be paid out.
    Burned {
        /// The payment.
        id: PaymentId,
        /// Block with the event.
        block: SeraiBlock,
        /// The coin.
        coin: Coin,
        /// Which coin of the network (`ExternalCoin`: Bitcoin 4, Ether 5, Dai 6, Monero 7).
        external_coin: u8,
        /// Amount in the coin's base units on Serai.
        amount: u64,
        /// External address as Serai writes it.
        address: Vec<u8>,
        /// Data for the external transaction.
        data: Option<Vec<u8>>,
    },
    /// `AcceptedHandover`: this set's vault is the one in use from here on.
    HandedOver {
        /// The set.
        set: ValidatorSet,
        /// Block with the event.
        block: SeraiBlock,
    },
    /// `SetRetired`: this set's work has ended.
    Retired {
        /// The set.
        set: ValidatorSet,
        /// Block with the event.
        block: SeraiBlock,
    },
}

impl CoordinatorMessage {
    /// The coin's processor that this is for.
    pub fn coin(&self) -> Coin {
        match self {
            CoordinatorMessage::Activated { set, .. }
            | CoordinatorMessage::HandedOver { set, .. }
            | CoordinatorMessage::Retired { set, .. } => set.coin,
            CoordinatorMessage::Executed { coin, .. } | CoordinatorMessage::Burned { coin, .. } => {
                *coin
            }
        }
    }

    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            CoordinatorMessage::Activated { .. } => "vault.activated",
            CoordinatorMessage::Executed { .. } => "vault.executed",
            CoordinatorMessage::Burned { .. } => "vault.burned",
            CoordinatorMessage::HandedOver { .. } => "vault.handed-over",
            CoordinatorMessage::Retired { .. } => "vault.retired",
        }
    }

    /// Intent id of sending this: the same whenever it is sent again.
    pub fn intent(&self) -> String {
        match self {
            CoordinatorMessage::Activated { set, .. } => format!("vault/{set}/activated"),
            CoordinatorMessage::Executed { coin, id, .. } => format!("vault/{coin}/executed/{id}"),
            CoordinatorMessage::Burned { coin, id, .. } => format!("vault/{coin}/burned/{id}"),
            CoordinatorMessage::HandedOver { set, .. } => format!("vault/{set}/handed-over"),
            CoordinatorMessage::Retired { set, .. } => format!("vault/{set}/retired"),
        }
    }
}
