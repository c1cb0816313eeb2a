//! The rounds of key generation.

use std::collections::BTreeMap;

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_messages::keygen::{
    CoordinatorMessage, KeyKind, KeygenId, Party, PeerMessage, PerKey, ProcessorMessage,
    SignedParty,
};
use serai_messages::{KeyPair, Participant, SignedStatement, ValidatorKey};
use zeroize::Zeroizing;

use super::both::Both;
use super::handler::{Frame, Keygen, Stop, digest_of, internal, nonces_label, seed_label};
use super::machines::{CommittedKeys, Machine, SharedKeys};
use super::party::check_party;
use super::statements::open_all;
use super::tables::{self, Attempt, Step};
use crate::crypto::{Fault, Messages, Seed};
use crate::keystore::{self, Backup, Vault};

/// A fault of one of the keys.
type KeyFault = (KeyKind, Fault);

impl Keygen {
    pub(super) fn start(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        signed: &SignedParty,
        validator: &ValidatorKey,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let (party, id) = (&signed.party, signed.party.id);
        let own = check_party(signed, self.coin, validator, &self.own)?;
        if keystore::confirmed(transaction, id.set)?.is_some() {
            return Err(Stop::Refused(format!("the keys of {} are made and in use", id.set)));
        }
        match tables::genesis(transaction)? {
            None => tables::set_genesis(transaction, party.genesis)?,
            Some(genesis) if genesis == party.genesis => {}
            Some(genesis) => {
                return Err(Stop::Refused(format!(
                    "the party is of the chain with genesis {}, this processor's vaults are of {genesis}",
                    party.genesis
                )));
            }
        }
        self.once(transaction, id, "start", (message, party.digest()), |keygen| {
            let seed = Seed::generate(&mut OsRng);
            let sealed = keygen.cipher.seal(&seed_label(id), seed.as_bytes())?;
            let attempt = Attempt { party: signed.clone(), seed: sealed };
            tables::insert_attempt(transaction, &attempt)?;
            let frame = Frame { party: party.clone(), own, seed };
            let (machines, commitments) = keygen.commit(&frame)?;
            keygen.machines.put(id, Machine::Committed(machines));
            Ok(vec![ProcessorMessage::Commitments { id, commitments: commitments.into() }])
        })
    }

    pub(super) fn commitments(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        id: KeygenId,
        statements: &[SignedStatement],
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let frame = self.frame(transaction, id)?;
        let digest = digest_of(statements.iter().map(SignedStatement::digest));
        let commitments = commitments_of(&frame, statements)?;
        let own = tables::step(transaction, id, "start")?.and_then(|step| {
            step.answers.into_iter().find_map(|answer| match answer {
                ProcessorMessage::Commitments { commitments, .. } => Some(commitments),
                _ => None,
            })
        });
        if own.as_ref() != commitments.get(&frame.own) {
            return Err(Stop::Refused(format!(
                "{id}: the commitments under this processor's name are not those that it made"
            )));
        }
        self.once(transaction, id, "commitments", (message, digest), |keygen| {
            let machines = match keygen.machines.take(id) {
                Some(Machine::Committed(machines)) => machines,
                _ => keygen.commit(&frame)?.0,
            };
            match share(machines, commitments) {
                Ok((machines, shares)) => {
                    keygen.machines.put(id, Machine::Shared(machines));
                    #[cfg(feature = "faults")]
                    let shares = keygen.spoil_shares(&frame, statements, shares)?;
                    Ok(vec![ProcessorMessage::Shares { id, shares: shares.into() }])
                }
                Err((key, Fault::InvalidCommitments { accused, reason })) => {
                    Ok(vec![ProcessorMessage::InvalidCommitments { id, accused, key, reason }])
                }
                Err((_, fault)) => Err(internal(&fault)),
            }
        })
    }

    pub(super) fn shares(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        id: KeygenId,
        statements: &[SignedStatement],
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let frame = self.frame(transaction, id)?;
        let before = self.verified_commitments(transaction, id)?;
        let digest = digest_of(statements.iter().map(SignedStatement::digest));
        let own = frame.own;
        let shares = open_all(&frame.party, statements, Some(own), |message| match message {
            PeerMessage::Share { to, share, .. } if *to == own => Some(share.clone()),
            _ => None,
        })?;
        self.once(transaction, id, "shares", (message, digest), |keygen| {
            let machines = match keygen.machines.take(id) {
                Some(Machine::Shared(machines)) => machines,
                _ => {
                    let commitments = commitments_of(&frame, &before)?;
                    let machines = keygen.commit(&frame)?.0;
                    share(machines, commitments).map_err(|(_, fault)| internal(&fault))?.0
                }
            };
            match complete(machines, shares) {
                Ok(keys) => keygen.store_vault(transaction, &frame.party, keys),
                Err((key, Fault::InvalidShare { accused, blame })) => {
                    Ok(vec![ProcessorMessage::InvalidShare { id, accused, key, blame }])
                }
                Err((_, fault)) => Err(internal(&fault)),
            }
        })
    }

    /// The statements of the commitments that this processor has verified and shared upon.
    pub(super) fn verified_commitments(
        &self,
        transaction: &Transaction<'_>,
        id: KeygenId,
    ) -> Result<Vec<SignedStatement>, Stop> {
        match tables::step(transaction, id, "commitments")? {
            Some(Step {
                input: CoordinatorMessage::Commitments { statements, .. },
                answers,
                ..
            }) if matches!(answers.as_slice(), [ProcessorMessage::Shares { .. }]) => Ok(statements),
            _ => Err(Stop::Ignored(format!("{id}: the members' commitments are not verified"))),
        }
    }

