//! Answers to questions of people, read from the tables.

use serai_bus::{Database, DatabaseError};
use serai_messages::Coin;
use serai_messages::signing::SigningId;
use serde_json::{Map, Value, json};

use super::public::kind;
use super::tables::{self, SigningState, StoredSession, StoredSigning};

/// Signings that have ended which are listed, the newest.
const LISTED: u32 = 100;

/// What a list of signings leaves to `explain`.
const LEFT_OUT: [&str; 5] = ["digest", "order", "reference_hash", "rejected", "signatures"];

/// Ids that are named where one is not known.
const NAMED: usize = 20;

/// All key generations, signings under way, and the newest that have ended; without evidence.
///
/// # Errors
/// The database's.
pub fn sessions(database: &Database) -> Result<Value, DatabaseError> {
    let keygens = database.read(|c| Ok(tables::sessions(c)))??;
    let mut all: Vec<Value> = keygens.iter().map(keygen).collect();
    for ended in [true, false] {
        let signings = database.read(|c| {
            Ok(if ended { tables::ended_signings(c, LISTED) } else { tables::open_signings(c) })
        })??;
        all.extend(signings.iter().map(|stored| {
            let mut fields = signing(stored);
            LEFT_OUT.iter().for_each(|field| drop(fields.remove(*field)));
            Value::Object(fields)
        }));
    }
    Ok(Value::Array(all))
}

/// One session with its faults and their evidence; without an id, those that are not done and the
/// newest that have a fault. The inner error says that there is no such session.
///
/// # Errors
/// The database's.
pub fn explain(
    database: &Database,
    id: Option<&str>,
) -> Result<Result<Value, String>, DatabaseError> {
    if let Some(id) = id.and_then(|id| id.parse::<SigningId>().ok()) {
        return explain_signing(database, id);
    }
    let sessions = database.read(|c| Ok(tables::sessions(c)))??;
    let mut chosen: Vec<Value> = sessions
        .iter()
        .map(keygen)
        .filter(|session| match id {
            Some(id) => session["id"] == id,
            None => {
                let faults = session["faults"].as_array().is_some_and(|f| !f.is_empty());
                session["done"] == false || faults
            }
        })
        .collect();
    if id.is_none() {
        let faulty = database.read(|c| Ok(tables::faulty_signings(c, LISTED)))??;
        let open = database.read(|c| Ok(tables::open_signings(c)))??;
        chosen.extend(faulty.iter().chain(&open).map(|stored| Value::Object(signing(stored))));
    }
    match id {
        Some(id) if chosen.is_empty() => {
            let open = database.read(|c| Ok(tables::open_signings(c)))??;
            let known = sessions.iter().map(|session| session.id.clone());
            let known = known.chain(open.iter().map(|stored| stored.id.to_string()));
            let known: Vec<_> = known.take(NAMED).collect();
            Ok(Err(format!("there is no session {id:?}; sessions here: {}", known.join(", "))))
        }
        _ => Ok(Ok(Value::Array(chosen))),
    }
}

fn explain_signing(
    database: &Database,
    id: SigningId,
) -> Result<Result<Value, String>, DatabaseError> {
    if let Some(stored) = database.read(|c| Ok(tables::signing(c, id)))?? {
        return Ok(Ok(json!([signing(&stored)])));
    }
    let parked = database.read(|c| tables::parked(c, id))?;
    let halted = database.read(|c| tables::halt(c, id.set.coin))?;
    let why = halted.map_or(String::new(), |reason| format!(": it is halted: {reason}"));
    Ok(Err(match parked {
        0 => format!("{id} is not due: the own processor has not worked it out{why}"),
        count => format!(
            "{id} is not due here: {count} statements of other validators wait until the own \
             processor has worked it out{why}"
        ),
    }))
}

/// All vaults.
///
/// # Errors
/// The database's.
pub fn vaults(database: &Database) -> Result<Value, DatabaseError> {
    let vaults = database.read(|c| Ok(tables::vaults(c)))??;
    let mut answers = Vec::with_capacity(vaults.len());
    for vault in vaults {
        let removed = database.read(|c| tables::removed(c, vault.set))?;
        answers.push(json!({
            "coin": vault.set.coin,
            "session": vault.set.session,
            "ristretto_key": hex::encode(vault.key_pair.ristretto),
            "external_key": hex::encode(&vault.key_pair.external),
            "state": vault.state,
            "serai_block": vault.block,
            "without_share": removed,
        }));
    }
    Ok(Value::Array(answers))
}

/// How many signings there are, and which coins' processors cannot go on.
///
/// # Errors
/// The database's.
pub fn signings(database: &Database) -> Result<Value, DatabaseError> {
    let counts = database.read(tables::counts)?;
    let mut halted = Map::new();
    for coin in Coin::ALL {
        if let Some(reason) = database.read(|c| tables::halt(c, coin))? {
            halted.insert(coin.name().to_owned(), reason.into());
        }
    }
    Ok(json!({
        "running": counts.running,
        "held": counts.held,
        "done": counts.done,
        "halted": halted,
    }))
}

fn keygen(stored: &StoredSession) -> Value {
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

fn signing(stored: &StoredSigning) -> Map<String, Value> {
    let mut fields: Map<String, Value> = serde_json::from_str(&stored.summary).unwrap_or_default();
    let set = stored.id.set;
    fields.insert("id".to_owned(), json!(stored.id.to_string()));
    fields.insert("kind".to_owned(), json!(kind(&stored.id.thing)));
    fields.insert("coin".to_owned(), json!(set.coin));
    fields.insert("session".to_owned(), json!(set.session));
    fields.insert("done".to_owned(), json!(stored.state == SigningState::Done));
    fields.insert("started_ms".to_owned(), json!(stored.started_ms));
    fields.insert("ended_ms".to_owned(), json!(stored.ended_ms));
    if stored.state == SigningState::Held {
        let reason = format!(
            "held: the vaults of {0} hold less than Serai owes; begins when that ends, see \
             `explain solvency/{0}`",
            set.coin
        );
        fields.insert("stage".to_owned(), json!("held"));
        fields.insert("reason".to_owned(), json!(reason));
    }
    fields
}
