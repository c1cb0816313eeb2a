//! What a report is made of, and whether it agrees.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::{Coin, KeyPair, Name, SessionId, VERSION, ValidatorKey, ValidatorSet};

use super::money::{self, Sets};
use super::sources::{Read, Sources};
use super::topics::TopicsError;
use super::types::{Held, Moment, Proven, Report, Session, Vault, Versions};
use crate::address::{self, NoAddress};
use crate::chain::{Chain, ChainError, ChainEvent, SetEvent};
use crate::cluster::{Cluster, ClusterError};
use crate::external::ExternalError;
use crate::verify;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Something is not there, and may still come.
    #[error("the report is not complete: {0}")]
    Missing(String),
    /// Two sources say different things, or a signature is wrong; this cannot get better.
    #[error("the report does not hold: {0}")]
    Disagreement(String),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A topic.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// An external chain.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A program's command.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A key without an address.
    #[error(transparent)]
    Address(#[from] NoAddress),
    /// A signature that does not verify.
    #[error("{coin} vault of session {session}, as {validator} published it: {source}")]
    Signature {
        /// The vault's coin.
        coin: Coin,
        /// Its session.
        session: u32,
        /// On whose topic the signature stands.
        validator: Name,
        /// What the library said.
        source: verify::Refused,
    },
}

impl ReportError {
    /// Whether a later look may find what is missing.
    pub fn may_still_come(&self) -> bool {
        matches!(
            self,
            ReportError::Missing(_)
                | ReportError::Chain(ChainError::Unreadable { .. })
                | ReportError::Cluster(ClusterError::Command { .. })
                | ReportError::Topics(_)
                | ReportError::External(_)
        )
    }
}

/// A set on the chain, with who is in it.
pub(super) struct Confirmed {
    pub(super) set: ValidatorSet,
    pub(super) keys: KeyPair,
    /// All validators of the set, in the order of storage.
    pub(super) validators: Vec<Name>,
    party: Vec<Name>,
    pub(super) removed: Vec<Name>,
    start: Moment,
    pub(super) end: Moment,
}

/// Checks everything that was read.
pub(super) async fn collect(
    cluster: &Cluster,
    chain: &Chain,
    sources: &Sources,
) -> Result<Report, ReportError> {
    let (mut vaults, mut sessions) = (Vec::new(), Vec::new());
    let confirmed = confirmed(cluster, chain, &sources.sets).await?;
    for confirmed in &confirmed {
        if let Some(vault) = vault(cluster, chain, confirmed, &sources.topics).await? {
            vaults.push(vault);
        }
        sessions.push(session(confirmed, &sources.topics));
    }
    let sets = Sets::new(&confirmed)?;
    let money = money::collect(cluster, chain, sources, &sets).await?;
    sessions.extend(money.sessions);
    let topics = sources.topics.values().flat_map(|read| &read.messages);
    Ok(Report {
        versions: Versions {
            devnet: env!("CARGO_PKG_VERSION").to_owned(),
            encoding: VERSION,
            programs: cluster.versions().await?,
        },
        genesis: chain.genesis(),
        finalized: sources.finalized(),
        validators: cluster.layout().settings().validators.clone(),
        vaults,
        sessions,
        batches: money.batches,
        payments: money.payments,
        balances: money.balances,
        messages: topics.map(|(name, topic)| (name.clone(), topic.clone())).collect(),
    })
}

/// The sets whose keys were confirmed, by coin and session.
async fn confirmed(
    cluster: &Cluster,
    chain: &Chain,
    events: &[ChainEvent],
) -> Result<Vec<Confirmed>, ReportError> {
    let mut found = Vec::new();
    for event in events {
        let (set, SetEvent::Keys(keys)) = (event.set, &event.event) else { continue };
        let of_set = || events.iter().filter(|other| other.set == set);
        let elected = of_set().find(|other| other.event == SetEvent::New).ok_or_else(|| {
            ReportError::Disagreement(format!("{set} has keys but was never elected"))
        })?;
        let mut removed = Vec::new();
        for event in of_set() {
            if let SetEvent::Removed(validator) = &event.event {
                removed.push(name(cluster, set, validator)?);
            }
        }
        let mut party = Vec::new();
        for validator in chain.participants(set.coin, elected.block).await? {
            party.push(name(cluster, set, &validator)?);
        }
        let validators = party.clone();
        party.retain(|name| !removed.contains(name));
        found.push(Confirmed {
            set,
            keys: keys.clone(),
            validators,
            party,
            removed,
            start: moment(elected),
            end: moment(event),
        });
    }
    found.sort_by_key(|confirmed: &Confirmed| confirmed.set);
    Ok(found)
}

fn moment(event: &ChainEvent) -> Moment {
    Moment { block: event.block, at_ms: event.at_ms }
}

fn name(
    cluster: &Cluster,
    set: ValidatorSet,
    validator: &ValidatorKey,
) -> Result<Name, ReportError> {
    cluster.name_of(validator).ok_or_else(|| {
        ReportError::Disagreement(format!("{validator} in {set} is none of this network"))
    })
}

