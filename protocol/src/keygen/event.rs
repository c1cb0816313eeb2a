//! What goes into the machine and what comes out.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{
    BlockHash, BlockNumber, KeyPair, Participant, ProcessorKey, SignatureBytes, SignedStatement,
    ValidatorKey, ValidatorSet,
    keygen::{CoordinatorMessage, KeygenId, PeerMessage, ProcessorMessage},
};

use super::Fault;

/// What a machine is made from. Stored before the first input, so that a replay begins the same.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// Genesis hash of the Serai chain.
    pub genesis: BlockHash,
    /// The set.
    pub set: ValidatorSet,
    /// Its validators in the order of Serai's storage.
    pub validators: Vec<ValidatorKey>,
    /// The own one among them.
    pub own: ValidatorKey,
    /// The own processor of this coin.
    pub own_processor: ProcessorKey,
    /// Block of `NewSet`. Attempt `m` ends at `start + (m + 1) * attempt_blocks`, or at a later such height.
    pub start: BlockNumber,
    /// Length of an attempt, in finalized Serai blocks; at least 1.
    pub attempt_blocks: u64,
}

/// Why there is no machine for these parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameters {
    /// Too few or too many validators.
    #[error("a set of {0} validators cannot generate keys: 1 to 150 can")]
    ValidatorCount(usize),
    /// A validator is there twice.
    #[error("validator {0} is in the set twice")]
    Duplicate(ValidatorKey),
    /// The own validator is not in the set.
    #[error("validator {0} is not in the set")]
    NotInSet(ValidatorKey),
    /// Attempts without length.
    #[error("attempt_blocks must be at least 1")]
    AttemptBlocks,
}

/// Everything that the machine learns. Stored before it is handled, and replayed in order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Input {
    /// The finalized Serai chain has this height. The first one is due right after [`Keygen::new`]
    /// (deadlines count from it for a validator that comes late).
    ///
    /// [`Keygen::new`]: super::Keygen::new
    Height(BlockNumber),
    /// A statement, from whomever it came. Own ones come back this way once they are signed.
    Statement(SignedStatement),
    /// From the own processor.
    Processor(ProcessorMessage),
    /// Answers [`Effect::SignParty`].
    PartySignature {
        /// As asked for.
        digest: [u8; 32],
        /// By the own validator under [`serai_messages::keygen::Party::SIGNATURE_CONTEXT`].
        signature: SignatureBytes,
    },
    /// Answers [`MusigRequest::Preprocess`].
    MusigPreprocess {
        /// Attempt.
        id: KeygenId,
        /// Serialized preprocess.
        preprocess: Vec<u8>,
    },
    /// Answers [`MusigRequest::Sign`].
    MusigShare {
        /// Attempt.
        id: KeygenId,
        /// Serialized share.
        share: Vec<u8>,
    },
    /// Answers [`MusigRequest::Complete`].
    MusigSignature {
        /// Attempt.
        id: KeygenId,
        /// For `set_keys`.
        signature: SignatureBytes,
    },
    /// A member's MuSig preprocess (answers `Sign`) or share (answers `Complete`) is invalid.
    MusigInvalidShare {
        /// Attempt.
        id: KeygenId,
        /// Whose.
        accused: Participant,
    },
    /// The MuSig machine of this attempt is gone: the program restarted, or the machine failed for a
    /// reason that is no member's fault. Answers any [`MusigRequest`]; also given unasked after a
    /// restart for a request that was answered before it.
    MusigLost {
        /// Attempt.
        id: KeygenId,
    },
    /// `KeyGen` of this set is finalized on Serai.
    KeyGen {
        /// The key pair on the chain.
        key_pair: KeyPair,
    },
}

/// What is to be done. Doing one twice is harmless.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Effect {
    /// Sign, hand back as [`Input::Statement`], send to every other validator of the set.
    Say(PeerMessage),
    /// Sign, hand back as [`Input::Statement`], send to this validator alone.
    Tell(ValidatorKey, PeerMessage),
    /// Send to the own processor.
    ToProcessor(CoordinatorMessage),
    /// Sign this digest under [`serai_messages::keygen::Party::SIGNATURE_CONTEXT`]; answer with
    /// [`Input::PartySignature`].
    SignParty {
        /// To be signed.
        digest: [u8; 32],
    },
    /// A step of the MuSig signature.
    Musig(MusigRequest),
    /// Publish to Serai. Repeated while Serai does not show the keys.
    SetKeys {
        /// The set.
        set: ValidatorSet,
        /// Validators that did not sign, in the order of storage.
        removed: Vec<ValidatorKey>,
        /// The new keys.
        key_pair: KeyPair,
        /// By the aggregate of all others.
        signature: SignatureBytes,
    },
    /// A validator is at fault: to be recorded and shown.
    Fault(Fault),
    /// The set's keys are final.
    Done(KeyPair),
}

/// A step of the MuSig signature of `set_keys`; see [`crate::musig`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum MusigRequest {
    /// [`MusigMachine::new`](crate::musig::MusigMachine::new) and `preprocess`; answer with
    /// [`Input::MusigPreprocess`].
    Preprocess {
        /// Attempt; names the machine from here on.
        id: KeygenId,
        /// All members in participants' order.
        members: Vec<ValidatorKey>,
    },
    /// [`MusigSign::sign`](crate::musig::MusigSign::sign); answer with [`Input::MusigShare`],
    /// [`Input::MusigInvalidShare`] or [`Input::MusigLost`].
    Sign {
        /// Attempt.
        id: KeygenId,
        /// All members' preprocesses, own included.
        preprocesses: BTreeMap<Participant, Vec<u8>>,
        /// [`set_keys_message`](crate::musig::set_keys_message).
        message: Vec<u8>,
    },
    /// [`MusigComplete::complete`](crate::musig::MusigComplete::complete); answer with
    /// [`Input::MusigSignature`], [`Input::MusigInvalidShare`] or [`Input::MusigLost`].
    Complete {
        /// Attempt.
        id: KeygenId,
        /// All members' shares, own included.
        shares: BTreeMap<Participant, Vec<u8>>,
    },
}
