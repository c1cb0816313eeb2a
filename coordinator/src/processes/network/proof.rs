//! The proof that each side of a connection gives before it says anything else: that it holds the
//! validator's sr25519 key, in this life (incarnation), to this peer, now; and which message versions
//! it speaks.
//!
//! # Promises
//! A proof is worth nothing elsewhere: it names the chain's genesis, both validators, both peer ids
//! (which the transport has authenticated), and both challenges, drawn anew for each connection. It
//! has a signing context of its own, so no statement and no extrinsic can stand in for it.
//!
//! The peer keeps the proof of the highest incarnation that it has seen. It is the evidence by which
//! an older instance learns that it has been replaced: a peer's word alone stops nobody.

use borsh::{BorshDeserialize, BorshSerialize};
use libp2p::PeerId;
use serai_messages::{BlockHash, Incarnation, SignatureBytes, ValidatorKey, Versions, encode};
use sha2::{Digest, Sha256};

/// Schnorrkel signing context of proofs.
pub const PROOF_CONTEXT: &[u8] = b"serai-coordinator-peer-proof";

/// Bytes of an encoded [`Proof`]: ten fields of fixed size.
pub(super) const PROOF_BYTES: usize = 7 * 32 + 8 + 2 * 2 + 64;

/// Random bytes drawn for one connection.
pub(super) type Challenge = [u8; 32];

/// One end of a connection, as proofs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct End {
    /// The validator.
    pub(super) validator: ValidatorKey,
    /// SHA-256 of its peer id.
    pub(super) peer: [u8; 32],
    /// What this end drew for the connection.
    pub(super) challenge: Challenge,
}

impl End {
    /// Names one end.
    pub(super) fn new(validator: ValidatorKey, peer: &PeerId, challenge: Challenge) -> Self {
        Self { validator, peer: Sha256::digest(peer.to_bytes()).into(), challenge }
    }
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Claim {
    /// The Serai chain.
    pub(super) genesis: BlockHash,
    /// Who proves.
    pub(super) prover: End,
    /// To whom.
    pub(super) verifier: End,
    /// The prover's life.
    pub(super) incarnation: Incarnation,
    /// The message versions that it speaks.
    pub(super) speaks: Versions,
}

/// A claim with its signature by the prover's validator key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Proof {
    /// What is proven.
    pub(super) claim: Claim,
    /// Over the claim's encoding, under [`PROOF_CONTEXT`].
    pub(super) signature: SignatureBytes,
}

impl Proof {
    /// Signs a claim.
    pub(super) fn new(claim: Claim, signer: &serai_sr25519::Signer) -> Self {
        let signature = signer.sign(PROOF_CONTEXT, &encode(&claim), &mut rand_core::OsRng);
        Self { claim, signature: SignatureBytes(signature) }
    }

    /// Whether the signature is the prover's.
    pub(super) fn holds(&self) -> bool {
        serai_sr25519::verify(
            &self.claim.prover.validator.0,
            PROOF_CONTEXT,
            &encode(&self.claim),
            &self.signature.0,
        )
        .is_ok()
    }

    /// Whether this shows that the instance `incarnation` of `validator` on `genesis` has been
    /// replaced.
    pub(super) fn replaces(
        &self,
        genesis: BlockHash,
        validator: ValidatorKey,
        incarnation: Incarnation,
    ) -> bool {
        self.claim.incarnation > incarnation && self.is_of(genesis, validator)
    }

    /// Whether this shows an instance of `validator` on `genesis`.
    pub(super) fn is_of(&self, genesis: BlockHash, validator: ValidatorKey) -> bool {
        self.claim.genesis == genesis && self.claim.prover.validator == validator && self.holds()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    fn proof() -> (Proof, serai_sr25519::Signer) {
        let signer = serai_sr25519::Signer::from_seed(&[7; 32]).unwrap();
        let claim = Claim {
            genesis: BlockHash([1; 32]),
            prover: End::new(ValidatorKey(signer.public()), &PeerId::random(), [2; 32]),
            verifier: End::new(ValidatorKey([3; 32]), &PeerId::random(), [4; 32]),
            incarnation: Incarnation(5),
            speaks: Versions { oldest: 1, newest: 2 },
        };
        (Proof::new(claim, &signer), signer)
    }

    #[test]
    fn has_a_fixed_size() {
        assert_eq!(encode(&proof().0).len(), PROOF_BYTES);
    }

    #[test]
    fn binds_every_byte() {
        let (proof, _) = proof();
        assert!(proof.holds());
        let bytes = encode(&proof);
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let changed: Proof = serai_messages::decode(&changed).unwrap();
            assert!(!changed.holds(), "byte {position} is not bound");
        }
    }

    #[test]
    fn only_a_higher_incarnation_of_the_same_validator_replaces() {
        let (proof, signer) = proof();
        let own = ValidatorKey(signer.public());
        let genesis = BlockHash([1; 32]);
        assert!(proof.replaces(genesis, own, Incarnation(4)));
        assert!(!proof.replaces(genesis, own, Incarnation(5)));
        assert!(!proof.replaces(BlockHash([9; 32]), own, Incarnation(4)));
        assert!(!proof.replaces(genesis, ValidatorKey([3; 32]), Incarnation(4)));
        let mut forged = proof;
        forged.claim.incarnation = Incarnation(9);
        assert!(!forged.replaces(genesis, own, Incarnation(4)));
    }
}
