//! Who generates keys together, and what is common to all messages.

use borsh::{BorshDeserialize, BorshSerialize};

use super::digest;
use crate::{
    Attempt, BlockHash, KeyPair, Participant, ProcessorKey, SignatureBytes, ValidatorKey,
    ValidatorSet,
};

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
