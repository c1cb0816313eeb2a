//! Every block once, whatever happened meanwhile.

use serai_bus::exchange;
use serai_coordinator::processes::observation::{Profile, Settings, Status};
use serai_devchain::Finality;
use serai_devchain::runtime::Runtime;
use serai_devchain::runtime::types::NetworkId;
use serai_devchain::runtime::validator_sets::Participants;
use serai_messages::observation::Event;
use serai_messages::{Coin, Incarnation, Session, ValidatorSet};

use serai_sr25519::Signer;

use super::proxy::Proxy;
use super::world::{DEADLINE, TOPIC, World, address};

/// Blocks counted by an event that each of them has: that of its timestamp.
const EACH_BLOCK: &str = "System.ExtrinsicSuccess";

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_neither_gap_nor_repeat() {
    let world = World::new().await;
    let server = world.serve().await;
    world.author(5);
    let process = world.observe(&[server.url()]);
    let status = process.until_block(5).await;
    assert_eq!(status.events.get(EACH_BLOCK), Some(&5));
    process.stop().await;

    world.author(40);
    let process = world.observe(&[server.url()]);
    let status = process.until_block(45).await;
    assert_eq!(status.events.get(EACH_BLOCK), Some(&40));
    for number in 46..49 {
        world.author(1);
        process.until_block(number).await;
    }
    let last = |events: &[Event]| matches!(events.last(), Some(Event::SeraiFinalized { block }) if block.number.0 == 48);
    let events = world.until("block 48", last).await;
    let announced = world.announced().await;
    assert!(announced.is_sorted_by(|a, b| a < b), "{announced:?}");
    assert!(announced.ends_with(&[45, 46, 47, 48]), "{announced:?}");
    let new_sets = events.iter().filter(|event| matches!(event, Event::NewSet { .. })).count();
    assert_eq!(new_sets, 3, "{events:#?}");
    process.stop().await;
}

/// The coordinator was down for long: each block is read once, and neither the topic nor its readers get
/// a record for each.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_absence_is_made_up_for_without_a_flood() {
    let blocks = 10_000;
    let world = World::new().await;
    let server = world.serve().await;
    world.author(1);
    let process = world.observe(&[server.url()]);
    process.until_block(1).await;
    process.stop().await;
    world.author(blocks);
    let process = world.observe(&[server.url()]);
    let reached = |status: &Status| status.cursor.is_some_and(|c| c.number.0 == blocks + 1);
    let status = process.until_for(10 * DEADLINE, "at the head", reached).await;
    assert_eq!(status.events.get(EACH_BLOCK), Some(&blocks));
    let last = |events: &[Event]| matches!(events.last(), Some(Event::SeraiFinalized { block }) if block.number.0 == blocks + 1);
    let events = world.until("the head", last).await;
    // One for each commit, and those of block 0.
    let most = 20 + blocks / 32;
    assert!((events.len() as u64) < most, "{} records of {blocks} empty blocks", events.len());
    process.stop().await;
}

