//! Bugs that are planted are found, each within so many seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use serai_messages::planted::{Bug, plant};
use serai_simulator::{Cryptography, Failure, Faults, Options, run};

/// Seeds that are tried.
const BUDGET: u64 = 300;

fn options() -> Options {
    Options { validators: 4, cryptography: Cryptography::StandIn, faults: Faults::all(), things: 4 }
}

/// The first seed that finds the bug, and what it says.
fn found(bug: Bug) -> (u64, Failure) {
    plant(Some(bug));
    let found = (0..BUDGET).find_map(|seed| run(&options(), seed).err().map(|why| (seed, why)));
    plant(None);
    let (seed, failure) =
        found.unwrap_or_else(|| panic!("{bug:?} was not found in {BUDGET} seeds"));
    println!("{bug:?}: found by seed {seed}, the {}th: {}", seed + 1, failure.what);
    // It is the bug that fails, not the seed.
    run(&options(), seed).unwrap();
    (seed, failure)
}

#[test]
fn planted_agreement_skipped() {
    let (_, failure) = found(Bug::AgreementSkipped);
    assert!(failure.what.contains("accuses somebody honest"), "{}", failure.what);
}

#[test]
fn planted_acknowledgements_before_the_commit() {
    let (_, failure) = found(Bug::AcknowledgedBeforeStored);
    assert!(failure.what.contains("does not hold"), "{}", failure.what);
}

#[test]
fn planted_preprocesses_that_sign_twice() {
    let (_, failure) = found(Bug::PreprocessReused);
    assert!(failure.what.contains("one preprocess"), "{}", failure.what);
}

#[test]
fn planted_statements_of_a_stale_party() {
    let (_, failure) = found(Bug::StalePartyAccepted);
    assert!(failure.what.contains("accuses somebody honest"), "{}", failure.what);
}

#[test]
fn planted_repeats_that_are_handled() {
    let (_, failure) = found(Bug::RepeatsHandled);
    assert!(failure.what.contains("had an effect again"), "{}", failure.what);
}
