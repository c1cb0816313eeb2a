//! A peer that is no validator is refused before any of its messages is read.

use std::time::Duration;

use libp2p::futures::StreamExt as _;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, SwarmBuilder, ping};
use serai_devnet::cluster::Settings;
use serai_messages::Coin;

use crate::setup::{Network, find, keys, name, set};

/// Dials and speaks until the other side ends it; returns whether anything was answered.
async fn knock(address: Multiaddr) -> bool {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            libp2p::tcp::Config::default(),
            libp2p::noise::Config::new,
            libp2p::yamux::Config::default,
        )
        .unwrap()
        .with_quic()
        .with_behaviour(|_| {
            ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(10)))
        })
        .unwrap()
        .build();
    swarm.dial(address).unwrap();
    let speak = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::OutgoingConnectionError { .. }
                | SwarmEvent::ConnectionClosed { .. } => {
                    return false;
                }
                SwarmEvent::Behaviour(ping::Event { result: Ok(_), .. }) => return true,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), speak).await.expect("it is refused")
}

fn strangers(status: &serde_json::Value) -> Option<u64> {
    status.pointer("/network/denied/strangers")?.as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused() {
    let network = Network::start(Settings::new(4, &[Coin::Btc])).await;
    let alice = name("alice");
    let status = || async { network.ask(&alice, &["status"]).await.ok() };
    // Until alice has read the validators from the chain, everyone is a stranger.
    let before = find("alice connected to the other three", || async {
        let status = status().await?;
        let proven = status.pointer("/network/proven")?.as_u64()?;
        (proven == 3).then(|| strangers(&status)).flatten()
    })
    .await;
    let port = network.layout().ports(&alice).unwrap().peers;
    let peer = &network.identity(&alice).unwrap().peer_id;
    for address in ["tcp/PORT", "udp/PORT/quic-v1"] {
        let address = address.replace("PORT", &port.to_string());
        let address = format!("/ip4/127.0.0.1/{address}/p2p/{peer}").parse().unwrap();
        assert!(!knock(address).await, "a stranger's ping was answered");
    }
    find("the two refusals, counted", || async {
        (strangers(&status().await?)? >= before + 2).then_some(())
    })
    .await;
    keys(&network, set(Coin::Btc, 0)).await;
    network.stop().await;
}
