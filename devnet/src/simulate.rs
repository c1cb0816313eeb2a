//! `serai-devnet simulate`: clusters of one seed each.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use serai_simulator::{Cryptography, Failure, Faults, Options, run_all};

/// Largest cluster for which the real cryptography is chosen where nothing is said.
const SMALL: u16 = 16;

/// Failures after which no further seed is run.
const MOST_FAILURES: usize = 5;

/// Time between two lines that say how far it is.
const PROGRESS: std::time::Duration = std::time::Duration::from_secs(10);

/// What is simulated.
#[derive(Args, Clone, Debug)]
pub struct Simulate {
    /// Number of validators, 4 to 150.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(4..=150))]
    pub validators: u16,
    /// Seeds, from the first to the one before the last.
    #[arg(long, value_name = "A..B", default_value = "0..100", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// What may go wrong: all, none, or of loss, delay, duplication, reordering, partition, crash,
    /// restore, silence, equivocation, lies, openers, with commas between.
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub faults: Faults,
    /// real (PedPoP and FROST, as shipped) or stand-in (their sizes and rules, and no secrets)
    /// [default: real for up to 16 validators].
    #[arg(long, value_name = "WHICH")]
    pub cryptography: Option<Cryptography>,
    /// How many things are signed with the keys that are made.
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    pub things: u32,
    /// Clusters at the same time [default: as many as there are processors].
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(first, end)| {
        let (first, end) = (first.parse().ok()?, end.parse().ok()?);
        (first < end).then_some(first..end)
    });
    parsed.ok_or_else(|| format!("{text:?} is no range of seeds; write for example 0..1000"))
}

/// Runs all seeds, and says what failed.
pub fn run(simulate: &Simulate) -> ExitCode {
    let default =
        if simulate.validators <= SMALL { Cryptography::Real } else { Cryptography::StandIn };
    let options = Options {
        validators: usize::from(simulate.validators),
        cryptography: simulate.cryptography.unwrap_or(default),
        faults: simulate.faults.clone(),
        things: simulate.things,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = simulate.threads.unwrap_or(cores);
    let Range { start, end } = simulate.seeds;
    println!(
        "{} validators, {} cryptography, seeds {start} to {}",
        options.validators,
        options.cryptography,
        end - 1
    );
    let begun = Instant::now();
    let [runs, crashes, restores, short, statements] = [(); 5].map(|()| AtomicU64::new(0));
    let told = AtomicU64::new(0);
    let failures = run_all(&options, start..end, threads, MOST_FAILURES, |_, result| {
        let done = runs.fetch_add(1, Ordering::Relaxed) + 1;
        if let Ok(outcome) = result {
            crashes.fetch_add(outcome.crashes, Ordering::Relaxed);
            restores.fetch_add(outcome.restores, Ordering::Relaxed);
            short.fetch_add(outcome.short.into(), Ordering::Relaxed);
            statements.fetch_add(outcome.statements, Ordering::Relaxed);
        }
        let line = begun.elapsed().as_secs() / PROGRESS.as_secs();
        if told.fetch_max(line, Ordering::Relaxed) < line {
            println!("{done} of {} seeds after {} s", end - start, begun.elapsed().as_secs());
        }
    });
    for failure in &failures {
        show(simulate, options.cryptography, failure);
    }
    println!(
        "{} seeds in {:.1} s: {} statements heard, {} programs ended and started again, {} restored; {} \
         vaults with too few honest holders to sign; {} seeds failed",
        runs.into_inner(),
        begun.elapsed().as_secs_f64(),
        statements.into_inner(),
        crashes.into_inner(),
        restores.into_inner(),
        short.into_inner(),
        failures.len()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(simulate: &Simulate, cryptography: Cryptography, failure: &Failure) {
    println!("seed {} failed at {} simulated ms: {}", failure.seed, failure.at_ms, failure.what);
    println!("  before that:");
    for line in &failure.before {
        println!("  {line}");
    }
    println!(
        "  again: serai-devnet simulate --validators {} --seeds {}..{} --faults {} --things {} \
         --cryptography {cryptography}",
        simulate.validators,
        failure.seed,
        failure.seed + 1,
        simulate.faults,
        simulate.things
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range() {
        assert_eq!(seeds("3..9"), Ok(3..9));
        for wrong in ["9", "9..3", "a..b", "4..4"] {
            assert!(seeds(wrong).unwrap_err().contains("0..1000"), "{wrong}");
        }
    }
}
