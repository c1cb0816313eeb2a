//! Key generation (DESIGN section 5 and D10), by sender.
//!
//! ```text
//! coordinators                                        processors
//! Announcement ⇄ (processors' keys)
//! PartySignature ⇄                ── Start ─────────▶ checks every signature
//! Commitments ⇄                   ◀─ Commitments ──── PedPoP round 1, both keys
//! Agreement ⇄ (all saw the same)  ── Commitments ───▶
//! Share → each recipient          ◀─ Shares ───────── PedPoP round 2
//!                                 ── Shares ────────▶ key pair, or InvalidShare
//! ProofPreprocess ⇄               ◀─ KeyPair ──────── written to the keystore and its backup
//! ProofShare ⇄                    ── ProofPreprocesses ▶ ◀─ ProofShare
//!                                 ── ProofShares ───▶ ◀─ Proven (both signatures verify)
//! MusigPreprocess ⇄ MusigShare ⇄  set_keys ─▶ Serai ─▶ Confirmed
//! ```

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    Attempt, BlockHash, BlockNumber, Coin, Enclosed, KeyPair, Participant, ProcessorKey,
    SignatureBytes, SignedStatement, ValidatorKey, ValidatorSet, encode,
};

/// Blake2b-256 over a length-prefixed domain and the encoded value.
pub(crate) fn digest<T: BorshSerialize>(domain: &[u8], value: &T) -> [u8; 32] {
    let mut hasher = Blake2b::<U32>::new();
    hasher.update((domain.len() as u32).to_le_bytes());
    hasher.update(domain);
    hasher.update(encode(value));
    hasher.finalize().into()
}

/// One attempt at a set's keys.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct KeygenId {
    /// The set.
    pub set: ValidatorSet,
    /// The attempt.
    pub attempt: Attempt,
}

impl std::fmt::Display for KeygenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "keygen/{}/{}", self.set, self.attempt)
    }
}

/// Which of a vault's two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum KeyKind {
    /// The Ristretto key that Serai checks.
    Ristretto,
    /// The external chain's key.
    External,
}

/// A member of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// The validator.
    pub validator: ValidatorKey,
    /// Its processor of this coin.
    pub processor: ProcessorKey,
}

/// The keygen party of the seed: what every member signs before anything else is done.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Party {
    /// Genesis hash of the Serai chain.
    pub genesis: BlockHash,
    /// Set and attempt.
    pub id: KeygenId,
    /// Key shares needed to sign: `⌊2n/3⌋ + 1` of the whole set, not lowered by removals.
    pub threshold: u16,
    /// Members of this attempt in the order of Serai's storage. FROST participant `i` is
    /// `members[i - 1]`.
    pub members: Vec<Member>,
    /// Validators of the set that are left out, in the order of Serai's storage.
    pub removed: Vec<ValidatorKey>,
}

impl Party {
    /// Schnorrkel signing context of a party signature.
    pub const SIGNATURE_CONTEXT: &[u8] = b"serai-coordinator-keygen-party";

    /// What each member signs, under [`Party::SIGNATURE_CONTEXT`].
    pub fn digest(&self) -> [u8; 32] {
        digest(b"serai-coordinator-keygen-party", self)
    }

    /// The DKG context of one of the two keys; goes into every proof of knowledge, so that nothing
    /// of one attempt, set, coin or key can stand in another.
    pub fn context(&self, key: KeyKind) -> [u8; 32] {
        digest(b"serai-coordinator-keygen-context", &(self.digest(), key))
    }

    /// What the new keys sign to prove that they can.
    pub fn proof_message(&self, key_pair: &KeyPair, key: KeyKind) -> Vec<u8> {
        digest(
            b"serai-coordinator-keygen-proof",
            &(self.digest(), &key_pair.ristretto, &key_pair.external, key),
        )
        .to_vec()
    }

