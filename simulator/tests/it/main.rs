//! Clusters of one seed each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use serai_simulator::{Cryptography, Faults, Options, run};

fn options(validators: usize, faults: Faults) -> Options {
    Options { validators, cryptography: Cryptography::Real, faults, things: 4 }
}

/// Nothing goes wrong, and keys are made and all is signed.
#[test]
fn an_undisturbed_cluster_signs() {
    let outcome = run(&options(4, Faults::none()), 1).unwrap();
    assert_eq!((outcome.crashes, outcome.liars), (0, 0));
    assert!(outcome.keys_at > 0);
}

/// What a failing seed did, it does again.
#[test]
fn a_seed_decides_all() {
    for seed in 0..4 {
        let options = options(4, Faults::all());
        assert_eq!(run(&options, seed), run(&options, seed), "seed {seed}");
    }
}
