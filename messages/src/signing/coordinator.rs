//! From a coordinator to its processor.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Request, Shares, SigningId};
use crate::{SignatureBytes, ValidatorKey};

/// From a coordinator to its processor. A processor obeys only about things that it worked out
/// itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum CoordinatorMessage {
    /// Give a preprocess for a session of this opener: the one given before, as long as it was not
    /// signed with.
    Preprocess {
        /// The thing.
        id: SigningId,
        /// The opener.
        opener: ValidatorKey,
    },
    /// Sign with these signers. The own preprocess among them is bound to the content and to this
    /// signing set; asked again, the same share is given again.
    Sign {
        /// The thing.
        id: SigningId,
        /// Names the session: digest of the opener's statement.
        open: [u8; 32],
        /// Preprocess of each signer, own included; as many as the threshold.
        preprocesses: Vec<(ValidatorKey, Shares)>,
    },
    /// Make the signatures of all signers' shares. Needs no secret, so any session may be asked for.
    Aggregate {
        /// The thing.
        id: SigningId,
        /// Names the session.
        open: [u8; 32],
        /// As in [`CoordinatorMessage::Sign`].
        preprocesses: Vec<(ValidatorKey, Shares)>,
        /// Share of each signer.
        shares: Vec<(ValidatorKey, Shares)>,
    },
    /// Does this share verify?
    Judge {
        /// The thing.
        id: SigningId,
        /// Names the session.
        open: [u8; 32],
        /// As in [`CoordinatorMessage::Sign`].
        preprocesses: Vec<(ValidatorKey, Shares)>,
        /// Whose share.
        accused: ValidatorKey,
        /// The share.
        share: Shares,
    },
    /// Signatures that were made elsewhere, to be verified.
    Signature {
        /// The thing.
        id: SigningId,
        /// Whose they are: the validator that sent them.
        sender: ValidatorKey,
        /// One for each message.
        signatures: Vec<SignatureBytes>,
    },
}

impl CoordinatorMessage {
    /// The thing that this is about.
    pub fn id(&self) -> SigningId {
        match self {
            CoordinatorMessage::Preprocess { id, .. }
            | CoordinatorMessage::Sign { id, .. }
            | CoordinatorMessage::Aggregate { id, .. }
            | CoordinatorMessage::Judge { id, .. }
            | CoordinatorMessage::Signature { id, .. } => *id,
        }
    }

    /// What is asked, as a refusal names it.
    pub fn request(&self) -> Request {
        match self {
            CoordinatorMessage::Preprocess { opener, .. } => {
                Request::Preprocess { opener: *opener }
            }
            CoordinatorMessage::Sign { open, .. } => Request::Sign { open: *open },
            CoordinatorMessage::Aggregate { open, .. } => Request::Aggregate { open: *open },
            CoordinatorMessage::Judge { open, accused, .. } => {
                Request::Judge { open: *open, accused: *accused }
            }
            CoordinatorMessage::Signature { sender, .. } => Request::Signature { sender: *sender },
        }
    }

    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            CoordinatorMessage::Preprocess { .. } => "signing.preprocess",
            CoordinatorMessage::Sign { .. } => "signing.sign",
            CoordinatorMessage::Aggregate { .. } => "signing.aggregate",
            CoordinatorMessage::Judge { .. } => "signing.judge",
            CoordinatorMessage::Signature { .. } => "signing.signature",
        }
    }
}
