//! What the scenarios share: networks in folders of their own, the program itself, and waiting.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serai_devnet::binaries::{Binaries, Faulty};
use serai_devnet::cluster::{BusChoice, Cluster, Layout, Processor, Settings};
use serai_devnet::report::Reader;
use serai_messages::{Coin, KeyPair, Name, Session, ValidatorSet};
use serde_json::Value;

/// Time for anything that is waited for; far more than it takes on two busy cores.
pub const DEADLINE: Duration = Duration::from_secs(240);

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Block time of the tests' chains.
pub const BLOCK_MS: u64 = 300;

/// The programs, built once.
pub fn binaries() -> Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| Binaries::ready().expect("the programs")).clone()
}

/// Programs that misbehave on demand, built once.
pub fn faulty() -> Faulty {
    static FAULTY: OnceLock<Faulty> = OnceLock::new();
    binaries();
    FAULTY.get_or_init(|| Binaries::faulty().expect("the misbehaving programs")).clone()
}

/// A folder that stays when the test fails.
pub struct Folder(Option<tempfile::TempDir>);

impl Folder {
    pub fn new() -> Self {
        Self(Some(tempfile::tempdir().unwrap()))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let folder = self.0.take().unwrap();
        if std::thread::panicking() {
            eprintln!("the network's files stay in {}", folder.keep().display());
        }
    }
}

/// A running network. Its programs end when it is dropped.
pub struct Network {
    cluster: Option<Cluster>,
    folder: Folder,
}

impl Network {
    pub async fn start(settings: Settings) -> Self {
        Self::start_with(settings.with_block_ms(BLOCK_MS), |_| {}).await
    }

    /// With the settings as they are, once the folder is prepared.
    pub async fn start_with(settings: Settings, prepare: impl FnOnce(&Layout)) -> Self {
        let folder = Folder::new();
        // A broker may hold the topics of an earlier network.
        let fresh = settings.bus != BusChoice::Embedded;
        let layout = Layout::open(folder.path(), fresh, settings).unwrap();
        prepare(&layout);
        let cluster = Cluster::start(layout, binaries()).await.unwrap();
        Self { cluster: Some(cluster), folder }
    }

    pub async fn stop(self) {
        self.halt().await;
    }

    /// Stops it and returns its files.
    pub async fn halt(mut self) -> Folder {
        self.cluster.take().unwrap().stop().await;
        self.folder
    }
}

