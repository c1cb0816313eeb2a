//! Observation by hand, for simulations: finalized blocks come from whoever drives.

use std::collections::BTreeMap;

use serai_bus::{Database, DatabaseError};
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, Incarnation};
use tokio::sync::mpsc;

use super::chain::BlockFacts;
use super::mailbox::Mailbox;
use super::{follower, tables};

/// A mailbox whose process has ended: every verb says so.
pub fn mailbox() -> Mailbox {
    Mailbox(mpsc::channel(1).0)
}

/// The last block that was stored; none before the first.
///
/// # Errors
/// The database's.
pub fn cursor(database: &Database) -> Result<Option<SeraiBlock>, DatabaseError> {
    Ok(database.read(tables::chain)?.and_then(|chain| chain.cursor))
}

/// Stores the next finalized blocks with their events for `topic` (`{name}-serai`), as the running process
/// does. The events of a batch that was executed need a supply, which there is none of here: 0.
///
/// # Errors
/// The database's.
pub fn observe(
    database: &Database,
    topic: &str,
    incarnation: Incarnation,
    genesis: BlockHash,
    blocks: &[(SeraiBlock, Vec<Event>)],
) -> Result<(), DatabaseError> {
    let facts: Vec<_> = blocks
        .iter()
        .map(|(block, events)| BlockFacts {
            block: *block,
            parent: genesis,
            events: events.clone(),
            supplies: BTreeMap::new(),
            counts: BTreeMap::new(),
        })
        .collect();
    database.transaction(|transaction| {
        let store = || {
            if tables::chain(transaction)?.is_none() {
                tables::set_genesis(transaction, genesis)?;
            }
            follower::store(transaction, topic, incarnation, &facts)
        };
        store().map_err(|source| database.error(source))
    })
}
