//! What an idle coordinator costs (DESIGN section 6: at most 1 % of a core, 80 MB resident): four
//! validators with all coins whose vaults are made, a Serai block a second.
//!
//! `cargo bench -p serai-devnet --bench idle -- [SECONDS]`, on a machine that does nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use serai_devnet::cluster::{Program, Settings};
use serai_messages::{Coin, Session, ValidatorSet};

use support::Network;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(60);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(idle(Duration::from_secs(seconds)));
}

async fn idle(period: Duration) {
    let mut settings = Settings::new(4, &Coin::ALL);
    // Ethereum's pace: of a real network's blocks it is the fastest.
    settings.external_ms = 12_000;
    let network = Network::start(settings).await;
    for coin in Coin::ALL {
        network.keys(ValidatorSet { coin, session: Session(0) }).await;
    }
    let pids: Vec<_> = network
        .names()
        .into_iter()
        .map(|name| {
            let pid = network.cluster.pid(&Program::Coordinator(name.clone())).unwrap();
            (name, pid)
        })
        .collect();
    let before: Vec<_> = pids.iter().map(|(_, pid)| ticks(*pid)).collect();
    let begun = Instant::now();
    tokio::time::sleep(period).await;
    let elapsed = begun.elapsed().as_secs_f64();
    for ((name, pid), before) in pids.iter().zip(before) {
        let share = (ticks(*pid) - before) as f64 / TICKS_PER_SECOND / elapsed * 100.0;
        let resident = resident_mb(*pid);
        println!(
            "idle coordinator {name}: {share:.2} % of a core, {resident:.0} MB resident (bound: \
             1 %, 80 MB): {}",
            if share <= 1.0 && resident <= 80.0 { "met" } else { "NOT MET" }
        );
    }
    network.cluster.stop().await;
}

/// Processor time used, in clock ticks.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name, in parentheses, may hold spaces; user and system time are fields 14, 15.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Of what /proc shows: the kernel's USER_HZ, the same on all architectures that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
