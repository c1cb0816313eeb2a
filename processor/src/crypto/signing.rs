//! FROST over bytes, written once for all schemes.

use std::collections::HashMap;

use ciphersuite::Ciphersuite;
use modular_frost::{
    FrostError, ThresholdKeys,
    sign::{
        AlgorithmSignMachine, AlgorithmSignatureMachine, CachedPreprocess, SignMachine,
        SignatureMachine, Writable,
    },
};
use serai_messages::Participant;
use zeroize::Zeroizing;

use super::dkg::{index, participant, read_whole};
use super::{Fault, Messages, Scheme, Seed, Signing};

type MachineOf<S> = AlgorithmSignMachine<<S as Scheme>::Curve, <S as Scheme>::Algorithm>;
type CompletingOf<S> = AlgorithmSignatureMachine<<S as Scheme>::Curve, <S as Scheme>::Algorithm>;

/// The adjusted keys of a serialized key share.
pub(super) fn keys<S: Scheme>(bytes: &[u8]) -> Result<ThresholdKeys<S::Curve>, Fault> {
    read_whole(bytes, |reader| ThresholdKeys::<S::Curve>::read(reader))
        .map(S::adjust)
        .map_err(|reason| Fault::Internal(format!("stored key share is damaged: {reason}")))
}

pub(super) fn machine<S: Scheme>(
    keys: ThresholdKeys<S::Curve>,
    nonce: &Seed,
) -> (MachineOf<S>, Vec<u8>) {
    let cached = CachedPreprocess(Zeroizing::new(*nonce.as_bytes()));
    let (machine, preprocess) = MachineOf::<S>::from_cache(S::algorithm(), keys, cached);
    (machine, preprocess.serialize())
}

pub(super) fn fault(error: FrostError) -> Fault {
    match error {
        FrostError::InvalidPreprocess(accused) | FrostError::InvalidShare(accused) => {
            Fault::InvalidSignatureShare { accused: participant(accused) }
        }
        other => Fault::Internal(other.to_string()),
    }
}

pub(super) fn preprocess<S: Scheme>(bytes: &[u8], nonce: &Seed) -> Result<Vec<u8>, Fault> {
    Ok(machine::<S>(keys::<S>(bytes)?, nonce).1)
}

pub(super) fn sign<S: Scheme>(
    bytes: &[u8],
    nonce: Seed,
    preprocesses: &Messages,
    message: &[u8],
) -> Result<(Box<dyn Signing>, Vec<u8>), Fault> {
    let keys = keys::<S>(bytes)?;
    let (own, public_key) = (participant(keys.params().i()), keys.group_key());
    let (machine, preprocess) = machine::<S>(keys, &nonce);
    if preprocesses.get(&own) != Some(&preprocess) {
        return Err(Fault::Internal("the own preprocess is not of this nonce".to_owned()));
    }
    let mut others = HashMap::new();
    for (signer, bytes) in preprocesses.iter().filter(|(signer, _)| **signer != own) {
        let preprocess = read_whole(bytes, |reader| machine.read_preprocess(reader))
            .map_err(|_| Fault::InvalidSignatureShare { accused: *signer })?;
        others.insert(index(*signer)?, preprocess);
    }
    let (machine, share) = machine.sign(others, message).map_err(fault)?;
    let next = Completing::<S> { machine, own, public_key, message: message.to_vec() };
    Ok((Box::new(next), share.serialize()))
}

struct Completing<S: Scheme> {
    machine: CompletingOf<S>,
    own: Participant,
    public_key: <S::Curve as Ciphersuite>::G,
    message: Vec<u8>,
}

impl<S: Scheme> Signing for Completing<S> {
    fn complete(self: Box<Self>, shares: &Messages) -> Result<[u8; 64], Fault> {
        let mut others = HashMap::new();
        for (signer, bytes) in shares.iter().filter(|(signer, _)| **signer != self.own) {
            let share = read_whole(bytes, |reader| self.machine.read_share(reader))
                .map_err(|_| Fault::InvalidSignatureShare { accused: *signer })?;
            others.insert(index(*signer)?, share);
        }
        let signature = self.machine.complete(others).map_err(fault)?;
        Ok(S::signature(&signature, &self.public_key, &self.message))
    }
}
