//! From a processor to its coordinator.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Content, Request, Shares, SigningId};
use crate::observation::SeraiBlock;
use crate::{SignatureBytes, ValidatorKey};

/// From a processor to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProcessorMessage {
    /// This thing is due, and this processor would sign this content.
    Ready {
        /// The thing.
        id: SigningId,
        /// Block from which the party is drawn (DESIGN D11): of a payment, the burn's; of batch k,
        /// the one that executed batch k - 1 (of batch 0, the one that activated the vault); of a
        /// forwarding, the one that executed its batch; of a slash report, likewise.
        reference: SeraiBlock,
        /// What it signs.
        content: Content,
        /// A preprocess, meant for the first opener.
        preprocess: Shares,
    },
    /// Answers [`CoordinatorMessage::Preprocess`](super::CoordinatorMessage::Preprocess).
    Preprocess {
        /// The thing.
        id: SigningId,
        /// The opener that it was asked for.
        opener: ValidatorKey,
        /// One for each message.
        preprocess: Shares,
    },
    /// Answers [`CoordinatorMessage::Sign`](super::CoordinatorMessage::Sign).
    Share {
        /// The thing.
        id: SigningId,
        /// As it was asked.
        open: [u8; 32],
        /// One for each message.
        share: Shares,
    },
    /// Answers `Sign` or `Aggregate`: this signer's preprocess (`Sign`) or share (`Aggregate`) does
    /// not verify.
    InvalidShare {
        /// The thing.
        id: SigningId,
        /// As it was asked.
        open: [u8; 32],
        /// Whose.
        accused: ValidatorKey,
    },
    /// The signatures, which verify: made here by `Aggregate`, or elsewhere and given by `Signature`.
    /// From here on the processor knows them, and publishes what is for it to publish.
    Signed {
        /// The thing.
        id: SigningId,
        /// One for each message.
        signatures: Vec<SignatureBytes>,
    },
    /// Answers [`CoordinatorMessage::Judge`](super::CoordinatorMessage::Judge).
    Judged {
        /// The thing.
        id: SigningId,
        /// As it was asked.
        open: [u8; 32],
        /// Whose share.
        accused: ValidatorKey,
        /// Whether the share verifies.
        valid: bool,
    },
    /// What was asked of this thing is not done.
    Refused {
        /// The thing.
        id: SigningId,
        /// What was asked: [`CoordinatorMessage::request`](super::CoordinatorMessage::request).
        request: Request,
        /// Why, in a sentence for the operator.
        reason: String,
    },
}

impl ProcessorMessage {
    /// The thing that this is about.
    pub fn id(&self) -> SigningId {
        match self {
            ProcessorMessage::Ready { id, .. }
            | ProcessorMessage::Preprocess { id, .. }
            | ProcessorMessage::Share { id, .. }
            | ProcessorMessage::InvalidShare { id, .. }
            | ProcessorMessage::Signed { id, .. }
            | ProcessorMessage::Judged { id, .. }
            | ProcessorMessage::Refused { id, .. } => *id,
        }
    }

    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            ProcessorMessage::Ready { .. } => "signing.ready",
            ProcessorMessage::Preprocess { .. } => "signing.preprocess",
            ProcessorMessage::Share { .. } => "signing.share",
            ProcessorMessage::InvalidShare { .. } => "signing.invalid-share",
            ProcessorMessage::Signed { .. } => "signing.signed",
            ProcessorMessage::Judged { .. } => "signing.judged",
            ProcessorMessage::Refused { .. } => "signing.refused",
        }
    }

    /// Intent id of sending this: the same whenever it is sent again.
    pub fn intent(&self) -> String {
        let (id, kind) = (self.id(), self.kind());
        let short = |bytes: &[u8]| hex::encode(&bytes[..bytes.len().min(8)]);
        match self {
            ProcessorMessage::Ready { .. } | ProcessorMessage::Signed { .. } => {
                format!("{id}/{kind}")
            }
            ProcessorMessage::Preprocess { preprocess, .. } => {
                let digest = crate::keygen::digest(b"serai-coordinator-preprocess", preprocess);
                format!("{id}/{kind}/{}", short(&digest))
            }
            ProcessorMessage::Share { open, .. } => format!("{id}/{kind}/{}", short(open)),
            ProcessorMessage::InvalidShare { open, accused, .. }
            | ProcessorMessage::Judged { open, accused, .. } => {
                format!("{id}/{kind}/{}/{}", short(open), short(&accused.0))
            }
            ProcessorMessage::Refused { request, reason, .. } => {
                let refusal = (request, reason);
                let digest = crate::keygen::digest(b"serai-coordinator-refusal", &refusal);
                format!("{id}/{kind}/{}", short(&digest))
            }
        }
    }
}
