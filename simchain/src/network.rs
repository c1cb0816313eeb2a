//! What a coin's network decides, and what all of them have in common.
//!
//! # Owns
//! [`Rules`], the effects of a transaction, and the sentences of refusals.
//!
//! # Promises
//! A coin's rules only read; [`State`] changes by [`Effects`] alone.
//!
//! # Limits
//! One kind of money for each network.

use std::fmt;

use crate::state::State;

/// The most bytes of data that a transaction carries.
pub const MAX_DATA_BYTES: usize = 512;

/// Which network is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Coin {
    /// Bitcoin.
    Btc,
    /// Ethereum.
    Eth,
    /// Monero.
    Xmr,
}

impl Coin {
    /// Its short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Coin::Btc => "btc",
            Coin::Eth => "eth",
            Coin::Xmr => "xmr",
        }
    }

    /// The byte that block hashes begin with.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Coin::Btc => 0,
            Coin::Eth => 1,
            Coin::Xmr => 2,
        }
    }

    /// The fee of a new network: satoshis per virtual byte, elsewhere base units per transaction.
    pub(crate) fn default_fee(self) -> u64 {
        match self {
            Coin::Btc => 2,
            Coin::Eth => 1000,
            Coin::Xmr => 100_000_000,
        }
    }

    /// Its rules.
    pub(crate) fn rules(self) -> Box<dyn Rules> {
        match self {
            Coin::Btc => Box::new(crate::bitcoin::Bitcoin),
            Coin::Eth => Box::new(crate::ethereum::Ethereum),
            Coin::Xmr => Box::new(crate::monero::Monero),
        }
    }
}

impl fmt::Display for Coin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An address in the form in which the ledger compares it: Bitcoin's script, Ethereum's 20 bytes,
/// Monero's text.
pub(crate) type Account = Vec<u8>;

/// Names an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId {
    /// Hash of the transaction that created it.
    pub transaction: [u8; 32],
    /// Position in it.
    pub index: u32,
}

impl fmt::Display for OutputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", hex::encode(self.transaction), self.index)
    }
}

/// Money that a transaction gives.
#[derive(Clone, Debug)]
pub(crate) struct Credit {
    /// Position of the output that can be spent by name; none where the network keeps accounts.
    pub(crate) index: Option<u32>,
    /// To whom.
    pub(crate) account: Account,
    /// How much.
    pub(crate) amount: u64,
}

/// Money that leaves an account, where the network keeps accounts.
#[derive(Clone, Debug)]
pub(crate) struct Debit {
    /// Whose.
    pub(crate) account: Account,
    /// The account's number of this transaction.
    pub(crate) nonce: u64,
    /// How much, the fee with it.
    pub(crate) amount: u64,
}

/// What a transaction does to the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Effects {
    /// Its hash.
    pub(crate) hash: [u8; 32],
    /// Outputs that it spends.
    pub(crate) inputs: Vec<OutputId>,
    /// The account that it spends from.
    pub(crate) debit: Option<Debit>,
    /// Whom it pays.
    pub(crate) credits: Vec<Credit>,
    /// Whether its money comes from outside.
    pub(crate) deposit: bool,
}

/// The rules of one coin.
pub(crate) trait Rules: Send + Sync {
    /// What verifies its signatures.
    fn library(&self) -> &'static str;

    /// The account behind an address.
    fn account(&self, address: &str) -> Result<Account, Refusal>;

    /// A transaction that brings money from outside.
    fn deposit(
        &self,
        address: &str,
        amount: u64,
        data: Option<Vec<u8>>,
        salt: [u8; 32],
    ) -> Result<Vec<u8>, Refusal>;

    /// What a transaction does, from its bytes alone.
    fn effects(&self, raw: &[u8]) -> Result<Effects, Refusal>;

    /// Verifies a transaction that is no deposit; gives how many inputs' signatures were verified.
    fn verify(&self, raw: &[u8], state: &State, fee: u64) -> Result<u32, Refusal>;
}

