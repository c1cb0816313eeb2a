//! A processor whose cryptography anybody can compute, and whose rules are the real ones: a preprocess
//! meets one signing set, or the test fails.

use std::collections::{BTreeMap, BTreeSet};

use blake2::{Blake2s256, Digest};
use borsh::BorshSerialize;
use serai_messages::{
    SignatureBytes, ValidatorKey,
    signing::{CoordinatorMessage, ProcessorMessage, Shares, SigningId},
};

pub const MESSAGES: usize = 2;

type Set = Vec<(ValidatorKey, Shares)>;

pub fn digest<T: BorshSerialize>(domain: &[u8], value: &T) -> [u8; 32] {
    let bytes = serai_messages::encode(&(domain, value));
    Blake2s256::digest(bytes).into()
}

/// Preprocess number `number` of a validator for an opener.
pub fn preprocess(signer: ValidatorKey, opener: ValidatorKey, number: u64) -> Shares {
    let part = |message: usize| {
        let digest = digest(b"test-preprocess", &(signer, opener, number, message as u64));
        [b"pre".as_slice(), &digest].concat()
    };
    (0..MESSAGES).map(part).collect()
}

fn is_preprocess(preprocess: &Shares) -> bool {
    preprocess.len() == MESSAGES && preprocess.iter().all(|part| part.starts_with(b"pre"))
}

/// The one valid share of a signer in a session.
pub fn share(content: [u8; 32], set: &Set, signer: ValidatorKey) -> Shares {
    let part =
        |message: usize| digest(b"test-share", &(content, set, signer, message as u64)).to_vec();
    (0..MESSAGES).map(part).collect()
}

pub fn signatures(content: [u8; 32], set: &Set) -> Vec<SignatureBytes> {
    let nonce = digest(b"test-set", set);
    (0..MESSAGES).map(|message| signature(content, nonce, message)).collect()
}

fn signature(content: [u8; 32], nonce: [u8; 32], message: usize) -> SignatureBytes {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&nonce);
    bytes[32..].copy_from_slice(&digest(b"test-sig", &(content, nonce, message as u64)));
    SignatureBytes(bytes)
}

pub fn verifies(content: [u8; 32], signatures: &[SignatureBytes]) -> bool {
    let right = |(message, given): (usize, &SignatureBytes)| {
        let nonce = given.0[..32].try_into().unwrap();
        *given == signature(content, nonce, message)
    };
    signatures.len() == MESSAGES && signatures.iter().enumerate().all(right)
}

pub struct Processor {
    pub own: ValidatorKey,
    pub id: SigningId,
    pub content: [u8; 32],
    pub threshold: usize,
    unused: BTreeMap<ValidatorKey, Shares>,
    made: u64,
    /// What was made and is forgotten.
    lost: BTreeSet<Shares>,
    /// What each used preprocess is bound to.
    used: BTreeMap<Shares, ([u8; 32], Set)>,
    signed: Option<Vec<SignatureBytes>>,
    pub judged: usize,
}

impl Processor {
    pub fn new(own: ValidatorKey, id: SigningId, content: [u8; 32], threshold: usize) -> Self {
        let (unused, used, lost) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { own, id, content, threshold, unused, made: 0, lost, used, signed: None, judged: 0 }
    }

    pub fn preprocess(&mut self, opener: ValidatorKey) -> Shares {
        let (own, made) = (self.own, &mut self.made);
        let make = || {
            *made += 1;
            preprocess(own, opener, *made)
        };
        self.unused.entry(opener).or_insert_with(make).clone()
    }

    /// Its folder is gone, and its vault comes from a backup: without preprocesses.
    pub fn lose(&mut self) {
        let made = std::mem::take(&mut self.unused).into_values();
        self.lost.extend(made.chain(std::mem::take(&mut self.used).into_keys()));
        self.signed = None;
    }

    pub fn handle(&mut self, message: CoordinatorMessage) -> ProcessorMessage {
        let id = self.id;
        let request = message.request();
        let refused =
            |reason: &str| ProcessorMessage::Refused { id, request, reason: reason.to_owned() };
        assert_eq!(message.id(), id);
        match message {
            CoordinatorMessage::Preprocess { opener, .. } => {
                let preprocess = self.preprocess(opener);
                ProcessorMessage::Preprocess { id, opener, preprocess }
            }
            CoordinatorMessage::Sign { open, preprocesses, .. } => {
                self.assert_set(&preprocesses);
                let own = preprocesses.iter().find(|(key, _)| *key == self.own);
                let own = &own.expect("asked to sign in others' session").1;
                if self.lost.contains(own) {
                    return refused("the preprocess is not known");
                }
                if let Some(bound) = self.used.get(own) {
                    assert_eq!(bound, &(open, preprocesses.clone()), "a preprocess used twice");
                }
                self.used.insert(own.clone(), (open, preprocesses.clone()));
                let known = self.unused.values().any(|unused| unused == own);
                assert!(known || self.used.contains_key(own), "not a preprocess of this processor");
                self.unused.retain(|_, unused| unused != own);
                let bad = preprocesses.iter().find(|(_, preprocess)| !is_preprocess(preprocess));
                match bad {
                    Some((accused, _)) => {
                        ProcessorMessage::InvalidShare { id, open, accused: *accused }
                    }
                    None => {
                        let share = share(self.content, &preprocesses, self.own);
                        ProcessorMessage::Share { id, open, share }
                    }
                }
            }
            CoordinatorMessage::Aggregate { open, preprocesses, shares, .. } => {
                self.assert_set(&preprocesses);
                let keys = |set: &Set| set.iter().map(|(key, _)| *key).collect::<Vec<_>>();
                assert_eq!(keys(&preprocesses), keys(&shares));
                let valid = |signer: ValidatorKey| share(self.content, &preprocesses, signer);
                match shares.iter().find(|(key, share)| *share != valid(*key)) {
                    Some((accused, _)) => {
                        ProcessorMessage::InvalidShare { id, open, accused: *accused }
                    }
                    None => self.signed(signatures(self.content, &preprocesses)),
                }
            }
            CoordinatorMessage::Judge { open, preprocesses, accused, share: given, .. } => {
                self.judged += 1;
                let valid = share(self.content, &preprocesses, accused) == given;
                ProcessorMessage::Judged { id, open, accused, valid }
            }
            CoordinatorMessage::Signature { signatures, .. } => {
                if verifies(self.content, &signatures) {
                    self.signed(signatures)
                } else {
                    refused("the signatures do not verify")
                }
            }
        }
    }

    fn signed(&mut self, signatures: Vec<SignatureBytes>) -> ProcessorMessage {
        let signatures = self.signed.get_or_insert(signatures).clone();
        ProcessorMessage::Signed { id: self.id, signatures }
    }

    fn assert_set(&self, set: &Set) {
        assert_eq!(set.len(), self.threshold);
        let mut keys: Vec<_> = set.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), self.threshold, "signers are distinct");
    }
}
