//! One connection to one node.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parity_scale_codec::{Decode, Encode};
use serai_messages::observation::SeraiBlock;
use serai_messages::{BlockHash, BlockNumber};
use subxt::backend::LegacyBackend;
use subxt::config::substrate::{BlakeTwo256, H256, SubstrateHeader};
use subxt::config::{Hasher, RpcConfigFor};
use subxt::metadata::Metadata;
use subxt::rpcs::RpcClient;
use subxt::rpcs::client::RpcSubscription;
use subxt::rpcs::methods::legacy::{LegacyRpcMethods, NumberOrHex};
use subxt::{OnlineClient, OnlineClientAtBlock, SubstrateConfig};

use super::error::EndpointError;
use super::profile::{self, Profile};

/// The chain as of one block.
pub(super) type AtBlock = OnlineClientAtBlock<SubstrateConfig>;

/// A block header.
pub(super) type Header = SubstrateHeader<H256>;

/// A live connection. Every request ends within the timeout; after an error the connection is not
/// repaired but dropped and another one opened, so that the cursor is checked again.
#[derive(Clone)]
pub(super) struct Connection {
    online: OnlineClient<SubstrateConfig>,
    rpc: LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
    profile: Profile,
    timeout: Duration,
}

impl Connection {
    /// Connects, and fetches what the profile needs before anything can be decoded.
    pub(super) async fn open(
        endpoint: &str,
        profile: Profile,
        timeout: Duration,
    ) -> Result<Self, EndpointError> {
        let unreachable = |reason: String| EndpointError::Unreachable { reason };
        let client = tokio::time::timeout(timeout, RpcClient::from_insecure_url(endpoint))
            .await
            .map_err(|_| unreachable(format!("no answer within {timeout:?}")))?
            .map_err(|error| unreachable(causes(&error)))?;
        let rpc = LegacyRpcMethods::new(client.clone());
        let metadata = match profile.corrected_metadata_version() {
            Some(version) => Some(within(timeout, corrected_metadata(&rpc, version)).await?),
            None => None,
        };
        let backend = Arc::new(LegacyBackend::builder().build(client));
        let online = request(
            timeout,
            "the genesis hash",
            OnlineClient::from_backend_with_config(profile.config(metadata), backend),
        )
        .await?;
        Ok(Self { online, rpc, profile, timeout })
    }

    /// What the node speaks.
    pub(super) fn profile(&self) -> Profile {
        self.profile
    }

    /// Hash of block 0.
    pub(super) fn genesis(&self) -> BlockHash {
        BlockHash(self.online.genesis_hash().0)
    }

    /// Headers of newly finalized blocks, with gaps.
    pub(super) async fn finalized_heads(&self) -> Result<RpcSubscription<Header>, EndpointError> {
        self.request("finalized blocks", self.rpc.chain_subscribe_finalized_heads()).await
    }

    /// The newest finalized block.
    pub(super) async fn head(&self) -> Result<SeraiBlock, EndpointError> {
        let what = "the finalized head";
        let hash = self.request(what, self.rpc.chain_get_finalized_head()).await?;
        let header = self.request(what, self.rpc.chain_get_header(Some(hash))).await?;
        let header = header.ok_or_else(|| EndpointError::Request {
            what,
            reason: format!("the node does not know its own head {hash}"),
        })?;
        Ok(SeraiBlock { number: BlockNumber(header.number), hash: BlockHash(hash.0) })
    }

    /// Hash of the block of that number; below the finalized head that is the finalized one.
    pub(super) async fn hash_of(
        &self,
        number: BlockNumber,
    ) -> Result<Option<BlockHash>, EndpointError> {
        let number = Some(NumberOrHex::Number(number.0));
        let hash = self.request("a block hash", self.rpc.chain_get_block_hash(number)).await?;
        Ok(hash.map(|hash| BlockHash(hash.0)))
    }

    /// The parent of `block`, once its header has proven to be that of `block`.
    pub(super) async fn parent_of(&self, block: SeraiBlock) -> Result<BlockHash, EndpointError> {
        let hash = Some(H256(block.hash.0));
        let header = self.request("a header", self.rpc.chain_get_header(hash)).await?;
        let wrong =
            |reason| EndpointError::WrongHeader { number: block.number, hash: block.hash, reason };
        let header = header.ok_or_else(|| wrong("there is none".to_owned()))?;
        if header.number != block.number.0 {
            return Err(wrong(format!("it says number {}", header.number)));
        }
        let found = BlakeTwo256.hash(&header.encode());
        if found.0 != block.hash.0 {
            return Err(wrong(format!("it hashes to {}", BlockHash(found.0))));
        }
        Ok(BlockHash(header.parent_hash.0))
    }

    /// The chain as of `block`.
    pub(super) async fn at(&self, block: SeraiBlock) -> Result<AtBlock, EndpointError> {
        let hash = H256(block.hash.0);
        let at = self.online.at_block_hash_and_number(hash, block.number.0);
        self.request("the runtime's version and metadata", at).await
    }

    /// Runs one request.
    pub(super) async fn request<T, E: std::error::Error>(
        &self,
        what: &'static str,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, EndpointError> {
        request(self.timeout, what, answer).await
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.genesis())
    }
}

async fn request<T, E: std::error::Error>(
    timeout: Duration,
    what: &'static str,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, EndpointError> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(EndpointError::Request { what, reason: causes(&error) }),
        Err(_) => Err(EndpointError::TimedOut { what, after: timeout }),
    }
}

async fn within<T>(
    timeout: Duration,
    answer: impl Future<Output = Result<T, EndpointError>>,
) -> Result<T, EndpointError> {
    let late = EndpointError::TimedOut { what: "the metadata", after: timeout };
    tokio::time::timeout(timeout, answer).await.unwrap_or(Err(late))
}

async fn corrected_metadata(
    rpc: &LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
    version: u32,
) -> Result<Metadata, EndpointError> {
    let failed = |reason: &dyn Display| EndpointError::Request {
        what: "the metadata",
        reason: reason.to_string(),
    };
    let version = version.encode();
    let answer = rpc
        .state_call("Metadata_metadata_at_version", Some(&version), None)
        .await
        .map_err(|error| failed(&causes(&error)))?;
    let bytes = Option::<Vec<u8>>::decode(&mut answer.as_slice())
        .map_err(|error| failed(&error))?
        .ok_or_else(|| failed(&"the node has no metadata of version 15"))?;
    let mut metadata = Metadata::decode_from(&bytes).map_err(|error| failed(&error))?;
    profile::correct(metadata.types_mut())?;
    Ok(metadata)
}

/// An error with its causes, without those that an outer one repeats already.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// An endpoint as it may be shown: without user, password, path and query.
pub(super) fn redacted(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_endpoints_have_no_secrets() {
        assert_eq!(redacted("wss://user:secret@node:9944/key?token=1"), "wss://node:9944");
        assert_eq!(redacted("ws://127.0.0.1:9944"), "ws://127.0.0.1:9944");
        assert_eq!(redacted("secret@node:1/path"), "node:1");
    }
}
