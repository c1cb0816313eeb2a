//! The misbehaving double does what its name says.

use serai_messages::Coin;
use serai_messages::signing::{Content, ProcessorMessage};
use serai_processor::faults::Misbehaviour;

use super::world::{World, aggregate, judge, sign};

#[test]
fn a_bad_share_each_time() {
    for coin in [Coin::Btc, Coin::Xmr] {
        let mut world = World::new(coin, 4);
        world.member(1).misbehave("bad-signature-share".parse().unwrap());
        for due in [world.batch(0), world.payment(0, &[None, None])] {
            let (id, open) = (due.id, [1; 32]);
            let set = world.ready(&due)[..3].to_vec();
            let message = sign(id, open, &set);
            let shares = world.shares(&message);
            assert_eq!(world.member(1).share(&message), shares[1].1, "another share");
            let answer = world.member(0).told(&aggregate(id, open, &set, &shares));
            let accused = world.validator(1);
            assert_eq!(answer, ProcessorMessage::InvalidShare { id, open, accused });
            let answer = world.member(3).told(&judge(id, open, &set, &shares[1]));
            assert_eq!(answer, ProcessorMessage::Judged { id, open, accused, valid: false });
        }
    }
}

#[test]
fn another_content_and_a_signature_of_it() {
    let mut world = World::new(Coin::Btc, 1);
    world.member(0).misbehave(Misbehaviour::OtherContent);
    let due = world.batch(3);
    let ready = world.member(0).due(due.clone());
    let Some(ProcessorMessage::Ready { content: Content::Batch { batch }, .. }) = ready else {
        panic!("{ready:?}")
    };
    let Content::Batch { batch: honest } = &due.content else { panic!("no batch") };
    assert_eq!(batch.len(), honest.len());
    assert_eq!(batch[..5], honest[..5], "another batch altogether");
    assert_ne!(&batch, honest);
    let [signature] = world.session(due.id, &[0], 0).try_into().unwrap();
    let message = [b"InInstructions-batch".as_slice(), &batch].concat();
    crate::verifiers::substrate(&world.key_pair.ristretto, &message, &signature.0);
}
