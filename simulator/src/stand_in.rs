//! Cryptography that protects nothing and keeps the sizes and rules of the real one: fast enough for
//! large sets and many runs.
//!
//! # Promises
//! What is made of the right parts is valid, and whatever was changed on its way, or made of other parts,
//! is not: the same member is named as with PedPoP and FROST. Values have the real ones' lengths.
//!
//! # Limits
//! Anybody can compute everything. That is of no use here: liars of a simulation change bytes, they do not
//! break keys.

use blake2::{Blake2b512, Digest};
use curve25519_dalek::RistrettoPoint;
use k256::elliptic_curve::group::GroupEncoding;
use k256::elliptic_curve::ops::Reduce;
use k256::{ProjectivePoint, Scalar, U256};
use serai_messages::keygen::KeyKind;
use serai_messages::{Coin, Participant};
use serai_processor::crypto::{
    Accusation, Ceremony, Committed, Engine, Fault, Messages, Offset, Seed, Shared, Signing,
    VaultKeys,
};
use zeroize::Zeroizing;

/// The stand-in for [`serai_processor::crypto::engine`].
pub fn engine(_: Coin, key: KeyKind) -> &'static dyn Engine {
    match key {
        KeyKind::Ristretto => &StandIn { point: 32 },
        KeyKind::External => &StandIn { point: 33 },
    }
}

/// Bytes of a value's mark, which shows that it is whole.
const MARK: usize = 32;

/// Bytes of a scalar.
const SCALAR: usize = 32;

/// Of a curve whose points have so many bytes.
#[derive(Clone, Copy)]
struct StandIn {
    point: usize,
}

fn hash(label: &str, parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Blake2b512::new();
    for part in std::iter::once(&label.as_bytes()).chain(parts) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// So many bytes of `core`, of what belongs to it, and of its mark.
fn marked(label: &str, parts: &[&[u8]], core: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = core.to_vec();
    bytes.resize(length.saturating_sub(MARK), 0);
    let mark = hash(label, &[parts, &[&bytes]].concat());
    bytes.extend_from_slice(mark.get(..MARK).unwrap_or(&mark));
    bytes
}

fn is_marked(label: &str, parts: &[&[u8]], bytes: &[u8], length: usize) -> bool {
    let Some((core, mark)) =
        bytes.len().checked_sub(MARK).and_then(|at| bytes.split_at_checked(at))
    else {
        return false;
    };
    bytes.len() == length && hash(label, &[parts, &[core]].concat()).starts_with(mark)
}

fn all(values: &Messages) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (participant, value) in values {
        bytes.extend_from_slice(&participant.0.to_le_bytes());
        bytes.extend_from_slice(&hash("value", &[value]));
    }
    bytes
}

impl StandIn {
    /// Commitments to a polynomial, a proof of knowledge, and an encryption key.
    fn commitments_length(self, ceremony: &Ceremony) -> usize {
        (usize::from(ceremony.threshold) + 2) * self.point + SCALAR
    }

    /// An ephemeral key, a proof of it, and the encrypted scalar.
    fn share_length(self) -> usize {
        2 * self.point + 2 * SCALAR
    }

    fn is_commitment(self, ceremony: &Ceremony, of: Participant, bytes: &[u8]) -> bool {
        let parts: [&[u8]; 2] = [&ceremony.context, &of.0.to_le_bytes()];
        is_marked("commitments", &parts, bytes, self.commitments_length(ceremony))
    }

    fn is_share(self, commitments: &[u8], to: Participant, bytes: &[u8]) -> bool {
        is_marked("share", &[commitments, &to.0.to_le_bytes()], bytes, self.share_length())
    }

    fn public_key_of(self, secret: &[u8; 64]) -> Vec<u8> {
        if self.point == 32 {
            return RistrettoPoint::from_uniform_bytes(secret).compress().to_bytes().to_vec();
        }
        let (scalar, _) = secret.split_at(SCALAR);
        let scalar = <Scalar as Reduce<U256>>::reduce(U256::from_be_slice(scalar));
        let mut key = (ProjectivePoint::GENERATOR * scalar).to_bytes().to_vec();
        // Serai's vaults have keys with an even y.
        if let Some(sign) = key.first_mut() {
            *sign = 2;
        }
        key
    }
}

/// A key share: who holds it, and of which key.
struct Key {
    own: Participant,
    threshold: u16,
    public: Vec<u8>,
}

