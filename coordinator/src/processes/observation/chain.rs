//! What is read from the chain as of a block: its events, and the storage that goes with them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use futures::{Stream, StreamExt};
use serai_messages::observation::{Event, SeraiBlock, SetMember};
use serai_messages::{
    BlockHash, BlockNumber, Coin, KeyPair, MAX_VALIDATORS, Session, ValidatorKey, ValidatorSet,
};

use super::arrange::arrange;
use super::client::{AtBlock, Connection, causes};
use super::decode::{self, Keys, Network, OwnCoin, Seen, Set};
use super::error::EndpointError;

/// Most addresses of one validator that are looked at; further ones are ignored.
const MAX_ADDRESSES: usize = 8;

/// Longest address that is looked at, in bytes.
const MAX_ADDRESS_BYTES: usize = 256;

/// What one finalized block holds.
#[derive(Debug)]
pub(super) struct BlockFacts {
    /// The block.
    pub(super) block: SeraiBlock,
    /// The block before it.
    pub(super) parent: BlockHash,
    /// What is to be published, in the order in which it is handled.
    pub(super) events: Vec<Event>,
    /// What there is on Serai, after this block, of the own coins of networks with a batch in it.
    pub(super) supplies: BTreeMap<Coin, u64>,
    /// All its events by `Pallet.Event`.
    pub(super) counts: BTreeMap<String, u64>,
}

/// Reads finalized blocks in order, so many at once.
pub(super) fn blocks<'a>(
    connection: &'a Connection,
    numbers: RangeInclusive<BlockNumber>,
    enabled: &'a [Coin],
    at_once: usize,
) -> impl Stream<Item = Result<BlockFacts, EndpointError>> + use<'a> {
    let (first, last) = numbers.into_inner();
    futures::stream::iter(first.0..=last.0)
        .map(move |number| block(connection, BlockNumber(number), enabled))
        .buffered(at_once)
}

/// Reads the finalized block of that number, with the events of the `enabled` coins.
async fn block(
    connection: &Connection,
    number: BlockNumber,
    enabled: &[Coin],
) -> Result<BlockFacts, EndpointError> {
    let hash = connection.hash_of(number).await?.ok_or(EndpointError::NoBlock { number })?;
    let block = SeraiBlock { number, hash };
    let parent = connection.parent_of(block).await?;
    let at = connection.at(block).await?;
    let fetched = connection.request("a block's events", at.events().fetch()).await?;
    let undecodable =
        |event: String, reason: String| EndpointError::Undecodable { number, event, reason };
    let mut facts = BlockFacts {
        block,
        parent,
        events: Vec::new(),
        supplies: BTreeMap::new(),
        counts: BTreeMap::new(),
    };
    let mut failures = Vec::new();
    let mut decoded = 0;
    for event in fetched.iter() {
        let event = event.map_err(|error| undecodable(format!("#{decoded}"), causes(&error)))?;
        let name = format!("{}.{}", event.pallet_name(), event.event_name());
        match decode::decode(&event, block, enabled) {
            Ok(Seen::Event(event)) => {
                if let Event::BatchExecuted { coin, .. } = &event {
                    let supply = supply(connection, &at, *coin).await?;
                    facts.supplies.insert(*coin, supply);
                }
                facts.events.push(event);
            }
            Ok(Seen::NewSet(set)) => {
                let members = members(connection, &at, set.coin).await?;
                facts.events.push(Event::NewSet { block, set, members });
            }
            Ok(Seen::Failure(failure)) => failures.push(failure),
            Ok(Seen::Other) => {}
            Err(reason) => return Err(undecodable(name, reason)),
        }
        *facts.counts.entry(name).or_default() += 1;
        decoded += 1;
    }
    if decoded != fetched.len() {
        let reason = format!("the list says {} events, its bytes end here", fetched.len());
        return Err(undecodable(format!("#{decoded}"), reason));
    }
    arrange(&mut facts.events, &failures).map_err(|stray| {
        let reason = format!("{} batch {} is not in this block", stray.coin, stray.batch);
        undecodable("InInstructions.InstructionFailure".to_owned(), reason)
    })?;
    Ok(facts)
}

/// The latest session of a network, if it has one.
pub(super) async fn current_session(
    connection: &Connection,
    at: &AtBlock,
    coin: Coin,
) -> Result<Option<Session>, EndpointError> {
    let session: Option<u32> =
        value(connection, at, "ValidatorSets", "CurrentSession", (Network::from(coin),)).await?;
    Ok(session.map(Session))
}

