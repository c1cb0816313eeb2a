//! A signing set and its preprocesses, seen from outside: what its shares must be, without a secret.
//!
//! `modular-frost` checks shares in the machine that signed; that machine does not survive a restart,
//! and a judge that did not sign has none. This computes the binding factors as that library does
//! (its transcript's labels and order are the format that all signers follow), which the tests hold
//! against the library's own signatures.

use std::collections::BTreeMap;

use ciphersuite::Ciphersuite;
use ciphersuite::group::ff::{Field, PrimeField};
use ciphersuite::group::{Group, GroupEncoding};
use flexible_transcript::Transcript;
use modular_frost::algorithm::Algorithm;
use modular_frost::curve::Curve;
use modular_frost::{Participant as Index, ThresholdKeys};
use serai_messages::Participant;

use super::dkg::{index, read_whole};
use super::{Fault, Messages, Scheme};

type F<S> = <<S as Scheme>::Curve as Ciphersuite>::F;
type G<S> = <<S as Scheme>::Curve as Ciphersuite>::G;
type Signature<S> = <<S as Scheme>::Algorithm as Algorithm<<S as Scheme>::Curve>>::Signature;

struct Signer<S: Scheme> {
    /// Its nonce, bound to the signing set and the message.
    nonce: G<S>,
    /// Its part of the group's key in this signing set.
    key: G<S>,
}

pub(super) struct Session<S: Scheme> {
    signers: BTreeMap<Participant, Signer<S>>,
    nonce: G<S>,
    challenge: F<S>,
}

impl<S: Scheme> Session<S> {
    /// # Errors
    /// [`Fault::InvalidSignatureShare`] names a signer whose preprocess is none.
    pub(super) fn new(
        keys: &ThresholdKeys<S::Curve>,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<Self, Fault> {
        let mut algorithm = S::algorithm();
        algorithm.transcript().domain_separate(b"FROST");
        let mut read = Vec::with_capacity(preprocesses.len());
        for (signer, bytes) in preprocesses {
            if signer.0 == 0 || signer.0 > keys.params().n() {
                return Err(Fault::Internal(format!("{signer} is no member of the vault")));
            }
            let [hiding, binding] =
                points::<S>(bytes).ok_or(Fault::InvalidSignatureShare { accused: *signer })?;
            let transcript = algorithm.transcript();
            transcript.append_message(b"participant", F::<S>::from(u64::from(signer.0)).to_repr());
            transcript.domain_separate(b"commitments");
            transcript.domain_separate(b"nonce");
            transcript.append_message(b"commitment_D", hiding.to_bytes());
            transcript.append_message(b"commitment_E", binding.to_bytes());
            transcript.append_message(b"addendum", []);
            read.push((*signer, hiding, binding));
        }
        let mut rho =
            <<S::Algorithm as Algorithm<S::Curve>>::Transcript as Transcript>::new(b"FROST_rho");
        rho.append_message(b"group_key", keys.group_key().to_bytes());
        rho.append_message(b"message", S::Curve::hash_msg(message));
        let challenge = algorithm.transcript().challenge(b"preprocesses");
        rho.append_message(b"preprocesses", S::Curve::hash_commitments(challenge.as_ref()));
        let lowest = read.first().map(|(signer, ..)| *signer);
        let included: Vec<_> = read.iter().map(|(signer, ..)| *signer).collect();
        let mut signers = BTreeMap::new();
        let mut nonce = G::<S>::identity();
        for (signer, hiding, binding) in read {
            let mut rho = rho.clone();
            rho.append_message(b"participant", F::<S>::from(u64::from(signer.0)).to_repr());
            let factor = S::Curve::hash_binding_factor(rho.challenge(b"rho").as_ref());
            let bound = hiding + binding * factor;
            nonce += bound;
            // As `ThresholdKeys::view` does, which asks for this processor among the signers.
            let index: Index = index(signer)?;
            let mut key = keys.original_verification_share(index)
                * keys.current_scalar()
                * lagrange::<F<S>>(signer, &included);
            if Some(signer) == lowest {
                key += <S::Curve as Ciphersuite>::generator() * keys.current_offset();
            }
            signers.insert(signer, Signer { nonce: bound, key });
        }
        let challenge = S::challenge(&nonce, &keys.group_key(), message);
        Ok(Self { signers, nonce, challenge })
    }

    /// The signature that the shares make, if each verifies.
    ///
    /// # Errors
    /// [`Fault::InvalidSignatureShare`] names a signer whose share is absent or no scalar.
    pub(super) fn sum(&self, shares: &Messages) -> Result<Signature<S>, Fault> {
        let mut sum = F::<S>::ZERO;
        for signer in self.signers.keys() {
            let share = shares.get(signer).and_then(|bytes| scalar::<S>(bytes));
            sum += share.ok_or(Fault::InvalidSignatureShare { accused: *signer })?;
        }
        Ok(S::compose(self.nonce, sum))
    }

    /// A signer whose share does not verify.
    pub(super) fn culprit(&self, shares: &Messages) -> Option<Participant> {
        let valid = |signer: &&Participant| {
            shares.get(*signer).is_some_and(|share| self.is_valid(**signer, share))
        };
        self.signers.keys().find(|signer| !valid(signer)).copied()
    }

    /// Whether this is the signer's share.
    pub(super) fn is_valid(&self, signer: Participant, share: &[u8]) -> bool {
        let Some(Signer { nonce, key }) = self.signers.get(&signer) else { return false };
        scalar::<S>(share).is_some_and(|share| {
            <S::Curve as Ciphersuite>::generator() * share == *nonce + *key * self.challenge
        })
    }
}

/// The two commitments of a preprocess, for one nonce over one generator.
fn points<S: Scheme>(bytes: &[u8]) -> Option<[G<S>; 2]> {
    read_whole(bytes, |reader| {
        Ok::<_, std::io::Error>([
            <S::Curve as Curve>::read_G(reader)?,
            <S::Curve as Curve>::read_G(reader)?,
        ])
    })
    .ok()
}

fn scalar<S: Scheme>(bytes: &[u8]) -> Option<F<S>> {
    read_whole(bytes, |reader| <S::Curve as Ciphersuite>::read_F(reader)).ok()
}

/// Lagrange's coefficient at zero. Members are distinct and from 1, so no difference is zero.
fn lagrange<Scalar: PrimeField>(signer: Participant, included: &[Participant]) -> Scalar {
    let own = Scalar::from(u64::from(signer.0));
    let (mut numerator, mut denominator) = (Scalar::ONE, Scalar::ONE);
    for other in included.iter().filter(|other| **other != signer) {
        let other = Scalar::from(u64::from(other.0));
        numerator *= other;
        denominator *= other - own;
    }
    numerator * Option::<Scalar>::from(denominator.invert()).unwrap_or(Scalar::ONE)
}
