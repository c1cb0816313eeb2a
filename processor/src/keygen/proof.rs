//! The proving signatures: that both keys can sign, before they are put on the chain.

use std::collections::BTreeMap;

use rusqlite::Transaction;
use serai_messages::keygen::{
    CoordinatorMessage, KeyKind, KeygenId, Party, PeerMessage, PerKey, ProcessorMessage,
};
use serai_messages::{KeyPair, Participant, SignedStatement};
use zeroize::Zeroizing;

use super::both::Both;
use super::handler::{Keygen, Stop, digest_of, internal, nonces_label};
use super::machines::Machine;
use super::rounds::split;
use super::statements::open_all;
use super::tables::{self, Step};
use crate::crypto::{Fault, Messages, Seed};
use crate::keystore::{self, DamagedSecret, Vault};

const PREPROCESSES: &str = "proof-preprocesses";
const SHARES: &str = "proof-shares";
const PROVEN: &str = "proven";

impl Keygen {
    pub(super) fn proof_preprocesses(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        id: KeygenId,
        statements: &[SignedStatement],
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let frame = self.frame(transaction, id)?;
        let vault = self.made(transaction, id)?;
        let offers = open_all(&frame.party, statements, None, |message| match message {
            PeerMessage::ProofPreprocess { key_pair, preprocess, .. } => {
                Some((key_pair, preprocess))
            }
            _ => None,
        })?;
        let digest = signing_set(&frame.party, &vault.key_pair, statements);
        self.once(transaction, id, PREPROCESSES, (message, digest), |keygen| {
            let Some(nonces) = keystore::nonce(transaction, id)? else {
                return Err(Stop::Ignored(format!(
                    "{id}: this vault has no nonces (it was restored from a backup): another \
                     member's proof takes the place of this processor's"
                )));
            };
            // Whatever comes of it: these nonces meet no second message and no second set.
            keystore::delete_nonce(transaction, id)?;
            if let Some((accused, key)) = other_key_pair(&offers, &vault.key_pair) {
                return Ok(vec![ProcessorMessage::InvalidProofShare { id, accused, key }]);
            }
            let nonces = keygen.open_nonces(id, &nonces)?;
            let keys = keygen.open_keys(transaction, id)?;
            let keys =
                split(&keys).ok_or_else(|| DamagedSecret { label: keystore::vault_label(id) })?;
            let preprocesses: BTreeMap<_, _> = offers
                .into_iter()
                .map(|(participant, (_, preprocess))| (participant, preprocess.clone()))
                .collect();
            let preprocesses = Both::<Messages>::from(preprocesses);
            let signed = nonces.try_map(|key, nonce| {
                let message = frame.party.proof_message(&vault.key_pair, key);
                keygen
                    .engine(key)
                    .sign(keys.get(key), nonce, preprocesses.get(key), &message)
                    .map_err(|fault| (key, fault))
            });
            match signed.map(Both::unzip) {
                Ok((machines, share)) => {
                    keygen.machines.put(id, Machine::Signing(machines));
                    #[cfg(feature = "faults")]
                    let share = keygen.spoil_proof_share(share);
                    Ok(vec![ProcessorMessage::ProofShare { id, share: share.into() }])
                }
                Err((key, Fault::InvalidSignatureShare { accused })) => {
                    Ok(vec![ProcessorMessage::InvalidProofShare { id, accused, key }])
                }
                Err((_, fault)) => Err(internal(&fault)),
            }
        })
    }

    pub(super) fn proof_shares(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        id: KeygenId,
        statements: &[SignedStatement],
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let frame = self.frame(transaction, id)?;
        let vault = self.made(transaction, id)?;
        if let Some(step) = tables::step(transaction, id, PROVEN)? {
            return Ok(step.answers);
        }
        let (digests, own) = match tables::step(transaction, id, PREPROCESSES)? {
            Some(Step {
                input: CoordinatorMessage::ProofPreprocesses { statements, .. },
                answers,
                ..
            }) => (
                statements.iter().map(SignedStatement::digest).collect::<Vec<_>>(),
                answers.into_iter().find_map(|answer| match answer {
                    ProcessorMessage::ProofShare { share, .. } => Some(share),
                    _ => None,
                }),
            ),
            _ => {
                return Err(Stop::Ignored(format!("{id}: this processor made no proof share")));
            }
        };
        let offers = open_all(&frame.party, statements, None, |message| match message {
            PeerMessage::ProofShare { digests, share, .. } => Some((digests, share)),
            _ => None,
        })?;
        if own.is_none() || own.as_ref() != offers.get(&frame.own).map(|(_, share)| *share) {
            return Err(Stop::Refused(format!(
                "{id}: the proof share under this processor's name is not the one that it made"
            )));
        }
        #[cfg(feature = "faults")]
        if matches!(self.fault, Some(crate::faults::Misbehaviour::BadProofShare)) {
            return Ok(Vec::new());
        }
        if tables::step(transaction, id, SHARES)?.is_none() && !self.machines.has_signing(id) {
            tracing::info!(%id, "proof shares after a restart: waiting for another member's proof");
            return Ok(Vec::new());
        }
        let digest = digest_of(statements.iter().map(SignedStatement::digest));
        self.once(transaction, id, SHARES, (message, digest), |keygen| {
            let Some(Machine::Signing(machines)) = keygen.machines.take(id) else {
                return Err(Stop::Ignored(format!("{id}: no proving signature is under way")));
            };
            // Who signed with other preprocesses than all others agreed upon cannot have a valid share.
            if let Some((accused, _)) = offers.iter().find(|(_, (found, _))| **found != digests) {
                let key = KeyKind::Ristretto;
                return Ok(vec![ProcessorMessage::InvalidProofShare {
                    id,
                    accused: *accused,
                    key,
                }]);
            }
            let shares: BTreeMap<_, _> = offers
                .into_iter()
                .map(|(participant, (_, share))| (participant, share.clone()))
                .collect();
            let shares = Both::<Messages>::from(shares);
            let signatures = machines.try_map(|key, machine| {
                machine.complete(shares.get(key)).map_err(|fault| (key, fault))
            });
            match signatures {
                Ok(signatures) => {
                    let signatures = PerKey {
                        ristretto: signatures.ristretto.to_vec(),
                        external: signatures.external.to_vec(),
                    };
                    keygen.proven(transaction, message, &frame.party, vault, &signatures)
                }
                Err((key, Fault::InvalidSignatureShare { accused })) => {
                    Ok(vec![ProcessorMessage::InvalidProofShare { id, accused, key }])
                }
                Err((_, fault)) => Err(internal(&fault)),
            }
        })
    }

