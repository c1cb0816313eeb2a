//! What goes into the machine and what comes out.

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{
    BlockHash, SignatureBytes, SignedStatement, ValidatorKey,
    observation::SeraiBlock,
    signing::{Content, CoordinatorMessage, PeerMessage, ProcessorMessage, SigningId},
};

use super::Fault;

/// What a machine is made from: what the own processor said in
/// [`ProcessorMessage::Ready`], and the set as Serai has it. Stored before the first input, so that a
/// replay begins the same.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// Genesis hash of the Serai chain.
    pub genesis: BlockHash,
    /// The thing.
    pub id: SigningId,
    /// Block from whose hash the party is drawn.
    pub reference: SeraiBlock,
    /// What the own processor would sign.
    pub content: Content,
    /// The set's validators in the order of Serai's storage, as its `NewSet` had them.
    pub validators: Vec<ValidatorKey>,
    /// Those of them that hold no share (`ParticipantRemoved`): drawn, and skipped.
    pub removed: Vec<ValidatorKey>,
    /// The own validator.
    pub own: ValidatorKey,
}

/// Why there is no machine for these parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameters {
    /// Too few or too many validators.
    #[error("a set of {0} validators cannot sign: 1 to 150 can")]
    ValidatorCount(usize),
    /// A validator is there twice.
    #[error("validator {0} is in the set twice")]
    Duplicate(ValidatorKey),
    /// The own validator is not in the set, or holds no share.
    #[error("validator {0} holds no share")]
    NoShare(ValidatorKey),
    /// Fewer hold shares than have to sign.
    #[error("{holders} validators hold shares, {threshold} have to sign")]
    TooFew {
        /// Validators with a share.
        holders: usize,
        /// Shares needed.
        threshold: u16,
    },
}

/// A clock of the outside that the machine asked for. Ringing early, late or twice is harmless: no
/// decision that others must share hangs on one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Timer {
    /// This validator's turn to be an opener beside those before it in the draw. It rings again and
    /// again until the signatures are there, so that what was lost is said once more; each ring asks for
    /// the next one.
    Turn,
    /// The end of an opener's wait for the members that the draw names first.
    Grace,
}

/// Everything that the machine learns. Stored before it is handled, and replayed in order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Input {
    /// A statement, from whomever it came. Own ones come back this way once they are signed.
    Statement(SignedStatement),
    /// From the own processor; the first is its `Ready`.
    Processor(ProcessorMessage),
    /// Answers [`Effect::After`].
    Elapsed(Timer),
}

/// What is to be done. Doing one twice is harmless.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Effect {
    /// Sign, hand back as [`Input::Statement`], send to every other validator that holds a share.
    Say(PeerMessage),
    /// Sign, hand back as [`Input::Statement`], send to this validator alone (nobody when it is the
    /// own).
    Tell(ValidatorKey, PeerMessage),
    /// Send to the own processor.
    ToProcessor(CoordinatorMessage),
    /// Give [`Input::Elapsed`] after this time. Not stored: after a restart
    /// [`Signing::timers`](super::Signing::timers) tells which are still waited for.
    After {
        /// In milliseconds, at most [`MAX_REPEAT_MS`](super::MAX_REPEAT_MS).
        delay_ms: u64,
        /// Which.
        timer: Timer,
    },
    /// A validator is at fault: to be recorded and shown.
    Fault(Fault),
    /// The own processor has verified the signatures. The machine goes on answering requests.
    Done {
        /// One for each message.
        signatures: Vec<SignatureBytes>,
    },
}
