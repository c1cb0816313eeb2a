//! A user of the network: money from outside to the vaults, burns, and what is paid. Asks again where
//! a chain is down.

use std::collections::BTreeMap;

use serai_devnet::address;
use serai_devnet::chain::{Chain, ChainError, MoneyEvent};
use serai_devnet::cluster::Cluster;
use serai_devnet::external::{Found, History};
use serai_devnet::payee::{self, Payee};
use serai_messages::{BlockNumber, Coin, KeyPair, Session, ValidatorKey, ValidatorSet};
use subxt_signer::sr25519::{Keypair, dev};
use tokio::sync::Mutex;

use crate::setup::{find, set};

/// A development account with SRI for fees. It counts its nonces, so a scenario has one purse.
pub struct Purse<'a> {
    network: &'a Cluster,
    account: Keypair,
    chain: Mutex<Option<Chain>>,
    histories: Mutex<BTreeMap<Coin, History>>,
}

impl<'a> Purse<'a> {
    pub fn new(network: &'a Cluster) -> Self {
        Self {
            network,
            account: dev::bob(),
            chain: Mutex::new(None),
            histories: Mutex::new(BTreeMap::new()),
        }
    }

    fn key(&self) -> ValidatorKey {
        ValidatorKey(self.account.public_key().0)
    }

    /// Asks the chain, over one connection as long as that lasts.
    async fn ask<T>(&self, ask: impl AsyncFn(&Chain) -> Result<T, ChainError>) -> Option<T> {
        assert_eq!(self.network.failure(), None);
        let mut held = self.chain.lock().await;
        if held.is_none() {
            *held = self.network.chain().await.ok();
        }
        let answer = ask(held.as_ref()?).await;
        if answer.is_err() {
            *held = None;
        }
        answer.ok()
    }

    /// Keys of the newest set that has some.
    pub async fn newest(&self, coin: Coin) -> (ValidatorSet, KeyPair) {
        let look = async |chain: &Chain| {
            let newest = chain.session(coin).await?;
            for session in (0..=newest.map_or(0, |Session(newest)| newest)).rev() {
                let set = set(coin, session);
                if let Some(keys) = chain.keys(set).await? {
                    return Ok(Some((set, keys)));
                }
            }
            Ok(None)
        };
        find(&format!("keys of {coin}"), || async { self.ask(look).await? }).await
    }

    /// Sends money to an address of a vault, for this account.
    pub async fn deposit_to(&self, coin: Coin, address: &str, amount: u64) -> [u8; 32] {
        let data = payee::transfer_to(self.key());
        let external = self.network.external(coin).unwrap();
        find(&format!("a deposit of {coin}"), || async {
            external.deposit(address, amount, Some(&data)).await.ok()
        })
        .await
    }

    /// Sends money to the newest vault, for this account.
    pub async fn deposit(&self, coin: Coin, amount: u64) -> [u8; 32] {
        let (_, keys) = self.newest(coin).await;
        let address = address::of(coin, &keys.external).unwrap().text;
        self.deposit_to(coin, &address, amount).await
    }

    /// Waits until this account has at least `amount` on Serai.
    pub async fn minted(&self, coin: Coin, amount: u64) {
        let balance = async |chain: &Chain| chain.balance(self.key(), coin).await;
        find(&format!("{amount} of {coin} minted"), || async {
            (self.ask(balance).await? >= amount).then_some(())
        })
        .await;
    }

    /// Burns coins, to be paid to a new address, once.
    pub async fn burn(&self, coin: Coin, amount: u64) -> Payee {
        let to = payee::fresh(coin);
        let height = async |chain: &Chain| chain.finalized().await;
        let from = find("the chain's height", || async { self.ask(height).await }).await;
        let burn = async |chain: &Chain| {
            // Read before looking: a burn that is not seen cannot be there under this nonce.
            let nonce = chain.nonce(&self.account).await?;
            if burned(chain, from, &to).await? {
                return Ok(());
            }
            chain.burn(&self.account, nonce, coin, amount, &to.bytes).await
        };
        find(&format!("a burn of {amount} of {coin}"), || async { self.ask(burn).await }).await;
        to
    }

    /// Burns coins, `count` times the same amount, each to be paid to a new address, as fast as the chain
    /// takes them. Returns the addresses once all burns are finalized.
    pub async fn burn_many(&self, coin: Coin, amount: u64, count: u64) -> Vec<Payee> {
        let nonce = async |chain: &Chain| chain.nonce(&self.account).await;
        let payees: Vec<Payee> = (0..count).map(|_| payee::fresh(coin)).collect();
        let first = find("the account's nonce", || async { self.ask(nonce).await }).await;
        let addresses: Vec<Vec<u8>> = payees.iter().map(|payee| payee.bytes.clone()).collect();
        find(&format!("{count} burns of {coin}"), || async {
            // Those up to here are in blocks, in the order of their nonces.
            let done = self.ask(nonce).await?.saturating_sub(first);
            if done >= count {
                return Some(());
            }
            let rest = addresses.get(usize::try_from(done).ok()?..)?;
            let hand_over = async |chain: &Chain| {
                let next = first.saturating_add(done);
                chain.hand_over_burns(&self.account, next, coin, amount, rest).await
            };
            self.ask(hand_over).await?;
            None
        })
        .await;
        payees
    }

    /// Waits until a payment is in a finalized block of its chain.
    pub async fn paid(&self, coin: Coin, to: &Payee) -> Found {
        let external = self.network.external(coin).unwrap();
        find(&format!("the payment of {coin} to {}", to.text), || async {
            assert_eq!(self.network.failure(), None);
            let mut histories = self.histories.lock().await;
            let history = histories.entry(coin).or_default();
            history.advance(&external).await.ok()?;
            history.paying(&to.text).next().cloned()
        })
        .await
    }
}

async fn burned(chain: &Chain, from: BlockNumber, to: &Payee) -> Result<bool, ChainError> {
    for block in from.0..=chain.finalized().await?.0 {
        for money in chain.block(BlockNumber(block)).await?.money {
            if matches!(&money.event, MoneyEvent::Burn { address, .. } if *address == to.bytes) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A coin's chain up to its newest finalized block.
pub async fn history(network: &Cluster, coin: Coin) -> History {
    let external = network.external(coin).unwrap();
    find("an external chain", || async {
        let mut history = History::default();
        history.advance(&external).await.ok()?;
        Some(history)
    })
    .await
}

/// That each was paid, and no one twice.
pub async fn paid_once(network: &Cluster, coin: Coin, payees: &[Payee]) {
    let history = history(network, coin).await;
    for payee in payees {
        assert_eq!(history.paying(&payee.text).count(), 1, "transactions to {}", payee.text);
    }
}
