//! Programs that end in the middle and begin again.

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
