//! A set follows another one: what is published, and what becomes of a late submission.

use serai_coordinator::processes::observation::Status;
use serai_devchain::runtime::types::NetworkId;
use serai_devchain::runtime::validator_sets::Rotation;
use serai_messages::observation::Event;
use serai_messages::{Coin, Session, SignatureBytes, ValidatorSet};
use serai_sr25519::Signer;

use super::instructions::batch;
use super::submission::{key_pair, members, signed};
use super::world::{Running, World};

pub fn btc(session: u32) -> ValidatorSet {
    ValidatorSet { coin: Coin::Btc, session: Session(session) }
}

/// Gives a set the keys of `vault`.
pub async fn give_keys(world: &World, process: &Running, set: ValidatorSet, vault: &Signer) {
    let members = members(process, set).await;
    world.publish(process, &signed(world, set, key_pair(vault.public()), &members));
    process.until("submitted", |_| !world.chain.pending_extrinsics().is_empty()).await;
    world.author(1);
    process.until("settled", |status| status.submissions.is_empty()).await;
    process.until_block(world.chain.progress().finalized).await;
}

/// A batch in a block of its own.
pub fn execute(world: &World, vault: &Signer, id: u32) {
    let authored = world.chain.author(vec![batch(vault, id, [3; 32], 1)]).unwrap();
    for result in authored.results {
        result.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_is_published_in_the_order_of_the_chain() {
    let mut world = World::new().await;
    world.chains = vec![Coin::Btc];
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vaults = [70, 71].map(|seed| Signer::from_seed(&[seed; 32]).unwrap());
    give_keys(&world, &process, btc(0), &vaults[0]).await;
    execute(&world, &vaults[0], 0);
    world.chain.rotate(Rotation { network: NetworkId::Bitcoin, participants: None }).unwrap();
    world.author(1);
    process.until_block(world.chain.progress().finalized).await;
    give_keys(&world, &process, btc(1), &vaults[1]).await;
    execute(&world, &vaults[1], 1);
    process.until_block(world.chain.progress().finalized).await;

    let handed_over =
        |event: &Event| matches!(event, Event::AcceptedHandover { set, .. } if *set == btc(1));
    let events = world.until("hand-over", |events| events.iter().any(handed_over)).await;
    let words: Vec<_> = events
        .iter()
        .filter(|event| !matches!(event, Event::SeraiFinalized { .. } | Event::SetKeys { .. }))
        .map(Event::intent)
        .collect();
    assert_eq!(
        words,
        [
            "serai/new-set/btc-0",
            "serai/key-gen/btc-0",
            "txin/btc/0",
            "serai/new-set/btc-1",
            "serai/key-gen/btc-1",
            "serai/handover/btc-1",
            "txin/btc/1",
        ]
    );
    let old = process.mailbox.set_members(btc(0)).await.unwrap_err();
    assert!(old.to_string().contains("the chain is at session 1"), "{old}");

    // The chain has forgotten the keys of set 0, but they were there: a success, and other keys a
    // failure for good.
    assert_eq!(process.mailbox.keys_of(btc(0)).await.unwrap(), None);
    for vault in &vaults {
        let key_pair = key_pair(vault.public());
        let signature = SignatureBytes(vault.public().repeat(2).try_into().unwrap());
        let event = Event::SetKeys { set: btc(0), removed: Vec::new(), key_pair, signature };
        world.publish(&process, &event);
    }
    let one_failed =
        |s: &Status| s.submissions.len() == 1 && s.submissions.iter().all(|s| s.state == "failed");
    process.until("started", |status| !status.submissions.is_empty()).await;
    let status = process.until("one settled, one failed", one_failed).await;
    assert!(status.submissions[0].detail.contains("other keys"), "{status:#?}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coin_enabled_later_is_told_from_block_zero() {
    let mut world = World::new().await;
    world.chains = vec![Coin::Eth];
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vault = Signer::from_seed(&[70; 32]).unwrap();
    let eth = ValidatorSet { coin: Coin::Eth, session: Session(0) };
    give_keys(&world, &process, eth, &vault).await;
    process.stop().await;
    let told = |events: &[Event]| -> Vec<String> {
        let of_sets = |event: &&Event| matches!(event, Event::NewSet { .. } | Event::KeyGen { .. });
        events.iter().filter(of_sets).map(Event::intent).collect()
    };
    let eth_alone = ["serai/new-set/eth-0", "serai/key-gen/eth-0"];
    // Bitcoin and Ethereum; then Bitcoin is left out while its keys come; then it is back.
    world.chains = vec![Coin::Btc, Coin::Eth];
    let process = world.observe(&[server.url()]);
    let and_btc = [&eth_alone[..], &["serai/new-set/btc-0"]].concat();
    world.until("Bitcoin's set", |events| told(events) == and_btc).await;
    process.stop().await;
    world.chains = vec![Coin::Eth];
    let process = world.observe(&[server.url()]);
    give_keys(&world, &process, btc(0), &vault).await;
    process.stop().await;
    world.chains = vec![Coin::Btc, Coin::Eth];
    let process = world.observe(&[server.url()]);
    let with_keys = [&and_btc[..], &["serai/key-gen/btc-0"]].concat();
    world.until("Bitcoin's keys", |events| told(events) == with_keys).await;
    process.stop().await;
}
