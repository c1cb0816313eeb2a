//! The public feed: CloudEvents 1.0 in JSON on `{name}-public`, for frontends and data warehouses.
//!
//! # Owns
//! The events' envelope and their sequence on the topic. What they say is with whoever knows it; its
//! schemas are in `docs/schemas`, one per type, by the type's name.
//!
//! # Promises
//! An event is stored in the caller's transaction and published after its commit, at least once; a
//! repeat has the same `id`, and an id is that of one event only.

use rusqlite::Transaction;
use serai_bus::exchange;
use serai_messages::{Endpoint, Incarnation, IntentId, Name, Record, Topic, VERSION};
use serde_json::{Value, json};

/// Writes one validator's public events.
#[derive(Clone, Debug)]
pub struct Feed {
    name: Name,
    topic: String,
    incarnation: Incarnation,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its type, for example `serai.vault.state`.
    pub kind: &'static str,
    /// Its id after `public/`, the same whenever it is published again.
    pub id: String,
    /// What it is about, for example `btc-0`.
    pub subject: String,
    /// Its data, as the schema of its type describes it.
    pub data: Value,
}

impl Feed {
    /// The feed of `name`.
    pub fn new(name: &Name, incarnation: Incarnation) -> Self {
        Self { name: name.clone(), topic: Topic::Public.full_name(name), incarnation }
    }

    /// Stores an event for the feed; wake the topic's publisher after the commit.
    ///
    /// # Errors
    /// SQLite's, or an id that is none ([`IntentId::new`]).
    pub fn publish(&self, transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
        let (from, to) = (Endpoint::Coordinator, Endpoint::Anyone);
        let intent = format!("public/{}", event.id);
        let body = json!({
            "specversion": "1.0",
            "id": intent,
            "source": format!("/serai/coordinator/{}", self.name),
            "type": event.kind,
            "subject": event.subject,
            "datacontenttype": "application/json",
            "data": event.data,
        });
        let record = Record {
            id: IntentId::new(intent)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?,
            kind: event.kind.to_owned(),
            from,
            to,
            session: String::new(),
            incarnation: self.incarnation,
            sequence: exchange::next_sequence(transaction, &self.topic, to, self.incarnation)?,
            version: VERSION,
            sealed: false,
            body: body.to_string().into_bytes(),
        };
        exchange::enqueue(transaction, &self.topic, &record)
    }
}

/// Checks of what is published, for the tests of those who publish.
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
pub mod testing {
    use std::path::Path;

    use serai_bus::Database;

    use super::*;

    /// The bodies of what `write` publishes on the feed of alice.
    pub fn published(
        write: impl FnOnce(&Feed, &Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let database = Database::open(&path, &[exchange::MIGRATION]).unwrap();
        let feed = Feed::new(&"alice".parse().unwrap(), Incarnation(1));
        database
            .transaction(|transaction| {
                write(&feed, transaction).map_err(|source| database.error(source))
            })
            .unwrap();
        let records = database.read(|c| exchange::pending(c, "alice-public", 100)).unwrap();
        records.iter().map(|row| serde_json::from_slice(&row.record.body).unwrap()).collect()
    }

    /// Checks an event by the schema of the envelope and, its data, by that of its type.
    pub fn assert_follows_schema(event: &Value) {
        let kind = event["type"].as_str().expect("a type");
        for (schema, instance) in [("event", event), (kind, &event["data"])] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("../docs/schemas/{schema}.json"));
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let schema: Value = serde_json::from_str(&text).unwrap();
            let validator = jsonschema::draft202012::new(&schema).unwrap();
            if let Err(error) = validator.validate(instance) {
                panic!("{kind}: {error} at {}: {instance:#}", error.instance_path);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_every_schema() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let guide = std::fs::read_to_string(docs.join("public-feed.md")).unwrap();
        let mut types = 0;
        for entry in std::fs::read_dir(docs.join("schemas")).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let schema = std::fs::read_to_string(docs.join("schemas").join(&file)).unwrap();
            let schema: Value = serde_json::from_str(&schema).unwrap();
            let kind = schema["title"].as_str().unwrap();
            assert_eq!(file, format!("{kind}.json"));
            if kind != "event" {
                let row = format!("| `{kind}` |");
                assert!(
                    guide.contains(&row) && guide.contains(&format!("(schemas/{file})")),
                    "{row}"
                );
                types += 1;
            }
        }
        assert_eq!(guide.matches("\n| `serai.").count(), types);
    }

    #[test]
    fn an_id_that_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let database = serai_bus::Database::open(&path, &[exchange::MIGRATION]).unwrap();
        let feed = Feed::new(&"alice".parse().unwrap(), Incarnation(1));
        let event = Event {
            kind: "serai.vault.state",
            id: "not an id".to_owned(),
            subject: "btc-0".to_owned(),
            data: json!({}),
        };
        let published = database.transaction(|transaction| {
            feed.publish(transaction, &event).map_err(|source| database.error(source))
        });
        assert!(published.unwrap_err().to_string().contains("intent id"));
    }
}
