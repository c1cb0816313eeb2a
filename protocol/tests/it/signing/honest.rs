//! Nobody lies and nobody is silent.

use serai_protocol::signing::{InvalidParameters, Signing};

use super::world::World;

#[test]
fn one_session_of_the_first_party_signs() {
    for (count, seeds) in [(1, 2), (2, 4), (4, 30), (7, 15), (20, 3)] {
        for seed in 0..seeds {
            let mut world = World::new(count, seed);
            let last = world.assert_signed();
            // One request: preprocess, open, share, signatures, each at most 60 ms and a processor's.
            assert!(last < 500, "{last} ms");
            for index in 0..count {
                let summary = world.validators[index].machine.summary();
                assert_eq!(summary.opened, usize::from(index == 0));
                assert_eq!(summary.seen, usize::from(index < world.threshold));
                assert_eq!(summary.party, summary.order[..world.threshold]);
                assert_eq!((summary.stage, summary.waiting_for), ("done", Vec::new()));
                assert_eq!(summary.faults, []);
            }
        }
    }
}

#[test]
fn removed_validators_are_skipped() {
    let world = World::new(7, 1);
    let mut parameters = world.validators[3].parameters.clone();
    let before = world.validators[3].machine.summary().order;
    parameters.removed = vec![before[0], before[5]];
    let (machine, _) = Signing::new(parameters.clone()).unwrap();
    let holders = [1, 2, 3, 4, 6].map(|i: usize| before[i]);
    assert_eq!(machine.summary().order, holders);
    assert_eq!(machine.party(), holders);
    parameters.removed.push(before[6]);
    let error = Signing::new(parameters.clone()).map(|_| ()).unwrap_err();
    assert_eq!(error, InvalidParameters::TooFew { holders: 4, threshold: 5 });
    parameters.removed = vec![parameters.own];
    let error = Signing::new(parameters.clone()).map(|_| ()).unwrap_err();
    assert_eq!(error, InvalidParameters::NoShare(parameters.own));
}

/// Nothing that was said before its own request reaches it.
#[test]
fn who_heard_of_nothing_asks_and_is_given_the_signatures() {
    for seed in 0..10 {
        let mut world = World::new(4, seed);
        let mut asked = false;
        world.lie = Box::new(move |from, to, message| {
            asked |= from == 3 && message.kind() == "request";
            if to == 3 && !asked { Vec::new() } else { vec![message.clone()] }
        });
        let last = world.assert_signed();
        assert!((1_500..2_000).contains(&last), "{last} ms");
    }
}
