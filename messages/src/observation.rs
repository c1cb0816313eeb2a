//! Records of `{name}-serai`: what observation saw on Serai and on the external chains, and what is
//! to be submitted to Serai. Written by the validator's own coordinator, in the clear.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::signing::{PaymentId, SigningId};
use crate::vault::{Holdings, KeptReason};
use crate::{BlockHash, BlockNumber, Coin, KeyPair, SignatureBytes, ValidatorKey, ValidatorSet};

/// A validator of a set as Serai stores it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetMember {
    /// Its key.
    pub validator: ValidatorKey,
    /// Its key shares. More than one counts as one in this version (a stated limit).
    pub shares: u64,
    /// Its libp2p peer id and addresses, as the chain has them (multiaddresses ending in
    /// `/p2p/{peer id}`); empty where the chain has none.
    pub addresses: Vec<String>,
}

/// A finalized Serai block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SeraiBlock {
    /// Its number.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: BlockHash,
}

/// What was seen, or is to be done.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// A Serai block is finalized and everything in it has been published before this record. Only
    /// blocks with an effect on the coordinator, and the newest one at the end of each catch-up, are
    /// announced one by one.
    SeraiFinalized {
        /// The block.
        block: SeraiBlock,
    },
    /// `ValidatorSets.NewSet` of an external network.
    NewSet {
        /// Block with the event.
        block: SeraiBlock,
        /// The set.
        set: ValidatorSet,
        /// Its participants at that block, in storage order.
        members: Vec<SetMember>,
    },
    /// `ValidatorSets.ParticipantRemoved`.
    ParticipantRemoved {
        /// Block with the event.
        block: SeraiBlock,
        /// The set.
        set: ValidatorSet,
        /// Who.
        removed: ValidatorKey,
    },
    /// `ValidatorSets.KeyGen`: a vault's keys are on the chain.
    KeyGen {
        /// Block with the event.
        block: SeraiBlock,
        /// The set.
        set: ValidatorSet,
        /// Its keys.
        key_pair: KeyPair,
    },
    /// `ValidatorSets.AcceptedHandover`: this set's vault is the one in use.
    AcceptedHandover {
        /// Block with the event.
        block: SeraiBlock,
        /// The set.
        set: ValidatorSet,
    },
    /// `ValidatorSets.SetRetired`.
    SetRetired {
        /// Block with the event.
        block: SeraiBlock,
        /// The set.
        set: ValidatorSet,
    },
    /// To submit: the MuSig-signed keys of a set.
    SetKeys {
        /// The set.
        set: ValidatorSet,
        /// Validators left out, in storage order.
        removed: Vec<ValidatorKey>,
        /// The keys.
        key_pair: KeyPair,
        /// MuSig signature of all members not removed.
        signature: SignatureBytes,
    },
    /// To submit: a batch that the vault's Ristretto key has signed (the seed's txin).
    Batch {
        /// Set whose key signed.
        set: ValidatorSet,
        /// Its number.
        id: u32,
        /// SCALE bytes of Serai's `Batch`.
        batch: Vec<u8>,
        /// By the Ristretto key.
        signature: SignatureBytes,
    },
    /// To submit: the slash report of a replaced set.
    SlashReport {
        /// The set.
        set: ValidatorSet,
        /// SCALE bytes of the list of (validator, points).
        report: Vec<u8>,
        /// By its Ristretto key.
        signature: SignatureBytes,
    },
    /// `InInstructions.Batch` was executed (the seed's txin, as Serai saw it).
    BatchExecuted {
        /// Block with the event.
        block: SeraiBlock,
        /// The network.
        coin: Coin,
        /// The batch's number.
        id: u32,
        /// External block that it acknowledges.
        external_block: [u8; 32],
        /// Blake2b-256 of its instructions, SCALE-encoded.
        instructions_hash: [u8; 32],
        /// Positions of the instructions that failed (`InstructionFailure`), ascending.
        failed: Vec<u32>,
    },
    /// `Coins.BurnWithInstruction` (the seed's txout).
    Burn {
        /// Block with the event.
        block: SeraiBlock,
        /// Position among the block's events.
        index: u32,
        /// Who burned.
        from: ValidatorKey,
        /// Coin of the external network (`ExternalCoin`: Bitcoin 4, Ether 5, Dai 6, Monero 7).
        external_coin: u8,
        /// Amount in the coin's base units on Serai.
        amount: u64,
        /// External address, at most 196 bytes.
        address: Vec<u8>,
        /// Data for the external transaction, at most 512 bytes.
        data: Option<Vec<u8>>,
    },
    /// An external chain's newest finalized block, as its processor reported it.
    ExternalFinalized {
        /// The chain.
        coin: Coin,
        /// Height on that chain.
        height: u64,
        /// Block hash.
        hash: [u8; 32],
    },
    /// A vault's transaction was given to the external chain.
    Published {
        /// What it pays or forwards.
        id: SigningId,
        /// Its hash.
        transaction: [u8; 32],
    },
    /// A vault's transaction is in a finalized external block.
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
        /// Hash of its transaction.
        transaction: [u8; 32],
        /// Its position in it.
        index: u32,
        /// Amount in the coin's base units on Serai.
        amount: u64,
        /// Why.
        reason: KeptReason,
    },
    /// A burn that cannot be paid out.
    Unpayable {
        /// The coin.
        coin: Coin,
        /// The payment.
        payment: PaymentId,
        /// Amount in the coin's base units on Serai.
        amount: u64,
        /// Why, in a sentence.
        reason: String,
    },
    /// What a coin's vaults hold at a canonical height.
    Holdings(Holdings),
}

