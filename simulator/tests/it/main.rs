//! Clusters of one seed each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use serai_simulator::{Cryptography, Faults, Options, run, run_all};

fn options(validators: usize, faults: Faults) -> Options {
    Options { validators, cryptography: Cryptography::Real, faults, things: 4 }
}

/// Nothing goes wrong, and keys are made and all is signed.
#[test]
fn an_undisturbed_cluster_signs() {
    let outcome = run(&options(4, Faults::none()), 1).unwrap();
    assert_eq!((outcome.crashes, outcome.liars), (0, 0));
    assert!(outcome.keys_at > 0);
    assert_eq!(outcome.dead_letters, 0);
}

/// What a failing seed did, it does again.
#[test]
fn a_seed_decides_all() {
    for seed in 0..8 {
        let options = options(4, Faults::all());
        assert_eq!(run(&options, seed), run(&options, seed), "seed {seed}");
    }
}

/// A fixed budget of seeds, with all faults.
#[test]
fn nothing_that_goes_wrong_breaks_a_rule() {
    for (validators, seeds) in [(4, 0..60), (7, 0..12)] {
        let options =
            Options { cryptography: Cryptography::StandIn, ..options(validators, Faults::all()) };
        let failures = run_all(&options, seeds, 2, 1, |_, _| {});
        assert_eq!(failures, [], "{validators} validators");
    }
}