/// A set's vault with everything checked; `None` where the set has handed over and its keys are no
/// longer in storage.
async fn vault(
    cluster: &Cluster,
    chain: &Chain,
    confirmed: &Confirmed,
    read: &BTreeMap<Name, Read>,
) -> Result<Option<Vault>, ReportError> {
    let (set, keys) = (confirmed.set, &confirmed.keys);
    match chain.keys(set).await? {
        None => return Ok(None),
        Some(stored) if stored != *keys => {
            return Err(ReportError::Disagreement(format!(
                "the chain's storage has {} for {set}, its KeyGen event had {}",
                text(&stored),
                text(keys)
            )));
        }
        Some(_) => {}
    }
    let mut held_by = Vec::new();
    for validator in &confirmed.party {
        let held = held(&cluster.vaults(validator, set.coin).await?, set).ok_or_else(|| {
            ReportError::Missing(format!(
                "the {} processor of {validator} holds no confirmed share of {set}",
                set.coin
            ))
        })?;
        if held != *keys {
            return Err(ReportError::Disagreement(format!(
                "the {} processor of {validator} holds {} for {set}, the chain has {}",
                set.coin,
                text(&held),
                text(keys)
            )));
        }
        held_by.push(Held {
            validator: validator.clone(),
            ristretto_key: hex::encode(held.ristretto),
            external_key: hex::encode(held.external),
        });
    }
    Ok(Some(Vault {
        coin: set.coin,
        session: set.session.0,
        ristretto_key: hex::encode(keys.ristretto),
        external_key: hex::encode(&keys.external),
        address: address::of(set.coin, &keys.external)?,
        held_by,
        proven: proven(confirmed, read)?,
    }))
}

fn text(keys: &KeyPair) -> String {
    format!("{} and {}", hex::encode(keys.ristretto), hex::encode(&keys.external))
}

/// The keys that a processor holds a share of for `set` and knows to be confirmed, in what its
/// `vaults` command printed.
fn held(vaults: &serde_json::Value, set: ValidatorSet) -> Option<KeyPair> {
    use serde_json::Value;
    let vault = vaults.as_array()?.iter().find(|vault| {
        vault.get("session").and_then(Value::as_u64) == Some(set.session.0.into())
            && vault.get("state").and_then(Value::as_str) == Some("confirmed")
    })?;
    let key = |field: &str| hex::decode(vault.get(field)?.as_str()?).ok();
    let ristretto = key("ristretto_key")?.try_into().ok()?;
    Some(KeyPair { ristretto, external: key("external_key")? })
}

/// Verifies the signatures that the party's members published. All of them must have.
fn proven(confirmed: &Confirmed, read: &BTreeMap<Name, Read>) -> Result<Vec<Proven>, ReportError> {
    let (set, keys) = (confirmed.set, &confirmed.keys);
    let mut all: Vec<Proven> = Vec::new();
    for validator in &confirmed.party {
        let proofs = read.get(validator).map(|read| read.proofs.as_slice()).unwrap_or_default();
        let proof = proofs
            .iter()
            .find(|proof| {
                (proof.coin, proof.session) == (set.coin, set.session)
                    && proof.ristretto_key == keys.ristretto
                    && proof.external_key == keys.external
            })
            .ok_or_else(|| {
                ReportError::Missing(format!(
                    "{validator} has published no signature of the keys of {set}"
                ))
            })?;
        let refused = |source| ReportError::Signature {
            coin: set.coin,
            session: set.session.0,
            validator: validator.clone(),
            source,
        };
        let (message, signature) = (&proof.message_ristretto, &proof.signature_ristretto);
        let by = verify::ristretto(&keys.ristretto, message, signature).map_err(refused)?;
        note(&mut all, "ristretto", message, signature, by, validator);
        let (message, signature) = (&proof.message_external, &proof.signature_external);
        let by = verify::external(set.coin, &keys.external, message, signature).map_err(refused)?;
        note(&mut all, "external", message, signature, by, validator);
    }
    Ok(all)
}

/// Adds a verified signature, once however many published it.
fn note(
    all: &mut Vec<Proven>,
    key: &'static str,
    message: &[u8],
    signature: &[u8],
    verified_by: &'static str,
    validator: &Name,
) {
    let (message, signature) = (hex::encode(message), hex::encode(signature));
    match all.iter_mut().find(|one| one.key == key && one.signature == signature) {
        Some(one) => one.published_by.push(validator.clone()),
        None => all.push(Proven {
            key,
            message,
            signature,
            verified_by,
            published_by: vec![validator.clone()],
        }),
    }
}

fn session(confirmed: &Confirmed, read: &BTreeMap<Name, Read>) -> Session {
    let id = SessionId::Keygen(confirmed.set).to_string();
    let attempts = read.values().filter_map(|read| read.attempts.get(&id)).map(BTreeSet::len).max();
    Session {
        kind: "keygen",
        attempts: attempts.unwrap_or_default(),
        id,
        party: confirmed.party.clone(),
        removed: confirmed.removed.clone(),
        start: confirmed.start,
        end: Some(confirmed.end),
        said: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::Session as SetSession;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_processors_word_is_read_by_session() {
        let vault = |session: u32, state: &str, byte: u8| {
            json!({
                "session": session,
                "state": state,
                "ristretto_key": hex::encode([byte; 32]),
                "external_key": hex::encode([byte; 33]),
            })
        };
        let vaults = json!([
            vault(0, "confirmed", 1),
            vault(1, "pending", 2),
            vault(1, "confirmed", 3),
            vault(2, "pending", 4),
        ]);
        let set = |session| ValidatorSet { coin: Coin::Btc, session: SetSession(session) };
        let keys = held(&vaults, set(1)).unwrap();
        assert_eq!((keys.ristretto, keys.external), ([3; 32], vec![3; 33]));
        assert_eq!(held(&vaults, set(2)), None);
        assert_eq!(held(&json!({}), set(0)), None);
    }
}
