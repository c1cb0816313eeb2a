//! Calls of a simulated network's RPC.

use std::time::Duration;

use jsonrpsee_core::client::{ClientT as _, Error as RpcError};
use jsonrpsee_core::params::ArrayParams;
use jsonrpsee_http_client::{HttpClient, HttpClientBuilder};
use serai_messages::Coin;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a network gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// No connection, or an answer that is none to the question.
    #[error("cannot ask the {coin} network at {url} for {method}: {reason}")]
    Unreadable {
        /// Its coin.
        coin: Coin,
        /// Where.
        url: String,
        /// What was asked.
        method: &'static str,
        /// What was said.
        reason: String,
    },
    /// It refuses.
    #[error("the {coin} network refuses {method}: {reason}")]
    Refused {
        /// Its coin.
        coin: Coin,
        /// What was asked.
        method: &'static str,
        /// Why, in its words.
        reason: String,
    },
}

/// Where a network stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// The newest block.
    pub height: u64,
    /// The newest finalized block; none before there is one.
    pub finalized: Option<u64>,
    /// Hash of its first block.
    #[serde(with = "hex::serde")]
    pub genesis: [u8; 32],
    /// The fee that the next block asks for.
    pub fee: u64,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Block {
    /// Its height.
    pub height: u64,
    /// Its hash.
    #[serde(with = "hex::serde")]
    pub hash: [u8; 32],
    /// Hash of the block before it.
    #[serde(with = "hex::serde")]
    pub parent: [u8; 32],
    /// Its transactions, as the network encodes them, in hex.
    pub transactions: Vec<String>,
}

/// How a network stands to a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Status {
    /// It does not know it.
    Unknown,
    /// It waits for a block.
    Pending,
    /// It is in a block.
    Included {
        /// The block's height.
        height: u64,
        /// Whether the block is final.
        finalized: bool,
    },
}

/// What a network says of a transaction that it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its bytes, in hex.
    pub raw: String,
    /// The libraries that verified it.
    pub verified_by: String,
    /// Inputs, or signatures, that were verified.
    pub inputs_verified: u64,
}

/// A client of one network.
#[derive(Clone, Debug)]
pub struct External {
    coin: Coin,
    url: String,
    client: HttpClient,
}

/// Time that a network has to answer one call.
const PATIENCE: Duration = Duration::from_secs(10);

