//! Who did what wrong, and how that can be shown to others.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{SignedStatement, ValidatorKey};

/// A validator's fault in the signing of a thing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Fault {
    /// Who.
    pub accused: ValidatorKey,
    /// What.
    pub kind: FaultKind,
    /// The signed statements that prove it to anyone who knows the content.
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
    /// Would sign something else than the own processor. Either of the two is wrong.
    OtherContent,
    /// A preprocess that is none.
    InvalidPreprocess,
    /// A share that does not verify.
    InvalidShare,
    /// Signatures that do not verify.
    InvalidSignatures,
    /// An accusation that the own processor refutes.
    FalseAccusation {
        /// Who was accused.
        accused: ValidatorKey,
    },
    /// Put one preprocess into two sessions.
    ReusedPreprocess {
        /// Whose.
        signer: ValidatorKey,
    },
    /// A session, accusation or report that no honest validator would sign.
    Malformed {
        /// [`serai_messages::Body::kind`].
        statement: String,
    },
}

impl FaultKind {
    /// Short name.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Equivocation { .. } => "equivocation",
            FaultKind::OtherContent => "other-content",
            FaultKind::InvalidPreprocess => "invalid-preprocess",
            FaultKind::InvalidShare => "invalid-share",
            FaultKind::InvalidSignatures => "invalid-signatures",
            FaultKind::FalseAccusation { .. } => "false-accusation",
            FaultKind::ReusedPreprocess { .. } => "reused-preprocess",
            FaultKind::Malformed { .. } => "malformed",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Equivocation { slot } => {
                write!(f, "signed two different statements for {slot}")
            }
            FaultKind::OtherContent => {
                f.write_str("would sign another content than the own processor works out")
            }
            FaultKind::InvalidPreprocess => f.write_str("gave a preprocess that is invalid"),
            FaultKind::InvalidShare => f.write_str("gave a signature share that does not verify"),
            FaultKind::InvalidSignatures => f.write_str("sent signatures that do not verify"),
            FaultKind::FalseAccusation { accused } => write!(f, "falsely accused {accused}"),
            FaultKind::ReusedPreprocess { signer } => {
                write!(f, "put one preprocess of {signer} into two sessions")
            }
            FaultKind::Malformed { statement } => write!(f, "signed a malformed {statement}"),
        }
    }
}
