//! `set_keys` reaches the chain, whatever stands in its way.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serai_coordinator::processes::observation::tables::{self, SubmissionState};
use serai_messages::observation::Event;
use serai_messages::{
    Coin, KeyPair, Participant, Session, SignatureBytes, ValidatorKey, ValidatorSet,
};
use serai_protocol::musig::{MusigMachine, set_keys_message};

use super::world::World;

fn set(coin: Coin) -> ValidatorSet {
    ValidatorSet { coin, session: Session(0) }
}

pub fn key_pair(ristretto: [u8; 32]) -> KeyPair {
    KeyPair { ristretto, external: vec![2; 33] }
}

/// `SetKeys` signed by all of the set's members, as the signature process publishes it.
pub fn signed(
    world: &World,
    set: ValidatorSet,
    key_pair: KeyPair,
    members: &[ValidatorKey],
) -> Event {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let numbered = |values: Vec<Vec<u8>>| (1..).map(Participant).zip(values).collect();
    let (machines, preprocesses): (Vec<_>, Vec<_>) = members
        .iter()
        .map(|member| {
            let own = |signer: &&serai_sr25519::Signer| signer.public() == member.0;
            let signer = world.signers.iter().find(own).unwrap();
            MusigMachine::new(signer, set, members).unwrap().preprocess(&mut rng)
        })
        .unzip();
    let preprocesses: BTreeMap<Participant, Vec<u8>> = numbered(preprocesses);
    let message = set_keys_message(set, &[], &key_pair);
    let (mut machines, shares): (Vec<_>, Vec<_>) =
        machines.into_iter().map(|machine| machine.sign(&preprocesses, &message).unwrap()).unzip();
    let signature = machines.remove(0).complete(&numbered(shares)).unwrap();
    Event::SetKeys { set, removed: Vec::new(), key_pair, signature }
}

/// The set's members in storage order, from the running process.
pub async fn members(process: &super::world::Running, set: ValidatorSet) -> Vec<ValidatorKey> {
    let members = process.mailbox.set_members(set).await.unwrap();
    members.into_iter().map(|member| member.validator).collect()
}

fn key_gen(events: &[Event], set: ValidatorSet) -> Option<&KeyPair> {
    events.iter().find_map(|event| match event {
        Event::KeyGen { set: of, key_pair, .. } if *of == set => Some(key_pair),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_reach_the_chain_and_come_back_as_an_event() {
    let world = World::new().await;
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let btc = set(Coin::Btc);
    let members = members(&process, btc).await;
    let keys = key_pair([5; 32]);
    let event = signed(&world, btc, keys.clone(), &members);
    assert_eq!(process.mailbox.keys_of(btc).await.unwrap(), None);
    world.publish(&process, &event);
    let pending = || !world.chain.pending_extrinsics().is_empty();
    process.until("submitted", |_| pending()).await;
    world.author(1);
    let events = world.until("KeyGen", |events| key_gen(events, btc).is_some()).await;
    assert_eq!(key_gen(&events, btc), Some(&keys));
    process.until("settled", |status| status.submissions.is_empty()).await;
    assert_eq!(process.mailbox.keys_of(btc).await.unwrap(), Some(keys.clone()));
    process.stop().await;

    // Another validator's coordinator comes later with a signature of its own: that is a success.
    let process = world.observe(&[server.url()]);
    let Event::SetKeys { set, removed, key_pair, .. } = event else { panic!("set keys") };
    let signature = SignatureBytes([1; 64]);
    world.publish(&process, &Event::SetKeys { set, removed, key_pair, signature });
    let done = || {
        world
            .database
            .read(|connection| tables::submissions(connection, SubmissionState::Done, 10))
            .unwrap()
            .len()
    };
    process.until("settled twice", |_| done() == 2).await;
    assert!(world.chain.pending_extrinsics().is_empty());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_submission_is_kept_and_blocks_no_other() {
    let world = World::new().await;
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let bad = Event::SetKeys {
        set: set(Coin::Btc),
        removed: Vec::new(),
        key_pair: key_pair([6; 32]),
        signature: SignatureBytes([1; 64]),
    };
    world.publish(&process, &bad);
    let refused =
        process.until("refused", |status| status.submissions.iter().any(|s| s.attempts > 1)).await;
    let refusal = &refused.submissions[0];
    assert_eq!((refusal.set, refusal.state), (set(Coin::Btc), "open"));
    assert!(refusal.detail.to_lowercase().contains("invalid"), "{refusal:?}");
    process.stop().await;

    let process = world.observe(&[server.url()]);
    let eth = set(Coin::Eth);
    let btc = set(Coin::Btc);
    for set in [eth, btc] {
        let members = members(&process, set).await;
        world.publish(&process, &signed(&world, set, key_pair([6; 32]), &members));
    }
    // Neither waits for the other's block, nor for the refused one.
    process.until("both submitted", |_| world.chain.pending_extrinsics().len() == 2).await;
    world.author(1);
    world.until("KeyGen", |events| key_gen(events, eth).is_some()).await;

    // Once the chain has other keys for the set, there is nothing to try any more.
    let late = Event::SetKeys {
        set: btc,
        removed: Vec::new(),
        key_pair: key_pair([7; 32]),
        signature: SignatureBytes([2; 64]),
    };
    world.publish(&process, &late);
    let status = process
        .until("failed", |status| status.submissions.iter().any(|s| s.state == "failed"))
        .await;
    assert!(status.submissions[0].detail.contains("other keys"), "{status:#?}");
    process.stop().await;
}
