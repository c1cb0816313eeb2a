//! MuSig over Ristretto: one sr25519 signature of several keys' aggregate, in two rounds.
//!
//! # Owns
//! The coefficients and the aggregate key by Serai's rule, and the two-round signing.
//!
//! # Promises
//! Every key must sign. A step consumes the machine, so that a nonce signs once; the context, all
//! keys and all preprocesses enter each share. A bad preprocess or share names its sender.
//!
//! # Limits
//! Keys are in the order given: another order is another aggregate. Participant `i`, from 1, is
//! `keys[i - 1]`.

use std::collections::{BTreeMap, HashMap};

use ciphersuite::group::GroupEncoding;
use dalek_ff_group::{Ristretto, RistrettoPoint, Scalar};
use modular_frost::{
    FrostError, Participant, ThresholdKeys, ThresholdParams,
    dkg::Interpolation,
    sign::{
        AlgorithmMachine, AlgorithmSignMachine, AlgorithmSignatureMachine, PreprocessMachine,
        SignMachine, SignatureMachine, Writable,
    },
};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha512};

use crate::{Schnorrkel, Signer};

/// Longest MuSig context, in bytes: its length is one byte on the wire.
pub const MAX_CONTEXT_BYTES: usize = 255;

/// Why a MuSig signature did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MusigError {
    /// No keys, or more than participants can be numbered.
    #[error("{0} keys cannot be aggregated: 1 to 65,535 can")]
    KeyCount(usize),
    /// A key is no Ristretto point, or the identity.
    #[error("key {0} is no public key")]
    InvalidKey(u16),
    /// A key is there twice.
    #[error("key {0} is there twice")]
    DuplicateKey(u16),
    /// The signer's key is not among the keys.
    #[error("the signer's key is not among the keys")]
    NotParticipating,
    /// The context is over [`MAX_CONTEXT_BYTES`].
    #[error("a context of {0} bytes is over the cap of 255")]
    ContextTooLong(usize),
    /// Messages are missing, or there are ones of strangers.
    #[error("messages of {expected} participants are needed, there are {actual}, or of others")]
    Participants {
        /// How many keys there are.
        expected: usize,
        /// How many messages there are.
        actual: usize,
    },
    /// What is said to be the own preprocess is another one: this machine's nonce is not the one
    /// that the others sign with.
    #[error("the own preprocess is not this machine's")]
    ForeignPreprocess,
    /// This participant's preprocess does not decode.
    #[error("participant {0} sent an invalid preprocess")]
    InvalidPreprocess(u16),
    /// This participant's share does not decode or verify.
    #[error("participant {0} sent an invalid share")]
    InvalidShare(u16),
    /// The library refused for a reason that no participant caused.
    #[error("signing failed: {0}")]
    Internal(FrostError),
}

fn points(keys: &[[u8; 32]]) -> Result<Vec<RistrettoPoint>, MusigError> {
    let count = u16::try_from(keys.len()).map_err(|_| MusigError::KeyCount(keys.len()))?;
    if count == 0 {
        return Err(MusigError::KeyCount(0));
    }
    let mut seen = std::collections::BTreeSet::new();
    (1..=count)
        .zip(keys)
        .map(|(index, key)| {
            if !seen.insert(key) {
                return Err(MusigError::DuplicateKey(index));
            }
            Option::<RistrettoPoint>::from(RistrettoPoint::from_bytes(key))
                .filter(|point| point.compress().to_bytes() != [0; 32])
                .ok_or(MusigError::InvalidKey(index))
        })
        .collect()
}

/// The coefficient of each key: SHA-512 over `"musig"`, the context with its length in one byte,
/// the count of keys (u16 LE), the keys, and the key's index from 1 (u16 LE), reduced.
fn coefficients(context: &[u8], keys: &[[u8; 32]]) -> Result<Vec<Scalar>, MusigError> {
    let context_length =
        u8::try_from(context.len()).map_err(|_| MusigError::ContextTooLong(context.len()))?;
    let count = u16::try_from(keys.len()).map_err(|_| MusigError::KeyCount(keys.len()))?;
    let mut hasher = Sha512::new_with_prefix(b"musig");
    hasher.update([context_length]);
    hasher.update(context);
    hasher.update(count.to_le_bytes());
    for key in keys {
        hasher.update(key);
    }
    Ok((1..=count)
        .map(|index| {
            let hash = hasher.clone().chain_update(index.to_le_bytes()).finalize();
            Scalar::from_bytes_mod_order_wide(&hash.into())
        })
        .collect())
}

/// The aggregate of `keys` in their order: the sum of each key times its coefficient.
///
/// # Errors
/// [`MusigError`] about the count, a key, or the context.
pub fn aggregate(context: &[u8], keys: &[[u8; 32]]) -> Result<[u8; 32], MusigError> {
    let points = points(keys)?;
    let coefficients = coefficients(context, keys)?;
    let sum: RistrettoPoint =
        points.iter().zip(&coefficients).map(|(point, coefficient)| point * coefficient).sum();
    Ok(sum.compress().to_bytes())
}

/// Before the first round.
#[must_use]
pub struct MusigMachine {
    machine: AlgorithmMachine<Ristretto, Schnorrkel>,
    own: u16,
    count: usize,
}

