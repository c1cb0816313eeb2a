//! Programs that end in the middle and begin again.

use serai_messages::keygen::PeerMessage;

use crate::world::World;

/// Runs until some validator is in `stage`, and gives its index.
fn until_stage(world: &mut World, stage: &str) -> usize {
    loop {
        let found = world.validators.iter().position(|v| v.keygen.summary().stage == stage);
        if let Some(index) = found {
            return index;
        }
        assert!(world.step(), "nobody came to {stage}");
    }
}

#[test]
fn restart_before_the_musig_share_costs_one_attempt_and_nobody() {
    for seed in 0..6 {
        for stage in ["musig-preprocesses", "musig-shares"] {
            let mut world = World::new(4, seed);
            let index = until_stage(&mut world, stage);
            // Its machine exists once its preprocess is made.
            while !world.has_musig(index) {
                assert!(world.step());
            }
            world.restart(index);
            world.run(6, |world| world.all_done(0..4));
            for (removed, _) in &world.published {
                assert!(removed.is_empty());
            }
            for validator in &world.validators {
                assert_eq!(validator.faults, []);
            }
            world.assert_replays();
        }
    }
}

/// Its vote to try again does not arrive, and one of the others votes for nothing: it does not insist on a
/// part in the next attempt.
#[test]
fn restart_before_the_musig_share_does_not_end_the_set() {
    const RESTARTED: usize = 0;
    const LIAR: usize = 2;
    for seed in 0..3 {
        let mut world = World::tampered(4, seed, |from, to, message| {
            let PeerMessage::AttemptVote { id, height, .. } = message else {
                return Some(message.clone());
            };
            if from == LIAR {
                // What it voted for, it says to itself alone.
                let (id, height, removed) = (*id, *height, Vec::new());
                let own = PeerMessage::AttemptVote { id, removed, height };
                return (to == LIAR).then_some(own);
            }
            let lost = from == RESTARTED && id.attempt.0 == 1;
            (!lost).then(|| message.clone())
        });
        while !world.has_musig(RESTARTED) {
            assert!(world.step());
        }
        world.restart(RESTARTED);
        world.run(120, |world| world.all_done([1, 3]));
        let restarted = world.key(RESTARTED);
        assert!(world.published.iter().all(|(removed, _)| *removed == [restarted]));
        world.assert_replays();
    }
}

#[test]
fn restart_after_the_own_musig_share_costs_nothing() {
    for seed in 0..6 {
        let mut world = World::new(4, seed);
        let index = until_stage(&mut world, "musig-signature");
        world.restart(index);
        world.run(6, |world| world.all_done(0..4));
        assert!((0..4).all(|index| world.attempt(index) == 0));
        world.assert_replays();
    }
}

#[test]
fn restarts_elsewhere_change_nothing() {
    for seed in 0..20 {
        let mut world = World::new(4, seed);
        for _ in 0..seed * 9 {
            world.step();
        }
        let before = format!("{:?}", world.validators[1].keygen);
        if world.has_musig(1) {
            continue;
        }
        world.restart(1);
        assert_eq!(before, format!("{:?}", world.validators[1].keygen));
        world.run(6, |world| world.all_done(0..4));
    }
}

#[test]
fn processor_that_lost_its_proof_takes_another_members() {
    for seed in 0..4 {
        let mut world = World::new(4, seed);
        world.validators[2].processor.forgets_proofs = true;
        world.run(6, |world| world.all_done(0..4));
        assert!((0..4).all(|index| world.attempt(index) == 0));
        for validator in &world.validators {
            assert_eq!(validator.faults, []);
        }
    }
}
