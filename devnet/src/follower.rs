//! The chain's set events, one after the other.

use std::time::Duration;

use serai_messages::BlockNumber;

use crate::chain::{Chain, ChainError, ChainEvent};

/// Reads set events of finalized blocks in order, each once, over as many connections as it takes.
#[derive(Debug)]
pub struct Follower {
    url: String,
    chain: Option<Chain>,
    next: BlockNumber,
}

/// Time that the chain has to answer one call.
const PATIENCE: Duration = Duration::from_secs(10);

impl Follower {
    /// Follows the chain at `url` from block 0.
    pub fn new(url: String) -> Self {
        Self { url, chain: None, next: BlockNumber(0) }
    }

    /// Events of the blocks finalized since the last call. When the chain does not answer, the next
    /// call goes on at the same block.
    ///
    /// # Errors
    /// When the chain does not answer, or its events do not decode.
    pub async fn poll(&mut self) -> Result<Vec<ChainEvent>, ChainError> {
        let read = tokio::time::timeout(PATIENCE, self.read()).await;
        let result = read.unwrap_or_else(|_| {
            Err(ChainError::Unreadable {
                what: format!("block {}", self.next),
                url: self.url.clone(),
                reason: format!("no answer in {PATIENCE:?}"),
            })
        });
        if result.is_err() {
            self.chain = None;
        }
        result
    }

    async fn read(&mut self) -> Result<Vec<ChainEvent>, ChainError> {
        let chain = match &self.chain {
            Some(chain) => chain,
            None => self.chain.insert(Chain::connect(&self.url).await?),
        };
        let finalized = chain.finalized().await?;
        let mut found = Vec::new();
        // A few blocks at a time keeps one call short when there are many to catch up on.
        const AT_ONCE: u64 = 200;
        let last = finalized.min(BlockNumber(self.next.0.saturating_add(AT_ONCE - 1)));
        let mut next = self.next;
        while next <= last {
            found.extend(chain.block(next).await?.sets);
            next = next.next();
        }
        self.next = next;
        Ok(found)
    }
}