impl Key {
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::new());
        bytes.extend_from_slice(&self.own.0.to_le_bytes());
        bytes.extend_from_slice(&self.threshold.to_le_bytes());
        bytes.extend_from_slice(&self.public);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = || Fault::Internal("the stored key share is damaged".to_owned());
        let (own, rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (threshold, public) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        Ok(Self {
            own: Participant(u16::from_le_bytes(*own)),
            threshold: u16::from_le_bytes(*threshold),
            public: public.to_vec(),
        })
    }
}

struct Commitment {
    engine: StandIn,
    ceremony: Ceremony,
    own: Vec<u8>,
}

impl Committed for Commitment {
    fn share(
        self: Box<Self>,
        commitments: &Messages,
    ) -> Result<(Box<dyn Shared>, Messages), Fault> {
        let Self { engine, ceremony, own } = *self;
        for (of, bytes) in commitments {
            if *of != ceremony.own && !engine.is_commitment(&ceremony, *of, bytes) {
                let reason = "the proof of knowledge does not verify".to_owned();
                return Err(Fault::InvalidCommitments { accused: *of, reason });
            }
        }
        let shares = (1..=ceremony.members)
            .map(Participant)
            .filter(|to| *to != ceremony.own)
            .map(|to| {
                let parts: [&[u8]; 2] = [&own, &to.0.to_le_bytes()];
                (to, marked("share", &parts, &[], engine.share_length()))
            })
            .collect();
        let mut commitments = commitments.clone();
        commitments.insert(ceremony.own, own);
        Ok((Box::new(Sharing { engine, ceremony, commitments }), shares))
    }
}

struct Sharing {
    engine: StandIn,
    ceremony: Ceremony,
    commitments: Messages,
}

impl Shared for Sharing {
    fn complete(self: Box<Self>, shares: &Messages) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let Self { engine, ceremony, commitments } = *self;
        for (of, share) in shares {
            let sent = commitments.get(of);
            if !sent.is_some_and(|sent| engine.is_share(sent, ceremony.own, share)) {
                let blame = Some(blame(share).to_vec());
                return Err(Fault::InvalidShare { accused: *of, blame });
            }
        }
        let secret = hash("key", &[&ceremony.context, &all(&commitments)]);
        let public = engine.public_key_of(&secret);
        Ok(Key { own: ceremony.own, threshold: ceremony.threshold, public }.bytes())
    }
}

/// Opens a share to others.
fn blame(share: &[u8]) -> [u8; 64] {
    hash("blame", &[share])
}

impl Engine for StandIn {
    fn commit(
        &self,
        ceremony: &Ceremony,
        seed: &Seed,
    ) -> Result<(Box<dyn Committed>, Vec<u8>), Fault> {
        let core = hash("polynomial", &[seed.as_bytes(), &[self.point as u8]]);
        let parts: [&[u8]; 2] = [&ceremony.context, &ceremony.own.0.to_le_bytes()];
        let own = marked("commitments", &parts, &core, self.commitments_length(ceremony));
        let next = Commitment { engine: *self, ceremony: *ceremony, own: own.clone() };
        Ok((Box::new(next), own))
    }

    fn judge(
        &self,
        _: &Ceremony,
        commitments: &Messages,
        accusation: Accusation<'_>,
    ) -> Result<Participant, Fault> {
        let Accusation { accuser, accused, share, blame: shown } = accusation;
        let sent = commitments.get(&accused).ok_or_else(|| {
            Fault::Internal("the commitments of the accused are missing".to_owned())
        })?;
        if share.len() != self.share_length() {
            return Ok(accused);
        }
        if shown != Some(&blame(share)) || self.is_share(sent, accuser, share) {
            return Ok(accuser);
        }
        Ok(accused)
    }

    fn public_key(&self, keys: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(Key::read(keys)?.public)
    }

    fn preprocess(&self, keys: &[u8], nonce: &Seed) -> Result<Vec<u8>, Fault> {
        Ok(self.vault(keys)?.preprocess(nonce))
    }

