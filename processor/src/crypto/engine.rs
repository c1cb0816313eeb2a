//! The schemes behind one door that speaks bytes.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serai_messages::{Coin, Participant, keygen::KeyKind};
use zeroize::Zeroizing;

use super::bitcoin::Bitcoin;
use super::ethereum::Ethereum;
use super::monero::Monero;
use super::substrate::Substrate;
use super::{Scheme, Seed, VaultKeys, dkg, signing, vault_keys};

/// Serialized messages by their sender (or recipient).
pub type Messages = BTreeMap<Participant, Vec<u8>>;

/// The frame of one key's generation.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony {
    /// DKG context: goes into every proof.
    pub context: [u8; 32],
    /// Which key; its randomness is its own.
    pub key: KeyKind,
    /// Key shares needed to sign.
    pub threshold: u16,
    /// How many members.
    pub members: u16,
    /// This processor's index among them.
    pub own: Participant,
}

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// This member's commitments do not decode or verify.
    #[error("participant {accused} sent invalid commitments: {reason}")]
    InvalidCommitments {
        /// Who.
        accused: Participant,
        /// What the library said.
        reason: String,
    },
    /// This member's share does not decode or verify.
    #[error("participant {accused} sent an invalid share")]
    InvalidShare {
        /// Who.
        accused: Participant,
        /// Serialized proof that opens the share to the others.
        blame: Option<Vec<u8>>,
    },
    /// This member's preprocess or share of a signature does not decode or verify.
    #[error("participant {accused} sent an invalid preprocess or share of a signature")]
    InvalidSignatureShare {
        /// Who.
        accused: Participant,
    },
    /// The messages are not those of the members, or stored keys are damaged: no member's fault.
    #[error("{0}")]
    Internal(String),
}

/// An accusation, as its judge sees it.
#[derive(Clone, Copy, Debug)]
pub struct Accusation<'a> {
    /// Who says that the share is bad: its recipient.
    pub accuser: Participant,
    /// Whose share it is: its sender.
    pub accused: Participant,
    /// The encrypted share as the accused signed it.
    pub share: &'a [u8],
    /// The accuser's proof, which opens the share.
    pub blame: Option<&'a [u8]>,
}

/// After round one: commitments are out.
pub trait Committed: Send {
    /// Takes all other members' commitments; gives the encrypted share for each of them.
    ///
    /// # Errors
    /// [`Fault::InvalidCommitments`] names a member whose commitments are invalid.
    fn share(self: Box<Self>, commitments: &Messages)
    -> Result<(Box<dyn Shared>, Messages), Fault>;
}

/// After round two: shares are out.
pub trait Shared: Send {
    /// Takes all other members' encrypted shares; gives the key share, serialized and unadjusted.
    ///
    /// # Errors
    /// [`Fault::InvalidShare`] names a member whose share is invalid.
    fn complete(self: Box<Self>, shares: &Messages) -> Result<Zeroizing<Vec<u8>>, Fault>;
}

/// Own share of a signature is made.
pub trait Signing: Send {
    /// Takes all other signers' shares; gives the signature.
    ///
    /// # Errors
    /// [`Fault::InvalidSignatureShare`] names a signer whose share is invalid.
    fn complete(self: Box<Self>, shares: &Messages) -> Result<[u8; 64], Fault>;
}

/// One scheme, over bytes.
pub trait Engine: Send + Sync {
    /// Round one of key generation: the machine and the commitments to send.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the parameters are impossible.
    fn commit(
        &self,
        ceremony: &Ceremony,
        seed: &Seed,
    ) -> Result<(Box<dyn Committed>, Vec<u8>), Fault>;

    /// Who is at fault when `accusation` is made. `commitments` are those of all members, own
    /// included, and have been verified.
    ///
    /// # Errors
    /// [`Fault::Internal`] when commitments are missing.
    fn judge(
        &self,
        ceremony: &Ceremony,
        commitments: &Messages,
        accusation: Accusation<'_>,
    ) -> Result<Participant, Fault>;

    /// The adjusted public key of a serialized key share.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the key share is damaged.
    fn public_key(&self, keys: &[u8]) -> Result<Vec<u8>, Fault>;

    /// The preprocess that belongs to `nonce`.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the key share is damaged.
    fn preprocess(&self, keys: &[u8], nonce: &Seed) -> Result<Vec<u8>, Fault>;

    /// Signs `message` with the signers of `preprocesses` (own included) and gives the own share.
    /// **A nonce signs once**: with two shares of it anyone computes the key share.
    ///
    /// # Errors
    /// [`Fault::InvalidSignatureShare`] names a signer whose preprocess is invalid.
    fn sign(
        &self,
        keys: &[u8],
        nonce: Seed,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<(Box<dyn Signing>, Vec<u8>), Fault>;

    /// A serialized key share, read to be signed with often.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it is damaged.
    fn open(&self, keys: &[u8]) -> Result<Box<dyn VaultKeys>, Fault>;

    /// Whether `signature` is one of `message` by the adjusted public key.
    fn verify(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool;
}

/// Which engine is each key's: [`engine`], or a simulation's.
pub type Engines = fn(Coin, KeyKind) -> &'static dyn Engine;

/// The engine of one of a vault's two keys.
pub fn engine(coin: Coin, key: KeyKind) -> &'static dyn Engine {
    match (key, coin) {
        (KeyKind::Ristretto, _) => &Of::<Substrate>(PhantomData),
        (KeyKind::External, Coin::Btc) => &Of::<Bitcoin>(PhantomData),
        (KeyKind::External, Coin::Eth) => &Of::<Ethereum>(PhantomData),
        (KeyKind::External, Coin::Xmr) => &Of::<Monero>(PhantomData),
    }
}

struct Of<S>(PhantomData<fn() -> S>);

impl<S: Scheme> Engine for Of<S> {
    fn commit(
        &self,
        ceremony: &Ceremony,
        seed: &Seed,
    ) -> Result<(Box<dyn Committed>, Vec<u8>), Fault> {
        dkg::commit::<S::Curve>(ceremony, seed)
    }

    fn judge(
        &self,
        ceremony: &Ceremony,
        commitments: &Messages,
        accusation: Accusation<'_>,
    ) -> Result<Participant, Fault> {
        dkg::judge::<S::Curve>(ceremony, commitments, accusation)
    }

    fn public_key(&self, keys: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(S::public_key(&signing::keys::<S>(keys)?.group_key()))
    }

    fn preprocess(&self, keys: &[u8], nonce: &Seed) -> Result<Vec<u8>, Fault> {
        signing::preprocess::<S>(keys, nonce)
    }

    fn sign(
        &self,
        keys: &[u8],
        nonce: Seed,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<(Box<dyn Signing>, Vec<u8>), Fault> {
        signing::sign::<S>(keys, nonce, preprocesses, message)
    }

    fn open(&self, keys: &[u8]) -> Result<Box<dyn VaultKeys>, Fault> {
        vault_keys::open::<S>(keys)
    }

    fn verify(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| S::verify(public_key, message, signature))
    }
}
