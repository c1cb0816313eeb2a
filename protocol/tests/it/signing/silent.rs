//! Up to `n - t` validators are silent, from any moment on.

use super::world::World;

#[test]
fn silent_from_the_start() {
    for (count, seeds) in [(4, 20), (7, 20), (20, 4)] {
        for seed in 0..seeds {
            let mut world = World::new(count, seed);
            for index in world.choose(world.spare()) {
                world.validators[index].dead_from = Some(0);
            }
            world.assert_signed();
        }
    }
}

#[test]
fn the_first_openers_silent_cost_their_turns() {
    for (count, seed) in [(4, 1), (7, 2), (20, 3)] {
        let mut world = World::new(count, seed);
        let spare = world.spare();
        for index in 0..spare {
            world.validators[index].dead_from = Some(0);
        }
        let last = world.assert_signed();
        assert!(last < spare as u64 * 500 + 300 + 800, "{last} ms");
    }
}

#[test]
fn silent_from_any_moment() {
    for (count, seeds) in [(4, 60), (7, 40), (20, 6)] {
        for seed in 0..seeds {
            let mut world = World::new(count, seed);
            for index in world.choose(world.spare()) {
                world.validators[index].dead_from = Some(world.below(400));
            }
            world.assert_signed();
        }
    }
}

/// They give preprocesses, to be taken into sessions, and never a share: the worst for an opener.
#[test]
fn preprocesses_without_shares() {
    for (count, seeds) in [(4, 20), (7, 20), (20, 4)] {
        for seed in 0..seeds {
            let mut world = World::new(count, seed);
            world.liars = world.choose(world.spare());
            let liars = world.liars.clone();
            world.lie = Box::new(move |from, _, message| {
                let kept = liars.contains(&from) && message.kind() != "preprocess";
                if kept { Vec::new() } else { vec![message.clone()] }
            });
            world.assert_signed();
        }
    }
}

/// An opener that has gone away after its sessions began leaves nothing behind that others wait for.
#[test]
fn the_first_opener_takes_the_shares_and_is_gone() {
    for seed in 0..20 {
        let mut world = World::new(7, seed);
        world.liars = [0].into();
        world.lie = Box::new(|from, _, message| {
            let kept = from == 0 && !matches!(message.kind(), "open" | "preprocess");
            if kept { Vec::new() } else { vec![message.clone()] }
        });
        let last = world.assert_signed();
        assert!(last < 2_000, "{last} ms");
    }
}
