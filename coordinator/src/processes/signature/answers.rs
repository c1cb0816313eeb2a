//! Answers to questions of people, read from the tables.

use serai_bus::{Database, DatabaseError};
use serde_json::{Map, Value, json};

use super::tables::{self, StoredSession};

/// All sessions, without evidence.
///
/// # Errors
/// The database's.
pub fn sessions(database: &Database) -> Result<Value, DatabaseError> {
    let sessions = database.read(|c| Ok(tables::sessions(c)))??;
    Ok(sessions.iter().map(session).collect())
}

/// One session with its faults and their evidence; without an id, those that are not done or have a
/// fault. The inner error says that there is no such session.
///
/// # Errors
/// The database's.
pub fn explain(
    database: &Database,
    id: Option<&str>,
) -> Result<Result<Value, String>, DatabaseError> {
    let sessions = database.read(|c| Ok(tables::sessions(c)))??;
    let chosen: Vec<Value> = sessions
        .iter()
        .map(session)
        .filter(|session| match id {
            Some(id) => session["id"] == id,
            None => {
                let faults = session["faults"].as_array().is_some_and(|f| !f.is_empty());
                session["done"] == false || faults
            }
        })
        .collect();
    match id {
        Some(id) if chosen.is_empty() => {
            let known: Vec<_> = sessions.iter().map(|session| session.id.as_str()).collect();
            Ok(Err(format!("there is no session {id:?}; sessions here: {}", known.join(", "))))
        }
        _ => Ok(Ok(Value::Array(chosen))),
    }
}

/// All vaults.
///
/// # Errors
/// The database's.
pub fn vaults(database: &Database) -> Result<Value, DatabaseError> {
    let vaults = database.read(|c| Ok(tables::vaults(c)))??;
    Ok(vaults
        .iter()
        .map(|vault| {
            json!({
                "coin": vault.set.coin,
                "session": vault.set.session,
                "ristretto_key": hex::encode(vault.key_pair.ristretto),
                "external_key": hex::encode(&vault.key_pair.external),
                "state": vault.state,
                "serai_block": vault.block,
            })
        })
        .collect())
}

fn session(stored: &StoredSession) -> Value {
    // The summary was written by this program from a type that is a JSON object.
    let mut fields: Map<String, Value> = serde_json::from_str(&stored.summary).unwrap_or_default();
    fields.insert("id".to_owned(), json!(stored.id));
    fields.insert("kind".to_owned(), json!("keygen"));
    fields.insert("coin".to_owned(), json!(stored.set.coin));
    fields.insert("session".to_owned(), json!(stored.set.session));
    fields.insert("done".to_owned(), json!(stored.done));
    fields.insert("started_ms".to_owned(), json!(stored.started_ms));
    fields.insert("ended_ms".to_owned(), json!(stored.ended_ms));
    Value::Object(fields)
}
