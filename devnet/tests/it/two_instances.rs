//! A second coordinator of the same name and keys on a new folder: it stops by itself, in one sentence,
//! before it has said anything, and the first one goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serai_devnet::cluster::{Cluster, Program, Settings};
use serai_messages::{Coin, Name};

use crate::purse::{Purse, history};
use crate::setup::{Network, binaries, find, keys, name, nobody_accused, set, signal};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

/// What the second one shares with the first, beside name and keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bus {
    Shared,
    OwnOne,
}

/// Starts another coordinator of `name` on new folders and waits for its end; returns what it said.
async fn second(network: &Cluster, name: &Name, folder: &Path, bus: Bus) -> String {
    let config = configuration(network, name, folder, bus);
    let log = folder.join("second.log");
    let file = std::fs::File::create(&log).unwrap();
    let mut child = Command::new(&binaries().coordinator)
        .arg("--config_dir")
        .arg(&config)
        .args(["--mode", "development", "--name", name.as_str()])
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let pid = child.id();
    let child = std::sync::Mutex::new(&mut child);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(90), async {
        find("the end of the second coordinator", || async {
            child.lock().unwrap().try_wait().unwrap()
        })
        .await
    })
    .await;
    let said = std::fs::read_to_string(&log).unwrap();
    let Ok(status) = ended else {
        signal(pid, Signal::KILL);
        panic!("it runs on: {said}");
    };
    assert_eq!(status.code(), Some(1), "{said}");
    said.lines().last().unwrap_or_default().to_owned()
}

/// The first one's configuration with folders and ports of its own.
fn configuration(network: &Cluster, name: &Name, folder: &Path, bus: Bus) -> PathBuf {
    let layout = network.layout();
    let text = std::fs::read_to_string(layout.config(name).join("development.toml")).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    let mut put = |section: &str, key: &str, value: toml::Value| {
        table[section].as_table_mut().unwrap().insert(key.to_owned(), value);
    };
    let path = |name: &str| toml::Value::from(folder.join(name).to_str().unwrap().to_owned());
    put("general", "data_dir", path("data"));
    put("general", "backup_dir", path("backup"));
    if bus == Bus::OwnOne {
        put("kafka", "embedded_path", path("bus.sqlite"));
    }
    put("http", "listen", "127.0.0.1:0".into());
    put("network", "listen", vec!["/ip4/127.0.0.1/tcp/0".to_owned()].into());
    let config = folder.join("config");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("development.toml"), toml::to_string(&table).unwrap()).unwrap();
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_on_a_new_folder_stops() {
    let network = Network::start(Settings::new(4, &[COIN])).await;
    keys(&network, set(COIN, 0)).await;
    let alice = name("alice");
    let purse = Purse::new(&network);
    purse.deposit(COIN, 4 * PART).await;
    purse.minted(COIN, 3 * PART).await;
    let first = network.pid(&Program::Coordinator(alice.clone()));
    for (bus, sentence) in [
        (Bus::Shared, "this data folder is new, but alice-serai holds"),
        (Bus::OwnOne, "has proof of incarnation"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let said = second(&network, &alice, folder.path(), bus).await;
        println!("{said}");
        assert!(said.contains(sentence), "{said}");
        // And again, at each further start.
        let again = second(&network, &alice, folder.path(), bus).await;
        assert!(again.contains(sentence), "{again}");
    }
    assert_eq!(
        network.pid(&Program::Coordinator(alice.clone())),
        first,
        "the first one was stopped"
    );
    // It is needed, and it signs.
    network.hold(&Program::Coordinator(name("dave"))).await;
    let to = purse.burn(COIN, PART).await;
    purse.paid(COIN, &to).await;
    network.release(&Program::Coordinator(name("dave"))).await;
    nobody_accused(&network).await;
    assert_eq!(history(&network, COIN).await.paying(&to.text).count(), 1);
    network.stop().await;
}
