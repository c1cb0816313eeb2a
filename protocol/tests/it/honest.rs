use proptest::prelude::*;

use crate::world::World;

fn finishes(count: usize, seed: u64) -> World {
    let mut world = World::new(count, seed);
    world.run(5, |world| world.all_done(0..count));
    let keys: Vec<_> = world.published.iter().map(|(removed, key)| (removed.len(), key)).collect();
    assert!(keys.iter().all(|found| *found == keys[0] && found.0 == 0));
    for validator in &world.validators {
        assert_eq!(validator.faults, []);
        assert_eq!(validator.keygen.summary().stage, "done");
    }
    world.assert_replays();
    world
}

#[test]
fn single_validator_finishes_alone() {
    finishes(1, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sets_finish_with_one_key_pair_in_any_order(
        count in prop_oneof![Just(2_usize), Just(4), Just(7)],
        seed in any::<u64>(),
    ) {
        finishes(count, seed);
    }
}

/// Fifty validators: 50 machines in one process, about 22,000 statements received.
#[test]
fn fifty_finish() {
    let world = finishes(50, 3);
    assert_eq!(world.published.len(), 50);
}
