//! The program: what it prints, and that killing it loses nothing it answered.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serai_simchain::Coin;
use serde_json::json;

use crate::support::{COINS, Coins, FEE, Node, address, pay};

struct Program {
    child: Child,
    node: Node,
    genesis: String,
}

impl Program {
    fn start(coin: Coin, folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_serai-simchain"))
            .args(["--coin", coin.name(), "--block-ms", "5", "--exit-with-parent", "--data"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..2], ["serai-simchain", "ready"], "{line:?}");
        assert_eq!(words[3], "genesis");
        assert_eq!(std::fs::read_to_string(folder.join("endpoint")).unwrap(), words[2]);
        let (node, genesis) = (Node::new(words[2]), words[4].to_owned());
        Self { child, node, genesis }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn nothing_answered_is_lost_by_kill_9() {
    const AMOUNT: u64 = 1_000_000_000;
    for coin in COINS {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (address(coin, 1), address(coin, 2));
        let mut genesis = None;
        let mut seen: Vec<(u64, serde_json::Value)> = Vec::new();
        for round in 1..=4u64 {
            let program = Program::start(coin, folder.path());
            let node = &program.node;
            assert_eq!(*genesis.get_or_insert(program.genesis.clone()), program.genesis);
            for (height, block) in &seen {
                assert_eq!(node.call("chain_block", json!([height])).await, *block);
            }
            node.call("dev_pause", json!([])).await;
            node.mine(1).await;
            assert_eq!(node.balance(&b).await, (round - 1) * (AMOUNT - FEE));
            let deposit = node.deposit(&a, AMOUNT).await;
            let height = node.mine(1).await;
            seen.push((height, node.call("chain_block", json!([height])).await));
            // Answered, and in no block when the program is killed.
            node.publish(&pay(coin, Coins::of(1, deposit, AMOUNT), round, &b)).await;
        }
    }
}

#[test]
fn a_wrong_address_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_serai-simchain"))
        .args(["--coin", "xmr", "--listen", "0.0.0.0:0", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "serai-simchain: 0.0.0.0:0: only loopback addresses are listened on, since there is no authentication\n"
    );
}
