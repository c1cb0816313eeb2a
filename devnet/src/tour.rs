//! One way in and out for each coin: a deposit, minted on Serai, and a part of it burned and paid out.
//!
//! # Owns
//! What a user of the network would do: money from outside to each vault for an account on Serai, and
//! a burn by that account.
//!
//! # Promises
//! Where it stands is read from the chains at each step, so that a second run goes on where the first
//! one ended, and nothing is burned twice.
//!
//! # Limits
//! The account is `//Alice` of the development accounts. Nobody keeps the keys of the addresses that
//! are paid.

use std::collections::BTreeMap;
use std::time::Duration;

use serai_messages::{BlockNumber, Coin, ValidatorKey, ValidatorSet};
use subxt_signer::sr25519::{Keypair, dev};

use crate::address::{self, NoAddress};
use crate::chain::{Chain, ChainError, MoneyEvent};
use crate::cluster::Layout;
use crate::external::{External, ExternalError, History, amount};
use crate::payee;

/// Why a step could not be made; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// Serai.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An external chain.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A vault's key.
    #[error(transparent)]
    Address(#[from] NoAddress),
    /// No answer in time.
    #[error("no answer in {0:?}")]
    Late(Duration),
}

/// Time for one step.
const PATIENCE: Duration = Duration::from_secs(20);

/// The way of all coins.
#[derive(Debug)]
pub struct Tour {
    url: String,
    chain: Option<Chain>,
    next: BlockNumber,
    account: Keypair,
    legs: BTreeMap<Coin, Leg>,
    news: Vec<String>,
}

/// The way of one coin.
#[derive(Debug)]
struct Leg {
    external: External,
    history: History,
    deposited: bool,
    minted: u64,
    burned: Option<Burned>,
    paid: bool,
}

#[derive(Debug)]
struct Burned {
    amount: u64,
    address: String,
    block: BlockNumber,
}

impl Tour {
    /// The way of all coins of a network.
    ///
    /// # Errors
    /// When a coin's network has no address.
    pub fn new(layout: &Layout) -> Result<Self, ExternalError> {
        let mut legs = BTreeMap::new();
        for coin in &layout.settings().coins {
            let url = layout.external_url(*coin).unwrap_or_default();
            let leg = Leg {
                external: External::new(*coin, &url)?,
                history: History::default(),
                deposited: false,
                minted: 0,
                burned: None,
                paid: false,
            };
            legs.insert(*coin, leg);
        }
        Ok(Self {
            url: layout.rpc_url(),
            chain: None,
            next: BlockNumber(0),
            account: dev::alice(),
            legs,
            news: Vec::new(),
        })
    }

    /// Whether all coins have gone in and out.
    pub fn done(&self) -> bool {
        self.legs.values().all(|leg| leg.paid)
    }

    /// What has happened since the last call, in sentences.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// What each coin is at, and whether it is done.
    pub fn stages(&self) -> Vec<(Coin, String, bool)> {
        self.legs.iter().map(|(coin, leg)| (*coin, leg.stage(*coin), leg.paid)).collect()
    }

    /// What is waited for.
    pub fn waiting(&self) -> Vec<String> {
        let open = self.legs.iter().filter(|(_, leg)| !leg.paid);
        open.map(|(coin, leg)| format!("{coin} ({})", leg.stage(*coin))).collect()
    }

    /// Reads what has happened and does what is next.
    ///
    /// # Errors
    /// [`TourError`]; the next call goes on.
    pub async fn step(&mut self) -> Result<(), TourError> {
        let step = tokio::time::timeout(PATIENCE, self.advance()).await;
        let result = step.unwrap_or(Err(TourError::Late(PATIENCE)));
        if result.is_err() {
            self.chain = None;
        }
        result
    }

