//! A vault's key, read once and signed with often.

use std::collections::HashMap;
use std::marker::PhantomData;

use ciphersuite::Ciphersuite;
use ciphersuite::group::ff::PrimeField;
use modular_frost::ThresholdKeys;
use modular_frost::sign::{SignMachine, Writable};
use serai_messages::Participant;

use super::dkg::{index, participant, read_whole};
use super::session::Session;
use super::{Fault, Messages, Scheme, Seed, signing};

/// Scalar, canonical in the curve's encoding, that is added to a key for one message; none: zero.
pub type Offset = Option<[u8; 32]>;

/// This processor's share of one of a vault's keys, adjusted as Serai does.
pub trait VaultKeys: Send + Sync {
    /// This processor's number among the vault's members.
    fn own(&self) -> Participant;

    /// Signers that one signature needs.
    fn threshold(&self) -> u16;

    /// The preprocess that belongs to `nonce`.
    fn preprocess(&self, nonce: &Seed) -> Vec<u8>;

    /// The own share of a signature by the key with `offset`. **A nonce signs once.** The own preprocess
    /// is among `preprocesses`.
    ///
    /// # Errors
    /// [`Fault::InvalidSignatureShare`] names a signer whose preprocess is none.
    fn sign(
        &self,
        offset: &Offset,
        nonce: Seed,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault>;

    /// The signature that all signers' shares make. Needs nothing secret.
    ///
    /// # Errors
    /// [`Fault::InvalidSignatureShare`] names a signer whose preprocess or share is none.
    fn aggregate(
        &self,
        offset: &Offset,
        preprocesses: &Messages,
        shares: &Messages,
        message: &[u8],
    ) -> Result<[u8; 64], Fault>;

    /// Whether the share of `accused` is one. Needs nothing secret.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be judged: another signer's preprocess is none.
    fn judge(
        &self,
        offset: &Offset,
        preprocesses: &Messages,
        accused: Participant,
        share: &[u8],
        message: &[u8],
    ) -> Result<bool, Fault>;

    /// Whether `signature` is one of `message` by the key with `offset`.
    fn verify(&self, offset: &Offset, message: &[u8], signature: &[u8; 64]) -> bool;
}

/// Reads a serialized key share.
pub(super) fn open<S: Scheme>(bytes: &[u8]) -> Result<Box<dyn VaultKeys>, Fault> {
    Ok(Box::new(Keys::<S> { keys: signing::keys::<S>(bytes)?, scheme: PhantomData }))
}

struct Keys<S: Scheme> {
    keys: ThresholdKeys<S::Curve>,
    scheme: PhantomData<fn() -> S>,
}

impl<S: Scheme> Keys<S> {
    fn offset(&self, offset: &Offset) -> Result<ThresholdKeys<S::Curve>, Fault> {
        let Some(bytes) = offset else { return Ok(self.keys.clone()) };
        let mut encoded = <<S::Curve as Ciphersuite>::F as PrimeField>::Repr::default();
        let fits = encoded.as_mut().len() == bytes.len();
        if fits {
            encoded.as_mut().copy_from_slice(bytes);
        }
        Option::from(<S::Curve as Ciphersuite>::F::from_repr(encoded))
            .filter(|_| fits)
            .map(|scalar| self.keys.clone().offset(scalar))
            .ok_or_else(|| Fault::Internal("the offset of a key is no scalar".to_owned()))
    }
}

impl<S: Scheme> VaultKeys for Keys<S> {
    fn own(&self) -> Participant {
        participant(self.keys.params().i())
    }

    fn threshold(&self) -> u16 {
        self.keys.params().t()
    }

    fn preprocess(&self, nonce: &Seed) -> Vec<u8> {
        signing::machine::<S>(self.keys.clone(), nonce).1
    }

    fn sign(
        &self,
        offset: &Offset,
        nonce: Seed,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let (machine, own) = signing::machine::<S>(self.offset(offset)?, &nonce);
        if preprocesses.get(&self.own()) != Some(&own) {
            return Err(Fault::Internal("the own preprocess is not of this nonce".to_owned()));
        }
        let mut others = HashMap::new();
        for (signer, bytes) in preprocesses.iter().filter(|(signer, _)| **signer != self.own()) {
            let preprocess = read_whole(bytes, |reader| machine.read_preprocess(reader))
                .map_err(|_| Fault::InvalidSignatureShare { accused: *signer })?;
            others.insert(index(*signer)?, preprocess);
        }
        let (_, share) = machine.sign(others, message).map_err(signing::fault)?;
        Ok(share.serialize())
    }

    fn aggregate(
        &self,
        offset: &Offset,
        preprocesses: &Messages,
        shares: &Messages,
        message: &[u8],
    ) -> Result<[u8; 64], Fault> {
        let keys = self.offset(offset)?;
        let key = keys.group_key();
        let session = Session::<S>::new(&keys, preprocesses, message)?;
        let signature = session.sum(shares)?;
        let bytes = S::signature(&signature, &key, message);
        if S::verify(&S::public_key(&key), message, &bytes) {
            return Ok(bytes);
        }
        match session.culprit(shares) {
            Some(accused) => Err(Fault::InvalidSignatureShare { accused }),
            None => Err(Fault::Internal("valid shares make no valid signature".to_owned())),
        }
    }

    fn judge(
        &self,
        offset: &Offset,
        preprocesses: &Messages,
        accused: Participant,
        share: &[u8],
        message: &[u8],
    ) -> Result<bool, Fault> {
        let keys = self.offset(offset)?;
        match Session::<S>::new(&keys, preprocesses, message) {
            Ok(session) => Ok(session.is_valid(accused, share)),
            // No share can be one of a preprocess that is none.
            Err(Fault::InvalidSignatureShare { accused: malformed }) if malformed == accused => {
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    fn verify(&self, offset: &Offset, message: &[u8], signature: &[u8; 64]) -> bool {
        self.offset(offset).is_ok_and(|keys| {
            let key = keys.group_key();
            S::verify(&S::public_key(&key), message, signature)
        })
    }
}
