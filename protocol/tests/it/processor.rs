//! A processor without cryptography: what it makes is a hash of what it was given, so that everyone
//! can tell right from wrong.

use blake2::{Blake2b, Digest, digest::consts::U32};
use serai_messages::{
    KeyPair, Participant, SignedStatement, ValidatorKey,
    keygen::{CoordinatorMessage, KeyKind, KeygenId, Party, PeerMessage, PerKey, ProcessorMessage},
};

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Blake2b::<U32>::new();
    for part in parts {
        hasher.update((part.len() as u32).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

fn message(statement: &SignedStatement) -> &PeerMessage {
    let serai_messages::Body::Keygen(message) = &statement.statement.body else {
        panic!("not of key generation")
    };
    message
}

fn both(ristretto: Vec<u8>) -> PerKey {
    PerKey { external: hash(&[&ristretto]), ristretto }
}

#[derive(Default)]
pub struct Processor {
    party: Option<Party>,
    own: Participant,
    commitments: Vec<PerKey>,
    key_pair: Option<KeyPair>,
    proof: Vec<u8>,
    /// Key pairs that it was told are final.
    pub confirmed: Vec<KeyPair>,
    /// Loses what it holds of proving signatures, as a restart does.
    pub forgets_proofs: bool,
}

impl Processor {
    fn share(&self, from: Participant, to: Participant) -> PerKey {
        let commitment = &self.commitments[usize::from(from.0) - 1];
        both(hash(&[b"share", &commitment.ristretto, &to.0.to_le_bytes()]))
    }

    fn participant(&self, statement: &SignedStatement) -> Participant {
        self.party.as_ref().unwrap().participant(&statement.signer).unwrap()
    }

    /// The processor of `validator` answers.
    pub fn handle(
        &mut self,
        validator: ValidatorKey,
        input: CoordinatorMessage,
    ) -> Vec<ProcessorMessage> {
        match input {
            CoordinatorMessage::Start { party, own } => {
                assert_eq!(own, validator);
                self.start(validator, party.party)
            }
            CoordinatorMessage::Commitments { id, statements } => self.shares(id, &statements),
            CoordinatorMessage::Shares { id, statements } => self.key_pair(id, &statements),
            CoordinatorMessage::Judge { id, accuser, share, key, .. } => {
                let accused = self.participant(&share);
                let PeerMessage::Share { share, .. } = message(&share) else { panic!() };
                let right = self.share(accused, accuser).get(key) == share.get(key);
                let guilty = if right { accuser } else { accused };
                vec![ProcessorMessage::Verdict { id, accuser, accused, guilty }]
            }
            CoordinatorMessage::ProofPreprocesses { id, statements } => {
                let all: Vec<Vec<u8>> = statements
                    .iter()
                    .map(|statement| match message(statement) {
                        PeerMessage::ProofPreprocess { preprocess, .. } => {
                            preprocess.ristretto.clone()
                        }
                        other => panic!("{other:?}"),
                    })
                    .collect();
                let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
                self.proof = hash(&all);
                vec![ProcessorMessage::ProofShare { id, share: self.proof_share(self.own) }]
            }
            CoordinatorMessage::ProofShares { id, statements } => self.proven(id, &statements),
            CoordinatorMessage::Proof { id, signatures } => {
                let right = signatures == both(self.proof.clone());
                let key_pair = self.key_pair.clone().unwrap();
                right
                    .then_some(ProcessorMessage::Proven { id, key_pair, signatures })
                    .into_iter()
                    .collect()
            }
            CoordinatorMessage::Confirmed { key_pair, .. } => {
                self.confirmed.push(key_pair);
                Vec::new()
            }
        }
    }

    fn start(&mut self, validator: ValidatorKey, party: Party) -> Vec<ProcessorMessage> {
        self.own = party.participant(&validator).unwrap();
        let id = party.id;
        let commitments = both(hash(&[b"commitments", &party.digest(), &self.own.0.to_le_bytes()]));
        self.party = Some(party);
        self.key_pair = None;
        vec![ProcessorMessage::Commitments { id, commitments }]
    }

    fn shares(&mut self, id: KeygenId, statements: &[SignedStatement]) -> Vec<ProcessorMessage> {
        let members = self.party.as_ref().unwrap().members.len();
        assert_eq!(statements.len(), members);
        self.commitments.clear();
        for (index, statement) in (1..).zip(statements) {
            assert_eq!(self.participant(statement), Participant(index));
            let PeerMessage::Commitments { commitments, .. } = message(statement) else { panic!() };
            if commitments.external != hash(&[&commitments.ristretto]) {
                return vec![ProcessorMessage::InvalidCommitments {
                    id,
                    accused: Participant(index),
                    key: KeyKind::External,
                    reason: "not the hash".into(),
                }];
            }
            self.commitments.push(commitments.clone());
        }
        let others = (1..=members as u16).map(Participant).filter(|to| *to != self.own);
        let shares = others.map(|to| (to, self.share(self.own, to))).collect();
        vec![ProcessorMessage::Shares { id, shares }]
    }

    fn key_pair(&mut self, id: KeygenId, statements: &[SignedStatement]) -> Vec<ProcessorMessage> {
        assert_eq!(statements.len() + 1, self.commitments.len());
        for statement in statements {
            let accused = self.participant(statement);
            let PeerMessage::Share { share, to, .. } = message(statement) else { panic!() };
            assert_eq!(*to, self.own);
            let expected = self.share(accused, self.own);
            for key in [KeyKind::Ristretto, KeyKind::External] {
                if expected.get(key) != share.get(key) {
                    let blame = Some(vec![1]);
                    return vec![ProcessorMessage::InvalidShare { id, accused, key, blame }];
                }
            }
        }
        let all: Vec<&[u8]> = self.commitments.iter().map(|c| c.ristretto.as_slice()).collect();
        let key = hash(&all);
        let key_pair = KeyPair {
            ristretto: key.clone().try_into().unwrap(),
            external: [&[2], key.as_slice()].concat(),
        };
        self.key_pair = Some(key_pair.clone());
        let preprocess = both(hash(&[b"preprocess", &key, &self.own.0.to_le_bytes()]));
        vec![ProcessorMessage::KeyPair { id, key_pair, preprocess }]
    }

    fn proof_share(&self, of: Participant) -> PerKey {
        both(hash(&[b"proof share", &self.proof, &of.0.to_le_bytes()]))
    }

    fn proven(&mut self, id: KeygenId, statements: &[SignedStatement]) -> Vec<ProcessorMessage> {
        for statement in statements {
            let accused = self.participant(statement);
            let PeerMessage::ProofShare { share, .. } = message(statement) else { panic!() };
            if *share != self.proof_share(accused) {
                let key = KeyKind::Ristretto;
                return vec![ProcessorMessage::InvalidProofShare { id, accused, key }];
            }
        }
        if self.forgets_proofs {
            return Vec::new();
        }
        let key_pair = self.key_pair.clone().unwrap();
        let signatures = both(self.proof.clone());
        vec![ProcessorMessage::Proven { id, key_pair, signatures }]
    }
}