    /// FROST index of a validator in this attempt.
    pub fn participant(&self, validator: &ValidatorKey) -> Option<Participant> {
        let position = self.members.iter().position(|member| member.validator == *validator)?;
        u16::try_from(position + 1).ok().map(Participant)
    }

    /// The member behind a FROST index.
    pub fn member(&self, participant: Participant) -> Option<&Member> {
        self.members.get(usize::from(participant.0).checked_sub(1)?)
    }
}

/// A party with the signatures of all of its members, in their order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedParty {
    /// The party.
    pub party: Party,
    /// One signature per member over [`Party::digest`].
    pub signatures: Vec<SignatureBytes>,
}

/// One value per key.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PerKey {
    /// For the Ristretto key.
    pub ristretto: Vec<u8>,
    /// For the external key.
    pub external: Vec<u8>,
}

impl std::fmt::Debug for PerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PerKey({} bytes, {} bytes)", self.ristretto.len(), self.external.len())
    }
}

impl PerKey {
    /// The value of one key.
    pub fn get(&self, key: KeyKind) -> &[u8] {
        match key {
            KeyKind::Ristretto => &self.ristretto,
            KeyKind::External => &self.external,
        }
    }
}

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

/// From a processor to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProcessorMessage {
    /// PedPoP commitments for both keys.
    Commitments {
        /// Attempt.
        id: KeygenId,
        /// Serialized `EncryptionKeyMessage<_, Commitments<_>>` per key.
        commitments: PerKey,
    },
    /// Encrypted shares, one for each other member.
    Shares {
        /// Attempt.
        id: KeygenId,
        /// Recipient, and the serialized `EncryptedMessage<_, SecretShare<_>>` per key.
        shares: Vec<(Participant, PerKey)>,
    },
    /// A member's commitments do not verify. The signed statement that carries them is the evidence.
    InvalidCommitments {
        /// Attempt.
        id: KeygenId,
        /// Whose.
        accused: Participant,
        /// Which key's.
        key: KeyKind,
        /// What the library said.
        reason: String,
    },
    /// A member's share does not verify.
    InvalidShare {
        /// Attempt.
        id: KeygenId,
        /// Whose share.
        accused: Participant,
        /// Which key's.
        key: KeyKind,
        /// Serialized `EncryptionKeyProof`, which opens the share to the other members; none where the
        /// share's own proof of possession is what fails.
        blame: Option<Vec<u8>>,
    },
    /// This processor's judgement of somebody's accusation.
    Verdict {
        /// Attempt.
        id: KeygenId,
        /// Who accused.
        accuser: Participant,
        /// Who was accused.
        accused: Participant,
        /// Which of the two is at fault.
        guilty: Participant,
    },
    /// The key pair is made, and the keystore and its backup are written.
    KeyPair {
        /// Attempt.
        id: KeygenId,
        /// Both public keys, after Serai's adjustments.
        key_pair: KeyPair,
        /// Preprocess of each key's proving signature.
        preprocess: PerKey,
    },
    /// Shares of the proving signatures.
    ProofShare {
        /// Attempt.
        id: KeygenId,
        /// Signature share of each key.
        share: PerKey,
    },
    /// A member's preprocess or share of a proving signature does not verify.
    InvalidProofShare {
        /// Attempt.
        id: KeygenId,
        /// Whose.
        accused: Participant,
        /// Which key's.
        key: KeyKind,
    },
    /// Both keys made a signature that verifies over [`Party::proof_message`].
    Proven {
        /// Attempt.
        id: KeygenId,
        /// The key pair.
        key_pair: KeyPair,
        /// Ristretto: sr25519, 64 bytes. External: BIP-340 (btc, 64 bytes), c ‖ s of Serai's Ethereum
        /// challenge (eth, 64 bytes), Ed25519 (xmr, 64 bytes).
        signatures: PerKey,
    },
    /// The processor will not take part in this attempt, with its reason.
    Refused {
        /// Attempt.
        id: KeygenId,
        /// Why, in a sentence for the operator.
        reason: String,
    },
}

