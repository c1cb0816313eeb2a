//! From a coordinator to the other members' coordinators.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{KeyKind, KeygenId, PerKey};
use crate::{
    BlockNumber, Enclosed, KeyPair, Participant, ProcessorKey, SignatureBytes, ValidatorKey,
};

/// Rounds whose broadcasts are compared.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Round {
    /// Processors' public keys.
    Announcement,
    /// PedPoP commitments.
    Commitments,
    /// FROST preprocesses of the proving signatures.
    ProofPreprocess,
    /// MuSig preprocesses of `set_keys`.
    MusigPreprocess,
}

/// Statements that a member needs of each other member, in the order of the protocol.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Awaited {
    /// [`PeerMessage::Announcement`].
    Announcement,
    /// [`PeerMessage::PartySignature`].
    PartySignature,
    /// [`PeerMessage::Commitments`].
    Commitments,
    /// [`PeerMessage::Agreement`] on the commitments.
    Agreement,
    /// [`PeerMessage::Share`] to the one who waits.
    Share,
    /// [`PeerMessage::ProofPreprocess`].
    ProofPreprocess,
    /// [`PeerMessage::ProofShare`].
    ProofShare,
    /// [`PeerMessage::MusigPreprocess`].
    MusigPreprocess,
    /// [`PeerMessage::MusigShare`].
    MusigShare,
}

/// From a coordinator to the other members' coordinators, signed ([`crate::Statement`]).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PeerMessage {
    /// The sender's processor's public key.
    Announcement {
        /// Attempt.
        id: KeygenId,
        /// The key.
        processor: ProcessorKey,
    },
    /// The sender's signature of the party.
    PartySignature {
        /// Attempt.
        id: KeygenId,
        /// [`Party::digest`](super::Party::digest) as the sender sees it.
        digest: [u8; 32],
        /// Signature over the digest under [`Party::SIGNATURE_CONTEXT`](super::Party::SIGNATURE_CONTEXT).
        signature: SignatureBytes,
    },
    /// PedPoP commitments.
    Commitments {
        /// Attempt.
        id: KeygenId,
        /// As the processor gave them.
        commitments: PerKey,
    },
    /// Digests of what the sender received in a round.
    Agreement {
        /// Attempt.
        id: KeygenId,
        /// Round that is compared.
        round: Round,
        /// [`SignedStatement::digest`](crate::SignedStatement::digest) of each member's statement, in the members' order.
        digests: Vec<[u8; 32]>,
    },
    /// A member's signed statement as the sender received it first, shown because somebody reported
    /// another digest for it, or because somebody has not received it.
    Disclosure {
        /// Attempt.
        id: KeygenId,
        /// The statement.
        statement: Enclosed,
    },
    /// Statements that together prove somebody's fault, whichever of them the sender received first.
    Evidence {
        /// Attempt.
        id: KeygenId,
        /// At most two.
        statements: Vec<Enclosed>,
    },
    /// The sender cannot go on without these members' statements. Who holds one discloses it to the
    /// sender; a share to the sender is disclosed to all, as is a wait for shares.
    Waiting {
        /// Attempt.
        id: KeygenId,
        /// What is missing.
        awaited: Awaited,
        /// Whose, ascending.
        from: Vec<Participant>,
    },
    /// Encrypted shares for one member.
    Share {
        /// Attempt.
        id: KeygenId,
        /// The recipient.
        to: Participant,
        /// Encrypted share of each key.
        share: PerKey,
    },
    /// The sender's processor found a share that does not verify.
    Accusation {
        /// Attempt.
        id: KeygenId,
        /// The accused's signed [`PeerMessage::Share`] to the sender.
        share: Enclosed,
        /// Which key's share.
        key: KeyKind,
        /// As in [`ProcessorMessage::InvalidShare`](super::ProcessorMessage::InvalidShare).
        blame: Option<Vec<u8>>,
    },
    /// Preprocesses of the proving signatures, with the key pair that the sender holds.
    ProofPreprocess {
        /// Attempt.
        id: KeygenId,
        /// The key pair.
        key_pair: KeyPair,
        /// Preprocess of each key.
        preprocess: PerKey,
    },
    /// Shares of the proving signatures.
    ProofShare {
        /// Attempt.
        id: KeygenId,
        /// Digests of the preprocesses that were signed with, in the members' order.
        digests: Vec<[u8; 32]>,
        /// Signature share of each key.
        share: PerKey,
    },
    /// The completed proving signatures, for members whose processor could not complete them.
    Proof {
        /// Attempt.
        id: KeygenId,
        /// The signatures.
        signatures: PerKey,
    },
    /// MuSig preprocess for `set_keys`; sent once the keys are proven and backed up.
    MusigPreprocess {
        /// Attempt.
        id: KeygenId,
        /// Serialized preprocess.
        preprocess: Vec<u8>,
    },
    /// MuSig share for `set_keys`.
    MusigShare {
        /// Attempt.
        id: KeygenId,
        /// Digests of the preprocesses that were signed with, in the members' order.
        digests: Vec<[u8; 32]>,
        /// Serialized share.
        share: Vec<u8>,
    },
    /// The sender gives up on the running attempt. `t` votes for the same `id` and `removed` begin
    /// that attempt; a validator votes once for each attempt number.
    AttemptVote {
        /// The attempt to begin.
        id: KeygenId,
        /// Validators to leave out of it, in the order of Serai's storage.
        removed: Vec<ValidatorKey>,
        /// Finalized height at which the vote was cast.
        height: BlockNumber,
    },
}

