//! The simulated networks, asked over JSON-RPC.

use std::time::Duration;

use async_trait::async_trait;
use jsonrpsee_core::client::{ClientT, Error as RpcError};
use jsonrpsee_core::params::ArrayParams;
use jsonrpsee_http_client::{HttpClient, HttpClientBuilder};
use serai_messages::Coin;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    Block, ChainError, ExternalChain, Info, Network, Transaction, TransactionStatus, network,
};

/// Time for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest answer, in bytes.
const MAX_ANSWER_BYTES: u32 = 32 * 1024 * 1024;

/// The code with which a network refuses a transaction.
const REFUSED: i32 = -32001;

/// A client of one simulated network.
#[derive(Debug)]
pub(super) struct Simulated {
    coin: Coin,
    url: String,
    client: HttpClient,
}

#[derive(Deserialize)]
struct WireInfo {
    coin: Coin,
    height: u64,
    finalized: Option<u64>,
    #[serde(with = "hex::serde")]
    genesis: [u8; 32],
    fee: u64,
}

#[derive(Deserialize)]
struct WireBlock {
    height: u64,
    #[serde(with = "hex::serde")]
    hash: [u8; 32],
    #[serde(with = "hex::serde")]
    parent: [u8; 32],
    fee: u64,
    transactions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum WireStatus {
    Unknown,
    Pending,
    Included {
        height: u64,
        #[serde(with = "hex::serde")]
        block: [u8; 32],
        finalized: bool,
    },
}

impl Simulated {
    pub(super) fn new(coin: Coin, url: &str) -> Result<Self, ChainError> {
        let client = HttpClientBuilder::default()
            .request_timeout(PATIENCE)
            .max_response_size(MAX_ANSWER_BYTES)
            .build(url)
            .map_err(|error| ChainError::Url { url: url.to_owned(), reason: error.to_string() })?;
        Ok(Self { coin, url: url.to_owned(), client })
    }

    fn network(&self) -> &'static dyn Network {
        network(self.coin)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters: &[serde_json::Value],
    ) -> Result<T, ChainError> {
        let mut params = ArrayParams::new();
        for parameter in parameters {
            params.insert(parameter).map_err(|error| self.invalid(method, error.to_string()))?;
        }
        self.client.request(method, params).await.map_err(|error| match error {
            RpcError::Call(error) if error.code() == REFUSED => {
                ChainError::Refused(error.message().to_owned())
            }
            RpcError::ParseError(error) => self.invalid(method, error.to_string()),
            error => {
                ChainError::Unavailable { url: self.url.clone(), method, reason: error.to_string() }
            }
        })
    }

    fn invalid(&self, method: &'static str, reason: String) -> ChainError {
        ChainError::Invalid { url: self.url.clone(), method, reason }
    }
}

#[async_trait]
impl ExternalChain for Simulated {
    async fn info(&self) -> Result<Info, ChainError> {
        let method = "chain_info";
        let WireInfo { coin, height, finalized, genesis, fee } = self.ask(method, &[]).await?;
        if coin != self.coin {
            let reason = format!("it is a network of {coin}, not of {}", self.coin);
            return Err(self.invalid(method, reason));
        }
        if finalized.is_some_and(|finalized| finalized > height) {
            return Err(self.invalid(method, "finalized blocks above the newest".to_owned()));
        }
        Ok(Info { height, finalized, genesis, fee })
    }

    async fn block(&self, height: u64) -> Result<Option<Block>, ChainError> {
        let method = "chain_block";
        let block: Option<WireBlock> = self.ask(method, &[height.into()]).await?;
        let Some(block) = block else { return Ok(None) };
        if block.height != height {
            let reason = format!("block {} in place of {height}", block.height);
            return Err(self.invalid(method, reason));
        }
        let transactions = block
            .transactions
            .iter()
            .map(|text| {
                let raw = hex::decode(text).ok()?;
                Some(Transaction { hash: self.network().hash(&raw)?, raw })
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| self.invalid(method, format!("block {height} holds no transaction")))?;
        let WireBlock { hash, parent, fee, .. } = block;
        Ok(Some(Block { height, hash, parent, fee, transactions }))
    }

    async fn publish(&self, raw: &[u8]) -> Result<[u8; 32], ChainError> {
        let method = "chain_publish";
        let text: String = self.ask(method, &[hex::encode(raw).into()]).await?;
        let mut hash = [0; 32];
        hex::decode_to_slice(&text, &mut hash)
            .map_err(|error| self.invalid(method, error.to_string()))?;
        if self.network().hash(raw) != Some(hash) {
            return Err(self.invalid(method, format!("another transaction's hash: {text}")));
        }
        Ok(hash)
    }

    async fn transaction(&self, hash: [u8; 32]) -> Result<TransactionStatus, ChainError> {
        let status = self.ask("chain_transaction", &[hex::encode(hash).into()]).await?;
        Ok(match status {
            WireStatus::Unknown => TransactionStatus::Unknown,
            WireStatus::Pending => TransactionStatus::Pending,
            WireStatus::Included { height, block, finalized } => {
                TransactionStatus::Included { height, block, finalized }
            }
        })
    }

    async fn holdings(&self, addresses: &[String], height: u64) -> Result<u64, ChainError> {
        self.ask("chain_holdings", &[addresses.into(), height.into()]).await
    }
}
