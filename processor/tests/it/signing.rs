//! Threshold signatures of N processors in one process: what signs, what is refused, who is named.

#[cfg(feature = "faults")]
mod faults;
mod honest;
mod once;
mod world;

use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{
    Content, CoordinatorMessage, PaymentId, ProcessorMessage, Shares, SigningId, Thing,
};
use serai_messages::{BlockHash, BlockNumber, Coin, KeyPair, SignatureBytes, ValidatorKey};
use serai_processor::chain::ToSign;
use serai_processor::signing::{Due, Outcome};

use crate::members::Members;

const OPEN: [u8; 32] = [1; 32];
const SIGNERS: [usize; 3] = [0, 1, 3];

struct World {
    members: Members,
    keys: KeyPair,
    due: Due,
    first: Vec<(ValidatorKey, Shares)>,
}

fn block() -> SeraiBlock {
    SeraiBlock { number: BlockNumber(5), hash: BlockHash([5; 32]) }
}

impl World {
    /// Four members with a confirmed vault, and a thing that is due at all of them.
    fn new(coin: Coin, thing: Thing, content: Content, messages: Vec<ToSign>) -> Self {
        let mut members = Members::new(coin, 4);
        let (keys, _) = members.run();
        let set = members.id.set;
        let confirmed =
            serai_messages::keygen::CoordinatorMessage::Confirmed { set, key_pair: keys.clone() };
        let due = Due { id: SigningId { set, thing }, reference: block(), content, messages };
        let mut first = Vec::new();
        for member in &mut members.all {
            member.handle(&confirmed);
            let Some(ProcessorMessage::Ready { preprocess, .. }) = member.due(due.clone()) else {
                panic!("not ready")
            };
            assert_eq!(member.due(due.clone()), None, "ready twice");
            first.push((ValidatorKey(member.signer.public()), preprocess));
        }
        Self { members, keys, due, first }
    }

    fn batch() -> Self {
        let messages = vec![ToSign { offset: None, bytes: b"a batch".to_vec() }];
        Self::new(Coin::Btc, Thing::Batch(0), Content::Batch { batch: vec![1] }, messages)
    }

    fn payment(coin: Coin, messages: Vec<ToSign>) -> Self {
        let id = PaymentId { block: BlockNumber(5), index: 1 };
        let content = Content::Transaction { hash: [2; 32], unsigned: vec![3], amount: 4, fee: 5 };
        Self::new(coin, Thing::Payment(id), content, messages)
    }

    fn set(&self, signers: &[usize]) -> Vec<(ValidatorKey, Shares)> {
        signers.iter().map(|at| self.first[*at].clone()).collect()
    }

    fn sign(&mut self, at: usize, open: [u8; 32], set: &[(ValidatorKey, Shares)]) -> Outcome {
        let (id, preprocesses) = (self.due.id, set.to_vec());
        self.members.all[at].sign(&CoordinatorMessage::Sign { id, open, preprocesses })
    }

    fn shares(&mut self) -> Vec<(ValidatorKey, Shares)> {
        let set = self.set(&SIGNERS);
        let signed = SIGNERS.map(|at| {
            let outcome = self.sign(at, OPEN, &set);
            let [ProcessorMessage::Share { share, .. }] = outcome.answers.as_slice() else {
                panic!("{outcome:?}")
            };
            (self.first[at].0, share.clone())
        });
        signed.to_vec()
    }

    fn aggregate(&mut self, at: usize, shares: Vec<(ValidatorKey, Shares)>) -> Outcome {
        let (id, preprocesses) = (self.due.id, self.set(&SIGNERS));
        self.members.all[at].sign(&CoordinatorMessage::Aggregate {
            id,
            open: OPEN,
            preprocesses,
            shares,
        })
    }

    fn judge(&mut self, at: usize, accused: &(ValidatorKey, Shares)) -> bool {
        let (id, preprocesses) = (self.due.id, self.set(&SIGNERS));
        let outcome = self.members.all[at].sign(&CoordinatorMessage::Judge {
            id,
            open: OPEN,
            preprocesses,
            accused: accused.0,
            share: accused.1.clone(),
        });
        let [ProcessorMessage::Judged { valid, .. }] = outcome.answers.as_slice() else {
            panic!("{outcome:?}")
        };
        *valid
    }
}