    pub(super) fn proof(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        id: KeygenId,
        signatures: &PerKey,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let frame = self.frame(transaction, id)?;
        let vault = self.made(transaction, id)?;
        if let Some(step) = tables::step(transaction, id, PROVEN)? {
            return Ok(step.answers);
        }
        self.proven(transaction, message, &frame.party, vault, signatures)
    }

    /// Verifies both signatures and notes that the keys are proven.
    fn proven(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        party: &Party,
        vault: Vault,
        signatures: &PerKey,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let (id, key_pair) = (vault.id, vault.key_pair);
        Both::try_new(|key| {
            let public_key = match key {
                KeyKind::Ristretto => key_pair.ristretto.as_slice(),
                KeyKind::External => key_pair.external.as_slice(),
            };
            let message = party.proof_message(&key_pair, key);
            if self.engine(key).verify(public_key, &message, signatures.get(key)) {
                return Ok(());
            }
            Err(Stop::Ignored(format!("{id}: the {key:?} key's proving signature does not verify")))
        })?;
        keystore::delete_nonce(transaction, id)?;
        let digest = party.digest();
        self.once(transaction, id, PROVEN, (message, digest), |_| {
            Ok(vec![ProcessorMessage::Proven { id, key_pair, signatures: signatures.clone() }])
        })
    }

    /// The vault that this attempt made.
    fn made(&self, transaction: &Transaction<'_>, id: KeygenId) -> Result<Vault, Stop> {
        keystore::vault(transaction, id)?
            .ok_or_else(|| Stop::Ignored(format!("{id}: the key pair is not made")))
    }

    fn open_keys(
        &self,
        transaction: &Transaction<'_>,
        id: KeygenId,
    ) -> Result<Zeroizing<Vec<u8>>, Stop> {
        Ok(self.cipher.open(&keystore::vault_label(id), &keystore::keys(transaction, id)?)?)
    }

    fn open_nonces(&self, id: KeygenId, sealed: &[u8]) -> Result<Both<Seed>, Stop> {
        let label = nonces_label(id);
        let nonces = self.cipher.open(&label, sealed)?;
        let halves = nonces
            .split_first_chunk::<32>()
            .and_then(|(ristretto, external)| Some((ristretto, external.first_chunk::<32>()?)));
        let (ristretto, external) = halves.ok_or(DamagedSecret { label })?;
        Ok(Both {
            ristretto: Seed::from_bytes(Zeroizing::new(*ristretto)),
            external: Seed::from_bytes(Zeroizing::new(*external)),
        })
    }

    #[cfg(feature = "faults")]
    fn spoil_proof_share(&self, mut share: Both<Vec<u8>>) -> Both<Vec<u8>> {
        if matches!(self.fault, Some(crate::faults::Misbehaviour::BadProofShare)) {
            // Ristretto's scalars are little-endian: still canonical, and another one.
            if let Some(byte) = share.ristretto.first_mut() {
                *byte ^= 1;
            }
        }
        share
    }
}

/// What a nonce is bound to: the signers with their preprocesses, and what both keys sign.
fn signing_set(party: &Party, key_pair: &KeyPair, statements: &[SignedStatement]) -> [u8; 32] {
    let messages = [KeyKind::Ristretto, KeyKind::External].map(|key| {
        let mut digest = [0; 32];
        let message = party.proof_message(key_pair, key);
        let length = message.len().min(32);
        digest[..length].copy_from_slice(&message[..length]);
        digest
    });
    digest_of(messages.into_iter().chain(statements.iter().map(SignedStatement::digest)))
}

/// A member whose key pair is another one. All members have the same commitments and valid shares,
/// so that all make the same key pair: who states another one lies.
fn other_key_pair(
    offers: &BTreeMap<Participant, (&KeyPair, &PerKey)>,
    own: &KeyPair,
) -> Option<(Participant, KeyKind)> {
    offers.iter().find_map(|(participant, (key_pair, _))| {
        if key_pair.ristretto != own.ristretto {
            Some((*participant, KeyKind::Ristretto))
        } else if key_pair.external != own.external {
            Some((*participant, KeyKind::External))
        } else {
            None
        }
    })
}
