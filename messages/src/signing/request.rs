//! What a coordinator asks its processor, without the bytes that go with it.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::ValidatorKey;

/// Names a [`CoordinatorMessage`](super::CoordinatorMessage) among those about one thing, so that a
/// refusal can say what it refuses.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Request {
    /// A preprocess.
    Preprocess {
        /// For whose sessions.
        opener: ValidatorKey,
    },
    /// A share.
    Sign {
        /// Names the session.
        open: [u8; 32],
    },
    /// Signatures of shares.
    Aggregate {
        /// Names the session.
        open: [u8; 32],
    },
    /// A verdict on a share.
    Judge {
        /// Names the session.
        open: [u8; 32],
        /// Whose share.
        accused: ValidatorKey,
    },
    /// A look at signatures that were made elsewhere.
    Signature {
        /// Who sent them.
        sender: ValidatorKey,
    },
}
