//! PedPoP over bytes, written once for all curves.

use std::collections::HashMap;

use ciphersuite::Ciphersuite;
use dkg_pedpop::{
    AdditionalBlameMachine, Commitments, EncryptedMessage, EncryptionKeyMessage,
    EncryptionKeyProof, KeyGenMachine, KeyMachine, PedPoPError, SecretShare, SecretShareMachine,
    ThresholdParams,
};
use serai_messages::{Participant, keygen::KeyKind};
use zeroize::Zeroizing;

use super::seed::Round;
use super::{Accusation, Ceremony, Committed, Fault, Messages, Seed, Shared};

type CommitmentsOf<C> = EncryptionKeyMessage<C, Commitments<C>>;
type ShareOf<C> = EncryptedMessage<C, SecretShare<<C as Ciphersuite>::F>>;

/// The library's index; ours can be zero.
pub(super) fn index(participant: Participant) -> Result<dkg::Participant, Fault> {
    dkg::Participant::new(participant.0)
        .ok_or_else(|| Fault::Internal("participants count from 1, not 0".to_owned()))
}

/// Ours of the library's.
pub(super) fn participant(index: dkg::Participant) -> Participant {
    Participant(index.into())
}

/// Reads one value that fills `bytes` to the end.
pub(super) fn read_whole<T>(
    mut bytes: &[u8],
    read: impl FnOnce(&mut &[u8]) -> std::io::Result<T>,
) -> Result<T, String> {
    let value = read(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.is_empty() { Ok(value) } else { Err(format!("{} bytes are left over", bytes.len())) }
}

fn params(ceremony: &Ceremony) -> Result<ThresholdParams, Fault> {
    ThresholdParams::new(ceremony.threshold, ceremony.members, index(ceremony.own)?)
        .map_err(|error| Fault::Internal(error.to_string()))
}

fn fault<C: Ciphersuite>(error: PedPoPError<C>) -> Fault {
    match error {
        PedPoPError::InvalidCommitments(accused) => Fault::InvalidCommitments {
            accused: participant(accused),
            reason: "the proof of knowledge does not verify".to_owned(),
        },
        PedPoPError::InvalidShare { participant: accused, blame } => Fault::InvalidShare {
            accused: participant(accused),
            blame: blame.map(|blame| blame.serialize()),
        },
        PedPoPError::DkgError(error) => Fault::Internal(error.to_string()),
        other => Fault::Internal(format!("{other:?}")),
    }
}

fn read_commitments<C: Ciphersuite>(
    params: ThresholdParams,
    messages: &Messages,
    skip: Option<Participant>,
) -> Result<HashMap<dkg::Participant, CommitmentsOf<C>>, Fault> {
    messages
        .iter()
        .filter(|(sender, _)| Some(**sender) != skip)
        .map(|(sender, bytes)| {
            let message = read_whole(bytes, |reader| CommitmentsOf::<C>::read(reader, params))
                .map_err(|reason| Fault::InvalidCommitments { accused: *sender, reason })?;
            Ok((index(*sender)?, message))
        })
        .collect()
}

pub(super) fn commit<C: Ciphersuite>(
    ceremony: &Ceremony,
    seed: &Seed,
) -> Result<(Box<dyn Committed>, Vec<u8>), Fault> {
    let params = params(ceremony)?;
    let (machine, commitments) = KeyGenMachine::<C>::new(params, ceremony.context)
        .generate_coefficients(&mut seed.rng(ceremony.key, Round::Commitments));
    let next = RoundOne { machine, params, key: ceremony.key, seed: seed.clone() };
    Ok((Box::new(next), commitments.serialize()))
}

struct RoundOne<C: Ciphersuite> {
    machine: SecretShareMachine<C>,
    params: ThresholdParams,
    key: KeyKind,
    seed: Seed,
}

impl<C: Ciphersuite> Committed for RoundOne<C> {
    fn share(
        self: Box<Self>,
        commitments: &Messages,
    ) -> Result<(Box<dyn Shared>, Messages), Fault> {
        let Self { machine, params, key, seed } = *self;
        let others = read_commitments::<C>(params, commitments, Some(participant(params.i())))?;
        let mut rng = seed.rng(key, Round::Shares);
        let (machine, shares) =
            machine.generate_secret_shares(&mut rng, others).map_err(fault::<C>)?;
        let shares =
            shares.iter().map(|(to, share)| (participant(*to), share.serialize())).collect();
        Ok((Box::new(RoundTwo { machine, params, key, seed }), shares))
    }
}

struct RoundTwo<C: Ciphersuite> {
    machine: KeyMachine<C>,
    params: ThresholdParams,
    key: KeyKind,
    seed: Seed,
}

impl<C: Ciphersuite> Shared for RoundTwo<C> {
    fn complete(self: Box<Self>, shares: &Messages) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let Self { machine, params, key, seed } = *self;
        let shares = shares
            .iter()
            .map(|(sender, bytes)| {
                // No proof is needed to show that bytes are no encrypted share: anyone can see it.
                let share = read_whole(bytes, |reader| ShareOf::<C>::read(reader, params))
                    .map_err(|_| Fault::InvalidShare { accused: *sender, blame: None })?;
                Ok((index(*sender)?, share))
            })
            .collect::<Result<HashMap<_, _>, Fault>>()?;
        let machine =
            machine.calculate_share(&mut seed.rng(key, Round::Key), shares).map_err(fault::<C>)?;
        Ok(machine.complete().serialize())
    }
}

pub(super) fn judge<C: Ciphersuite>(
    ceremony: &Ceremony,
    commitments: &Messages,
    accusation: Accusation<'_>,
) -> Result<Participant, Fault> {
    let Accusation { accuser, accused, share, blame } = accusation;
    let params = params(ceremony)?;
    let commitments = read_commitments::<C>(params, commitments, None)?;
    let Ok(share) = read_whole(share, |reader| ShareOf::<C>::read(reader, params)) else {
        return Ok(accused);
    };
    let blame = match blame {
        None => None,
        Some(bytes) => match read_whole(bytes, |reader| EncryptionKeyProof::<C>::read(reader)) {
            Ok(proof) => Some(proof),
            // A proof that cannot be read accuses nobody but its author.
            Err(_) => return Ok(accuser),
        },
    };
    let judge = AdditionalBlameMachine::<C>::new(ceremony.context, ceremony.members, commitments)
        .map_err(fault::<C>)?;
    // The library's order is sender of the share (accused), then its recipient (accuser).
    Ok(participant(judge.blame(index(accused)?, index(accuser)?, share, blame)))
}
