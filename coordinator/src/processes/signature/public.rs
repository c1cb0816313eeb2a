//! This process' part of the public feed: vaults, as CloudEvents 1.0 in JSON on `{name}-public`.

use rusqlite::Transaction;
use serai_messages::keygen::{KeyKind, KeygenId, Party, PerKey};
use serai_messages::{Incarnation, KeyPair, Name, ValidatorSet};
use serde_json::json;

use crate::processes::core::public;

/// Writes public events about vaults of one validator.
#[derive(Debug)]
pub struct Feed(public::Feed);

impl Feed {
    /// The feed of `name`.
    pub fn new(name: &Name, incarnation: Incarnation) -> Self {
        Self(public::Feed::new(name, incarnation))
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
    ) -> rusqlite::Result<()> {
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
        let event = public::Event {
            kind: "serai.vault.proven",
            id: format!("vault-proven/{}/{}", id.set, id.attempt),
            subject: id.set.to_string(),
            data,
        };
        self.0.publish(transaction, &event)
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
    ) -> rusqlite::Result<()> {
        let data = json!({
            "coin": set.coin,
            "session": set.session,
            "state": state,
            "ristretto_key": key_pair.map(|keys| hex::encode(keys.ristretto)),
            "external_key": key_pair.map(|keys| hex::encode(&keys.external)),
            "serai_block": block,
        });
        let event = public::Event {
            kind: "serai.vault.state",
            id: format!("vault/{set}/{}/{block}", state.replace(' ', "-")),
            subject: set.to_string(),
            data,
        };
        self.0.publish(transaction, &event)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::{Attempt, BlockHash, Coin, Session};

    use super::*;

    fn set() -> ValidatorSet {
        ValidatorSet { coin: Coin::Btc, session: Session(1) }
    }

    fn pair() -> KeyPair {
        KeyPair { ristretto: [1; 32], external: vec![2; 33] }
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
        let events = public::testing::published(|feed, transaction| {
            Feed(feed.clone()).proven(transaction, id, &party, &pair(), &signatures)
        });
        assert_eq!(events[0]["type"], "serai.vault.proven");
        public::testing::assert_follows_schema(&events[0]);
    }

    #[test]
    fn vault_states_follow_their_schema() {
        for state in ["confirmed", "in use", "replaced", "retired"] {
            let events = public::testing::published(|feed, transaction| {
                Feed(feed.clone()).vault(transaction, set(), Some(&pair()), state, 9)
            });
            assert_eq!(events[0]["data"]["state"], state);
            public::testing::assert_follows_schema(&events[0]);
        }
    }
}