impl External {
    /// A client of the network at `url` (`http://...`), which need not answer now.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(coin: Coin, url: &str) -> Result<Self, ExternalError> {
        let client =
            HttpClientBuilder::default().request_timeout(PATIENCE).build(url).map_err(|error| {
                ExternalError::Unreadable {
                    coin,
                    url: url.to_owned(),
                    method: "a connection",
                    reason: error.to_string(),
                }
            })?;
        Ok(Self { coin, url: url.to_owned(), client })
    }

    /// Its coin.
    pub fn coin(&self) -> Coin {
        self.coin
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it stands.
    ///
    /// # Errors
    /// [`ExternalError`]; likewise of all methods below.
    pub async fn info(&self) -> Result<Info, ExternalError> {
        self.call("chain_info", ArrayParams::new()).await
    }

    /// The block at a height; none above the newest.
    pub async fn block(&self, height: u64) -> Result<Option<Block>, ExternalError> {
        let params = self.params("chain_block", [&height])?;
        self.call("chain_block", params).await
    }

    /// How it stands to a transaction.
    pub async fn transaction(&self, hash: [u8; 32]) -> Result<Status, ExternalError> {
        let params = self.params("chain_transaction", [&hex::encode(hash)])?;
        self.call("chain_transaction", params).await
    }

    /// What these addresses held together after the block at this height.
    pub async fn holdings(&self, addresses: &[String], height: u64) -> Result<u64, ExternalError> {
        let mut params = self.params("chain_holdings", [addresses])?;
        self.push("chain_holdings", &mut params, &height)?;
        self.call("chain_holdings", params).await
    }

    /// Money from outside, to an address, with data.
    pub async fn deposit(
        &self,
        address: &str,
        amount: u64,
        data: Option<&[u8]>,
    ) -> Result<[u8; 32], ExternalError> {
        let method = "dev_deposit";
        let mut params = self.params(method, [address])?;
        self.push(method, &mut params, &amount)?;
        self.push(method, &mut params, &data.map(hex::encode))?;
        let hash: String = self.call(method, params).await?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&hash, &mut bytes)
            .map_err(|error| self.unreadable(method, &format!("{hash:?}: {error}")))?;
        Ok(bytes)
    }

    /// What an address holds at the newest block.
    pub async fn balance(&self, address: &str) -> Result<u64, ExternalError> {
        let params = self.params("dev_balance", [address])?;
        self.call("dev_balance", params).await
    }

    /// Makes blocks at once.
    pub async fn mine(&self, blocks: u64) -> Result<(), ExternalError> {
        let params = self.params("dev_mine", [&blocks])?;
        self.call::<serde_json::Value>("dev_mine", params).await.map(drop)
    }

    /// Makes no blocks by itself until [`External::resume`].
    pub async fn pause(&self) -> Result<(), ExternalError> {
        self.call::<serde_json::Value>("dev_pause", ArrayParams::new()).await.map(drop)
    }

    /// Makes blocks by itself again.
    pub async fn resume(&self) -> Result<(), ExternalError> {
        self.call::<serde_json::Value>("dev_resume", ArrayParams::new()).await.map(drop)
    }

    /// Replaces the newest `depth` blocks by one more of others; `drop` forgets their transactions.
    pub async fn reorg(&self, depth: u64, drop: bool) -> Result<u64, ExternalError> {
        let mut params = self.params("dev_reorg", [&depth])?;
        self.push("dev_reorg", &mut params, &drop)?;
        self.call("dev_reorg", params).await
    }

    /// The fee that blocks ask for from now on.
    pub async fn set_fee(&self, fee: u64) -> Result<(), ExternalError> {
        let params = self.params("dev_set_fee", [&fee])?;
        self.call::<serde_json::Value>("dev_set_fee", params).await.map(drop)
    }

    /// Takes money away from an address, as no rule of the chain allows.
    pub async fn seize(&self, address: &str, amount: u64) -> Result<(), ExternalError> {
        let mut params = self.params("dev_seize", [address])?;
        self.push("dev_seize", &mut params, &amount)?;
        self.call::<serde_json::Value>("dev_seize", params).await.map(drop)
    }

    /// What it verified of a transaction when it took it; none where it does not know it.
    pub async fn taken(&self, hash: [u8; 32]) -> Result<Option<Taken>, ExternalError> {
        let params = self.params("dev_transaction", [&hex::encode(hash)])?;
        self.call("dev_transaction", params).await
    }

    fn params<T: Serialize + ?Sized>(
        &self,
        method: &'static str,
        [first]: [&T; 1],
    ) -> Result<ArrayParams, ExternalError> {
        let mut params = ArrayParams::new();
        self.push(method, &mut params, first)?;
        Ok(params)
    }

    fn push<T: Serialize + ?Sized>(
        &self,
        method: &'static str,
        params: &mut ArrayParams,
        value: &T,
    ) -> Result<(), ExternalError> {
        params.insert(value).map_err(|error| self.unreadable(method, &error.to_string()))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: ArrayParams,
    ) -> Result<T, ExternalError> {
        self.client.request(method, params).await.map_err(|error| match error {
            RpcError::Call(error) => ExternalError::Refused {
                coin: self.coin,
                method,
                reason: error.message().to_owned(),
            },
            other => self.unreadable(method, &other.to_string()),
        })
    }

    pub(super) fn unreadable(&self, method: &'static str, reason: &str) -> ExternalError {
        ExternalError::Unreadable {
            coin: self.coin,
            url: self.url.clone(),
            method,
            reason: reason.to_owned(),
        }
    }
}