impl PeerMessage {
    /// Attempt that this belongs to; of a vote, the one to begin.
    pub fn id(&self) -> KeygenId {
        match self {
            PeerMessage::Announcement { id, .. }
            | PeerMessage::PartySignature { id, .. }
            | PeerMessage::Commitments { id, .. }
            | PeerMessage::Agreement { id, .. }
            | PeerMessage::Disclosure { id, .. }
            | PeerMessage::Evidence { id, .. }
            | PeerMessage::Waiting { id, .. }
            | PeerMessage::Share { id, .. }
            | PeerMessage::Accusation { id, .. }
            | PeerMessage::ProofPreprocess { id, .. }
            | PeerMessage::ProofShare { id, .. }
            | PeerMessage::Proof { id, .. }
            | PeerMessage::MusigPreprocess { id, .. }
            | PeerMessage::MusigShare { id, .. }
            | PeerMessage::AttemptVote { id, .. } => *id,
        }
    }

    /// Statements that it shows.
    pub fn enclosed(&self) -> impl Iterator<Item = &Enclosed> {
        match self {
            PeerMessage::Disclosure { statement, .. }
            | PeerMessage::Accusation { share: statement, .. } => std::slice::from_ref(statement),
            PeerMessage::Evidence { statements, .. } => statements,
            _ => &[],
        }
        .iter()
    }

    /// Short name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            PeerMessage::Announcement { .. } => "announcement",
            PeerMessage::PartySignature { .. } => "party-signature",
            PeerMessage::Commitments { .. } => "commitments",
            PeerMessage::Agreement { .. } => "agreement",
            PeerMessage::Disclosure { .. } => "disclosure",
            PeerMessage::Evidence { .. } => "evidence",
            PeerMessage::Waiting { .. } => "waiting",
            PeerMessage::Share { .. } => "share",
            PeerMessage::Accusation { .. } => "accusation",
            PeerMessage::ProofPreprocess { .. } => "proof-preprocess",
            PeerMessage::ProofShare { .. } => "proof-share",
            PeerMessage::Proof { .. } => "proof",
            PeerMessage::MusigPreprocess { .. } => "musig-preprocess",
            PeerMessage::MusigShare { .. } => "musig-share",
            PeerMessage::AttemptVote { .. } => "attempt-vote",
        }
    }

    /// See [`crate::Body::slot`].
    pub fn slot(&self) -> Option<String> {
        let (id, kind) = (self.id(), self.kind());
        match self {
            PeerMessage::Disclosure { .. }
            | PeerMessage::Evidence { .. }
            | PeerMessage::Accusation { .. }
            | PeerMessage::Proof { .. } => None,
            PeerMessage::Agreement { round, .. } => Some(format!("{id}/{kind}/{round:?}")),
            PeerMessage::Waiting { awaited, .. } => Some(format!("{id}/{kind}/{awaited:?}")),
            PeerMessage::Share { to, .. } => Some(format!("{id}/{kind}/{to}")),
            _ => Some(format!("{id}/{kind}")),
        }
    }
}