    fn sign(
        &self,
        keys: &[u8],
        nonce: Seed,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<(Box<dyn Signing>, Vec<u8>), Fault> {
        let vault = self.vault(keys)?;
        let share = vault.sign(&None, nonce, preprocesses, message)?;
        let next = Completing {
            vault,
            preprocesses: preprocesses.clone(),
            message: message.to_vec(),
            share: share.clone(),
        };
        Ok((Box::new(next), share))
    }

    fn open(&self, keys: &[u8]) -> Result<Box<dyn VaultKeys>, Fault> {
        Ok(Box::new(self.vault(keys)?))
    }

    fn verify(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        is_signature(public_key, &None, message, signature)
    }
}

struct Completing {
    vault: Vault,
    preprocesses: Messages,
    message: Vec<u8>,
    share: Vec<u8>,
}

impl Signing for Completing {
    fn complete(self: Box<Self>, shares: &Messages) -> Result<[u8; 64], Fault> {
        let mut shares = shares.clone();
        shares.insert(self.vault.key.own, self.share);
        self.vault.aggregate(&None, &self.preprocesses, &shares, &self.message)
    }
}

impl StandIn {
    fn vault(self, keys: &[u8]) -> Result<Vault, Fault> {
        Ok(Vault { key: Key::read(keys)?, point: self.point })
    }
}

struct Vault {
    key: Key,
    point: usize,
}

fn offset_bytes(offset: &Offset) -> [u8; 32] {
    offset.unwrap_or_default()
}

fn is_signature(public: &[u8], offset: &Offset, message: &[u8], signature: &[u8]) -> bool {
    signature.split_at_checked(SCALAR).is_some_and(|(nonce, rest)| {
        let made = hash("signature", &[public, &offset_bytes(offset), message, nonce]);
        rest.len() == SCALAR && made.starts_with(rest)
    })
}

impl Vault {
    /// Two nonce commitments.
    fn preprocess_length(&self) -> usize {
        2 * self.point
    }

    fn is_preprocess(&self, bytes: &[u8]) -> bool {
        is_marked("preprocess", &[], bytes, self.preprocess_length())
    }

    fn share_of(
        &self,
        signer: Participant,
        offset: &Offset,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            &self.key.public,
            &signer.0.to_le_bytes(),
            &offset_bytes(offset),
            &all(preprocesses),
            message,
        ];
        hash("share of a signature", &parts)[..SCALAR].to_vec()
    }
}

impl VaultKeys for Vault {
    fn own(&self) -> Participant {
        self.key.own
    }

    fn threshold(&self) -> u16 {
        self.key.threshold
    }

    fn preprocess(&self, nonce: &Seed) -> Vec<u8> {
        let core = hash("nonce", &[nonce.as_bytes()]);
        let room = self.preprocess_length() - MARK;
        let core = core.get(..room).unwrap_or(&core);
        marked("preprocess", &[], core, self.preprocess_length())
    }

    fn sign(
        &self,
        offset: &Offset,
        nonce: Seed,
        preprocesses: &Messages,
        message: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        if preprocesses.get(&self.own()) != Some(&self.preprocess(&nonce)) {
            return Err(Fault::Internal("the own preprocess is not of this nonce".to_owned()));
        }
        match preprocesses.iter().find(|(_, bytes)| !self.is_preprocess(bytes)) {
            Some((accused, _)) => Err(Fault::InvalidSignatureShare { accused: *accused }),
            None => Ok(self.share_of(self.own(), offset, preprocesses, message)),
        }
    }

    fn aggregate(
        &self,
        offset: &Offset,
        preprocesses: &Messages,
        shares: &Messages,
        message: &[u8],
    ) -> Result<[u8; 64], Fault> {
        for signer in preprocesses.keys() {
            let share = shares.get(signer).map(Vec::as_slice).unwrap_or_default();
            if !self.judge(offset, preprocesses, *signer, share, message)? {
                return Err(Fault::InvalidSignatureShare { accused: *signer });
            }
        }
        let nonce = hash("nonce of a signature", &[&all(preprocesses)]);
        let (nonce, _) = nonce.split_at(SCALAR);
        let parts = [&self.key.public[..], &offset_bytes(offset), message, nonce];
        let made = hash("signature", &parts);
        let mut signature = [0; 64];
        signature[..SCALAR].copy_from_slice(nonce);
        signature[SCALAR..].copy_from_slice(&made[..SCALAR]);
        Ok(signature)
    }

    fn judge(
        &self,
        offset: &Offset,
        preprocesses: &Messages,
        accused: Participant,
        share: &[u8],
        message: &[u8],
    ) -> Result<bool, Fault> {
        match preprocesses.iter().find(|(_, bytes)| !self.is_preprocess(bytes)) {
            Some((malformed, _)) if *malformed == accused => Ok(false),
            Some((malformed, _)) => Err(Fault::InvalidSignatureShare { accused: *malformed }),
            None => Ok(share == self.share_of(accused, offset, preprocesses, message)),
        }
    }

    fn verify(&self, offset: &Offset, message: &[u8], signature: &[u8; 64]) -> bool {
        is_signature(&self.key.public, offset, message, signature)
    }
}
