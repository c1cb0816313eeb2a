//! Schnorrkel as an algorithm of `modular-frost`.

use std::io::{self, Read};

use ciphersuite::Ciphersuite;
use dalek_ff_group::{Ristretto, RistrettoPoint, Scalar};
use flexible_transcript::{RecommendedTranscript, Transcript};
use modular_frost::{FrostError, Participant, ThresholdKeys, ThresholdView, algorithm::Algorithm};
use rand_core::{CryptoRng, RngCore};
use schnorrkel::context::SigningTranscript;
use zeroize::Zeroizing;

/// Makes sr25519 signatures (64 bytes) of a key that several hold shares of. A signature verifies
/// with `schnorrkel` under the signing context given to [`Schnorrkel::new`].
#[derive(Clone, Debug)]
pub struct Schnorrkel {
    context: Vec<u8>,
    transcript: RecommendedTranscript,
    /// The challenge, once a share was made; the library asks for checks only after that.
    challenge: Option<Scalar>,
}

impl Schnorrkel {
    /// For signatures under the signing context `context`, for example
    /// [`SUBSTRATE_CONTEXT`](crate::SUBSTRATE_CONTEXT).
    pub fn new(context: &[u8]) -> Self {
        // In the transcript, the context enters the binding factors: a share for one context is no
        // share for another.
        let mut transcript = RecommendedTranscript::new(b"serai-sr25519 FROST Schnorrkel v1");
        transcript.append_message(b"signing-context", context);
        Self { context: context.to_vec(), transcript, challenge: None }
    }

    /// The challenge that a Schnorrkel verifier computes.
    pub fn challenge(
        &self,
        nonce: &RistrettoPoint,
        key: &RistrettoPoint,
        message: &[u8],
    ) -> Scalar {
        let mut transcript = schnorrkel::signing_context(&self.context).bytes(message);
        transcript.proto_name(b"Schnorr-sig");
        transcript.commit_point(b"sign:pk", &key.compress());
        transcript.commit_point(b"sign:R", &nonce.compress());
        transcript.challenge_scalar(b"sign:c")
    }

    /// The 64 bytes of a signature of this nonce commitment and the sum of all shares.
    pub fn compose(nonce: &RistrettoPoint, sum: &Scalar) -> [u8; 64] {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(nonce.compress().as_bytes());
        signature[32..].copy_from_slice(sum.as_bytes());
        // Schnorrkel's mark, which tells its signatures from Ed25519's.
        signature[63] |= 0x80;
        signature
    }
}

impl Algorithm<Ristretto> for Schnorrkel {
    type Transcript = RecommendedTranscript;
    type Addendum = ();
    type Signature = [u8; 64];

    fn transcript(&mut self) -> &mut RecommendedTranscript {
        &mut self.transcript
    }

    fn nonces(&self) -> Vec<Vec<RistrettoPoint>> {
        vec![vec![Ristretto::generator()]]
    }

    fn preprocess_addendum<R: RngCore + CryptoRng>(
        &mut self,
        _: &mut R,
        _: &ThresholdKeys<Ristretto>,
    ) {
    }

    fn read_addendum<R: Read>(&self, _: &mut R) -> io::Result<()> {
        Ok(())
    }

    fn process_addendum(
        &mut self,
        _: &ThresholdView<Ristretto>,
        _: Participant,
        (): (),
    ) -> Result<(), FrostError> {
        Ok(())
    }

    fn sign_share(
        &mut self,
        view: &ThresholdView<Ristretto>,
        nonce_sums: &[Vec<RistrettoPoint>],
        nonces: Vec<Zeroizing<Scalar>>,
        message: &[u8],
    ) -> Scalar {
        // One nonce on one generator, as `nonces` asks for. Without it there is nothing to sign with,
        // and zero, a share that no verifier accepts, gives nothing away.
        let (Some(sum), Some(nonce)) = (nonce_sums.first().and_then(|n| n.first()), nonces.first())
        else {
            return Scalar::ZERO;
        };
        let challenge = self.challenge(sum, &view.group_key(), message);
        self.challenge = Some(challenge);
        challenge * **view.secret_share() + **nonce
    }

    fn verify(
        &self,
        group_key: RistrettoPoint,
        nonces: &[Vec<RistrettoPoint>],
        sum: Scalar,
    ) -> Option<[u8; 64]> {
        let nonce = nonces.first()?.first()?;
        if Ristretto::generator() * sum != nonce + group_key * self.challenge? {
            return None;
        }
        Some(Self::compose(nonce, &sum))
    }

    fn verify_share(
        &self,
        verification_share: RistrettoPoint,
        nonces: &[Vec<RistrettoPoint>],
        share: Scalar,
    ) -> Result<Vec<(Scalar, RistrettoPoint)>, ()> {
        let nonce = nonces.first().and_then(|n| n.first()).ok_or(())?;
        let challenge = self.challenge.ok_or(())?;
        Ok(vec![
            (Scalar::ONE, *nonce),
            (challenge, verification_share),
            (-share, Ristretto::generator()),
        ])
    }
}