/// A set's keys; absent before its key generation, and after the next set took over.
pub(super) async fn keys(
    connection: &Connection,
    at: &AtBlock,
    set: ValidatorSet,
) -> Result<Option<KeyPair>, EndpointError> {
    let keys: Option<Keys> =
        value(connection, at, "ValidatorSets", "Keys", (Set::from(set),)).await?;
    Ok(keys.map(KeyPair::from))
}

/// The time that a block states, in milliseconds since the Unix epoch.
pub(super) async fn timestamp(connection: &Connection, at: &AtBlock) -> Result<u64, EndpointError> {
    let now: Option<u64> = value(connection, at, "Timestamp", "Now", ()).await?;
    let missing = || EndpointError::Invalid { what: "Timestamp.Now", reason: "absent".to_owned() };
    now.ok_or_else(missing)
}

/// What there is of a network's own coin on Serai.
async fn supply(connection: &Connection, at: &AtBlock, coin: Coin) -> Result<u64, EndpointError> {
    let supply: Option<u64> =
        value(connection, at, "Coins", "Supply", (OwnCoin::from(coin),)).await?;
    Ok(supply.unwrap_or_default())
}

/// Number of a network's last batch, if there was one.
pub(super) async fn last_batch(
    connection: &Connection,
    at: &AtBlock,
    coin: Coin,
) -> Result<Option<u32>, EndpointError> {
    value(connection, at, "InInstructions", "LastBatch", (Network::from(coin),)).await
}

/// Whether Serai refuses a network's batches.
pub(super) async fn halted(
    connection: &Connection,
    at: &AtBlock,
    coin: Coin,
) -> Result<bool, EndpointError> {
    let halted: Option<()> =
        value(connection, at, "InInstructions", "Halted", (Network::from(coin),)).await?;
    Ok(halted.is_some())
}

/// The Ristretto key of a network's replaced set that has not reported its slashes.
pub(super) async fn pending_slash_report(
    connection: &Connection,
    at: &AtBlock,
    coin: Coin,
) -> Result<Option<[u8; 32]>, EndpointError> {
    value(connection, at, "ValidatorSets", "PendingSlashReport", (Network::from(coin),)).await
}

/// The participants of a network's latest set in storage order, with their addresses where the
/// chain has them.
pub(super) async fn members(
    connection: &Connection,
    at: &AtBlock,
    coin: Coin,
) -> Result<Vec<SetMember>, EndpointError> {
    let participants: Option<Vec<([u8; 32], u64)>> =
        value(connection, at, "ValidatorSets", "Participants", (Network::from(coin),)).await?;
    let invalid =
        |reason: String| EndpointError::Invalid { what: "ValidatorSets.Participants", reason };
    let participants =
        participants.ok_or_else(|| invalid(format!("{} has none", coin.network_name())))?;
    if participants.len() > MAX_VALIDATORS {
        return Err(invalid(format!(
            "{} entries, at most {MAX_VALIDATORS} are possible",
            participants.len()
        )));
    }
    let mut members = Vec::with_capacity(participants.len());
    for (validator, shares) in participants {
        let validator = ValidatorKey(validator);
        let addresses = addresses(connection, at, validator).await?;
        members.push(SetMember { validator, shares, addresses });
    }
    Ok(members)
}

/// The validator's addresses; none where the chain has no such pallet.
async fn addresses(
    connection: &Connection,
    at: &AtBlock,
    validator: ValidatorKey,
) -> Result<Vec<String>, EndpointError> {
    let pallet = "ValidatorAddresses";
    if at.metadata_ref().pallet_by_name(pallet).is_none() {
        return Ok(Vec::new());
    }
    let stored: Option<Vec<Vec<u8>>> =
        value(connection, at, pallet, "Addresses", (validator.0,)).await?;
    // The validator writes what it likes: what is no text is left out, not an error.
    Ok(stored
        .unwrap_or_default()
        .into_iter()
        .take(MAX_ADDRESSES)
        .filter(|bytes| bytes.len() <= MAX_ADDRESS_BYTES)
        .filter_map(|bytes| String::from_utf8(bytes).ok())
        .collect())
}

/// Reads one value of storage by names.
async fn value<K, V>(
    connection: &Connection,
    at: &AtBlock,
    pallet: &'static str,
    entry: &'static str,
    key: K,
) -> Result<Option<V>, EndpointError>
where
    K: subxt::ext::frame_decode::storage::IntoEncodableValues
        + subxt::ext::frame_decode::storage::IntoDecodableValues,
    V: subxt::ext::scale_decode::DecodeAsType,
{
    let address = subxt::storage::dynamic::<K, V>(pallet, entry);
    let stored = connection.request(entry, at.storage().try_fetch(address, key)).await?;
    stored
        .map(|stored| stored.decode())
        .transpose()
        .map_err(|error| EndpointError::Invalid { what: entry, reason: causes(&error) })
}
