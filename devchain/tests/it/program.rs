//! The program: what it prints, how it ends, and that killing it loses nothing.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serai_devchain::Genesis;
use subxt::{
    OnlineClient, PolkadotConfig,
    rpcs::{RpcClient, rpc_params},
};

use crate::support::NAMES;

struct Program {
    child: Child,
    url: String,
    genesis: String,
}

impl Program {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let genesis = folder.join("genesis.json");
        let spec = Genesis::development(&NAMES, &["Bitcoin"]);
        std::fs::write(&genesis, serde_json::to_string(&spec).unwrap()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_serai-devchain"))
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--genesis")
            .arg(genesis)
            .args(["--block-ms", "20"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..2], ["serai-devchain", "ready"], "{line:?}");
        assert_eq!(words[3], "genesis");
        let (url, genesis) = (words[2].to_owned(), words[4].to_owned());
        assert_eq!(std::fs::read_to_string(folder.join("data/endpoint")).unwrap(), url);
        Self { child, url, genesis }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn exit(mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the program did not exit");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    async fn rpc(&self) -> RpcClient {
        RpcClient::from_insecure_url(&self.url).await.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finalized_blocks_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen: Vec<(u64, String)> = Vec::new();
    for round in 0..4 {
        let program = Program::start(folder.path(), &[]);
        let client = OnlineClient::<PolkadotConfig>::from_insecure_url(&program.url).await.unwrap();
        assert_eq!(format!("{:?}", client.genesis_hash()), program.genesis);
        for (number, hash) in &seen {
            let block = client.at_block(*number).await.unwrap();
            assert_eq!(format!("{:?}", block.block_hash()), *hash, "round {round}");
        }
        let mut blocks = client.stream_blocks().await.unwrap();
        for _ in 0..5 {
            let next = tokio::time::timeout(Duration::from_secs(30), blocks.next()).await;
            let block = next.expect("no block in time").unwrap().unwrap();
            seen.push((block.number(), format!("{:?}", block.hash())));
        }
        program.signal("-KILL");
        assert!(!program.exit().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_and_a_closed_pipe_end_it_with_0() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["-TERM", "-INT"] {
        let program = Program::start(folder.path(), &["--exit-with-parent"]);
        let client = OnlineClient::<PolkadotConfig>::from_insecure_url(&program.url).await.unwrap();
        let _subscribed = client.stream_blocks().await.unwrap();
        program.signal(signal);
        assert_eq!(program.exit().code(), Some(0), "{signal}");
    }
    let mut program = Program::start(folder.path(), &["--exit-with-parent"]);
    drop(program.child.stdin.take());
    assert_eq!(program.exit().code(), Some(0));
}

#[test]
fn a_wrong_genesis_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = folder.path().join("genesis.json");
    std::fs::write(
        &genesis,
        r#"{"name":"x","networks":{"Dogecoin":{"allocation_per_key_share":1}},"validators":[]}"#,
    )
    .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_serai-devchain"))
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--genesis")
        .arg(genesis)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(
        said,
        "serai-devchain: genesis: unknown network \"Dogecoin\": use Serai, Bitcoin, Ethereum or Monero\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_paused_resumed_and_rotations_commanded() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), &["--finality-lag", "0"]);
    let rpc = program.rpc().await;
    let best = || async {
        let header: serde_json::Value =
            rpc.request("chain_getHeader", rpc_params![]).await.unwrap();
        header["number"].as_str().unwrap().to_owned()
    };
    let _: () = rpc.request("dev_pause", rpc_params![]).await.unwrap();
    // A block that was in the making when the pause came is the last one.
    let _: serde_json::Value = rpc.request("dev_author", rpc_params![]).await.unwrap();
    let paused = best().await;
    let deadline = Instant::now() + Duration::from_millis(200);
    while Instant::now() < deadline {
        assert_eq!(best().await, paused);
    }
    let _: () = rpc.request("dev_resume", rpc_params![]).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while best().await == paused {
        assert!(Instant::now() < deadline, "no block after the pause");
    }
    let refused = rpc.request::<serde_json::Value>("dev_rotate", rpc_params!["Bitcoin"]).await;
    assert!(refused.unwrap_err().to_string().contains("has no keys yet"));
    let _: () = rpc.request("dev_finality_lag", rpc_params![5]).await.unwrap();
}
