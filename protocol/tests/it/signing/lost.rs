//! Statements that are delivered and lost, since their recipient did not know the thing yet.

use serai_messages::signing::PeerMessage;
use serai_protocol::signing::{Effect, Input, MAX_REPEAT_MS, REPEAT_MS, Signing, Timer};

use super::{refusals::refuse_sign, world::World};

/// The first of the draw, and as many as have to sign with it, of four. What one validator says to another
/// of a kind is lost until the first opener asks again. Nobody else opens.
fn losing(kind: &'static str, from: usize, to: usize, seed: u64) -> World {
    let mut world = World::new(4, seed);
    world.validators[3].dead_from = Some(0);
    world.within_ms = 3 * REPEAT_MS;
    let mut asked = false;
    world.lie = Box::new(move |sender, recipient, message| {
        let request = message.kind() == "request";
        asked |= request && sender == 0;
        let is_it = !asked && (sender, recipient, message.kind()) == (from, to, kind);
        let kept = is_it || request && sender > 0;
        if kept { Vec::new() } else { vec![message.clone()] }
    });
    world
}

#[test]
fn what_was_lost_is_said_again() {
    for (kind, from, to) in [("preprocess", 1, 0), ("open", 0, 2), ("share", 2, 0)] {
        for seed in 0..10 {
            for restarts in [0, 20] {
                let mut world = losing(kind, from, to, seed);
                for _ in 0..restarts {
                    // Before the ring, at the ring, and behind it.
                    let (index, at) = (world.below(3) as usize, world.below(REPEAT_MS + 500));
                    world.restart_at(index, at);
                }
                let last = world.assert_signed();
                assert!(last > REPEAT_MS, "{kind} was not needed: {last} ms");
                assert_eq!(world.validators[0].machine.summary().opened, 1, "{kind}");
            }
        }
    }
}

#[test]
fn a_lost_decline_is_said_again() {
    for seed in 0..10 {
        let mut world = losing("decline", 1, 0, seed);
        world.declined = 1;
        refuse_sign(&mut world, 1, 1);
        let last = world.assert_signed();
        assert!(last > REPEAT_MS, "{last} ms");
        assert_eq!(world.validators[0].machine.summary().opened, 2);
    }
}

/// The request of a later opener, when the first of the draw is gone.
#[test]
fn a_lost_request_is_said_again() {
    for seed in 0..10 {
        let mut world = World::new(4, seed);
        world.validators[0].dead_from = Some(0);
        world.within_ms = 3 * REPEAT_MS;
        let mut lost = false;
        world.lie = Box::new(move |from, to, message| {
            let request = message.kind() == "request";
            let is_it = (from, to) == (1, 2) && request && !std::mem::replace(&mut lost, true);
            let kept = is_it || request && from != 1;
            if kept { Vec::new() } else { vec![message.clone()] }
        });
        let last = world.assert_signed();
        assert!(last > REPEAT_MS, "{last} ms");
    }
}

/// The signatures, when everybody else has them and is done.
#[test]
fn lost_signatures_are_given_to_whoever_asks_again() {
    for seed in 0..10 {
        let mut world = World::new(4, seed);
        world.within_ms = 3 * REPEAT_MS;
        let mut asked = 0;
        world.lie = Box::new(move |from, to, message| {
            asked += usize::from((from, to, message.kind()) == (3, 0, "request"));
            let kept = asked < 2 && to == 3 && message.kind() == "signed";
            if kept { Vec::new() } else { vec![message.clone()] }
        });
        let last = world.assert_signed();
        assert!(last > REPEAT_MS, "{last} ms");
    }
}

/// Who is deaf: what it is told again has an end.
#[test]
fn repeats_end() {
    let mut world = World::new(4, 1);
    world.validators[3].dead_from = Some(0);
    world.within_ms = 340 * REPEAT_MS;
    world.lie = Box::new(|from, to, message| match message {
        PeerMessage::Request { .. } if from > 0 => Vec::new(),
        PeerMessage::Share { .. } if to == 0 => Vec::new(),
        _ => vec![message.clone()],
    });
    world.run();
    let shares = |effect: &&Effect| matches!(effect, Effect::Tell(_, PeerMessage::Share { .. }));
    assert_eq!(world.effects(1).iter().filter(shares).count(), 1 + 8);
    let opens = |effect: &&Effect| matches!(effect, Effect::Tell(_, PeerMessage::Open { .. }));
    let rings = |input: &&Input| matches!(input, Input::Elapsed(Timer::Turn));
    let rings = world.validators[0].log.iter().filter(rings).count();
    assert_eq!(rings, 11, "at 1, 2, 4, 8, 16, 32, 64, 128, 192, 256 and 320 times the first");
    assert_eq!(world.effects(0).iter().filter(opens).count(), 2 * (1 + 8));
}

#[test]
fn a_turn_rings_until_the_signatures_are_there() {
    let world = World::new(4, 1);
    for (place, first) in [(0, REPEAT_MS), (2, 1_000)] {
        let parameters = world.validators[place].parameters.clone();
        let (mut machine, effects) = Signing::new(parameters).unwrap();
        let turn = |delay_ms| Effect::After { delay_ms, timer: Timer::Turn };
        assert_eq!(effects, [turn(first)]);
        assert_eq!(machine.timers(), [(first, Timer::Turn)]);
        for ring in 0..10 {
            let effects = machine.handle(&Input::Elapsed(Timer::Turn));
            let delay = (REPEAT_MS << ring).min(MAX_REPEAT_MS);
            assert!(effects.contains(&turn(delay)), "{effects:?}");
            let request = |e: &Effect| matches!(e, Effect::Say(PeerMessage::Request { .. }));
            assert!(effects.iter().any(request), "{effects:?}");
            assert_eq!(machine.timers(), [(REPEAT_MS, Timer::Turn)]);
        }
    }
}
