//! This process' part of the public feed: vaults, as CloudEvents 1.0 in JSON on `{name}-public`.

use rusqlite::Transaction;
use serai_bus::exchange;
use serai_messages::keygen::{KeyKind, KeygenId, Party, PerKey};
use serai_messages::{
    Endpoint, Incarnation, IntentId, KeyPair, Name, Record, Topic, VERSION, ValidatorSet,
};
use serde_json::{Value, json};

use super::sessions::SessionError;

/// Writes public events of one validator.
#[derive(Debug)]
pub struct Feed {
    name: Name,
    topic: String,
    incarnation: Incarnation,
}

impl Feed {
    /// The feed of `name`.
    pub fn new(name: &Name, incarnation: Incarnation) -> Self {
        Self { name: name.clone(), topic: Topic::Public.full_name(name), incarnation }
    }

    /// Both keys of a new vault have signed: the messages and signatures, for anybody to verify.
    ///
    /// # Errors
    /// The database's.
    pub fn proven(
        &self,
        transaction: &Transaction<'_>,
        id: KeygenId,
        party: &Party,
        key_pair: &KeyPair,
        signatures: &PerKey,
    ) -> Result<(), SessionError> {
        let message = |key| hex::encode(party.proof_message(key_pair, key));
        let data = json!({
            "coin": id.set.coin,
            "session": id.set.session,
            "attempt": id.attempt,
            "ristretto_key": hex::encode(key_pair.ristretto),
            "external_key": hex::encode(&key_pair.external),
            "message_ristretto": message(KeyKind::Ristretto),
            "message_external": message(KeyKind::External),
            "signature_ristretto": hex::encode(&signatures.ristretto),
            "signature_external": hex::encode(&signatures.external),
        });
        let intent = format!("public/vault-proven/{}/{}", id.set, id.attempt);
        self.publish(transaction, "serai.vault.proven", &intent, &id.set.to_string(), data)
    }

    /// A vault's state on Serai has changed.
    ///
    /// # Errors
    /// The database's.
    pub fn vault(
        &self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
        key_pair: Option<&KeyPair>,
        state: &str,
        block: u64,
    ) -> Result<(), SessionError> {
        let data = json!({
            "coin": set.coin,
            "session": set.session,
            "state": state,
            "ristretto_key": key_pair.map(|keys| hex::encode(keys.ristretto)),
            "external_key": key_pair.map(|keys| hex::encode(&keys.external)),
            "serai_block": block,
        });
        let intent = format!("public/vault/{set}/{}/{block}", state.replace(' ', "-"));
        self.publish(transaction, "serai.vault.state", &intent, &set.to_string(), data)
    }

    fn publish(
        &self,
        transaction: &Transaction<'_>,
        kind: &str,
        intent: &str,
        subject: &str,
        data: Value,
    ) -> Result<(), SessionError> {
        let (from, to) = (Endpoint::Coordinator, Endpoint::Anyone);
        let sequence = exchange::next_sequence(transaction, &self.topic, to, self.incarnation)?;
        let event = json!({
            "specversion": "1.0",
            "id": intent,
            "source": format!("/serai/coordinator/{}", self.name),
            "type": kind,
            "subject": subject,
            "datacontenttype": "application/json",
            "data": data,
        });
        let record = Record {
            id: IntentId::new(intent)?,
            kind: kind.to_owned(),
            from,
            to,
            session: String::new(),
            incarnation: self.incarnation,
            sequence,
            version: VERSION,
            sealed: false,
            body: serde_json::to_vec(&event)?,
        };
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_bus::Database;
    use serai_messages::{Attempt, BlockHash, Coin, Session};

    use super::*;

    fn set() -> ValidatorSet {
        ValidatorSet { coin: Coin::Btc, session: Session(1) }
    }

    fn pair() -> KeyPair {
        KeyPair { ristretto: [1; 32], external: vec![2; 33] }
    }

    fn published(
        write: impl FnOnce(&Feed, &Transaction<'_>) -> Result<(), SessionError>,
    ) -> Record {
        let folder = tempfile::tempdir().unwrap();
        let database =
            Database::open(&folder.path().join("state.sqlite"), &[exchange::MIGRATION]).unwrap();
        let feed = Feed::new(&"alice".parse().unwrap(), Incarnation(1));
        database.transaction(|transaction| write(&feed, transaction)).unwrap();
        let mut records = database.read(|c| exchange::pending(c, "alice-public", 10)).unwrap();
        assert_eq!(records.len(), 1);
        records.remove(0).record
    }

    /// The schema's own words, so far as this feed uses them: fields, none beside them, patterns of
    /// hexadecimal text by their length.
    fn assert_follows(record: &Record, schema: &str) {
        let event: Value = serde_json::from_slice(&record.body).unwrap();
        assert_eq!(event["specversion"], "1.0");
        for attribute in ["id", "source", "type", "subject", "datacontenttype"] {
            assert!(event[attribute].as_str().is_some_and(|text| !text.is_empty()), "{attribute}");
        }
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert_eq!(event["type"], schema["title"]);
        let data = event["data"].as_object().unwrap();
        let required = schema["required"].as_array().unwrap();
        assert_eq!(data.len(), required.len(), "{data:?}");
        for field in required {
            let field = field.as_str().unwrap();
            let value = data.get(field).unwrap_or_else(|| panic!("{field} is missing"));
            let described = &schema["properties"][field];
            if let Some(allowed) = described["enum"].as_array() {
                assert!(allowed.contains(value), "{field}: {value}");
            }
            if let (Some(text), Some(pattern)) = (value.as_str(), described["pattern"].as_str()) {
                assert!(text.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{field}");
                assert!(pattern.contains(&format!("{{{}}}", text.len())), "{field}: {text}");
            }
        }
    }

    #[test]
    fn proven_vaults_follow_their_schema() {
        let id = KeygenId { set: set(), attempt: Attempt(0) };
        let party = Party {
            genesis: BlockHash([3; 32]),
            id,
            threshold: 3,
            members: Vec::new(),
            removed: Vec::new(),
        };
        let signatures = PerKey { ristretto: vec![4; 64], external: vec![5; 64] };
        let record = published(|feed, tx| feed.proven(tx, id, &party, &pair(), &signatures));
        assert_follows(&record, include_str!("../../../../docs/schemas/serai.vault.proven.json"));
    }

    #[test]
    fn vault_states_follow_their_schema() {
        let schema = include_str!("../../../../docs/schemas/serai.vault.state.json");
        for state in ["confirmed", "in use", "replaced", "retired"] {
            let keys = pair();
            let record = published(|feed, tx| feed.vault(tx, set(), Some(&keys), state, 9));
            assert_follows(&record, schema);
        }
    }
}
