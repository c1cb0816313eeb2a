//! External chains: how they are asked, and each coin's rules.
//!
//! ```text
//!  node of the chain ◀── ExternalChain (info, block, publish, ...) ◀── watcher
//!  ledger ──▶ Network: address, scan, payee, plan, assemble         (pure, one for each coin)
//! ```
//!
//! # Owns
//! All that differs between Bitcoin, Ethereum and Monero: addresses, what a block holds for a vault,
//! how a payment is made of a vault's outputs and what of it is signed, and how nodes are asked.
//!
//! # Promises
//! [`Network`] is pure: the same inputs, in whatever order, make the same bytes in every processor. A
//! [`Plan`] conserves value and spends no output twice. Answers of nodes are bounded in size and
//! time, and every field of them is checked.
//!
//! # Limits
//! This is where real nodes come in: each is an implementation of [`ExternalChain`], and of
//! [`Network`] where the chain's real format differs.

mod bitcoin;
mod ethereum;
mod monero;
mod network;
mod planning;
mod simulated;
mod types;

use std::sync::Arc;

use serai_messages::Coin;

pub use network::{ChainError, ExternalChain, Network};
pub use types::{
    Block, Info, InvalidKey, MAX_DATA_BYTES, NoPlan, NotAssembled, Output, OutputId, Payee, Plan,
    Purpose, Scan, Target, ToSign, Transaction, TransactionStatus, VaultKey,
};

/// The rules of a coin.
pub fn network(coin: Coin) -> &'static dyn Network {
    match coin {
        Coin::Btc => &bitcoin::Bitcoin,
        Coin::Eth => &ethereum::Ethereum,
        Coin::Xmr => &monero::Monero,
    }
}

/// A client of the coin's node at `url`, which need not answer now.
///
/// # Errors
/// [`ChainError::Url`].
pub fn connect(coin: Coin, url: &str) -> Result<Arc<dyn ExternalChain>, ChainError> {
    Ok(Arc::new(simulated::Simulated::new(coin, url)?))
}
