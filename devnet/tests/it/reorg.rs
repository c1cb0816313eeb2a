//! External blocks that are replaced before they are final change nothing on Serai, and a payment that
//! is dropped with them is published again.

use serai_bus::connect;
use serai_devnet::cluster::{Cluster, Settings};
use serai_devnet::external::{External, Status};
use serai_devnet::report::{bus_settings, read_topic};
use serai_messages::{Coin, Topic};
use serde_json::Value;

use crate::purse::{Purse, history};
use crate::setup::{Network, find, keys, name, report, set};

const COIN: Coin = Coin::Btc;
const LOST: u64 = 7_000_000;
const KEPT: u64 = 20_000_000;
/// What is withheld from a deposit for collecting it.
const COST: u64 = 1_600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_final_does_not_count() {
    let network = Network::start(Settings::new(4, &[COIN])).await;
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    let external = network.external(COIN).unwrap();

    // A deposit that is forgotten with its block, and one that goes to another block.
    external.pause().await.unwrap();
    let lost = purse.deposit(COIN, LOST).await;
    external.mine(1).await.unwrap();
    assert!(matches!(status(&external, lost).await, Status::Included { finalized: false, .. }));
    external.reorg(1, true).await.unwrap();
    assert_eq!(status(&external, lost).await, Status::Unknown);
    let kept = purse.deposit(COIN, KEPT).await;
    external.mine(2).await.unwrap();
    external.reorg(2, false).await.unwrap();
    external.resume().await.unwrap();
    purse.minted(COIN, KEPT - COST).await;
    assert!(matches!(status(&external, kept).await, Status::Included { finalized: true, .. }));

    payment_dropped(&network, &purse, &external).await;

    assert_eq!(status(&external, lost).await, Status::Unknown);
    let report = report(&network).await;
    assert_eq!(report["balances"][0]["minted"], KEPT - COST, "{}", report["balances"]);
    network.stop().await;
}

async fn payment_dropped(network: &Cluster, purse: &Purse<'_>, external: &External) {
    external.pause().await.unwrap();
    let to = purse.burn(COIN, KEPT / 4).await;
    let hash = published(network).await;
    find("the payment in the pool", || async {
        (status(external, hash).await == Status::Pending).then_some(())
    })
    .await;
    external.mine(1).await.unwrap();
    assert!(matches!(status(external, hash).await, Status::Included { finalized: false, .. }));
    external.reorg(1, true).await.unwrap();
    find("the payment, published again", || async {
        (status(external, hash).await != Status::Unknown).then_some(())
    })
    .await;
    external.resume().await.unwrap();
    let found = purse.paid(COIN, &to).await;
    assert_eq!(found.transfer.hash, hash, "the same transaction");
    assert_eq!(history(network, COIN).await.paying(&to.text).count(), 1);
}

async fn status(external: &External, hash: [u8; 32]) -> Status {
    external.transaction(hash).await.unwrap()
}

/// The hash of the payment that alice's public topic says was published.
async fn published(network: &Cluster) -> [u8; 32] {
    let alice = name("alice");
    let bus = connect(&bus_settings(network.layout(), &alice), false).unwrap();
    let topic = Topic::Public.full_name(&alice);
    find("a published payment on alice's public topic", || async {
        let records = read_topic(bus.as_ref(), &topic).await.ok()?;
        let mut records = records.into_iter().filter_map(|delivered| delivered.record.ok());
        let record = records.find(|record| record.kind == "serai.payment.published")?;
        let event: Value = serde_json::from_slice(&record.body).unwrap();
        let mut hash = [0; 32];
        hex::decode_to_slice(event["data"]["transaction"].as_str().unwrap(), &mut hash).unwrap();
        Some(hash)
    })
    .await
}
