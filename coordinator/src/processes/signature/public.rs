//! This process' part of the public feed: vaults and signatures, as CloudEvents 1.0 in JSON on
//! `{name}-public`.

use rusqlite::Transaction;
use serai_messages::keygen::{KeyKind, KeygenId, Party, PerKey};
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{SigningId, Thing};
use serai_messages::{Incarnation, KeyPair, Name, SignatureBytes, ValidatorKey, ValidatorSet};
use serde_json::json;

use crate::processes::core::public;

/// A thing that was signed, as this validator knows it.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The thing.
    pub id: SigningId,
    /// Block from which its party is drawn.
    pub reference: SeraiBlock,
    /// Who signed, where this validator knows it.
    pub party: Option<&'a [ValidatorKey]>,
    /// Sessions that this validator took part in.
    pub sessions: usize,
    /// One for each message.
    pub signatures: &'a [SignatureBytes],
}

/// Short name of a thing's kind.
pub fn kind(thing: &Thing) -> &'static str {
    match thing {
        Thing::Batch(_) => "batch",
        Thing::Payment(_) => "payment",
        Thing::Forward(_) => "forward",
        Thing::Slashes => "slashes",
    }
}

/// Writes public events about vaults of one validator.
#[derive(Clone, Debug)]
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

impl Feed {
    /// A thing is signed: the signatures are verified.
    ///
    /// # Errors
    /// The database's.
    pub fn signed(
        &self,
        transaction: &Transaction<'_>,
        signed: &Signed<'_>,
    ) -> rusqlite::Result<()> {
        let Signed { id, reference, party, sessions, signatures } = signed;
        let data = json!({
            "id": id.to_string(),
            "kind": kind(&id.thing),
            "coin": id.set.coin,
            "session": id.set.session,
            "reference_block": reference.number,
            "reference_block_hash": reference.hash,
            "party": party,
            "sessions": sessions,
            "signatures": signatures,
        });
        let event = public::Event {
            kind: "serai.signing.signed",
            id: format!("signed/{id}"),
            subject: id.to_string(),
            data,
        };
        self.0.publish(transaction, &event)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::signing::PaymentId;
    use serai_messages::{Attempt, BlockHash, BlockNumber, Coin, Session};

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

    #[test]
    fn signatures_follow_their_schema() {
        let payment = PaymentId { block: BlockNumber(812), index: 4 };
        let party = [ValidatorKey([6; 32]), ValidatorKey([7; 32])];
        let reference = SeraiBlock { number: BlockNumber(812), hash: BlockHash([8; 32]) };
        for thing in [Thing::Batch(3), Thing::Payment(payment), Thing::Forward(3), Thing::Slashes] {
            for party in [None, Some(party.as_slice())] {
                let signatures = [SignatureBytes([9; 64]), SignatureBytes([10; 64])];
                let id = SigningId { set: set(), thing };
                let signatures = signatures.as_slice();
                let signed = Signed { id, reference, party, sessions: 2, signatures };
                let events = public::testing::published(|feed, transaction| {
                    Feed(feed.clone()).signed(transaction, &signed)
                });
                assert_eq!(events[0]["subject"], id.to_string());
                public::testing::assert_follows_schema(&events[0]);
            }
        }
    }
}
