//! A validator's folder is gone. It comes back from its newest backup by the commands of
//! docs/operating.md, and the next payment cannot be signed without it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serai_devnet::cluster::{Cluster, Program, Settings};
use serai_messages::{Coin, Name};
use serde_json::Value;

use crate::purse::{Purse, paid_once};
use crate::setup::{Network, binaries, find, keys, name, nobody_accused, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_validator_signs_again() {
    destroyed_and_restored(Bus::Lost).await;
}

/// What was said on the bus after the backup is read again, and nothing is done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_validator_whose_bus_lives_signs_again() {
    destroyed_and_restored(Bus::Kept).await;
}

/// What became of the validator's part of the bus.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bus {
    Lost,
    Kept,
}

async fn destroyed_and_restored(bus: Bus) {
    let network = Network::start(Settings::new(4, &[COIN])).await;
    keys(&network, set(COIN, 0)).await;
    let (alice, dave) = (name("alice"), Program::Coordinator(name("dave")));
    let purse = Purse::new(&network);
    purse.deposit(COIN, 4 * PART).await;
    purse.minted(COIN, 3 * PART).await;
    let backup = backed_up(&network, &alice).await;
    let first = purse.burn(COIN, PART).await;
    purse.paid(COIN, &first).await;

    let kept = tempfile::tempdir().unwrap();
    let own = Program::Coordinator(alice.clone());
    network.hold(&own).await;
    destroy(&network, &alice, kept.path()).await;
    if bus == Bus::Kept {
        copy(&kept.path().join("bus"), &network.layout().validator(&alice));
    }
    network.hold(&dave).await;

    let begun = Instant::now();
    put_keys_back(&network, &alice, kept.path());
    let command: &[&str] = match bus {
        Bus::Lost => &["backup", "restore", "--bus-lost"],
        Bus::Kept => &["backup", "restore"],
    };
    let restored = network.ask(&alice, command).await.unwrap();
    assert_eq!(restored["backup"]["name"], backup["name"]);
    restore_vaults(&network, &alice, &restored);
    network.release(&own).await;
    let second = purse.burn(COIN, PART).await;
    purse.paid(COIN, &second).await;
    println!(
        "paid with the restored validator's share {:?} after its restore began",
        begun.elapsed()
    );

    let status = network.ask(&alice, &["status"]).await.unwrap();
    assert!(status["incarnation"].as_u64() > Some(1), "{status}");
    assert!(status["restored"]["block"].as_u64() > Some(0), "{status}");
    signed_by(&network, &alice).await;
    network.release(&dave).await;
    nobody_accused(&network).await;
    let third = purse.burn(COIN, PART / 2).await;
    purse.paid(COIN, &third).await;
    paid_once(&network, COIN, &[first, second, third]).await;
    network.stop().await;
}

/// The newest backup, once the vault is in it.
async fn backed_up(network: &Cluster, name: &Name) -> Value {
    find("a backup with the vault", || async {
        let list = network.ask(name, &["backup", "list"]).await.unwrap();
        let newest = list.get(0)?.clone();
        (newest["vaults"] == 1).then_some(newest)
    })
    .await
}

/// What an operator keeps elsewhere: keys, configuration, backups. All else is gone.
async fn destroy(network: &Cluster, name: &Name, kept: &Path) {
    find("the end of its processor", || async {
        network.processors().iter().all(|one| one.name != *name).then_some(())
    })
    .await;
    let layout = network.layout();
    let processor = layout.processor(name, COIN);
    for (from, to) in [
        (layout.keys(name), "keys"),
        (layout.config(name), "config"),
        (layout.validator(name).join("backup"), "backup"),
    ] {
        copy(&from, &kept.join(to));
    }
    std::fs::create_dir(kept.join("processor")).unwrap();
    for key in ["processor.key", "keystore.key"] {
        std::fs::copy(processor.join(key), kept.join("processor").join(key)).unwrap();
    }
    std::fs::create_dir(kept.join("bus")).unwrap();
    let bus = layout.bus(name);
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", bus.file_name().unwrap().to_str().unwrap());
        if bus.with_file_name(&file).exists() {
            std::fs::copy(bus.with_file_name(&file), kept.join("bus").join(&file)).unwrap();
        }
    }
    std::fs::remove_dir_all(layout.validator(name)).unwrap();
}

fn put_keys_back(network: &Cluster, name: &Name, kept: &Path) {
    let layout = network.layout();
    copy(&kept.join("keys"), &layout.keys(name));
    copy(&kept.join("config"), &layout.config(name));
    copy(&kept.join("backup"), &layout.validator(name).join("backup"));
    copy(&kept.join("processor"), &layout.processor(name, COIN));
}

/// Each vault into its processor's folder, by the processor's own command.
fn restore_vaults(network: &Cluster, name: &Name, restored: &Value) {
    let vaults = restored["vaults"].as_array().unwrap();
    assert_eq!(vaults.len(), 1, "{restored}");
    let mut command = Command::new(binaries().processor);
    command.args(["restore", "--name", name.as_str(), "--coin", COIN.name(), "--data"]);
    command.arg(network.layout().processor(name, COIN));
    command.args(vaults.iter().map(|vault| vault["path"].as_str().unwrap()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// By its processor's own record: a preprocess of its new life has signed.
async fn signed_by(network: &Cluster, name: &Name) {
    let signings = network.signings(name, COIN).await.unwrap();
    let used = signings["used_preprocesses"].as_array().unwrap();
    let payment = |one: &&Value| one.to_string().contains("/payment/");
    assert!(used.iter().filter(payment).count() >= 1, "{signings}");
}

fn copy(from: &Path, to: &PathBuf) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
