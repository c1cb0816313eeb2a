//! Runs of many seeds.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::node::Broken;
use crate::options::Options;
use crate::outcome::{Failure, Outcome};
use crate::world::{World, empty_states};

/// Runs one seed.
///
/// # Errors
/// The rule that was broken; the same seed breaks it again.
pub fn run(options: &Options, seed: u64) -> Result<Outcome, Failure> {
    let failed = |what: String| Failure { seed, what, at_ms: 0, before: Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| failed(format!("runtime: {error}")))?;
    let wrap = |error: Broken| failed(error.to_string());
    let states = empty_states().map_err(wrap)?;
    runtime.block_on(async {
        let world = World::new(options, seed, &states).await.map_err(wrap)?;
        world.run(seed).await
    })
}

/// Runs many seeds, on so many threads; `ended` is told of each, in no order. Goes on after a failure
/// until `most` are there.
pub fn run_all(
    options: &Options,
    seeds: Range<u64>,
    threads: usize,
    most: usize,
    ended: impl Fn(u64, &Result<Outcome, Failure>) + Sync,
) -> Vec<Failure> {
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough =
                        || failures.lock().unwrap_or_else(PoisonError::into_inner).len() >= most;
                    if seed >= seeds.end || enough() {
                        return;
                    }
                    let result = std::panic::catch_unwind(|| run(options, seed));
                    let result = result.unwrap_or_else(|_| {
                        let what = "a program panicked; what it said is above".to_owned();
                        Err(Failure { seed, what, at_ms: 0, before: Vec::new() })
                    });
                    ended(seed, &result);
                    if let Err(failure) = result {
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure: &Failure| failure.seed);
    failures
}
