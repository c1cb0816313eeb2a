//! Who did what wrong, and how that can be shown to others.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{
    Attempt, SignedStatement, ValidatorKey,
    keygen::{Awaited, KeyKind, Round},
};

/// A validator's fault in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Fault {
    /// When.
    pub attempt: Attempt,
    /// Who.
    pub accused: ValidatorKey,
    /// What.
    pub kind: FaultKind,
    /// The signed statements that prove it to anyone; empty for what is merely missing.
    pub evidence: Vec<SignedStatement>,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum FaultKind {
    /// Two different statements in one slot.
    Equivocation {
        /// [`serai_messages::Body::slot`].
        slot: String,
    },
    /// Reported a statement in a round and did not show it.
    Undisclosed {
        /// The round.
        round: Round,
        /// Whose statement.
        about: ValidatorKey,
    },
    /// Reported a statement in a round and showed another one, or one that is not signed.
    FalseReport {
        /// The round.
        round: Round,
        /// Whose statement.
        about: ValidatorKey,
    },
    /// A report that does not name one digest per member, or a disclosure of what is no statement.
    Malformed,
    /// A party signature for another party than the sender's own reports make, or one that does not
    /// verify.
    InvalidPartySignature,
    /// Commitments that do not verify.
    InvalidCommitments {
        /// Which key's.
        key: KeyKind,
    },
    /// An encrypted share that does not verify, as the own processor judges or found.
    InvalidShare {
        /// Which key's.
        key: KeyKind,
        /// Who received it.
        accuser: ValidatorKey,
    },
    /// An accusation that the own processor refutes.
    FalseAccusation {
        /// Who was accused.
        accused: ValidatorKey,
    },
    /// Another key pair than the agreed commitments give.
    WrongKeyPair,
    /// A preprocess or share of a proving signature that does not verify.
    InvalidProofShare {
        /// Which key's.
        key: KeyKind,
    },
    /// A preprocess or share of the MuSig signature that does not verify.
    InvalidMusigShare,
    /// Left out by the votes of others, without a fault that was seen here.
    LeftOut,
    /// Said nothing until the deadline.
    Silent {
        /// What was missing.
        awaited: Awaited,
    },
}

impl FaultKind {
    /// Short name.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Equivocation { .. } => "equivocation",
            FaultKind::Undisclosed { .. } => "undisclosed",
            FaultKind::FalseReport { .. } => "false-report",
            FaultKind::Malformed => "malformed",
            FaultKind::InvalidPartySignature => "invalid-party-signature",
            FaultKind::InvalidCommitments { .. } => "invalid-commitments",
            FaultKind::InvalidShare { .. } => "invalid-share",
            FaultKind::FalseAccusation { .. } => "false-accusation",
            FaultKind::WrongKeyPair => "wrong-key-pair",
            FaultKind::InvalidProofShare { .. } => "invalid-proof-share",
            FaultKind::InvalidMusigShare => "invalid-musig-share",
            FaultKind::LeftOut => "left-out",
            FaultKind::Silent { .. } => "silent",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Equivocation { slot } => {
                write!(f, "signed two different statements for {slot}")
            }
            FaultKind::Undisclosed { round, about } => {
                write!(f, "did not show the {round:?} that it reported of {about}")
            }
            FaultKind::FalseReport { round, about } => {
                write!(f, "showed another {round:?} of {about} than it had reported")
            }
            FaultKind::Malformed => f.write_str("signed a malformed statement"),
            FaultKind::InvalidPartySignature => {
                f.write_str("signed another party, or gave a signature that does not verify")
            }
            FaultKind::InvalidCommitments { key } => {
                write!(f, "sent {key:?} commitments that do not verify")
            }
            FaultKind::InvalidShare { key, accuser } => {
                write!(f, "sent {accuser} a {key:?} share that does not verify")
            }
            FaultKind::FalseAccusation { accused } => write!(f, "falsely accused {accused}"),
            FaultKind::WrongKeyPair => {
                f.write_str("claimed another key pair than the commitments give")
            }
            FaultKind::InvalidProofShare { key } => {
                write!(f, "sent an invalid share of the {key:?} key's proving signature")
            }
            FaultKind::InvalidMusigShare => f.write_str("sent an invalid share for set_keys"),
            FaultKind::LeftOut => f.write_str("was left out by the votes of the others"),
            FaultKind::Silent { awaited } => write!(f, "was silent: no {awaited:?}"),
        }
    }
}