fn refused(outcome: &Outcome) -> &str {
    assert_eq!(outcome.signed, None);
    match outcome.answers.as_slice() {
        [ProcessorMessage::Refused { reason, .. }] => reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn signatures(outcome: &Outcome) -> Vec<SignatureBytes> {
    let Some((_, signatures)) = &outcome.signed else { panic!("{outcome:?}") };
    signatures.clone()
}

#[test]
fn a_batch_is_signed_for_schnorrkel() {
    let mut world = World::batch();
    let shares = world.shares();
    let outcome = world.aggregate(0, shares.clone());
    let signature = signatures(&outcome)[0];
    serai_sr25519::verify(
        &world.keys.ristretto,
        serai_sr25519::SUBSTRATE_CONTEXT,
        b"a batch",
        &signature.0,
    )
    .unwrap();
    // Whoever asks again is answered.
    let again = world.aggregate(0, shares.clone());
    assert_eq!(again, outcome);
    // Aggregation needs neither the machine that signed nor a signer's memory.
    world.members.all[1].restart();
    signatures(&world.aggregate(1, shares));
    // One that did not sign verifies what others made.
    let id = world.due.id;
    let sender = world.first[0].0;
    let made = CoordinatorMessage::Signature { id, sender, signatures: vec![signature] };
    signatures(&world.members.all[2].sign(&made));
}

#[test]
fn transactions_are_signed_under_keys_with_offsets() {
    for coin in Coin::ALL {
        let offset = |byte: u8| {
            let mut scalar = [0; 32];
            // Small in either byte order.
            scalar[if coin == Coin::Xmr { 0 } else { 31 }] = byte;
            Some(scalar)
        };
        let mut messages = vec![ToSign { offset: None, bytes: vec![7; 32] }];
        if coin == Coin::Xmr {
            messages.push(ToSign { offset: offset(9), bytes: vec![8; 32] });
        }
        let mut world = World::payment(coin, messages);
        let shares = world.shares();
        let made = signatures(&world.aggregate(0, shares));
        let engine =
            serai_processor::crypto::engine(coin, serai_messages::keygen::KeyKind::External);
        assert!(engine.verify(&world.keys.external, &[7; 32], &made[0].0), "{coin}");
        if coin == Coin::Xmr {
            assert!(!engine.verify(&world.keys.external, &[8; 32], &made[1].0), "no offset");
        }
    }
}

#[test]
fn a_preprocess_signs_once() {
    let mut world = World::batch();
    let set = world.set(&SIGNERS);
    let outcome = world.sign(0, OPEN, &set);
    // The same again gives the same share, also after a restart, and in whatever order.
    assert_eq!(world.sign(0, OPEN, &set), outcome);
    world.members.all[0].restart();
    assert_eq!(world.sign(0, OPEN, &set), outcome);
    let mut reordered = set.clone();
    reordered.reverse();
    assert_eq!(world.sign(0, OPEN, &reordered), outcome);
    // In another session, with other signers, or with another preprocess of theirs: nothing.
    assert!(refused(&world.sign(0, [2; 32], &set)).contains("once"));
    let other = world.set(&[0, 1, 2]);
    assert!(refused(&world.sign(0, OPEN, &other)).contains("once"));
    let mut changed = set.clone();
    changed[1].1 = world.first[2].1.clone();
    assert!(refused(&world.sign(0, OPEN, &changed)).contains("once"));
    world.members.all[0].restart();
    assert!(refused(&world.sign(0, [2; 32], &set)).contains("once"));
    let used = world.members.all[0].used();
    assert_eq!(used.len(), 1);
    // And when the thing is over, it is not forgotten what it was used for.
    world.members.all[0].forget(world.due.id);
    assert_eq!(world.members.all[0].used(), used);
    assert_eq!(world.sign(0, OPEN, &set), Outcome::default());
}

#[test]
fn preprocesses_are_stored_and_given_again_until_used() {
    let mut world = World::batch();
    let (id, opener) = (world.due.id, world.first[2].0);
    let ask = CoordinatorMessage::Preprocess { id, opener };
    let given = world.members.all[0].sign(&ask);
    world.members.all[0].restart();
    assert_eq!(world.members.all[0].sign(&ask), given);
    let [ProcessorMessage::Preprocess { preprocess, .. }] = given.answers.as_slice() else {
        panic!("{given:?}")
    };
    assert_ne!(*preprocess, world.first[0].1);
    let mut set = world.set(&SIGNERS);
    set[0].1 = preprocess.clone();
    let outcome = world.sign(0, OPEN, &set);
    assert!(matches!(outcome.answers[0], ProcessorMessage::Share { .. }), "{outcome:?}");
    assert_ne!(world.members.all[0].sign(&ask), given, "given again after it signed");
}

#[test]
fn sets_that_are_none_are_refused() {
    let mut world = World::batch();
    let all = world.set(&[0, 1, 2, 3]);
    assert!(refused(&world.sign(0, OPEN, &all)).contains("signers"));
    let others = world.set(&[1, 2, 3]);
    assert!(refused(&world.sign(0, OPEN, &others)).contains("no signer"));
    let twice = world.set(&[0, 1, 1]);
    assert!(refused(&world.sign(0, OPEN, &twice)).contains("twice"));
    let mut stranger = world.set(&SIGNERS);
    stranger[1].0 = ValidatorKey([99; 32]);
    assert!(refused(&world.sign(0, OPEN, &stranger)).contains("no share"));
    let mut forged = world.set(&SIGNERS);
    forged[0].1 = world.first[1].1.clone();
    assert!(refused(&world.sign(0, OPEN, &forged)).contains("not its own"));
    let mut many = world.set(&SIGNERS);
    many[1].1.push(vec![1]);
    assert!(refused(&world.sign(0, OPEN, &many)).contains("values"));
    assert!(world.members.all[0].used().is_empty(), "a refusal used a preprocess");
}

#[test]
fn a_bad_share_is_named_by_all_and_a_good_one_is_not() {
    let mut world = World::batch();
    let good = world.shares();
    let mut bad = good.clone();
    bad[1].1[0][3] ^= 1;
    let outcome = world.aggregate(0, bad.clone());
    let accused = match outcome.answers.as_slice() {
        [ProcessorMessage::InvalidShare { accused, .. }] => *accused,
        other => panic!("{other:?}"),
    };
    assert_eq!(accused, world.first[1].0);
    for judge in 0..4 {
        assert!(!world.judge(judge, &bad[1]), "by {judge}");
        assert!(world.judge(judge, &good[1]), "by {judge}");
    }
    let mut long = good.clone();
    long[2].1[0].push(0);
    assert!(!world.judge(0, &long[2]), "trailing bytes");
    let mut absent = good.clone();
    absent.remove(1);
    let outcome = world.aggregate(0, absent);
    assert!(refused(&outcome).contains("is not there"), "nobody is at fault");
    // No share can be one of a preprocess that is none, and that is its sender's fault alone.
    world.first[1].1[0] = vec![255; 64];
    assert!(!world.judge(0, &good[1]));
}

#[test]
fn a_bad_preprocess_is_named_and_costs_the_own_one() {
    let mut world = World::batch();
    let mut set = world.set(&SIGNERS);
    set[1].1[0] = vec![255; 64];
    let outcome = world.sign(0, OPEN, &set);
    assert!(matches!(outcome.answers[0], ProcessorMessage::InvalidShare { accused, .. }
        if accused == world.first[1].0));
    let set = world.set(&SIGNERS);
    assert!(refused(&world.sign(0, OPEN, &set)).contains("once"));
}

#[test]
fn wrong_signatures_and_unknown_things_are_refused() {
    let mut world = World::batch();
    let id = world.due.id;
    let sender = world.first[0].0;
    let wrong =
        CoordinatorMessage::Signature { id, sender, signatures: vec![SignatureBytes([3; 64])] };
    assert!(refused(&world.members.all[0].sign(&wrong)).contains("verify"));
    let none = CoordinatorMessage::Signature { id, sender, signatures: Vec::new() };
    assert!(refused(&world.members.all[0].sign(&none)).contains("verify"));
    let unknown = SigningId { thing: Thing::Batch(9), ..id };
    let ask = CoordinatorMessage::Preprocess { id: unknown, opener: world.first[0].0 };
    assert_eq!(world.members.all[0].sign(&ask), Outcome::default());
}

#[test]
fn who_holds_no_share_is_never_ready() {
    let mut members = Members::new(Coin::Eth, 4);
    members.run();
    let id = SigningId { set: members.id.set, thing: Thing::Slashes };
    let messages = vec![ToSign { offset: None, bytes: vec![1] }];
    let content = Content::Slashes { report: vec![0] };
    let due = Due { id, reference: block(), content, messages };
    // The keys are not confirmed: Serai may have others.
    assert_eq!(members.all[0].due(due), None);
}