/// From a coordinator to its processor.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum CoordinatorMessage {
    /// Begin an attempt.
    Start {
        /// The party with all members' signatures, which the processor checks.
        party: SignedParty,
    },
    /// All members' commitments, one signed [`PeerMessage::Commitments`] each, own included, in the
    /// members' order.
    Commitments {
        /// Attempt.
        id: KeygenId,
        /// The signed statements.
        statements: Vec<SignedStatement>,
    },
    /// All shares for this processor: one signed [`PeerMessage::Share`] of each other member.
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
        /// The accused's signed [`PeerMessage::Share`] to the accuser.
        share: SignedStatement,
        /// Which key's share.
        key: KeyKind,
        /// As in [`ProcessorMessage::InvalidShare`].
        blame: Option<Vec<u8>>,
    },
    /// All members' preprocesses of the proving signatures ([`PeerMessage::ProofPreprocess`]), own
    /// included, in the members' order.
    ProofPreprocesses {
        /// Attempt.
        id: KeygenId,
        /// The signed statements.
        statements: Vec<SignedStatement>,
    },
    /// All members' shares of the proving signatures ([`PeerMessage::ProofShare`]), own included, in
    /// the members' order.
    ProofShares {
        /// Attempt.
        id: KeygenId,
        /// The signed statements.
        statements: Vec<SignedStatement>,
    },
    /// Proving signatures that another member has completed; the processor verifies them against its
    /// own key pair and answers [`ProcessorMessage::Proven`].
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
        /// [`Party::digest`] as the sender sees it.
        digest: [u8; 32],
        /// Signature over the digest under [`Party::SIGNATURE_CONTEXT`].
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
        /// [`SignedStatement::digest`] of each member's statement, in the members' order.
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
    /// sender; a share to the sender is disclosed to all by the one who owes it.
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
        /// As in [`ProcessorMessage::InvalidShare`].
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

impl ProcessorMessage {
    /// Attempt that this belongs to.
    pub fn id(&self) -> KeygenId {
        match self {
            ProcessorMessage::Commitments { id, .. }
            | ProcessorMessage::Shares { id, .. }
            | ProcessorMessage::InvalidCommitments { id, .. }
            | ProcessorMessage::InvalidShare { id, .. }
            | ProcessorMessage::Verdict { id, .. }
            | ProcessorMessage::KeyPair { id, .. }
            | ProcessorMessage::ProofShare { id, .. }
            | ProcessorMessage::InvalidProofShare { id, .. }
            | ProcessorMessage::Proven { id, .. }
            | ProcessorMessage::Refused { id, .. } => *id,
        }
    }

    /// Record type and last part of the intent id.
    pub fn kind(&self) -> String {
        match self {
            ProcessorMessage::Commitments { .. } => "keygen.commitments".into(),
            ProcessorMessage::Shares { .. } => "keygen.shares".into(),
            ProcessorMessage::InvalidCommitments { .. } => "keygen.invalid-commitments".into(),
            ProcessorMessage::InvalidShare { .. } => "keygen.invalid-share".into(),
            ProcessorMessage::Verdict { accuser, accused, .. } => {
                format!("keygen.verdict.{accuser}.{accused}")
            }
            ProcessorMessage::KeyPair { .. } => "keygen.key-pair".into(),
            ProcessorMessage::ProofShare { .. } => "keygen.proof-share".into(),
            ProcessorMessage::InvalidProofShare { .. } => "keygen.invalid-proof-share".into(),
            ProcessorMessage::Proven { .. } => "keygen.proven".into(),
            ProcessorMessage::Refused { .. } => "keygen.refused".into(),
        }
    }
}

impl CoordinatorMessage {
    /// Set that this belongs to.
    pub fn set(&self) -> ValidatorSet {
        match self {
            CoordinatorMessage::Start { party } => party.party.id.set,
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
            CoordinatorMessage::Start { party } => format!("{}/start", party.party.id),
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
