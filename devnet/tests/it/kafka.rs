//! The network over a real Apache Kafka, where `SERAI_TEST_KAFKA=HOST:PORT` names one: nothing sealed
//! shows on its topics, the program makes its vaults, and a broker that was away loses nothing.
//! `SERAI_TEST_KAFKA_CONTROL="SCRIPT DIR"` names what stops and starts it, `AWAY_SECONDS=180` for how long.
//! Topics carry the validators' names, so those of another network on that broker are emptied.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serai_devnet::cluster::{Cluster, Settings};
use serai_messages::Coin;
use tokio::sync::Mutex;

use crate::absent::{OUTBOX, from_environment};
use crate::gauges::{coordinator, processor};
use crate::purse::{Purse, paid_once};
use crate::raw_topics::assert_sealed;
use crate::setup::{Folder, Network, check, devnet, find, keys, nobody_accused, read, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

/// Seconds for which the broker is away, where `AWAY_SECONDS` does not say otherwise: longer than the
/// coordinator waits before it says so.
const SECONDS: u64 = 40;

/// Burns at each look while the broker is away.
const BURNS: u64 = 2;

/// One network at a time: they share the topics' names, and one of them stops the broker.
static BROKER: Mutex<()> = Mutex::const_new(());

fn broker() -> Option<String> {
    let address = std::env::var("SERAI_TEST_KAFKA").ok();
    if address.is_none() {
        eprintln!("not run over Kafka: SERAI_TEST_KAFKA names no broker");
    }
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_vaults_over_kafka() {
    let Some(address) = broker() else { return };
    let _alone = BROKER.lock().await;
    let mut settings = Settings::new(4, &[Coin::Btc]);
    settings.bus = format!("kafka={address}").parse().unwrap();
    assert_sealed(settings).await;

    let folder = Folder::new();
    let file = folder.path().join("report.json");
    let data = folder.path().join("data");
    let arguments =
        format!("--bus kafka={address} --fresh --until vaults --report {}", file.display());
    let output = devnet(&data, &arguments);
    assert!(output.status.success(), "{}", output.status);
    check(&read(&file), 4, &["btc", "eth", "xmr"]);
    assert!(!data.join("alice/bus.sqlite").exists(), "nothing went past Kafka");
}

/// Nobody's coordinator and processors reach each other, while the chains and the validators go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kafka_that_was_away_takes_all_that_waited() {
    let Some(address) = broker() else { return };
    let Ok(control) = std::env::var("SERAI_TEST_KAFKA_CONTROL") else {
        eprintln!("not run: SERAI_TEST_KAFKA_CONTROL does not say how the broker is stopped");
        return;
    };
    let _alone = BROKER.lock().await;
    let mut settings = Settings::new(4, &[COIN]);
    settings.bus = format!("kafka={address}").parse().unwrap();
    let network = Network::start(settings).await;
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 20 * PART).await;
    purse.minted(COIN, 19 * PART).await;
    let before = network.processors();

    // Some of these are being signed when it goes.
    let mut payees = purse.burn_many(COIN, PART / 100, 10).await;
    let stopped = Stopped::new(&control);
    let away = Duration::from_secs(from_environment("AWAY_SECONDS", SECONDS));
    let (begun, mut most, mut said) = (Instant::now(), 0, false);
    while begun.elapsed() < away || !said {
        purse.deposit(COIN, PART).await;
        payees.extend(purse.burn_many(COIN, PART / 100, BURNS).await);
        most = most.max(waiting(&network));
        said |= saying(&network).await == Some(network.layout().settings().validators.len());
        assert!(begun.elapsed() < away + Duration::from_secs(240), "not all say that it is away");
    }
    assert_eq!(stopped.start().trim(), address);
    let back = Instant::now();
    for payee in &payees {
        purse.paid(COIN, payee).await;
    }
    println!(
        "{} payments; {most} records waited at most in {:?} without Kafka; all paid {:?} after it",
        payees.len(),
        begun.elapsed() - back.elapsed(),
        back.elapsed()
    );
    assert!((8..=OUTBOX).contains(&most), "{most} records waited");
    assert_eq!(
        network.processors(),
        before,
        "a processor was restarted for the silence of the bus"
    );
    find("empty queues, and nothing said of the bus", || async {
        (waiting(&network) <= 8 && saying(&network).await == Some(0)).then_some(())
    })
    .await;
    paid_once(&network, COIN, &payees).await;
    nobody_accused(&network).await;
    network.stop().await;
}

/// Records in the outbox in which most wait.
fn waiting(network: &Cluster) -> u64 {
    let layout = network.layout();
    let each = layout.settings().validators.iter().map(|name| {
        let own = coordinator(&layout.data(name).join("state.sqlite")).outbox;
        own.max(processor(&layout.processor(name, COIN).join("state.sqlite")).outbox)
    });
    each.max().unwrap_or_default()
}

/// How many coordinators say that the bus is away; `None` where one does not answer.
async fn saying(network: &Cluster) -> Option<usize> {
    let mut saying = 0;
    for name in &network.layout().settings().validators {
        let status = network.ask(name, &["status"]).await.ok()?;
        saying += usize::from(status.to_string().contains("what is to be said waits"));
    }
    Some(saying)
}

/// The broker is stopped; it comes back in any case, for the other tests.
struct Stopped<'a> {
    control: &'a str,
}

impl<'a> Stopped<'a> {
    fn new(control: &'a str) -> Self {
        run(control, "stop");
        Self { control }
    }

    /// Starts it, and returns its address.
    fn start(self) -> String {
        run(self.control, "start")
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            run(self.control, "start");
        }
    }
}

fn run(control: &str, command: &str) -> String {
    let (script, folder) = control.split_once(' ').expect("SCRIPT DIR");
    // From the workspace's root, where a relative path of the script is meant.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(script).args([command, folder]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{script} {command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
