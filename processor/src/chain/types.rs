//! What is read from external chains and planned on them.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::ValidatorSet;

/// What a chain says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Height of the newest block; block 0 is the first.
    pub height: u64,
    /// Height of the newest finalized block; none while there is none.
    pub finalized: Option<u64>,
    /// Hash of block 0: which chain this is.
    pub genesis: [u8; 32],
    /// Fee at present, as in [`Block::fee`].
    pub fee: u64,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its height; block 0 is the first.
    pub height: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Hash of the block before; zeros of block 0.
    pub parent: [u8; 32],
    /// Fee that transactions planned by this block pay: satoshis per virtual byte, elsewhere base
    /// units per transaction.
    pub fee: u64,
    /// In the block's order.
    pub transactions: Vec<Transaction>,
}

/// A transaction in a block. Its hash was checked against its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its hash, which signatures are not part of; of Bitcoin the txid, in the order in which it is
    /// displayed.
    pub hash: [u8; 32],
    /// Its bytes.
    pub raw: Vec<u8>,
}

/// How a chain stands to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// The chain does not know it (any more): publish it (again).
    Unknown,
    /// It waits for a block.
    Pending,
    /// It is in a block.
    Included {
        /// Height of the block.
        height: u64,
        /// Its hash.
        block: [u8; 32],
        /// Whether the block is finalized.
        finalized: bool,
    },
}

/// Which of a vault's addresses.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Purpose {
    /// Where people deposit.
    External,
    /// Where the vault's own transactions return what they do not pay.
    Change,
    /// Where the vault's predecessor sends what it holds.
    Forward,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 3] = [Purpose::External, Purpose::Change, Purpose::Forward];
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::External => "external",
            Purpose::Change => "change",
            Purpose::Forward => "forward",
        })
    }
}

/// A vault, as external chains know it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct VaultKey {
    /// Its set.
    pub set: ValidatorSet,
    /// Its external key as Serai has it (the second element of Serai's `KeyPair`, adjusted).
    pub external: Vec<u8>,
}

/// Names an output: where it was created. Where a chain keeps accounts instead of outputs, a deposit
/// or what a vault's transaction left in its account.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct OutputId {
    /// Hash of the transaction, as in [`Transaction::hash`].
    pub transaction: [u8; 32],
    /// Position in it.
    pub index: u32,
}

impl fmt::Display for OutputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", hex::encode(self.transaction), self.index)
    }
}

/// Money at a vault's address.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Output {
    /// Its name.
    pub id: OutputId,
    /// Whose vault.
    pub set: ValidatorSet,
    /// Which of its addresses. Where a vault has one address for all purposes (Ethereum): external
    /// when it was deposited, forward when another vault sent it.
    pub purpose: Purpose,
    /// In base units of the coin on Serai, more than 0.
    pub amount: u64,
    /// Data that came with it, at most [`MAX_DATA_BYTES`]; none where there is none.
    pub data: Option<Vec<u8>>,
}

/// Longest data of an output (Serai's `Data`); longer data is cut.
pub const MAX_DATA_BYTES: usize = 512;

/// What a block holds for vaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// New outputs at addresses of the vaults asked for, in the block's order. On chains with
    /// accounts, what a vault's own transaction leaves in its account is none of them: it is in
    /// [`Plan::created`] alone.
    pub outputs: Vec<Output>,
    /// Outputs that the block's transactions spend, anybody's, in the block's order. Empty on chains
    /// with accounts, where transactions do not name what they spend.
    pub spent: Vec<OutputId>,
    /// Hashes of all of the block's transactions, in its order.
    pub transactions: Vec<[u8; 32]>,
}

/// Whom a payment pays: an address in the chain's own text, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    address: String,
}

impl Payee {
    /// Of an address that was checked.
    pub fn new(address: String) -> Self {
        Self { address }
    }

    /// The address.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A payment.
    Pay {
        /// To whom.
        payee: &'a Payee,
        /// What was burned on Serai: the payee gets it without the fee and what is recovered.
        gross: u64,
        /// Costs that the vaults have paid themselves so far ([`Plan::cost`]). One payment recovers
        /// at most as much as its own fee, and never so much that it becomes unpayable.
        recover: u64,
    },
    /// Everything available (at most as many outputs as one transaction spends, the largest first)
    /// goes to this vault's forward address; to the vault's own change address if it is the same.
    Forward {
        /// The vault.
        to: &'a VaultKey,
    },
}

/// A message to be signed by a vault's external key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ToSign {
    /// Scalar (canonical, in the curve's encoding) to add to the vault's adjusted key for this
    /// message; none: the adjusted key itself signs.
    pub offset: Option<[u8; 32]>,
    /// The message.
    pub bytes: Vec<u8>,
}

/// A transaction of a vault, not signed yet. It is conserving: the amounts of `spent` add up to
/// those of `amount`, `fee` and, of a payment, `created`. All of it is a function of what it was
/// planned from, whatever the order of the outputs given.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Plan {
    /// Its hash, which signatures are not part of.
    pub hash: [u8; 32],
    /// The transaction without signatures, for [`Network::assemble`](super::Network::assemble).
    pub unsigned: Vec<u8>,
    /// What to sign, 1 to [`MAX_MESSAGES`](serai_messages::signing::MAX_MESSAGES).
    pub messages: Vec<ToSign>,
    /// Outputs that it spends, by id.
    pub spent: Vec<OutputId>,
    /// Outputs of vaults that it creates: a payment's change, if any, or what is forwarded (of the
    /// set forwarded to).
    pub created: Vec<Output>,
    /// What the payee, or the vault forwarded to, gets.
    pub amount: u64,
    /// The network's fee.
    pub fee: u64,
    /// Costs recovered from the payee: kept by the vault, at most what was asked for.
    pub recovered: u64,
    /// Part of the fee that nobody is charged for and the vault pays: a forwarding's whole fee; of a
    /// payment, a rest too small for an output of its own. The costs that vaults have paid change by
    /// this less `recovered`.
    pub cost: u64,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// Fewer funds are available than are burned: possible once more arrives.
    #[error("not enough available: {available} of {needed}")]
    NotEnough {
        /// Available.
        available: u64,
        /// Needed.
        needed: u64,
    },
    /// Enough is available, but in more outputs than one transaction spends: possible once some of
    /// them are joined ([`Target::Forward`] to the vault itself).
    #[error("{available} available, but more than {most} outputs would have to be spent")]
    Scattered {
        /// Available.
        available: u64,
        /// Most outputs of one transaction.
        most: usize,
    },
    /// Nothing that arrives later makes it possible (a payment), or it is not worth its fee (a
    /// forwarding). In a sentence.
    #[error("{0}")]
    Unpayable(String),
    /// A vault's key is no key of the chain.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
}

/// A vault's key is no key of its chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("external key of {set} is no key of its chain: {key}")]
pub struct InvalidKey {
    /// The vault's set.
    pub set: ValidatorSet,
    /// The key, hex.
    pub key: String,
}

impl InvalidKey {
    /// Of this vault.
    pub fn of(key: &VaultKey) -> Self {
        Self { set: key.set, key: hex::encode(&key.external) }
    }
}

/// Why no transaction is made of stored bytes and signatures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAssembled {
    /// The bytes are no unsigned transaction.
    #[error("stored transaction is damaged: {0}")]
    Damaged(String),
    /// As many signatures as messages are needed.
    #[error("{given} signatures for {needed} messages")]
    Signatures {
        /// Given.
        given: usize,
        /// Needed.
        needed: usize,
    },
}
