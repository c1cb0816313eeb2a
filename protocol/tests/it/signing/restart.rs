//! Programs that end in the middle and begin again.

use serai_messages::signing::PeerMessage;
use serai_protocol::signing::{Effect, REPEAT_MS};

use super::world::World;

#[test]
fn restarts_anywhere_change_nothing() {
    for (count, seeds) in [(1, 3), (4, 40), (7, 20), (20, 3)] {
        for seed in 0..seeds {
            let mut world = World::new(count, seed);
            for index in world.choose(world.spare()) {
                world.validators[index].dead_from = Some(world.below(400));
            }
            for _ in 0..count * 3 {
                let index = world.below(count as u64) as usize;
                let at = world.below(1_500);
                world.restart_at(index, at);
            }
            world.assert_signed();
        }
    }
}

/// Whatever a restored life has forgotten, nobody takes it for an equivocator, no preprocess signs twice,
/// and the signatures come: it signs, and it opens nothing. At most one opener goes without it meanwhile.
#[test]
fn a_restored_state_opens_nothing_and_is_never_at_fault() {
    for (count, seeds) in [(4, 150), (7, 60)] {
        for seed in 0..seeds {
            for folder in [false, true] {
                let mut world = World::new(count, seed);
                world.within_ms = 40 * REPEAT_MS;
                // Sessions that a lost preprocess ends.
                world.declined = 2 * count;
                for index in world.choose(world.spare()) {
                    let at = world.below(800);
                    world.restore_at(index, at, folder);
                }
                world.assert_signed();
                for index in world.honest() {
                    let opens = |effect: &Effect| {
                        matches!(effect, Effect::Tell(_, PeerMessage::Open { .. }))
                    };
                    let opened = world.effects(index).iter().filter(|effect| opens(effect)).count();
                    assert!(!world.abstains(index) || opened == 0, "{index} opened {opened}");
                }
            }
        }
    }
}