impl MusigMachine {
    /// For a signature of the aggregate of `keys` under `musig_context`, valid under the Schnorrkel
    /// signing context `signing_context`.
    ///
    /// # Errors
    /// [`MusigError`] about the count, a key, a context, or when `signer` has none of the keys.
    pub fn new(
        signer: &Signer,
        musig_context: &[u8],
        signing_context: &[u8],
        keys: &[[u8; 32]],
    ) -> Result<Self, MusigError> {
        let points = points(keys)?;
        let coefficients = coefficients(musig_context, keys)?;
        let public = signer.public();
        let own = (1..)
            .zip(keys)
            .find_map(|(index, key)| (*key == public).then_some(index))
            .ok_or(MusigError::NotParticipating)?;
        let participant = Participant::new(own).ok_or(MusigError::NotParticipating)?;
        let count = u16::try_from(keys.len()).map_err(|_| MusigError::KeyCount(keys.len()))?;
        let failed = |_| MusigError::Internal(FrostError::InternalError("keys do not fit"));
        let shares =
            (1..=count).filter_map(Participant::new).zip(points).collect::<HashMap<_, _>>();
        let keys = ThresholdKeys::new(
            ThresholdParams::new(count, count, participant).map_err(failed)?,
            Interpolation::Constant(coefficients),
            signer.scalar(),
            shares,
        )
        .map_err(failed)?;
        let machine = AlgorithmMachine::new(Schnorrkel::new(signing_context), keys);
        Ok(Self { machine, own, count: usize::from(count) })
    }

    /// First round: makes the nonce. The bytes go to all other participants.
    pub fn preprocess<R: RngCore + CryptoRng>(self, rng: &mut R) -> (MusigSigning, Vec<u8>) {
        let (machine, preprocess) = self.machine.preprocess(rng);
        let preprocess = preprocess.serialize();
        let signing = MusigSigning {
            machine,
            own: self.own,
            count: self.count,
            preprocess: preprocess.clone(),
        };
        (signing, preprocess)
    }
}

/// Between the rounds: holds the nonce.
#[must_use]
pub struct MusigSigning {
    machine: AlgorithmSignMachine<Ristretto, Schnorrkel>,
    own: u16,
    count: usize,
    preprocess: Vec<u8>,
}

impl MusigSigning {
    /// Second round: makes the share. `preprocesses` are all participants', by index; the own one
    /// may be among them and must then be this machine's.
    ///
    /// # Errors
    /// [`MusigError::Participants`], [`MusigError::ForeignPreprocess`], or
    /// [`MusigError::InvalidPreprocess`]. The nonce is gone in every case.
    pub fn sign(
        self,
        preprocesses: &BTreeMap<u16, Vec<u8>>,
        message: &[u8],
    ) -> Result<(MusigCompleting, Vec<u8>), MusigError> {
        if preprocesses.get(&self.own).is_some_and(|own| *own != self.preprocess) {
            return Err(MusigError::ForeignPreprocess);
        }
        let others = others(preprocesses, self.own, self.count, |index, mut bytes| {
            let read = self.machine.read_preprocess(&mut bytes);
            // The library accepts trailing bytes; two encodings of one preprocess are none.
            read.ok().filter(|_| bytes.is_empty()).ok_or(MusigError::InvalidPreprocess(index))
        })?;
        let (machine, share) = self.machine.sign(others, message).map_err(named)?;
        let completing = MusigCompleting { machine, own: self.own, count: self.count };
        Ok((completing, share.serialize()))
    }
}

/// After the second round: waits for the others' shares.
#[must_use]
pub struct MusigCompleting {
    machine: AlgorithmSignatureMachine<Ristretto, Schnorrkel>,
    own: u16,
    count: usize,
}

impl MusigCompleting {
    /// The signature, from all participants' shares by index; the own one may be among them and is
    /// not read.
    ///
    /// # Errors
    /// [`MusigError::Participants`], or [`MusigError::InvalidShare`] with the first participant whose
    /// share does not verify.
    pub fn complete(self, shares: &BTreeMap<u16, Vec<u8>>) -> Result<[u8; 64], MusigError> {
        let others = others(shares, self.own, self.count, |index, mut bytes| {
            let read = self.machine.read_share(&mut bytes);
            read.ok().filter(|_| bytes.is_empty()).ok_or(MusigError::InvalidShare(index))
        })?;
        self.machine.complete(others).map_err(named)
    }
}

/// Decodes the messages of all participants but the own one.
fn others<T>(
    messages: &BTreeMap<u16, Vec<u8>>,
    own: u16,
    count: usize,
    read: impl Fn(u16, &[u8]) -> Result<T, MusigError>,
) -> Result<HashMap<Participant, T>, MusigError> {
    let others = messages.iter().filter(|(index, _)| **index != own);
    let complete = others.clone().count() + 1 == count
        && others.clone().all(|(index, _)| (1..=count).contains(&usize::from(*index)));
    if !complete {
        return Err(MusigError::Participants { expected: count, actual: messages.len() });
    }
    others
        .filter_map(|(index, bytes)| Participant::new(*index).map(|p| (*index, p, bytes)))
        .map(|(index, participant, bytes)| Ok((participant, read(index, bytes)?)))
        .collect()
}

fn named(error: FrostError) -> MusigError {
    match error {
        FrostError::InvalidPreprocess(participant) => {
            MusigError::InvalidPreprocess(participant.into())
        }
        FrostError::InvalidShare(participant) => MusigError::InvalidShare(participant.into()),
        error => MusigError::Internal(error),
    }
}
