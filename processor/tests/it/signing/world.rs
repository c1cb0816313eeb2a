//! Members with a confirmed vault, and what their coordinators ask of them.

use serai_messages::keygen::CoordinatorMessage as KeygenMessage;
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{
    Content, CoordinatorMessage, PaymentId, ProcessorMessage, Shares, SigningId, Thing,
};
use serai_messages::{
    BlockHash, BlockNumber, Coin, KeyPair, SignatureBytes, ValidatorKey, ValidatorSet, threshold,
};
use serai_processor::chain::ToSign;
use serai_processor::signing::Due;

use crate::members::{Member, Members};

pub type Given = Vec<(ValidatorKey, Shares)>;

impl Member {
    pub fn validator(&self) -> ValidatorKey {
        ValidatorKey(self.signer.public())
    }

    /// The preprocess that comes with `Ready`.
    pub fn ready(&mut self, due: Due) -> Shares {
        let id = due.id;
        match self.due(due) {
            Some(ProcessorMessage::Ready { id: found, preprocess, .. }) if found == id => {
                preprocess
            }
            other => panic!("{other:?}"),
        }
    }

    /// The one answer to a message that is obeyed.
    pub fn told(&mut self, message: &CoordinatorMessage) -> ProcessorMessage {
        let outcome = self.sign(message);
        assert_eq!(outcome.rejected, None);
        let [answer] = outcome.answers.try_into().expect("not one answer");
        answer
    }

    /// Why a message is refused.
    pub fn refuses(&mut self, message: &CoordinatorMessage) -> String {
        let outcome = self.sign(message);
        let [answer] = outcome.answers.try_into().expect("not one answer");
        match answer {
            ProcessorMessage::Refused { reason, .. } => {
                assert_eq!(outcome.rejected, Some(reason.clone()));
                reason
            }
            other => panic!("not refused: {other:?}"),
        }
    }

    pub fn preprocess(&mut self, id: SigningId, opener: ValidatorKey) -> Shares {
        match self.told(&CoordinatorMessage::Preprocess { id, opener }) {
            ProcessorMessage::Preprocess { opener: found, preprocess, .. } if found == opener => {
                preprocess
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn share(&mut self, message: &CoordinatorMessage) -> Shares {
        match self.told(message) {
            ProcessorMessage::Share { share, .. } => share,
            other => panic!("{other:?}"),
        }
    }
}

/// Members whose vault Serai has.
pub struct World {
    pub members: Members,
    pub key_pair: KeyPair,
    pub set: ValidatorSet,
}

impl World {
    pub fn new(coin: Coin, count: u8) -> Self {
        let mut members = Members::new(coin, count);
        let (key_pair, _) = members.run();
        let set = members.id.set;
        let confirmed = KeygenMessage::Confirmed { set, key_pair: key_pair.clone() };
        for member in &mut members.all {
            assert_eq!(member.handle(&confirmed).rejected, None);
        }
        Self { members, key_pair, set }
    }

    pub fn member(&mut self, at: usize) -> &mut Member {
        &mut self.members.all[at]
    }

    pub fn validator(&self, at: usize) -> ValidatorKey {
        self.members.all[at].validator()
    }

    pub fn threshold(&self) -> usize {
        usize::from(threshold(u16::try_from(self.members.all.len()).unwrap()))
    }

    fn due(&self, thing: Thing, content: Content, messages: Vec<ToSign>) -> Due {
        let reference = SeraiBlock { number: BlockNumber(12), hash: BlockHash([3; 32]) };
        Due { id: SigningId { set: self.set, thing }, reference, content, messages }
    }

    pub fn batch(&self, number: u32) -> Due {
        let mut batch = vec![1];
        batch.extend_from_slice(&number.to_le_bytes());
        batch.extend_from_slice(&[0xaa; 32]);
        batch.push(0);
        let bytes = [b"InInstructions-batch".as_slice(), &batch].concat();
        let messages = vec![ToSign { offset: None, bytes }];
        self.due(Thing::Batch(number), Content::Batch { batch }, messages)
    }

    /// With a message for each of these offsets.
    pub fn payment(&self, index: u32, offsets: &[Option<[u8; 32]>]) -> Due {
        let thing = Thing::Payment(PaymentId { block: BlockNumber(12), index });
        let content = Content::Transaction {
            hash: [u8::try_from(index).unwrap(); 32],
            unsigned: vec![1, 2, 3],
            amount: 1000,
            fee: 10,
        };
        let messages = (1..)
            .zip(offsets)
            .map(|(number, offset)| ToSign { offset: *offset, bytes: vec![number; 32] })
            .collect();
        self.due(thing, content, messages)
    }

    /// Makes a thing due at all; the preprocesses, each meant for the first opener.
    pub fn ready(&mut self, due: &Due) -> Given {
        let ready = |member: &mut Member| (member.validator(), member.ready(due.clone()));
        self.members.all.iter_mut().map(ready).collect()
    }

    /// A preprocess of each of these for an opener.
    pub fn gather(&mut self, id: SigningId, signers: &[usize], opener: ValidatorKey) -> Given {
        signers
            .iter()
            .map(|at| {
                let member = self.member(*at);
                (member.validator(), member.preprocess(id, opener))
            })
            .collect()
    }

    /// Has the signers sign.
    pub fn shares(&mut self, message: &CoordinatorMessage) -> Given {
        let CoordinatorMessage::Sign { preprocesses, .. } = message else { panic!("no signing") };
        preprocesses
            .iter()
            .map(|(signer, _)| {
                let mut all = self.members.all.iter_mut();
                let member = all.find(|member| member.validator() == *signer).unwrap();
                (*signer, member.share(message))
            })
            .collect()
    }

    /// A whole session of these, aggregated by the member at `at`.
    pub fn session(&mut self, id: SigningId, signers: &[usize], at: usize) -> Vec<SignatureBytes> {
        let opener = self.validator(signers[0]);
        let preprocesses = self.gather(id, signers, opener);
        let sign = sign(id, [9; 32], &preprocesses);
        let shares = self.shares(&sign);
        let outcome = self.member(at).sign(&aggregate(id, [9; 32], &preprocesses, &shares));
        let (found, signatures) = outcome.signed.expect("not signed");
        assert_eq!(found, id);
        let answer = ProcessorMessage::Signed { id, signatures: signatures.clone() };
        assert_eq!((outcome.answers, outcome.rejected), (vec![answer], None));
        signatures
    }
}

pub fn sign(
    id: SigningId,
    open: [u8; 32],
    preprocesses: &[(ValidatorKey, Shares)],
) -> CoordinatorMessage {
    CoordinatorMessage::Sign { id, open, preprocesses: preprocesses.to_vec() }
}

pub fn aggregate(
    id: SigningId,
    open: [u8; 32],
    preprocesses: &[(ValidatorKey, Shares)],
    shares: &[(ValidatorKey, Shares)],
) -> CoordinatorMessage {
    let (preprocesses, shares) = (preprocesses.to_vec(), shares.to_vec());
    CoordinatorMessage::Aggregate { id, open, preprocesses, shares }
}

/// Does this share verify?
#[cfg(feature = "faults")]
pub fn judge(
    id: SigningId,
    open: [u8; 32],
    preprocesses: &[(ValidatorKey, Shares)],
    share: &(ValidatorKey, Shares),
) -> CoordinatorMessage {
    let (accused, share) = share.clone();
    CoordinatorMessage::Judge { id, open, preprocesses: preprocesses.to_vec(), accused, share }
}
