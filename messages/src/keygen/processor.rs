//! From a processor to its coordinator.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{KeyKind, KeygenId, PerKey};
use crate::{KeyPair, Participant};

/// From a processor to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProcessorMessage {
    /// PedPoP commitments for both keys.
    Commitments {
        /// Attempt.
        id: KeygenId,
        /// Serialized `EncryptionKeyMessage<_, Commitments<_>>` per key.
        commitments: PerKey,
    },
    /// Encrypted shares, one for each other member.
    Shares {
        /// Attempt.
        id: KeygenId,
        /// Recipient, and the serialized `EncryptedMessage<_, SecretShare<_>>` per key.
        shares: Vec<(Participant, PerKey)>,
    },
    /// A member's commitments do not verify. The signed statement that carries them is the evidence.
    InvalidCommitments {
        /// Attempt.
        id: KeygenId,
        /// Whose.
        accused: Participant,
        /// Which key's.
        key: KeyKind,
        /// What the library said.
        reason: String,
    },
    /// A member's share does not verify.
    InvalidShare {
        /// Attempt.
        id: KeygenId,
        /// Whose share.
        accused: Participant,
        /// Which key's.
        key: KeyKind,
        /// Serialized `EncryptionKeyProof`, which opens the share to the other members; none where the
        /// share's own proof of possession is what fails.
        blame: Option<Vec<u8>>,
    },
    /// This processor's judgement of somebody's accusation.
    Verdict {
        /// Attempt.
        id: KeygenId,
        /// Who accused.
        accuser: Participant,
        /// Who was accused.
        accused: Participant,
        /// Which of the two is at fault.
        guilty: Participant,
    },
    /// The key pair is made, and the keystore and its backup are written.
    KeyPair {
        /// Attempt.
        id: KeygenId,
        /// Both public keys, after Serai's adjustments.
        key_pair: KeyPair,
        /// Preprocess of each key's proving signature.
        preprocess: PerKey,
    },
    /// Shares of the proving signatures.
    ProofShare {
        /// Attempt.
        id: KeygenId,
        /// Signature share of each key.
        share: PerKey,
    },
    /// A member's preprocess or share of a proving signature does not verify.
    InvalidProofShare {
        /// Attempt.
        id: KeygenId,
        /// Whose.
        accused: Participant,
        /// Which key's.
        key: KeyKind,
    },
    /// Both keys made a signature that verifies over [`Party::proof_message`](super::Party::proof_message).
    Proven {
        /// Attempt.
        id: KeygenId,
        /// The key pair.
        key_pair: KeyPair,
        /// Ristretto: sr25519, 64 bytes. External: BIP-340 (btc, 64 bytes), c ‖ s of Serai's Ethereum
        /// challenge (eth, 64 bytes), Ed25519 (xmr, 64 bytes).
        signatures: PerKey,
    },
    /// The processor will not take part in this attempt, with its reason.
    Refused {
        /// Attempt.
        id: KeygenId,
        /// Why, in a sentence for the operator.
        reason: String,
    },
}

impl ProcessorMessage {
    /// Attempt that this belongs to.
    pub fn id(&self) -> KeygenId {
        match self {
            ProcessorMessage::Commitments { id, .. }
            | ProcessorMessage::Shares { id, .. }
            | ProcessorMessage::InvalidCommitments { id, .. }
            | ProcessorMessage::InvalidShare { id, .. }
            | ProcessorMessage::Verdict { id, .. }
            | ProcessorMessage::KeyPair { id, .. }
            | ProcessorMessage::ProofShare { id, .. }
            | ProcessorMessage::InvalidProofShare { id, .. }
            | ProcessorMessage::Proven { id, .. }
            | ProcessorMessage::Refused { id, .. } => *id,
        }
    }

    /// Record type and last part of the intent id.
    pub fn kind(&self) -> String {
        match self {
            ProcessorMessage::Commitments { .. } => "keygen.commitments".into(),
            ProcessorMessage::Shares { .. } => "keygen.shares".into(),
            ProcessorMessage::InvalidCommitments { .. } => "keygen.invalid-commitments".into(),
            ProcessorMessage::InvalidShare { .. } => "keygen.invalid-share".into(),
            ProcessorMessage::Verdict { accuser, accused, .. } => {
                format!("keygen.verdict.{accuser}.{accused}")
            }
            ProcessorMessage::KeyPair { .. } => "keygen.key-pair".into(),
            ProcessorMessage::ProofShare { .. } => "keygen.proof-share".into(),
            ProcessorMessage::InvalidProofShare { .. } => "keygen.invalid-proof-share".into(),
            ProcessorMessage::Proven { .. } => "keygen.proven".into(),
            ProcessorMessage::Refused { .. } => "keygen.refused".into(),
        }
    }
}
