//! The development network seen by a separate client: subxt, straight to the chain.
//!
//! # Owns
//! Reads of the validator sets, their keys, balances, and the events of finalized blocks; burns that
//! ask for payments.
//!
//! # Promises
//! Storage keys come from the chain's own metadata; values and events are decoded here, byte by
//! byte, not by the coordinator's decoder, so that the two check each other.
//!
//! # Limits
//! Finalized blocks only.

mod money;

use parity_scale_codec::Decode;
use serai_messages::{BlockHash, BlockNumber, Coin, KeyPair, Session, ValidatorKey, ValidatorSet};
use subxt::dynamic::Value;
use subxt::{OnlineClient, SubstrateConfig};

pub use money::{Money, MoneyEvent};

/// Why the chain could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// No connection, or the chain answered with an error.
    #[error("cannot read {what} from the chain at {url}: {reason}")]
    Unreadable {
        /// What was asked.
        what: String,
        /// Where.
        url: String,
        /// What was said.
        reason: String,
    },
    /// Bytes that are not what their name says.
    #[error("{what} at block {block} does not decode: {bytes}")]
    Undecodable {
        /// What was expected.
        what: String,
        /// At which block.
        block: u64,
        /// The bytes, in hex.
        bytes: String,
    },
}

/// What happened to a validator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetEvent {
    /// A set was elected.
    New,
    /// A member was left out of the set's key generation.
    Removed(ValidatorKey),
    /// The set's keys were confirmed.
    Keys(KeyPair),
    /// The set took over from the one before it.
    Handover,
    /// The set ended.
    Retired,
}

/// An event of one set, with its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEvent {
    /// Height of the block.
    pub block: BlockNumber,
    /// The block's own time in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The set.
    pub set: ValidatorSet,
    /// What happened.
    pub event: SetEvent,
}

/// What happened in one finalized block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEvents {
    /// Its hash.
    pub hash: BlockHash,
    /// Events of validator sets.
    pub sets: Vec<ChainEvent>,
    /// Events of coins.
    pub money: Vec<Money>,
}

/// The client.
#[derive(Clone, Debug)]
pub struct Chain {
    client: OnlineClient<SubstrateConfig>,
    url: String,
}

type Block = subxt::client::OnlineClientAtBlock<SubstrateConfig>;

impl Chain {
    /// Connects to `url` (`ws://...`).
    ///
    /// # Errors
    /// When nothing answers there.
    pub async fn connect(url: &str) -> Result<Self, ChainError> {
        let client = OnlineClient::from_insecure_url(url)
            .await
            .map_err(|error| unreadable(url, "the metadata", error))?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Genesis hash.
    pub fn genesis(&self) -> BlockHash {
        BlockHash(self.client.genesis_hash().0)
    }

    /// Height of the newest finalized block.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn finalized(&self) -> Result<BlockNumber, ChainError> {
        Ok(BlockNumber(self.now().await?.block_number()))
    }

    /// Confirmed keys of a set; `None` before they are.
    ///
    /// # Errors
    /// When the chain does not answer or its answer does not decode.
    pub async fn keys(&self, set: ValidatorSet) -> Result<Option<KeyPair>, ChainError> {
        let key = Value::named_composite([
            ("session", Value::u128(set.session.0.into())),
            ("network", Value::unnamed_variant(set.coin.network_name(), [])),
        ]);
        let found: Option<([u8; 32], Vec<u8>)> =
            self.storage("ValidatorSets", "Keys", vec![key]).await?;
        Ok(found.map(|(ristretto, external)| KeyPair { ristretto, external }))
    }

    /// The network's current session; `None` where it has none.
    ///
    /// # Errors
    /// When the chain does not answer or its answer does not decode.
    pub async fn session(&self, coin: Coin) -> Result<Option<Session>, ChainError> {
        let found: Option<u32> =
            self.storage("ValidatorSets", "CurrentSession", vec![network(coin)]).await?;
        Ok(found.map(Session))
    }

    /// Members of the network's latest decided set as of `block`, in storage order.
    ///
    /// # Errors
    /// When the chain does not answer or its answer does not decode.
    pub async fn participants(
        &self,
        coin: Coin,
        block: BlockNumber,
    ) -> Result<Vec<ValidatorKey>, ChainError> {
        let at = self.at(block).await?;
        let found: Option<Vec<([u8; 32], u64)>> =
            self.fetch(&at, "ValidatorSets", "Participants", vec![network(coin)]).await?;
        Ok(found.unwrap_or_default().into_iter().map(|(key, _)| ValidatorKey(key)).collect())
    }

