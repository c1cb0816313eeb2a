//! From a coordinator to its processor.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{KeyKind, KeygenId, PerKey, SignedParty, digest};
use crate::{Coin, KeyPair, Participant, SignedStatement, ValidatorKey, ValidatorSet};

/// From a coordinator to its processor.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum CoordinatorMessage {
    /// Begin an attempt.
    Start {
        /// The party with all members' signatures, which the processor checks.
        party: SignedParty,
        /// Whose processor it is: another member may have announced its key as well.
        own: ValidatorKey,
    },
    /// All members' commitments, one signed [`PeerMessage::Commitments`](super::PeerMessage::Commitments) each, own included, in the
    /// members' order.
    Commitments {
        /// Attempt.
        id: KeygenId,
        /// The signed statements.
        statements: Vec<SignedStatement>,
    },
    /// All shares for this processor: one signed [`PeerMessage::Share`](super::PeerMessage::Share) of each other member.
    Shares {
        /// Attempt.
        id: KeygenId,
        /// The signed statements, in the members' order.
        statements: Vec<SignedStatement>,
    },
    /// Judge an accusation by another member.
    Judge {
        /// Attempt.
        id: KeygenId,
        /// Who accuses.
        accuser: Participant,
        /// The accused's signed [`PeerMessage::Share`](super::PeerMessage::Share) to the accuser.
        share: SignedStatement,
        /// Which key's share.
        key: KeyKind,
        /// As in [`ProcessorMessage::InvalidShare`](super::ProcessorMessage::InvalidShare).
        blame: Option<Vec<u8>>,
    },
    /// All members' preprocesses of the proving signatures ([`PeerMessage::ProofPreprocess`](super::PeerMessage::ProofPreprocess)), own
    /// included, in the members' order.
    ProofPreprocesses {
        /// Attempt.
        id: KeygenId,
        /// The signed statements.
        statements: Vec<SignedStatement>,
    },
    /// All members' shares of the proving signatures ([`PeerMessage::ProofShare`](super::PeerMessage::ProofShare)), own included, in
    /// the members' order.
    ProofShares {
        /// Attempt.
        id: KeygenId,
        /// The signed statements.
        statements: Vec<SignedStatement>,
    },
    /// Proving signatures that another member has completed; the processor verifies them against its
    /// own key pair and answers [`ProcessorMessage::Proven`](super::ProcessorMessage::Proven).
    Proof {
        /// Attempt.
        id: KeygenId,
        /// The signatures.
        signatures: PerKey,
    },
    /// `set_keys` of this set is finalized with this key pair: shares of its attempt are kept for
    /// good, those of the set's other attempts are deleted.
    Confirmed {
        /// The set.
        set: ValidatorSet,
        /// The key pair on the chain.
        key_pair: KeyPair,
    },
}

impl CoordinatorMessage {
    /// Set that this belongs to.
    pub fn set(&self) -> ValidatorSet {
        match self {
            CoordinatorMessage::Start { party, .. } => party.party.id.set,
            CoordinatorMessage::Commitments { id, .. }
            | CoordinatorMessage::Shares { id, .. }
            | CoordinatorMessage::Judge { id, .. }
            | CoordinatorMessage::ProofPreprocesses { id, .. }
            | CoordinatorMessage::ProofShares { id, .. }
            | CoordinatorMessage::Proof { id, .. } => id.set,
            CoordinatorMessage::Confirmed { set, .. } => *set,
        }
    }

    /// The coin's processor that this is for.
    pub fn coin(&self) -> Coin {
        self.set().coin
    }

    /// Intent id of sending this: the same whenever it is sent again.
    pub fn intent(&self) -> String {
        match self {
            CoordinatorMessage::Start { party, .. } => format!("{}/start", party.party.id),
            CoordinatorMessage::Commitments { id, .. } => format!("{id}/commitments"),
            CoordinatorMessage::Shares { id, .. } => format!("{id}/shares"),
            CoordinatorMessage::Judge { id, accuser, share, key, .. } => {
                format!("{id}/judge/{accuser}/{}/{key:?}", hex::encode(&share.signer.0[..8]))
            }
            CoordinatorMessage::ProofPreprocesses { id, .. } => format!("{id}/proof-preprocesses"),
            CoordinatorMessage::ProofShares { id, .. } => format!("{id}/proof-shares"),
            // Several members may offer one; a wrong one must not keep the right one out.
            CoordinatorMessage::Proof { id, signatures } => {
                let digest = digest(b"serai-coordinator-keygen-proof-intent", signatures);
                format!("{id}/proof/{}", hex::encode(&digest[..8]))
            }
            CoordinatorMessage::Confirmed { set, .. } => format!("keygen/{set}/confirmed"),
        }
    }

    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            CoordinatorMessage::Start { .. } => "keygen.start",
            CoordinatorMessage::Commitments { .. } => "keygen.commitments",
            CoordinatorMessage::Shares { .. } => "keygen.shares",
            CoordinatorMessage::Judge { .. } => "keygen.judge",
            CoordinatorMessage::ProofPreprocesses { .. } => "keygen.proof-preprocesses",
            CoordinatorMessage::ProofShares { .. } => "keygen.proof-shares",
            CoordinatorMessage::Proof { .. } => "keygen.proof",
            CoordinatorMessage::Confirmed { .. } => "keygen.confirmed",
        }
    }
}
