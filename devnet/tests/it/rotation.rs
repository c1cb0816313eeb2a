//! A second set with one member replaced: its keys are made while the first set's vault is in use; its
//! first batch hands over; the funds move; what still comes to the old address is credited; the slash
//! report ends the old set.

use std::collections::BTreeSet;

use serai_devnet::address;
use serai_devnet::chain::SetEvent;
use serai_devnet::cluster::{Cluster, Settings};
use serai_devnet::follower::Follower;
use serai_messages::{Coin, ValidatorSet};
use subxt::rpcs::{RpcClient, rpc_params};
use tokio::sync::Mutex;

use crate::purse::Purse;
use crate::setup::{Network, find, keys, name, report, sessions, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 10_000_000;
/// What is withheld from a deposit for collecting it.
const COST: u64 = 1_600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_is_replaced() {
    let settings = Settings { set_size: 4, ..Settings::new(5, &[COIN]) };
    let network = Network::start(settings).await;
    let (first, second) = (set(COIN, 0), set(COIN, 1));
    let first_keys = keys(&network, first).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 2 * PART).await;
    purse.minted(COIN, 2 * PART - COST).await;

    let members = ["alice", "bob", "charlie", "eve"]
        .map(|one| network.identity(&name(one)).unwrap().validator.to_string());
    let rpc = RpcClient::from_insecure_url(network.layout().rpc_url()).await.unwrap();
    let _: serde_json::Value =
        rpc.request("dev_rotate", rpc_params!["Bitcoin", members]).await.unwrap();
    let second_keys = keys(&network, second).await;
    assert_ne!(second_keys, first_keys);

    let external = network.external(COIN).unwrap();
    let old = address::all(COIN, &first_keys.external).unwrap();
    let new = address::all(COIN, &second_keys.external).unwrap();
    happened(&network, second, &SetEvent::Handover).await;
    // Whoever has the old address only.
    purse.deposit_to(COIN, &old[0], PART).await;
    purse.minted(COIN, 3 * PART - 2 * COST).await;
    find("the funds at the new vault", || async {
        let mut left = 0;
        for address in &old {
            left += external.balance(address).await.ok()?;
        }
        (left == 0).then_some(())
    })
    .await;

    let to = purse.burn(COIN, PART).await;
    let paid = purse.paid(COIN, &to).await;
    assert!(paid.spent.iter().all(|one| new.contains(&one.address)), "{:?}", paid.spent);

    // The old set stays until long after its hand-over.
    external.mine(30).await.unwrap();
    happened(&network, first, &SetEvent::Retired).await;

    let report = report(&network).await;
    let party = |index: usize| {
        let keygens = sessions(&report, "keygen");
        let party = keygens[index]["party"].as_array().unwrap().iter();
        party.map(|one| one.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let names = |names: [&str; 4]| names.map(str::to_owned).into();
    assert_eq!(party(0), names(["alice", "bob", "charlie", "dave"]));
    assert_eq!(party(1), names(["alice", "bob", "charlie", "eve"]));
    let signers: Vec<u64> = report["batches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|batch| batch["session"].as_u64().unwrap())
        .collect();
    assert!(signers.is_sorted() && signers.first() == Some(&0) && signers.last() == Some(&1));
    let balance = &report["balances"][0];
    let recovered = report["payments"][0]["transaction"]["recovered"].as_i64().unwrap();
    let costs = balance["costs"].as_i64().unwrap();
    assert!(costs + recovered > 0, "forwarding costs: {balance}");
    assert_eq!(balance["retained"], 2 * COST, "{balance}");

    for member in ["alice", "bob", "charlie"] {
        find(&format!("the new vault in use and the old one not, at {member}"), || async {
            let vaults = network.ask(&name(member), &["vaults"]).await.ok()?;
            let states: Vec<_> =
                vaults.as_array()?.iter().map(|one| one["state"].as_str().unwrap_or("")).collect();
            let [old, new] = states.as_slice() else { return None };
            (*old == "retired" && *new == "in use").then_some(())
        })
        .await;
    }
    network.stop().await;
}

/// Waits until something has happened to a set.
async fn happened(network: &Cluster, set: ValidatorSet, what: &SetEvent) {
    let follower = Mutex::new(Follower::new(network.layout().rpc_url()));
    find(&format!("{what:?} of {set}"), || async {
        assert_eq!(network.failure(), None);
        let events = follower.lock().await.poll().await.ok()?;
        events.iter().any(|event| event.set == set && event.event == *what).then_some(())
    })
    .await;
}