    /// Round one from the seed: the same bytes each time.
    fn commit(&self, frame: &Frame) -> Result<(CommittedKeys, Both<Vec<u8>>), Stop> {
        Both::try_new(|key| self.engine(key).commit(&frame.ceremony(key), &frame.seed))
            .map(Both::unzip)
            .map_err(|fault| internal(&fault))
    }

    /// Writes the vault with its backup; only then does the answer say that the keys are made.
    fn store_vault(
        &mut self,
        transaction: &Transaction<'_>,
        party: &Party,
        keys: Both<Zeroizing<Vec<u8>>>,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let id = party.id;
        let public = Both::try_new(|key| self.engine(key).public_key(keys.get(key)))
            .map_err(|fault| internal(&fault))?;
        let ristretto = public
            .ristretto
            .try_into()
            .map_err(|_| Stop::Refused(format!("{id}: the ristretto key is not of 32 bytes")))?;
        let key_pair = KeyPair { ristretto, external: public.external };

        // Not of the attempt's seed: these must be gone once they are used.
        let nonces = Both::try_new(|_| Ok::<_, Stop>(Seed::generate(&mut OsRng)))?;
        let preprocess =
            Both::try_new(|key| self.engine(key).preprocess(keys.get(key), nonces.get(key)))
                .map_err(|fault| internal(&fault))?;

        let sealed_keys = self.cipher.seal(&keystore::vault_label(id), &join(&keys))?;
        let mut both = Zeroizing::new(nonces.ristretto.as_bytes().to_vec());
        both.extend_from_slice(nonces.external.as_bytes());
        let sealed_nonces = self.cipher.seal(&nonces_label(id), &both)?;
        let members: Vec<_> = party.members.iter().map(|member| member.validator).collect();
        let vault =
            Vault { id, key_pair: key_pair.clone(), members: members.clone(), confirmed: false };
        keystore::insert(transaction, &vault, &sealed_keys, Some(&sealed_nonces))?;
        let backup = Backup { id, key_pair: key_pair.clone(), members, keys: sealed_keys };
        backup.write(&self.backups)?;
        Ok(vec![ProcessorMessage::KeyPair { id, key_pair, preprocess: preprocess.into() }])
    }

    /// The share for one member, of another polynomial: it decrypts, and does not verify.
    #[cfg(feature = "faults")]
    fn spoil_shares(
        &self,
        frame: &Frame,
        statements: &[SignedStatement],
        mut shares: Both<Messages>,
    ) -> Result<Both<Messages>, Stop> {
        let Some(crate::faults::Misbehaviour::BadShare(victim)) = self.fault else {
            return Ok(shares);
        };
        let other =
            Frame { party: frame.party.clone(), own: frame.own, seed: Seed::generate(&mut OsRng) };
        let (machines, _) = self.commit(&other)?;
        let (_, mut wrong) = share(machines, commitments_of(frame, statements)?)
            .map_err(|(_, fault)| internal(&fault))?;
        if let Some(share) = wrong.ristretto.remove(&victim) {
            shares.ristretto.insert(victim, share);
        }
        Ok(shares)
    }
}

/// The members' commitments out of their statements, own included.
pub(super) fn commitments_of(
    frame: &Frame,
    statements: &[SignedStatement],
) -> Result<BTreeMap<Participant, PerKey>, Stop> {
    Ok(open_all(&frame.party, statements, None, |message| match message {
        PeerMessage::Commitments { commitments, .. } => Some(commitments.clone()),
        _ => None,
    })?)
}

fn share(
    machines: CommittedKeys,
    commitments: BTreeMap<Participant, PerKey>,
) -> Result<(SharedKeys, Both<Messages>), KeyFault> {
    let commitments = Both::<Messages>::from(commitments);
    machines
        .try_map(|key, machine| machine.share(commitments.get(key)).map_err(|fault| (key, fault)))
        .map(Both::unzip)
}

fn complete(
    machines: SharedKeys,
    shares: BTreeMap<Participant, PerKey>,
) -> Result<Both<Zeroizing<Vec<u8>>>, KeyFault> {
    let shares = Both::<Messages>::from(shares);
    machines.try_map(|key, machine| machine.complete(shares.get(key)).map_err(|fault| (key, fault)))
}

/// Both keys' shares as one secret: the first one's length, then both.
fn join(keys: &Both<Zeroizing<Vec<u8>>>) -> Zeroizing<Vec<u8>> {
    let length = u32::try_from(keys.ristretto.len()).unwrap_or(u32::MAX).to_le_bytes();
    // Sized at once: a vector that grows leaves copies of its content behind.
    let mut joined = Zeroizing::new(Vec::with_capacity(
        length.len() + keys.ristretto.len() + keys.external.len(),
    ));
    joined.extend_from_slice(&length);
    joined.extend_from_slice(&keys.ristretto);
    joined.extend_from_slice(&keys.external);
    joined
}

/// One key's share of a vault's stored key shares.
pub(crate) fn half(joined: &[u8], key: KeyKind) -> Option<&[u8]> {
    split(joined).map(|both| *both.get(key))
}

/// Inverse of [`join`].
pub(super) fn split(joined: &[u8]) -> Option<Both<&[u8]>> {
    let (length, keys) = joined.split_first_chunk::<4>()?;
    let (ristretto, external) =
        keys.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some(Both { ristretto, external })
}
