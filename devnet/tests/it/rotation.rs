//! A second set with one member replaced: its keys are made and confirmed while the first set's
//! vault stays the one in use.

use serai_devnet::cluster::Settings;
use serai_messages::Coin;
use subxt::rpcs::{RpcClient, rpc_params};

use crate::setup::{Network, find, keys, name, report, set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_is_replaced() {
    let settings = Settings { set_size: 4, ..Settings::new(5, &[Coin::Btc]) };
    let network = Network::start(settings).await;
    let (first, second) = (set(Coin::Btc, 0), set(Coin::Btc, 1));
    let first_keys = keys(&network, first).await;

    let members = ["alice", "bob", "charlie", "eve"]
        .map(|one| network.identity(&name(one)).unwrap().validator.to_string());
    let rpc = RpcClient::from_insecure_url(network.layout().rpc_url()).await.unwrap();
    let _: serde_json::Value =
        rpc.request("dev_rotate", rpc_params!["Bitcoin", members]).await.unwrap();

    let second_keys = keys(&network, second).await;
    assert_ne!(second_keys, first_keys);
    let chain = network.chain().await.unwrap();
    assert_eq!(chain.keys(first).await.unwrap(), Some(first_keys), "the first keys stay");

    let report = report(&network).await;
    let sessions = report["sessions"].as_array().unwrap();
    let party = |index: usize| {
        let party = sessions[index]["party"].as_array().unwrap().iter();
        let mut party: Vec<&str> = party.map(|one| one.as_str().unwrap()).collect();
        party.sort_unstable();
        party
    };
    assert_eq!(party(0), ["alice", "bob", "charlie", "dave"]);
    assert_eq!(party(1), ["alice", "bob", "charlie", "eve"]);

    for member in ["alice", "bob", "charlie"] {
        let states = find(&format!("both vaults at {member}"), || async {
            let vaults = network.ask(&name(member), &["vaults"]).await.ok()?;
            let vaults = vaults.as_array()?.clone();
            (vaults.len() == 2)
                .then(|| vaults.iter().map(|one| one["state"].clone()).collect::<Vec<_>>())
        })
        .await;
        assert_eq!(states, ["in use", "confirmed"], "{member}");
    }
    network.stop().await;
}