impl Event {
    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::SeraiFinalized { .. } => "serai.finalized",
            Event::NewSet { .. } => "serai.new-set",
            Event::ParticipantRemoved { .. } => "serai.participant-removed",
            Event::KeyGen { .. } => "serai.key-gen",
            Event::AcceptedHandover { .. } => "serai.accepted-handover",
            Event::SetRetired { .. } => "serai.set-retired",
            Event::SetKeys { .. } => "submit.set-keys",
            Event::Batch { .. } => "submit.batch",
            Event::SlashReport { .. } => "submit.slash-report",
            Event::BatchExecuted { .. } => "txin.batch-executed",
            Event::Burn { .. } => "txout.burn",
            Event::ExternalFinalized { .. } => "external.finalized",
            Event::Published { .. } => "external.published",
            Event::Completed { .. } => "external.completed",
            Event::Kept { .. } => "external.kept",
            Event::Unpayable { .. } => "external.unpayable",
            Event::Holdings(_) => "external.holdings",
        }
    }

    /// Intent id: the same whenever the same thing is published again.
    pub fn intent(&self) -> String {
        match self {
            Event::SeraiFinalized { block } => format!("serai/{}", block.number),
            Event::NewSet { set, .. } => format!("serai/new-set/{set}"),
            Event::ParticipantRemoved { set, removed, .. } => {
                format!("serai/removed/{set}/{removed}")
            }
            Event::KeyGen { set, .. } => format!("serai/key-gen/{set}"),
            Event::AcceptedHandover { set, .. } => format!("serai/handover/{set}"),
            Event::SetRetired { set, .. } => format!("serai/retired/{set}"),
            Event::SetKeys { set, signature, .. } => {
                format!("submit/set-keys/{set}/{}", hex::encode(&signature.0[..8]))
            }
            Event::Batch { set, id, .. } => format!("submit/batch/{set}/{id}"),
            Event::SlashReport { set, .. } => format!("submit/slash-report/{set}"),
            Event::BatchExecuted { coin, id, .. } => format!("txin/{coin}/{id}"),
            Event::Burn { block, index, .. } => format!("txout/{}/{index}", block.number),
            Event::ExternalFinalized { coin, height, .. } => format!("external/{coin}/{height}"),
            Event::Published { id, .. } => format!("external/published/{id}"),
            Event::Completed { id, .. } => format!("external/completed/{id}"),
            Event::Kept { coin, transaction, index, .. } => {
                format!("external/kept/{coin}/{}/{index}", hex::encode(transaction))
            }
            Event::Unpayable { coin, payment, .. } => {
                format!("external/unpayable/{coin}/{payment}")
            }
            Event::Holdings(holdings) => {
                format!("external/holdings/{}/{}", holdings.coin, holdings.batch)
            }
        }
    }
}
