//! One base unit that is missing in a vault is reported by every validator within two canonical
//! heights; before that nothing is, though fees were paid and payments were in flight.

use serai_bus::connect;
use serai_devnet::address;
use serai_devnet::cluster::{Cluster, Settings};
use serai_devnet::report::{PublicEvent, bus_settings, read_topic};
use serai_messages::{Coin, Name, Topic};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::purse::Purse;
use crate::setup::{Network, find, keys, report, set};

const COIN: Coin = Coin::Btc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_missing_unit_is_reported() {
    let network = Network::start(Settings::new(4, &[COIN])).await;
    let vault = keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    let external = network.external(COIN).unwrap();
    for round in 1..=3u64 {
        // A payment pays the fee of the block that was acknowledged last.
        external.set_fee(2 * round).await.unwrap();
        purse.deposit(COIN, 10_000_000).await;
        purse.minted(COIN, round * 8_000_000).await;
        let to = purse.burn(COIN, 2_000_000).await;
        purse.paid(COIN, &to).await;
    }
    let names = network.layout().settings().validators.clone();
    let before = report(&network).await;
    for name in &names {
        assert_eq!(short(&network, name).await, None, "{name}");
        assert!(!health(&network, name).await.contains("solven"), "{name}");
    }

    let mut seized_at = None;
    for address in address::all(COIN, &vault.external).unwrap() {
        if external.balance(&address).await.unwrap() > 0 {
            external.seize(&address, 1).await.unwrap();
            seized_at = Some(external.info().await.unwrap().height);
            break;
        }
    }
    let seized_at = seized_at.expect("the vault holds something");
    for name in &names {
        let event =
            find(&format!("the missing unit on {name}'s public topic"), || short(&network, name))
                .await;
        assert_eq!(event.text("missing"), Some("1"), "{event:?}");
        let batch = event.data["batch"].as_u64().unwrap();
        let second = after(&network, seized_at).await;
        assert!(batch <= second, "{name} says it at batch {batch}, not by {second}");
        find(&format!("{name}'s health says so"), || async {
            let health = health(&network, name).await;
            (health.contains("solvency/btc") && !health.starts_with("HTTP/1.1 200")).then_some(())
        })
        .await;
    }
    assert!(before["payments"].as_array().unwrap().len() >= 3);
    network.stop().await;
}

/// The event of a validator's public topic that says that a vault is short.
async fn short(network: &Cluster, name: &Name) -> Option<PublicEvent> {
    let bus = connect(&bus_settings(network.layout(), name), false).unwrap();
    let records = read_topic(bus.as_ref(), &Topic::Public.full_name(name)).await.unwrap();
    let mut events = records.iter().filter_map(|one| PublicEvent::of(one.record.as_ref().unwrap()));
    events.find(|event| event.kind == PublicEvent::SOLVENCY && event.text("state") == Some("short"))
}

/// The second batch that acknowledges a block after the one at `height`, with which the verdict must
/// change.
async fn after(network: &Cluster, height: u64) -> u64 {
    let history = crate::purse::history(network, COIN).await;
    let chain = network.chain().await.unwrap();
    let mut found = Vec::new();
    for block in 0..=chain.finalized().await.unwrap().0 {
        for money in chain.block(serai_messages::BlockNumber(block)).await.unwrap().money {
            if let serai_devnet::chain::MoneyEvent::Batch { id, external_block, .. } = money.event
                && history.height_of(external_block).is_some_and(|at| at > height)
            {
                found.push(u64::from(id));
            }
        }
    }
    *found.get(1).expect("two batches since")
}

/// What a coordinator's `/health` answers, as it comes.
async fn health(network: &Cluster, name: &Name) -> String {
    let port = network.layout().ports(name).unwrap().http;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