    /// A finalized block with its events of sets and money.
    ///
    /// # Errors
    /// When the chain does not answer or an event does not decode.
    pub async fn block(&self, number: BlockNumber) -> Result<BlockEvents, ChainError> {
        let what = || format!("the events of block {number}");
        let at = self.at(number).await?;
        let hash = BlockHash(at.block_hash().0);
        let events =
            at.events().fetch().await.map_err(|error| unreadable(&self.url, &what(), error))?;
        let (mut sets, mut moved) = (Vec::new(), Vec::new());
        for event in events.iter() {
            let event = event.map_err(|error| unreadable(&self.url, &what(), error))?;
            let (pallet, name, fields) =
                (event.pallet_name(), event.event_name(), event.field_bytes());
            let wrong = |what| ChainError::Undecodable {
                what,
                block: number.0,
                bytes: hex::encode(fields),
            };
            if pallet == "ValidatorSets" {
                sets.extend(set_event(name, fields).map_err(wrong)?);
            } else {
                let money = money::money_event(pallet, name, fields).map_err(wrong)?;
                moved.extend(money.map(|money| (event.index(), money)));
            }
        }
        let at_ms = match sets.is_empty() && moved.is_empty() {
            true => 0,
            false => self.fetch(&at, "Timestamp", "Now", vec![]).await?.unwrap_or_default(),
        };
        let sets = sets.into_iter();
        let moved = moved.into_iter();
        Ok(BlockEvents {
            hash,
            sets: sets
                .map(|(set, event)| ChainEvent { block: number, at_ms, set, event })
                .collect(),
            money: moved
                .map(|(index, event)| Money { block: number, hash, at_ms, index, event })
                .collect(),
        })
    }

    async fn now(&self) -> Result<Block, ChainError> {
        self.client
            .at_current_block()
            .await
            .map_err(|error| unreadable(&self.url, "the finalized block", error))
    }

    async fn at(&self, block: BlockNumber) -> Result<Block, ChainError> {
        self.client
            .at_block(block.0)
            .await
            .map_err(|error| unreadable(&self.url, &format!("block {block}"), error))
    }

    async fn storage<T: Decode>(
        &self,
        pallet: &str,
        entry: &str,
        key: Vec<Value>,
    ) -> Result<Option<T>, ChainError> {
        let at = self.now().await?;
        self.fetch(&at, pallet, entry, key).await
    }

    async fn fetch<T: Decode>(
        &self,
        at: &Block,
        pallet: &str,
        entry: &str,
        key: Vec<Value>,
    ) -> Result<Option<T>, ChainError> {
        let what = format!("{pallet}.{entry}");
        let found = at
            .storage()
            .try_fetch((pallet, entry), key)
            .await
            .map_err(|error| unreadable(&self.url, &what, error))?;
        found
            .map(|value| {
                exact(value.bytes()).ok_or_else(|| ChainError::Undecodable {
                    what,
                    block: at.block_number(),
                    bytes: hex::encode(value.bytes()),
                })
            })
            .transpose()
    }
}

fn unreadable(url: &str, what: &str, error: impl std::fmt::Display) -> ChainError {
    let (url, what) = (url.to_owned(), what.to_owned());
    ChainError::Unreadable { what, url, reason: error.to_string() }
}

fn network(coin: Coin) -> Value {
    Value::unnamed_variant(coin.network_name(), [])
}

fn exact<T: Decode>(mut bytes: &[u8]) -> Option<T> {
    T::decode(&mut bytes).ok().filter(|_| bytes.is_empty())
}

/// The external sets' events by name; those of other sets and kinds are `None`.
fn set_event(name: &str, fields: &[u8]) -> Result<Option<(ValidatorSet, SetEvent)>, String> {
    let wrong = || format!("event ValidatorSets.{name}");
    let of = |session: u32, network: u8| {
        Coin::from_network_id(network).map(|coin| ValidatorSet { coin, session: Session(session) })
    };
    let parsed = match name {
        "NewSet" | "AcceptedHandover" | "SetRetired" => {
            let (session, network): (u32, u8) = exact(fields).ok_or_else(wrong)?;
            let event = match name {
                "NewSet" => SetEvent::New,
                "AcceptedHandover" => SetEvent::Handover,
                _ => SetEvent::Retired,
            };
            of(session, network).map(|set| (set, event))
        }
        "ParticipantRemoved" => {
            let (session, network, removed): (u32, u8, [u8; 32]) =
                exact(fields).ok_or_else(wrong)?;
            of(session, network).map(|set| (set, SetEvent::Removed(ValidatorKey(removed))))
        }
        "KeyGen" => {
            let (session, network, ristretto, external): (u32, u8, [u8; 32], Vec<u8>) =
                exact(fields).ok_or_else(wrong)?;
            let keys = KeyPair { ristretto, external };
            of(session, network).map(|set| (set, SetEvent::Keys(keys)))
        }
        _ => None,
    };
    Ok(parsed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use parity_scale_codec::Encode;

    use super::*;

    #[test]
    fn events_are_read_by_name() {
        let set = ValidatorSet { coin: Coin::Xmr, session: Session(2) };
        assert_eq!(set_event("NewSet", &(2u32, 3u8).encode()), Ok(Some((set, SetEvent::New))));
        let keys = KeyPair { ristretto: [1; 32], external: vec![2; 32] };
        let fields = (2u32, 3u8, [1u8; 32], vec![2u8; 32]).encode();
        assert_eq!(set_event("KeyGen", &fields), Ok(Some((set, SetEvent::Keys(keys)))));
        assert_eq!(set_event("NewSet", &(2u32, 0u8).encode()), Ok(None), "Serai's own set");
        assert_eq!(set_event("AllocationIncreased", &[]), Ok(None));
        assert!(set_event("KeyGen", &fields[..40]).is_err());
        assert!(set_event("NewSet", &[0; 6]).is_err(), "bytes left over");
    }
}