impl Deref for Network {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn set(coin: Coin, session: u32) -> ValidatorSet {
    ValidatorSet { coin, session: Session(session) }
}

/// Waits until `look` finds something; `what` says what is missing when it never does.
pub async fn find<T, F: Future<Output = Option<T>>>(what: &str, look: impl FnMut() -> F) -> T {
    find_for(DEADLINE, what, look).await
}

pub async fn find_for<T, F: Future<Output = Option<T>>>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// The keys of a set, once they are on the chain.
pub async fn keys(network: &Cluster, set: ValidatorSet) -> KeyPair {
    find(&format!("keys of {set} on the chain"), || async {
        assert_eq!(network.failure(), None);
        network.chain().await.ok()?.keys(set).await.ok()?
    })
    .await
}

/// A session as a coordinator tells it; `None` where it does not know it or does not answer.
pub async fn session(network: &Cluster, name: &Name, set: ValidatorSet) -> Option<Value> {
    let sessions = network.ask(name, &["sessions"]).await.ok()?;
    let id = format!("keygen/{set}");
    sessions.as_array()?.iter().find(|session| session["id"] == id.as_str()).cloned()
}

/// Waits until a coordinator has come to one of `stages`, and returns it.
pub async fn stage(network: &Cluster, name: &Name, set: ValidatorSet, stages: &[&str]) -> String {
    find(&format!("{name} at one of {stages:?} of {set}"), || async {
        let session = session(network, name, set).await?;
        let stage = session["stage"].as_str()?;
        stages.contains(&stage).then(|| stage.to_owned())
    })
    .await
}

/// The report, once it is complete.
pub async fn report(network: &Cluster) -> Value {
    let reader = tokio::sync::Mutex::new(Reader::default());
    let report = find("a complete report", || async {
        match reader.lock().await.report(network).await {
            Ok(report) => Some(report),
            Err(error) if error.may_still_come() => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
    serde_json::to_value(report).unwrap()
}

/// Waits for the vault of a network in which `culprit` misbehaves in the first attempt, and checks
/// that the vault is of the second, made without the culprit, and that every other coordinator names
/// the culprit alone, with one of `kinds` and the evidence.
pub async fn named_by_all(network: &Cluster, culprit: &str, kinds: &[&str]) {
    keys(network, set(Coin::Btc, 0)).await;
    let report = report(network).await;
    let session = &report["sessions"][0];
    assert_eq!(session["removed"], serde_json::json!([culprit]), "{session}");
    assert_eq!(session["attempts"], 2, "{session}");

    let key = network.identity(&name(culprit)).unwrap().validator.to_string();
    for honest in
        network.layout().settings().validators.iter().filter(|one| one.as_str() != culprit)
    {
        let explained = network.ask(honest, &["explain", "keygen/btc-0"]).await.unwrap();
        let faults = explained.pointer("/0/faults").and_then(Value::as_array).unwrap();
        assert!(faults.iter().all(|fault| fault["accused"] == key.as_str()), "{explained}");
        let named = faults.iter().find(|fault| kinds.contains(&fault["kind"].as_str().unwrap()));
        let named = named.unwrap_or_else(|| panic!("{honest} names no {kinds:?}: {explained}"));
        assert_eq!(named["attempt"], 0, "{named}");
        assert!(!named["evidence"].as_array().unwrap().is_empty(), "{named}");
    }
}

/// That no coordinator names anybody.
pub async fn nobody_accused(network: &Cluster) {
    for name in &network.layout().settings().validators {
        let explained = find(&format!("what {name} explains"), || async {
            network.ask(name, &["explain"]).await.ok()
        })
        .await;
        for session in explained.as_array().unwrap() {
            let faults = session["faults"].as_array().unwrap();
            assert!(faults.is_empty(), "{name} names somebody: {session}");
        }
    }
}

/// The program, run to its end.
pub fn devnet(folder: &Path, arguments: &str) -> Output {
    let output = command(folder, arguments).output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The program, to be started. It does not build the others, which [`binaries`] has done.
pub fn command(folder: &Path, arguments: &str) -> Command {
    binaries();
    let mut command = Command::new(env!("CARGO_BIN_EXE_serai-devnet"));
    command
        .args(["--data", folder.to_str().unwrap(), "--block-ms", &BLOCK_MS.to_string()])
        .args(arguments.split_whitespace())
        .env_remove("CARGO")
        .stdin(Stdio::null());
    command
}

/// Reads a report from a file.
pub fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Command lines of all living programs that name `folder`.
pub fn living(folder: &Path) -> Vec<(u32, String)> {
    let folder = folder.to_str().unwrap();
    let own = std::process::id();
    let entries = std::fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| {
            let path: PathBuf = entry.ok()?.path();
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            let line = std::fs::read(path.join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (pid != own && line.contains(folder)).then_some((pid, line))
        })
        .collect()
}

/// What every report of a finished network must say, whatever it made.
pub fn check(report: &Value, validators: usize, coins: &[&str]) {
    let vaults = report["vaults"].as_array().unwrap();
    let found: Vec<&str> = vaults.iter().map(|vault| vault["coin"].as_str().unwrap()).collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, coins);
    for vault in vaults {
        let held_by = vault["held_by"].as_array().unwrap();
        assert_eq!(held_by.len(), validators, "{vault}");
        for held in held_by {
            assert_eq!(held["ristretto_key"], vault["ristretto_key"]);
            assert_eq!(held["external_key"], vault["external_key"]);
        }
        let library = if vault["coin"] == "xmr" { "ed25519-dalek" } else { "secp256k1" };
        for (key, library) in [("ristretto", "schnorrkel"), ("external", library)] {
            let proven = vault["proven"].as_array().unwrap();
            let one = proven.iter().find(|one| one["key"] == key).unwrap();
            assert_eq!(one["verified_by"], library, "{vault}");
        }
        let start = match vault["coin"].as_str().unwrap() {
            "btc" => "bc1p",
            "eth" => "0x",
            _ => "C",
        };
        assert!(vault["address"]["text"].as_str().unwrap().starts_with(start), "{vault}");
    }
    let sessions = sessions(report, "keygen");
    assert_eq!(sessions.len(), coins.len());
    for session in sessions {
        assert_eq!(session["attempts"], 1, "{session}");
        assert_eq!(session["party"].as_array().unwrap().len(), validators, "{session}");
        assert!(session["start"]["block"].as_u64() < session["end"]["block"].as_u64());
    }
    for coin in coins {
        let topic = &report["messages"][format!("alice-{coin}")];
        assert!(topic["types"]["keygen.start"].as_u64() >= Some(1), "{topic}");
        assert!(topic["sealed"].as_u64() > Some(4), "{topic}");
    }
    for validator in report["validators"].as_array().unwrap() {
        let topic = format!("{}-dead-letter", validator.as_str().unwrap());
        assert_eq!(report["messages"][&topic]["records"], 0, "{topic}");
    }
}

/// The sessions of a kind in a report.
pub fn sessions(report: &Value, kind: &str) -> Vec<Value> {
    let sessions = report["sessions"].as_array().unwrap().iter();
    sessions.filter(|session| session["kind"] == kind).cloned().collect()
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The living processor of a validator and coin.
pub async fn processor(network: &Cluster, name: &Name, coin: Coin) -> Processor {
    find(&format!("a {coin} processor of {name}"), || async {
        network.processors().into_iter().find(|one| one.name == *name && one.coin == coin)
    })
    .await
}