/// The bus is away: what waits for it does not grow with the chain, and comes when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_not_read_on_while_the_bus_takes_nothing() {
    const ROOM: u64 = 8;
    let mut world = World::new().await;
    let server = world.serve().await;
    let settings = |world: &World| {
        let mut settings = world.settings(&[server.url()], Profile::Development);
        settings.room = ROOM;
        settings
    };
    world.bus_away = true;
    let process = world.run(settings(&world));
    let waits = || world.board.to_json().to_string().contains("records wait for alice-serai");
    // Each block is read by itself, and has a record.
    for number in 1..=3 * ROOM {
        world.author(1);
        let look = |status: &Status| status.cursor.is_some_and(|c| c.number.0 >= number) || waits();
        process.until("a block read, or held back", look).await;
    }
    let waiting = world.database.read(|c| exchange::waiting(c, TOPIC)).unwrap();
    let most = ROOM + 8;
    assert!((ROOM..most).contains(&waiting), "{waiting} records wait");
    process.stop().await;

    world.bus_away = false;
    let process = world.run(settings(&world));
    process.until_block(3 * ROOM).await;
    let last = |events: &[Event]| matches!(events.last(), Some(Event::SeraiFinalized { block }) if block.number.0 == 3 * ROOM);
    let events = world.until("the newest block", last).await;
    let new_sets = events.iter().filter(|event| matches!(event, Event::NewSet { .. })).count();
    assert_eq!(new_sets, 3, "{events:#?}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_block_zero_have_members_in_storage_order() {
    let mut world = World::new().await;
    world.chains = vec![Coin::Btc, Coin::Xmr];
    let server = world.serve().await;
    for profile in [Profile::Development, Profile::Serai] {
        // Both read the development chain: they differ in what they submit.
        let process = world.observe_as(&[server.url()], profile);
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let stored = world
            .chain
            .query(None, || Participants::<Runtime>::get(NetworkId::Bitcoin).unwrap())
            .unwrap();
        let stored: Vec<[u8; 32]> = stored.into_iter().map(|(key, _)| key.into()).collect();
        let members = process.mailbox.set_members(set).await.unwrap();
        let read: Vec<_> = members.iter().map(|member| member.validator.0).collect();
        assert_eq!(read, stored);
        for member in &members {
            let own = |signer: &Signer| signer.public() == member.validator.0;
            let number = 1 + world.signers.iter().position(own).unwrap();
            assert_eq!(member.addresses, [address(number)]);
        }
        let events = world.until("both sets", |events| events.len() >= 3).await;
        let mut coins = Vec::new();
        for event in &events {
            let Event::NewSet { set, members, block } = event else { continue };
            assert_eq!(block.number.0, 0);
            assert_eq!(*members, process.mailbox.set_members(*set).await.unwrap());
            coins.push(set.coin);
        }
        assert_eq!(coins, [Coin::Btc, Coin::Xmr]);
        assert!(matches!(events.last(), Some(Event::SeraiFinalized { .. })), "{events:#?}");
        let genesis = process.mailbox.genesis().await.unwrap();
        assert_eq!(genesis.0, world.chain.genesis_hash().0);
        process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_is_followed_from_the_cursor() {
    let world = World::new().await;
    let server = world.serve().await;
    let url = server.url();
    let address = server.address();
    world.author(2);
    let process = world.observe(std::slice::from_ref(&url));
    process.until_block(2).await;
    server.stop().await;
    let waiting = process.until("waiting", |s| !s.connected && s.waiting.is_some()).await;
    assert!(waiting.waiting.unwrap().starts_with(&url));
    world.author(7);
    let server = serai_devchain::RpcServer::start(world.chain.clone(), address).await.unwrap();
    let status = process.until_block(9).await;
    assert_eq!(status.events.get(EACH_BLOCK), Some(&9));
    process.until("connected", |status| status.connected && status.waiting.is_none()).await;
    process.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_subscription_is_replaced_by_asking() {
    let world = World::new().await;
    let server = world.serve().await;
    let proxy = Proxy::start(&server.url()).await;
    let endpoints = vec![proxy.url()];
    let chains = Coin::ALL.to_vec();
    let mut settings = Settings::new(endpoints, Profile::Development, chains, Incarnation(1));
    settings.silence = std::time::Duration::from_millis(50);
    let process = world.run(settings);
    process.until_block(0).await;
    world.author(3);
    process.until_block(3).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_finalized_blocks_count() {
    let world = World::with(Finality::ByHand, 4).await;
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    world.author(6);
    world.chain.finalize(4).unwrap();
    process.until_block(4).await;
    world.author(1);
    world.chain.finalize(5).unwrap();
    let status = process.until_block(5).await;
    assert_eq!(status.events.get(EACH_BLOCK), Some(&5));
    process.stop().await;
}
