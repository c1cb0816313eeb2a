//! The two traits: a chain that is asked, and the pure rules of a coin.

use async_trait::async_trait;
use serai_messages::{Coin, SignatureBytes};

use super::{
    Block, Info, InvalidKey, NoPlan, NotAssembled, Output, Payee, Plan, Purpose, Scan, Target,
    TransactionStatus, VaultKey,
};

/// Why a chain gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The chain's address is none that can be asked.
    #[error("external chain's rpc {url}: {reason}")]
    Url {
        /// As configured.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It did not answer, or with an error: ask again later.
    #[error("external chain at {url}, {method}: {reason}")]
    Unavailable {
        /// Its address.
        url: String,
        /// What was asked.
        method: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// It refuses a transaction.
    #[error("external chain refuses the transaction: {0}")]
    Refused(String),
    /// Its answer is not one to what was asked, or contradicts itself.
    #[error("external chain at {url}, {method}: wrong answer: {reason}")]
    Invalid {
        /// Its address.
        url: String,
        /// What was asked.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// An external chain, asked through the validator's own node of it. What comes from it is checked for
/// form and size and against its own hashes; that it is the chain of the coin is the node's word.
#[async_trait]
pub trait ExternalChain: Send + Sync {
    /// Where it stands.
    ///
    /// # Errors
    /// [`ChainError`]; also when the node is another coin's.
    async fn info(&self) -> Result<Info, ChainError>;

    /// The block at this height; none above the newest. Not finalized blocks may be replaced.
    ///
    /// # Errors
    /// [`ChainError`]
    async fn block(&self, height: u64) -> Result<Option<Block>, ChainError>;

    /// Gives it a signed transaction; gives its hash, also when it was known already.
    ///
    /// # Errors
    /// [`ChainError::Refused`] when it does not take it: wrong signature, something spent already.
    async fn publish(&self, raw: &[u8]) -> Result<[u8; 32], ChainError>;

    /// How it stands to a transaction.
    ///
    /// # Errors
    /// [`ChainError`]
    async fn transaction(&self, hash: [u8; 32]) -> Result<TransactionStatus, ChainError>;

    /// What these addresses held together after the block at this height, in base units. An address
    /// given twice counts once.
    ///
    /// # Errors
    /// [`ChainError`]
    async fn holdings(&self, addresses: &[String], height: u64) -> Result<u64, ChainError>;
}

/// The rules of one coin: pure functions, the same in every processor. What they are given in lists
/// may come in any order.
pub trait Network: Send + Sync {
    /// The coin.
    fn coin(&self) -> Coin;

    /// A vault's address in the chain's text. A vault may have the same for several purposes.
    ///
    /// # Errors
    /// [`InvalidKey`]
    fn address(&self, key: &VaultKey, purpose: Purpose) -> Result<String, InvalidKey>;

    /// Hash of a transaction, signed or not, as the chain gives it; none of bytes that are no
    /// transaction.
    fn hash(&self, raw: &[u8]) -> Option<[u8; 32]>;

    /// What a block holds for these vaults. Vaults whose key is none, and transactions that are none,
    /// hold nothing.
    fn scan(&self, block: &Block, vaults: &[VaultKey]) -> Scan;

    /// What is withheld from each deposit for collecting it, in base units.
    fn collecting_cost(&self) -> u64;

    /// Whom a burn pays: the address as Serai writes it (`ExternalAddress`), and which of the
    /// network's coins (`ExternalCoin`).
    ///
    /// # Errors
    /// Why nobody can be paid, in a sentence.
    fn payee(&self, external_coin: u8, address: &[u8]) -> Result<Payee, String>;

    /// Plans a transaction of the vault `key`, its `nonce`-th (from 1; the number of its plans so
    /// far + 1). Of `available`, its own outputs count. `fee` as in [`Block::fee`].
    ///
    /// # Errors
    /// [`NoPlan`]
    fn plan(
        &self,
        key: &VaultKey,
        nonce: u64,
        available: &[Output],
        target: Target<'_>,
        fee: u64,
    ) -> Result<Plan, NoPlan>;

    /// The signed transaction of [`Plan::unsigned`] and the signatures of [`Plan::messages`], in
    /// their order. The signatures are not verified.
    ///
    /// # Errors
    /// [`NotAssembled`]
    fn assemble(
        &self,
        unsigned: &[u8],
        signatures: &[SignatureBytes],
    ) -> Result<Vec<u8>, NotAssembled>;
}
