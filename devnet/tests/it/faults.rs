//! Seven validators, of whom five sign. Payments go on, one phase after the other, while two
//! processors hang, while two coordinators die in the middle of a signature, and while two processors
//! sign wrongly; those are named by every honest coordinator, and nobody else is.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serai_devnet::cluster::{Cluster, Program, Settings};
use serai_messages::{Coin, Name};
use serde_json::Value;

use crate::purse::Purse;
use crate::setup::{
    Network, binaries, faulty, find, keys, processor, report, sessions, set, signal,
};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_go_on_beside_faults() {
    let mut settings = Settings::new(7, &[COIN]);
    let mark = tempfile::tempdir().unwrap();
    let wrong = settings.validators[..2].to_vec();
    for name in &wrong {
        settings.odd_processors.insert(name.clone(), wrong_when_marked(&mark.path().join("on")));
    }
    let network = Network::start(settings).await;
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 20 * PART).await;
    purse.minted(COIN, 19 * PART).await;

    two_processors_hang(&network, &purse).await;
    two_coordinators_die(&network, &purse).await;

    std::fs::write(mark.path().join("on"), "").unwrap();
    for name in &wrong {
        assert!(network.kill_processor(name, COIN));
    }
    two_sign_wrongly(&network, &purse, &wrong).await;
    let report = report(&network).await;
    assert!(sessions(&report, "payment").len() >= 3);
    network.stop().await;
}

/// A processor that signs wrongly from its next start after a file is there.
fn wrong_when_marked(mark: &std::path::Path) -> Vec<String> {
    let script = format!(
        "if [ -e '{}' ]; then export SERAI_PROCESSOR_FAULT=bad-signature-share; exec '{}' \"$@\"; \
         fi; exec '{}' \"$@\"",
        mark.display(),
        faulty().processor.display(),
        binaries().processor.display()
    );
    ["/bin/sh", "-c", &script, "serai-processor"].map(str::to_owned).into()
}

async fn two_processors_hang(network: &Cluster, purse: &Purse<'_>) {
    let mut frozen = Vec::new();
    for held in &network.layout().settings().validators[2..4] {
        frozen.push(processor(network, held, COIN).await.pid);
    }
    frozen.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let to = purse.burn(COIN, PART).await;
    purse.paid(COIN, &to).await;
    for pid in frozen {
        // Its coordinator may have replaced it meanwhile.
        if network.processors().iter().any(|one| one.pid == pid) {
            signal(pid, Signal::CONT);
        }
    }
}

/// Three processors stand still so that the signature cannot be done when the coordinators die.
async fn two_coordinators_die(network: &Cluster, purse: &Purse<'_>) {
    let names = &network.layout().settings().validators;
    let mut frozen = Vec::new();
    for held in &names[4..7] {
        frozen.push(processor(network, held, COIN).await.pid);
    }
    frozen.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let known = open_payments(network, &names[0]).await.unwrap_or_default();
    let to = purse.burn(COIN, PART).await;
    find("the payment's signature, begun", || async {
        let open = open_payments(network, &names[0]).await?;
        (open.difference(&known).count() > 0).then_some(())
    })
    .await;
    for dead in &names[1..3] {
        network.kill(&Program::Coordinator(dead.clone())).await;
    }
    for pid in frozen {
        if network.processors().iter().any(|one| one.pid == pid) {
            signal(pid, Signal::CONT);
        }
    }
    purse.paid(COIN, &to).await;
}

/// Ids of payments that a coordinator knows of.
async fn open_payments(network: &Cluster, name: &Name) -> Option<BTreeSet<String>> {
    let sessions = network.ask(name, &["sessions"]).await.ok()?;
    let ids = sessions.as_array()?.iter().filter_map(|one| one["id"].as_str());
    Some(ids.filter(|id| id.contains("/payment/")).map(str::to_owned).collect())
}

async fn two_sign_wrongly(network: &Cluster, purse: &Purse<'_>, wrong: &[Name]) {
    let to = purse.burn(COIN, PART).await;
    purse.paid(COIN, &to).await;
    let key = |name: &Name| network.identity(name).unwrap().validator.to_string();
    let expected: BTreeSet<String> = wrong.iter().map(key).collect();
    // Whoever is not drawn for the payment is drawn for one of the batches.
    for honest in &network.layout().settings().validators {
        if wrong.contains(honest) {
            continue;
        }
        let named = find(&format!("both wrong signers, named by {honest}"), || async {
            let explained = network.ask(honest, &["explain"]).await.ok()?;
            let mut named = BTreeSet::new();
            accused(&explained, &mut named);
            (named.len() >= expected.len()).then_some(named)
        })
        .await;
        assert_eq!(named, expected, "as {honest} says");
    }
}

/// Whoever is accused anywhere in an answer.
fn accused(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| accused(value, found)),
        Value::Object(fields) => {
            found.extend(fields.get("accused").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| accused(value, found));
        }
        _ => {}
    }
}