/// Why a transaction, or a command, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no transaction of this network.
    #[error("no transaction of this network: {0}")]
    Malformed(String),
    /// It is too large.
    #[error("transaction of {size} bytes is over {most}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most.
        most: usize,
    },
    /// The address is none.
    #[error("{address:?} is no address of this network: {reason}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Money from outside comes by command, not by publication.
    #[error("deposits from outside are made by dev_deposit only")]
    FromOutside,
    /// It carries too much data.
    #[error("data of {0} bytes is over {MAX_DATA_BYTES}")]
    Data(usize),
    /// Data is not carried the way the network wants it.
    #[error("an OP_RETURN output may have one push")]
    ManyPushes,
    /// An input names nothing.
    #[error("unknown input {0}")]
    UnknownInput(OutputId),
    /// An input is spent.
    #[error("input {0} is spent already")]
    Spent(OutputId),
    /// An input stands twice.
    #[error("input {0} stands twice in the transaction")]
    DuplicateInput(OutputId),
    /// It spends nothing.
    #[error("the transaction has no inputs")]
    NoInputs,
    /// It pays nobody.
    #[error("the transaction has no outputs")]
    NoOutputs,
    /// An output of this kind cannot be spent here.
    #[error("input {0} is not pay to taproot, and nothing else can be spent here")]
    NotTaproot(OutputId),
    /// A signature does not verify.
    #[error("wrong signature of input {input}: {reason}")]
    Signature {
        /// Which input.
        input: usize,
        /// What the library says.
        reason: String,
    },
    /// An output is too small.
    #[error("output {index} of {amount} is dust: under {least}")]
    Dust {
        /// Which output.
        index: usize,
        /// Its amount.
        amount: u64,
        /// The least.
        least: u64,
    },
    /// The fee is too low.
    #[error("fee {fee} is too low: at least {least}")]
    FeeTooLow {
        /// The fee.
        fee: u64,
        /// The least.
        least: u64,
    },
    /// More goes out than comes in, or less where it must be equal.
    #[error("value is not conserved: {inputs} in, {outputs} out with the fee")]
    NotConserving {
        /// What comes in.
        inputs: u64,
        /// What goes out.
        outputs: u128,
    },
    /// The nonce was used.
    #[error("nonce used: {nonce}, the account's next is {next}")]
    NonceUsed {
        /// The nonce.
        nonce: u64,
        /// The account's next.
        next: u64,
    },
    /// The nonce is not the next one.
    #[error("nonce {nonce} is ahead: the account's next is {next}")]
    NonceAhead {
        /// The nonce.
        nonce: u64,
        /// The account's next.
        next: u64,
    },
    /// The account has too little.
    #[error("the account has {balance}, the transaction takes {amount}")]
    Balance {
        /// What the account has.
        balance: u64,
        /// What is taken.
        amount: u128,
    },
    /// Too much money for 64 bits.
    #[error("with {0} more this network would hold more than 64 bits can count")]
    Supply(u64),
    /// The pool is full.
    #[error("the pool is full: wait for the next block")]
    PoolFull,
    /// Nothing is given.
    #[error("the amount is 0")]
    Nothing,
    /// A reorganisation that cannot be.
    #[error("cannot replace {depth} blocks: {most} are not finalized")]
    Depth {
        /// How many were to be replaced.
        depth: u64,
        /// How many can be.
        most: u64,
    },
    /// Too many blocks at once.
    #[error("at most {0} blocks at once")]
    ManyBlocks(u64),
}

impl Refusal {
    pub(crate) fn malformed(reason: impl fmt::Display) -> Self {
        Refusal::Malformed(reason.to_string())
    }
}

/// Refuses data that is too long.
pub(crate) fn check_data(data: Option<&[u8]>) -> Result<(), Refusal> {
    match data.map_or(0, <[u8]>::len) {
        size if size > MAX_DATA_BYTES => Err(Refusal::Data(size)),
        _ => Ok(()),
    }
}

/// Refuses inputs that stand twice.
pub(crate) fn check_distinct(inputs: &[OutputId]) -> Result<(), Refusal> {
    let mut seen = std::collections::HashSet::new();
    match inputs.iter().find(|input| !seen.insert(**input)) {
        Some(twice) => Err(Refusal::DuplicateInput(*twice)),
        None => Ok(()),
    }
}

/// A sum that cannot overflow.
pub(crate) fn sum(amounts: impl Iterator<Item = u64>) -> u128 {
    amounts.map(u128::from).sum()
}
