//! Which node is believed.

use std::time::Duration;

use serai_coordinator::processes::core::status::Board;
use serai_coordinator::processes::observation::{Error, Profile, Status};
use serai_devchain::{Finality, RpcServer};
use serai_messages::observation::Event;
use serai_sr25519::Signer;
use serde_json::Value;

use super::proxy::Proxy;
use super::world::{World, chain};

/// A port on which nobody listens.
fn dead_endpoint() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ws://{}", listener.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_is_left_for_the_next() {
    let world = World::new().await;
    let server = world.serve().await;
    world.author(2);
    let process = world.observe(&[dead_endpoint(), server.url()]);
    let status = process.until_block(2).await;
    assert_eq!(status.endpoint, Some(server.url()));
    process.stop().await;

    let process = world.observe(&[dead_endpoint()]);
    let status = process.until("waiting", |status| status.waiting.is_some()).await;
    assert!(status.waiting.unwrap().contains("cannot connect"));
    assert_eq!(status.cursor.unwrap().number.0, 2);
    // Known from before, without a node.
    let genesis = process.mailbox.genesis().await.unwrap();
    assert_eq!(genesis.0, world.chain.genesis_hash().0);
    process.stop().await;
}

/// A node that answers and finalizes nothing, though the chain goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_endpoint_is_left_for_the_next() {
    let mut world = World::new().await;
    let server = world.serve().await;
    world.author(5);
    let folder = tempfile::tempdir().unwrap();
    let stalled = chain(folder.path(), &world.signers, Finality::Lag(0));
    let stalled = RpcServer::start(stalled, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let settings = |world: &World, endpoints: &[String]| {
        let mut settings = world.settings(endpoints, Profile::Development);
        settings.silence = Duration::from_millis(20);
        settings.stall = Duration::from_millis(100);
        settings
    };
    let process = world.run(settings(&world, &[stalled.url(), server.url()]));
    // Only the other one has it.
    process.until_block(5).await;
    process.stop().await;

    // Where there is no other one it is waited for, and the operator is told.
    world.board = Board::default();
    let process = world.run(settings(&world, &[server.url()]));
    let told = || world.board.to_json().to_string().contains("has finalized no block after 5");
    process.until("told of a node that stands still", |_| told()).await;
    world.author(1);
    process.until_block(6).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_is_refused_in_words() {
    let world = World::new().await;
    let server = world.serve().await;
    world.author(3);
    let process = world.observe(&[server.url()]);
    process.until_block(3).await;
    let third =
        |event: &Event| matches!(event, Event::SeraiFinalized { block } if block.number.0 == 3);
    let before = world.until("block 3", |events| events.iter().any(third)).await;
    process.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let others: Vec<_> = [9, 10].map(|seed| Signer::from_seed(&[seed; 32]).unwrap()).into();
    let other = chain(folder.path(), &others, Finality::Lag(0));
    let wrong = RpcServer::start(other, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = world.observe(&[wrong.url()]).ended().await;
    assert!(matches!(error, Error::OtherChain { .. }), "{error}");
    let sentence = error.to_string();
    for part in ["another chain", "genesis block is", "data_dir"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(world.events().await, before);

    // With the right one beside it, the wrong one is passed over.
    world.author(1);
    let process = world.observe(&[wrong.url(), server.url()]);
    process.until_block(4).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_genesis_without_the_cursor_is_refused() {
    let world = World::new().await;
    let server = world.serve().await;
    world.author(3);
    let process = world.observe(&[server.url()]);
    process.until_block(3).await;
    process.stop().await;

    // The chain began again: the same block 0, other blocks after it.
    let folder = tempfile::tempdir().unwrap();
    let again = chain(folder.path(), &world.signers, Finality::Lag(0));
    let fork = RpcServer::start(again.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let process = world.observe(&[fork.url()]);
    let behind =
        |s: &Status| s.waiting.as_ref().is_some_and(|waiting| waiting.contains("behind block 3"));
    process.until("waiting for the node", behind).await;
    while again.progress().finalized < 3 {
        again.author(Vec::new()).unwrap();
    }
    if again.block_hash(Some(3)) == world.chain.block_hash(Some(3)) {
        panic!("the fork is the same chain");
    }
    let error = process.ended().await;
    assert!(error.to_string().contains("block 3 is"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_do_not_decode_stop_the_cursor() {
    let world = World::new().await;
    let server = world.serve().await;
    world.author(4);
    // Of block 3 the node gives an event of a pallet that there isn't.
    let bad = world.chain.block_hash(Some(3)).unwrap();
    let bad = format!("{bad:?}");
    let proxy = Proxy::tampering(&server.url(), move |method, params, answer| {
        if method.starts_with("state_")
            && method != "state_call"
            && params.to_string().contains(&bad)
        {
            tamper(answer);
        }
    })
    .await;
    let process = world.observe(&[proxy.url()]);
    let stuck = |status: &Status| {
        status.waiting.as_ref().is_some_and(|waiting| waiting.contains("block 3: event #0"))
    };
    let status = process.until("stuck before block 3", stuck).await;
    assert_eq!(status.cursor.unwrap().number.0, 2);
    process.stop().await;
    let process = world.observe(&[server.url()]);
    process.until_block(4).await;
    process.stop().await;
}

/// One event, of pallet 255.
fn tamper(answer: &mut Value) {
    *answer = Value::String("0x0400000000ff0000".to_owned());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_another_block_is_refused() {
    let world = World::new().await;
    let server = world.serve().await;
    world.author(2);
    let proxy = Proxy::tampering(&server.url(), |method, _, answer| {
        if method == "chain_getHeader" && answer["number"] == "0x2" {
            answer["stateRoot"] = answer["parentHash"].clone();
        }
    })
    .await;
    let process = world.observe(&[proxy.url()]);
    let refused = |status: &Status| {
        status.waiting.as_ref().is_some_and(|waiting| waiting.contains("it hashes to"))
    };
    let status = process.until("refused", refused).await;
    assert_eq!(status.cursor.unwrap().number.0, 1);
    process.stop().await;
}
