//! From a coordinator to the other validators' coordinators.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Shares, SigningId};
use crate::{Enclosed, SignatureBytes, ValidatorKey};

/// From a coordinator to the other validators' coordinators, signed ([`crate::Statement`]).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PeerMessage {
    /// The sender opens sessions for this thing and asks for preprocesses. Who has the signatures
    /// already answers with [`PeerMessage::Signed`].
    Request {
        /// The thing.
        id: SigningId,
        /// [`Content::digest`](super::Content::digest) as the sender's processor works it out.
        digest: [u8; 32],
    },
    /// A preprocess for one session of this opener.
    Preprocess {
        /// The thing.
        id: SigningId,
        /// As the signer's processor works it out.
        digest: [u8; 32],
        /// For whom: nobody else may use it.
        opener: ValidatorKey,
        /// One for each message.
        preprocess: Shares,
    },
    /// A session: these signers, with these preprocesses. Said by the opener to each of them.
    Open {
        /// The thing.
        id: SigningId,
        /// As the opener's processor works it out.
        digest: [u8; 32],
        /// The opener's number of it, not used for any other of this thing.
        session: u32,
        /// As many signed [`PeerMessage::Preprocess`] statements as the threshold, one signer each,
        /// addressed to this opener, the opener's own among them, in the order of the draw.
        members: Vec<Enclosed>,
    },
    /// A signer's share of a session, for its opener.
    Share {
        /// The thing.
        id: SigningId,
        /// [`SignedStatement::digest`](crate::SignedStatement::digest) of the
        /// [`PeerMessage::Open`] that it answers.
        open: [u8; 32],
        /// One for each message.
        share: Shares,
    },
    /// The signatures. Whoever receives them has them verified by its own processor.
    Signed {
        /// The thing.
        id: SigningId,
        /// As the sender's processor works the content out.
        digest: [u8; 32],
        /// One for each message.
        signatures: Vec<SignatureBytes>,
    },
    /// A share that does not verify: everybody's processor can judge it.
    Accusation {
        /// The thing.
        id: SigningId,
        /// The opener's signed [`PeerMessage::Open`].
        open: Enclosed,
        /// The accused's signed [`PeerMessage::Share`].
        share: Enclosed,
    },
    /// Somebody's statement about this thing that carries another digest than the sender's own.
    Differs {
        /// The thing.
        id: SigningId,
        /// As the sender's processor works the content out.
        digest: [u8; 32],
        /// The other's signed statement.
        statement: Enclosed,
    },
    /// The signer gives no share in a session: its processor refuses it, for it may have lost the
    /// preprocess. For the session's opener. No fault, also of a signer that gives a share as well.
    Decline {
        /// The thing.
        id: SigningId,
        /// As in [`PeerMessage::Share`].
        open: [u8; 32],
    },
}

impl PeerMessage {
    /// The thing that this is about.
    pub fn id(&self) -> SigningId {
        match self {
            PeerMessage::Request { id, .. }
            | PeerMessage::Preprocess { id, .. }
            | PeerMessage::Open { id, .. }
            | PeerMessage::Share { id, .. }
            | PeerMessage::Signed { id, .. }
            | PeerMessage::Accusation { id, .. }
            | PeerMessage::Differs { id, .. }
            | PeerMessage::Decline { id, .. } => *id,
        }
    }

    /// Statements that it shows.
    pub fn enclosed(&self) -> impl Iterator<Item = &Enclosed> {
        let (several, one) = match self {
            PeerMessage::Open { members, .. } => (members.as_slice(), [None, None]),
            PeerMessage::Accusation { open, share, .. } => (&[][..], [Some(open), Some(share)]),
            PeerMessage::Differs { statement, .. } => (&[][..], [Some(statement), None]),
            _ => (&[][..], [None, None]),
        };
        several.iter().chain(one.into_iter().flatten())
    }

    /// Short name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            PeerMessage::Request { .. } => "request",
            PeerMessage::Preprocess { .. } => "preprocess",
            PeerMessage::Open { .. } => "open",
            PeerMessage::Share { .. } => "share",
            PeerMessage::Signed { .. } => "signed",
            PeerMessage::Accusation { .. } => "accusation",
            PeerMessage::Differs { .. } => "differs",
            PeerMessage::Decline { .. } => "decline",
        }
    }

    /// See [`crate::Body::slot`].
    pub fn slot(&self) -> Option<String> {
        let (id, kind) = (self.id(), self.kind());
        match self {
            PeerMessage::Open { session, .. } => Some(format!("{id}/{kind}/{session}")),
            PeerMessage::Share { open, .. } | PeerMessage::Decline { open, .. } => {
                Some(format!("{id}/{kind}/{}", hex::encode(&open[..16])))
            }
            _ => None,
        }
    }
}