    async fn advance(&mut self) -> Result<(), TourError> {
        let chain = match &self.chain {
            Some(chain) => chain.clone(),
            None => self.chain.insert(Chain::connect(&self.url).await?).clone(),
        };
        // Before the events: a burn of which nothing is seen below cannot be there under this nonce.
        let nonce = chain.nonce(&self.account).await?;
        let finalized = chain.finalized().await?;
        while self.next <= finalized {
            for money in chain.block(self.next).await?.money {
                self.happened(&money.event, money.block);
            }
            self.next = self.next.next();
        }
        let account = ValidatorKey(self.account.public_key().0);
        let mut burn = None;
        for (coin, leg) in self.legs.iter_mut().filter(|(_, leg)| !leg.paid) {
            leg.history.advance(&leg.external).await?;
            if !leg.deposited {
                let Some(vault) = vault(&chain, *coin).await? else { continue };
                leg.deposit(*coin, &vault, account, &mut self.news).await?;
            } else if let Some(burned) = &leg.burned {
                let found = leg.history.paying(&burned.address).next();
                if let Some(found) = found {
                    leg.paid = true;
                    self.news.push(format!(
                        "{coin}: {} paid to {} in block {} of {coin}, transaction {}",
                        amount(*coin, found.pays(&burned.address)),
                        burned.address,
                        found.height,
                        hex::encode(found.transfer.hash)
                    ));
                }
            } else if leg.minted > 0 {
                burn = burn.or(Some((*coin, leg.minted / 5 * 2)));
            }
        }
        // One at a time: each has a nonce of its own.
        if let Some((coin, part)) = burn {
            let to = payee::fresh(coin);
            chain.burn(&self.account, nonce, coin, part, &to.bytes).await?;
        }
        Ok(())
    }

    fn happened(&mut self, event: &MoneyEvent, block: BlockNumber) {
        let account = ValidatorKey(self.account.public_key().0);
        match event {
            MoneyEvent::Mint { to, coin, amount: part } if *to == account => {
                let Some(leg) = self.legs.get_mut(coin) else { return };
                leg.deposited = true;
                leg.minted = leg.minted.saturating_add(*part);
                let part = amount(*coin, *part);
                self.news.push(format!("{coin}: {part} minted on Serai in block {block}"));
            }
            MoneyEvent::Burn { from, coin, amount: part, address } if *from == account => {
                let Some(leg) = self.legs.get_mut(coin) else { return };
                let address = payee::text(*coin, address).unwrap_or_default();
                self.news.push(format!(
                    "{coin}: {} burned on Serai in block {block}, to be paid to {address}",
                    amount(*coin, *part)
                ));
                leg.burned.get_or_insert(Burned { amount: *part, address, block });
            }
            _ => {}
        }
    }
}

/// The address of the newest vault of a coin; `None` where it has none.
async fn vault(chain: &Chain, coin: Coin) -> Result<Option<String>, TourError> {
    let Some(session) = chain.session(coin).await? else { return Ok(None) };
    let keys = chain.keys(ValidatorSet { coin, session }).await?;
    Ok(keys.map(|keys| address::of(coin, &keys.external)).transpose()?.map(|found| found.text))
}

impl Leg {
    /// Sends money to the vault, unless some is there or on its way.
    async fn deposit(
        &mut self,
        coin: Coin,
        vault: &str,
        account: ValidatorKey,
        news: &mut Vec<String>,
    ) -> Result<(), TourError> {
        let there =
            self.history.paying(vault).next().is_some() || self.external.balance(vault).await? > 0;
        if !there {
            let part = match coin {
                Coin::Btc => 50_000_000,
                Coin::Eth => 200_000_000,
                Coin::Xmr => 3_000_000_000_000,
            };
            let data = payee::transfer_to(account);
            let hash = self.external.deposit(vault, part, Some(&data)).await?;
            news.push(format!(
                "{coin}: {} sent to the vault at {vault}, transaction {}",
                amount(coin, part),
                hex::encode(hash)
            ));
        }
        self.deposited = true;
        Ok(())
    }

    fn stage(&self, coin: Coin) -> String {
        match (&self.burned, self.deposited) {
            (Some(burned), _) if self.paid => {
                format!("paid out what was burned in block {}", burned.block)
            }
            (Some(burned), _) => format!(
                "payment of {} (burned in block {}) to be final on its chain",
                amount(coin, burned.amount),
                burned.block
            ),
            (None, _) if self.minted > 0 => "burn to be final on Serai".to_owned(),
            (None, true) => "deposit to be minted on Serai".to_owned(),
            (None, false) => "deposit to the vault".to_owned(),
        }
    }
}
