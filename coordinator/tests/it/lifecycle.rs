//! Processors as children, played by shell scripts: crashing, hanging, deaf to SIGTERM.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serai_coordinator::processes::core::config::{Config, Mode};
use serai_coordinator::processes::core::status::Board;
use serai_coordinator::processes::lifecycle::{
    self, Mailbox, Plan, ProcessorState, ProcessorStatus, plans,
};
use serai_messages::Coin;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(20);

/// A plan that runs `script` with the folder as `$1`.
fn plan(folder: &Path, coin: Coin, script: &str) -> Plan {
    Plan {
        coin,
        managed: true,
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into(), "processor".into(), folder.into()],
        environment: BTreeMap::from([("PATH".to_owned(), std::env::var_os("PATH").unwrap())]),
        folder: folder.join(coin.name()),
        log: folder.join(format!("{coin}.log")),
        heartbeat_timeout: Duration::from_millis(300),
        stop_timeout: Duration::from_millis(300),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(40),
    }
}

struct Running {
    mailbox: Mailbox,
    board: Board,
    stop: CancellationToken,
    task: JoinHandle<Result<(), lifecycle::LifecycleError>>,
}

fn start(plans: Vec<Plan>) -> Running {
    let board = Board::default();
    let (actor, mailbox) = lifecycle::new(plans, board.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(actor.run(stop.clone()));
    Running { mailbox, board, stop, task }
}

impl Running {
    fn status(&self) -> ProcessorStatus {
        self.mailbox.status()[0].clone()
    }

    async fn until(&self, what: &str, condition: impl Fn(&ProcessorStatus) -> bool) {
        let begin = Instant::now();
        while !condition(&self.status()) {
            assert!(begin.elapsed() < DEADLINE, "never {what}: {:?}", self.status());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

async fn lines(path: &Path, count: usize) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(begin.elapsed() < DEADLINE, "{} has only {lines:?}", path.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_processor_that_crashes_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(vec![plan(folder.path(), Coin::Btc, "echo $$ >> $1/lives; exit 3")]);
    let lives = lines(&folder.path().join("lives"), 4).await;
    running.until("restarted", |status| status.restarts >= 4).await;
    let status = running.status();
    assert!(status.last_end.unwrap().starts_with("exit status: 3"));
    assert!(running.board.causes()[0].contains("exit status: 3"), "{:?}", running.board.causes());
    assert!(running.board.causes()[0].contains("btc.log"), "{:?}", running.board.causes());
    running.stop().await;
    assert!(lives.iter().all(|pid| !is_alive(pid.parse().unwrap())));
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(folder.path(), Coin::Btc, "");
    plan.program = "/no/such/processor".into();
    let running = start(vec![plan]);
    running.until("failed", |status| status.last_end.is_some()).await;
    let end = running.status().last_end.unwrap();
    assert!(end.starts_with("/no/such/processor does not start"), "{end}");
    running.stop().await;
}

#[tokio::test]
async fn a_hung_processor_is_gone_before_the_next_one_starts() {
    let folder = tempfile::tempdir().unwrap();
    // Each life notes the lives that are still running when it begins.
    let script = "trap '' TERM
        for old in $(cat $1/lives); do [ -d /proc/$old ] && echo $old >> $1/overlap; done
        echo $$ >> $1/lives
        while :; do sleep 0.05; done";
    std::fs::write(folder.path().join("lives"), "").unwrap();
    let running = start(vec![plan(folder.path(), Coin::Btc, script)]);
    for life in 1..=3 {
        lines(&folder.path().join("lives"), life).await;
        // One heartbeat, then silence.
        running.mailbox.heartbeat(Coin::Btc);
        running.until("killed", |s| s.restarts == life as u64).await;
        let end = running.status().last_end.unwrap();
        assert!(end.starts_with("silent for 300ms and killed"), "{end}");
    }
    running.stop().await;
    let overlap = std::fs::read_to_string(folder.path().join("overlap")).unwrap_or_default();
    assert_eq!(overlap, "", "two processors were alive at once");
}

#[tokio::test]
async fn silence_counts_only_while_the_topic_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo $$ >> $1/lives; while :; do sleep 0.05; done";
    let running = start(vec![plan(folder.path(), Coin::Btc, script)]);
    running.until("started", |s| s.pid.is_some()).await;
    running.mailbox.heartbeat(Coin::Btc);
    running.until("running", |s| s.state == ProcessorState::Running).await;
    running.mailbox.set_listening(Coin::Btc, false);
    // Another processor, which does fall silent, shows that the time has passed.
    let other = tempfile::tempdir().unwrap();
    let clock = start(vec![plan(other.path(), Coin::Btc, script)]);
    clock.mailbox.set_listening(Coin::Btc, true);
    clock.until("killed twice", |s| s.restarts == 2).await;
    assert_eq!(running.status().restarts, 0);
    running.mailbox.set_listening(Coin::Btc, true);
    running.until("killed", |s| s.restarts == 1).await;
    running.stop().await;
    clock.stop().await;
}

#[tokio::test]
async fn processors_are_stopped_in_reverse_order_and_killed_when_deaf() {
    let folder = tempfile::tempdir().unwrap();
    let polite = "trap 'echo eth >> $1/stopped; exit 0' TERM
        echo $$ > $1/eth.pid; while :; do sleep 0.02; done";
    let deaf = "trap '' TERM; echo $$ > $1/xmr.pid; while :; do sleep 0.02; done";
    let by_pipe = "trap '' TERM; echo $$ > $1/btc.pid; cat > /dev/null; echo btc >> $1/stopped";
    let running = start(vec![
        plan(folder.path(), Coin::Btc, by_pipe),
        plan(folder.path(), Coin::Eth, polite),
        plan(folder.path(), Coin::Xmr, deaf),
    ]);
    let mut pids = Vec::new();
    for coin in Coin::ALL {
        let line = lines(&folder.path().join(format!("{coin}.pid")), 1).await;
        pids.push(line[0].parse().unwrap());
    }
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    running.stop().await;
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert_eq!(lines(&folder.path().join("stopped"), 2).await, ["eth", "btc"]);
}

#[tokio::test]
async fn output_goes_to_the_log_and_the_environment_stays_here() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo said; echo wrong >&2; env; echo end; cat > /dev/null";
    let mut plan = plan(folder.path(), Coin::Eth, script);
    plan.environment.insert("WANTED".to_owned(), "value".into());
    let log = plan.log.clone();
    let running = start(vec![plan]);
    let begin = Instant::now();
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("end\n")) {
        assert!(begin.elapsed() < DEADLINE, "nothing in {}", log.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await;
    let text = std::fs::read_to_string(&log).unwrap();
    for words in ["said\n", "wrong\n", "WANTED=value\n"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!text.contains("CARGO_MANIFEST_DIR"), "{text}");
}

#[tokio::test]
async fn a_processor_of_others_is_watched_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(folder.path(), Coin::Xmr, "echo started > $1/started");
    plan.managed = false;
    let running = start(vec![plan]);
    assert_eq!(running.status().state, ProcessorState::Awaited);
    for _ in 0..2 {
        running.mailbox.heartbeat(Coin::Xmr);
        running.until("running", |s| s.state == ProcessorState::Running).await;
        assert!(running.board.causes().is_empty());
        running.until("silent", |s| s.state == ProcessorState::Hung).await;
        let begin = Instant::now();
        while running.board.causes().is_empty() {
            assert!(begin.elapsed() < DEADLINE, "silence is no cause");
            tokio::task::yield_now().await;
        }
    }
    running.stop().await;
    assert!(!folder.path().join("started").exists());
}

#[test]
fn the_command_line_is_the_processors() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[chains]\nenabled = [\"btc\", \"eth\"]\n[chains.rpc]\nbtc = \"http://u:p@h:1/\"\n\
                [kafka]\nbus = \"embedded\"\n[observation]\nprofile = \"development\"\n\
                [processors.btc]\ncommand = [\"./p\", \"--extra\"]\nheartbeat_timeout = \"8s\"\n";
    std::fs::write(folder.path().join("test.toml"), text).unwrap();
    let name = "alice".parse().unwrap();
    let config = Config::load_with(folder.path(), Mode::Test, Some(&name), Vec::new()).unwrap();
    let key = serai_bus::SecretKey::from_bytes(&[7; 32]);
    let public = key.public().to_string();
    let plans = plans(&config, &name, &BTreeMap::from([(Coin::Btc, key)]));
    assert_eq!(plans.len(), 2);
    assert!(plans[0].program.ends_with("p") && plans[0].program.is_absolute());
    let line: Vec<_> = plans[0].arguments.iter().map(|a| a.to_str().unwrap()).collect();
    let data = folder.path().join("data");
    let bus = format!("embedded:{}", data.join("bus.sqlite").display());
    let own = data.join("processors/btc").display().to_string();
    assert_eq!(
        line,
        [
            "--extra",
            "--name",
            "alice",
            "--coin",
            "btc",
            "--data",
            &own,
            "--bus",
            &bus,
            "--coordinator-key",
            &public,
            "--heartbeat-ms",
            "2000",
            "--log-level",
            "info",
            "--chain-rpc",
            "http://u:p@h:1/",
            "--exit-with-parent",
        ]
    );
    assert!(!plans[1].arguments.iter().any(|argument| argument == "--coordinator-key"));
}
