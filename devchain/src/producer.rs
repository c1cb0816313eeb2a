//! Block production by a timer.
//!
//! # Owns
//! The task that authors a block per interval.
//!
//! # Promises
//! A block comes each interval, also without transactions: the chain is the clock of those who
//! follow it. A block that cannot be made is logged and tried again at the next tick.
//!
//! # Limits
//! After a delay the missed blocks are not made up for.

use std::time::Duration;

use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::chain::Chain;

/// The running timer; it stops when dropped.
pub struct Producer {
    task: JoinHandle<()>,
}

impl Producer {
    /// Authors a block of `chain` every `interval`, unless the chain is paused. An interval of zero
    /// counts as one millisecond.
    #[must_use]
    pub fn start(chain: Chain, interval: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        Self { task: tokio::spawn(run(chain, interval)) }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(chain: Chain, interval: Duration) {
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.tick().await;
    loop {
        timer.tick().await;
        if chain.is_paused() {
            continue;
        }
        let chain = chain.clone();
        match tokio::task::spawn_blocking(move || chain.author(Vec::new())).await {
            Ok(Ok(block)) => tracing::debug!(number = block.number, hash = ?block.hash, "block"),
            Ok(Err(error)) => tracing::error!(%error, "no block was made"),
            Err(error) => tracing::error!(%error, "block production was interrupted"),
        }
    }
}
