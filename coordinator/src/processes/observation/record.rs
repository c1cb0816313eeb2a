//! Events as records of `{name}-serai`.

use rusqlite::Transaction;
use serai_bus::exchange;
use serai_messages::observation::Event;
use serai_messages::{Endpoint, Incarnation, IntentId, Record, VERSION, encode};

/// Stores `event` for `{name}-serai` within the caller's transaction; wake the topic's publisher
/// after the commit. All records of that topic are written and addressed by the coordinator, in
/// one sequence: whoever writes there does it by this function, so that readers can drop repeats.
///
/// # Errors
/// SQLite's.
pub fn enqueue(
    transaction: &Transaction<'_>,
    topic: &str,
    incarnation: Incarnation,
    event: &Event,
) -> rusqlite::Result<()> {
    let to = Endpoint::Coordinator;
    let id = IntentId::new(event.intent())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let record = Record {
        id,
        kind: event.kind().to_owned(),
        from: Endpoint::Coordinator,
        to,
        session: String::new(),
        incarnation,
        sequence: exchange::next_sequence(transaction, topic, to, incarnation)?,
        version: VERSION,
        sealed: false,
        body: encode(event),
    };
    exchange::enqueue(transaction, topic, &record)
}
