//! A preprocess is signs once (DESIGN D6), whatever the coordinator asks and whenever this processor
//! stops.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serai_messages::Coin;
use serai_messages::signing::{CoordinatorMessage, ProcessorMessage, Shares, Thing};
use serai_processor::signing::Due;

use super::world::{Given, World, aggregate, sign};

const OPEN: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];

fn prepared() -> (World, Due, Given) {
    let mut world = World::new(Coin::Btc, 4);
    let due = world.payment(0, &[None]);
    let given = world.ready(&due);
    (world, due, given)
}

#[test]
fn the_same_request_gets_the_stored_share_and_any_other_none() {
    let (mut world, due, given) = prepared();
    let id = due.id;
    let set = given[..3].to_vec();
    let message = sign(id, OPEN, &set);
    let share = world.member(0).share(&message);

    let mut reordered = set.clone();
    reordered.swap(1, 2);
    let another = world.validator(1);
    let fresh = world.member(1).preprocess(id, another);
    let mut other_preprocess = set.clone();
    other_preprocess[1].1 = fresh;
    let other_signer = [given[0].clone(), given[1].clone(), given[3].clone()];
    let second = world.batch(7);
    world.ready(&second);
    let third = world.payment(1, &[None]);
    world.ready(&third);
    let uses = [
        ("another session", sign(id, OTHER, &set)),
        ("another order in another session", sign(id, OTHER, &reordered)),
        ("another preprocess of another", sign(id, OPEN, &other_preprocess)),
        ("another signer", sign(id, OPEN, &other_signer)),
        ("another signer in another session", sign(id, OTHER, &other_signer)),
        ("another thing of the other key", sign(second.id, OPEN, &set)),
        ("another thing", sign(third.id, OPEN, &set)),
        ("another thing in another session", sign(third.id, OTHER, &set)),
    ];
    let used = world.member(0).used();
    assert_eq!(used.len(), 1);
    for _ in 0..2 {
        for (name, other) in &uses {
            let reason = world.member(0).refuses(other);
            assert!(reason.contains("signs once"), "{name}: {reason}");
        }
        assert_eq!(world.member(0).share(&message), share);
        // The same set, however it is written.
        assert_eq!(world.member(0).share(&sign(id, OPEN, &reordered)), share);
        assert_eq!(world.member(0).used(), used);
        world.member(0).restart();
    }

    // Nor does a copy of the database know the nonces.
    let mut copy = world.member(0).fork();
    assert_eq!(copy.share(&message), share);
    assert!(copy.refuses(&uses[0].1).contains("signs once"));

    // Once all is signed, and once all is forgotten.
    world.member(1).share(&message);
    world.member(2).share(&message);
    let shares = world.shares(&message);
    assert!(world.member(0).sign(&aggregate(id, OPEN, &set, &shares)).signed.is_some());
    assert_eq!(world.member(0).share(&message), share);
    assert!(world.member(0).refuses(&uses[0].1).contains("signs once"));
    world.member(0).forget(id);
    assert!(world.member(0).sign(&message).answers.is_empty());
    assert_eq!(world.member(0).used(), used, "the record is kept for good");
    // Also if the thing became due again.
    world.member(0).ready(due);
    assert!(world.member(0).refuses(&uses[0].1).contains("signs once"));
    assert_eq!(world.member(0).share(&message), share);
}

/// The share in the middle of whose answer the processor stops leaves again, the same; where nothing
/// was committed, nothing left.
#[test]
fn a_restart_resends_the_share_or_has_made_none() {
    let (mut world, due, given) = prepared();
    let id = due.id;
    let (first, second) = (sign(id, OPEN, &given[..3]), sign(id, OTHER, &given[..3]));
    let lost = world.member(0).sign_and_stop(&first);
    assert!(matches!(lost.answers.as_slice(), [ProcessorMessage::Share { .. }]));
    assert_eq!(world.member(0).used(), []);
    world.member(0).restart();
    // Nobody has the first share: another session may have this preprocess.
    let share = world.member(0).share(&second);
    world.member(0).restart();
    assert_eq!(world.member(0).share(&second), share);
    assert!(world.member(0).refuses(&first).contains("signs once"));
}

#[test]
fn the_nonces_are_deleted_with_the_first_use() {
    let (mut world, due, given) = prepared();
    let nonces = |world: &mut World| {
        world.member(0).read(|connection| {
            connection
                .query_row("SELECT COUNT(*) FROM preprocesses", (), |row| row.get::<_, u32>(0))
        })
    };
    let sealed: Vec<u8> = world.member(0).read(|connection| {
        connection.query_row("SELECT seeds FROM preprocesses", (), |row| row.get(0))
    });
    let stored = |world: &mut World| {
        // Checkpointed: what is in no page of the file is in no free page either.
        let copy = world.member(0).fork();
        let file = std::fs::read(copy.folder().join("state.sqlite")).unwrap();
        file.windows(sealed.len()).any(|bytes| bytes == sealed)
    };
    assert_eq!((nonces(&mut world), stored(&mut world)), (1, true));
    world.member(0).share(&sign(due.id, OPEN, &given[..3]));
    assert_eq!((nonces(&mut world), stored(&mut world)), (0, false));
}

#[test]
fn an_opener_gets_the_same_preprocess_until_it_is_used() {
    let (mut world, due, _) = prepared();
    let id = due.id;
    let (first, second) = (world.validator(1), world.validator(2));
    let given = world.member(0).preprocess(id, first);
    let for_second = world.member(0).preprocess(id, second);
    assert_ne!(given, for_second);
    world.member(0).restart();
    assert_eq!(world.member(0).preprocess(id, first), given);
    let set = world.gather(id, &[0, 1, 3], first);
    assert_eq!(set[0].1, given);
    world.member(0).share(&sign(id, OPEN, &set));
    let next = world.member(0).preprocess(id, first);
    assert_ne!(next, given);
    assert_eq!(world.member(0).preprocess(id, second), for_second);
}

#[test]
fn what_is_no_session_uses_nothing_up() {
    let (mut world, due, given) = prepared();
    let id = due.id;
    let mut foreign = given[..3].to_vec();
    foreign[0].1 = foreign[1].1.clone();
    let mut stranger = given[..3].to_vec();
    stranger[2].0 = serai_messages::ValidatorKey([5; 32]);
    let twice = vec![given[0].clone(), given[1].clone(), given[1].clone()];
    let refused = [
        (given[..2].to_vec(), "3 sign"),
        (given.clone(), "3 sign"),
        (Vec::new(), "3 sign"),
        (given[1..].to_vec(), "no signer"),
        (twice, "named twice"),
        (stranger, "holds no share"),
        (foreign, "not its own"),
    ];
    for (set, expected) in refused {
        let reason = world.member(0).refuses(&sign(id, OPEN, &set));
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    let mut unknown = id;
    unknown.thing = Thing::Slashes;
    assert!(world.member(0).sign(&sign(unknown, OPEN, &given[..3])).answers.is_empty());
    assert_eq!(world.member(0).used(), []);
    world.member(0).share(&sign(id, OPEN, &given[..3]));
}

/// What a coordinator asks of member 0.
#[derive(Clone, Debug)]
enum Act {
    Preprocess {
        thing: usize,
        opener: usize,
    },
    Sign {
        thing: usize,
        of: usize,
        open: u8,
        own: usize,
        others: [(usize, usize); 2],
    },
    Restart,
    /// The next one is handled, and the transaction lost.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    let sign = (0..2usize, 0..2usize, 0..3u8, any::<prop::sample::Index>(), 0..6usize, 0..4usize);
    prop_oneof![
        3 => (0..2usize, 0..4usize).prop_map(|(thing, opener)| Act::Preprocess { thing, opener }),
        6 => sign.prop_map(|(thing, of, open, own, order, pick)| {
            let pairs = [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)];
            let (first, second) = pairs[order];
            let others = [(first, pick % 2), (second, pick / 2)];
            Act::Sign { thing, of, open, own: own.index(64), others }
        }),
        1 => Just(Act::Restart),
        1 => Just(Act::Crash),
    ]
}

/// The rule over whatever a coordinator may ask: of each preprocess, one share at most ever leaves.
#[test]
fn no_sequence_of_requests_gets_two_shares_of_one_preprocess() {
    let mut world = World::new(Coin::Xmr, 4);
    let (mut next, made) = (0, std::cell::Cell::new(0));
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() };
    let acts = prop::collection::vec(act(), 30..60);
    let mut runner = prop::test_runner::TestRunner::new(config);
    let world = std::cell::RefCell::new((&mut world, &mut next));
    runner
        .run(&acts, |acts| {
            let mut guard = world.borrow_mut();
            let (world, next) = &mut *guard;
            let mut things =
                [world.payment(**next, &[None]), world.payment(**next + 1, &[None, None])];
            // Those of all cases are never signed, and payments would wait for each other.
            for (thing, number) in things.iter_mut().zip(**next..) {
                thing.id.thing = Thing::Forward(number);
            }
            **next += 2;
            made.set(made.get() + run(world, &things, acts));
            Ok(())
        })
        .unwrap();
    assert!(made.get() > 24, "hardly any shares: {}", made.get());
}

/// How many shares left.
fn run(world: &mut World, things: &[Due; 2], acts: Vec<Act>) -> usize {
    let ready = things.each_ref().map(|due| world.ready(due));
    let opener = world.validator(1);
    let more = things.each_ref().map(|due| world.gather(due.id, &[0, 1, 2, 3], opener));
    // Of each thing, what was given under member 0's name.
    let mut own: [Vec<Shares>; 2] = [0, 1].map(|at| vec![ready[at][0].1.clone()]);
    let mut left: BTreeMap<Shares, BTreeSet<Shares>> = BTreeMap::new();
    let mut crash = false;
    for act in acts {
        let message = match act {
            Act::Restart => {
                world.member(0).restart();
                continue;
            }
            Act::Crash => {
                crash = true;
                continue;
            }
            Act::Preprocess { thing, opener } => {
                let opener = world.validator(opener);
                CoordinatorMessage::Preprocess { id: things[thing].id, opener }
            }
            Act::Sign { thing, of, open, own: pick, others } => {
                let mine = own[of][pick % own[of].len()].clone();
                let mut set = vec![(world.validator(0), mine)];
                for (member, which) in others {
                    let source = if which == 0 { &ready[of] } else { &more[of] };
                    set.push(source[member].clone());
                }
                sign(things[thing].id, [open; 32], &set)
            }
        };
        if std::mem::take(&mut crash) {
            world.member(0).sign_and_stop(&message);
            continue;
        }
        let outcome = world.member(0).sign(&message);
        for answer in outcome.answers {
            match (answer, &message) {
                (ProcessorMessage::Preprocess { id, preprocess, .. }, _) => {
                    let at = things.iter().position(|due| due.id == id).unwrap();
                    own[at].push(preprocess);
                }
                (
                    ProcessorMessage::Share { share, .. },
                    CoordinatorMessage::Sign { preprocesses, .. },
                ) => {
                    left.entry(preprocesses[0].1.clone()).or_default().insert(share);
                }
                (
                    ProcessorMessage::Refused { .. } | ProcessorMessage::InvalidShare { .. },
                    CoordinatorMessage::Sign { .. },
                ) => {}
                (other, _) => panic!("{other:?}"),
            }
        }
    }
    for (preprocess, shares) in &left {
        assert_eq!(shares.len(), 1, "{preprocess:?} signed twice");
    }
    let used = world.member(0).used();
    let names: BTreeSet<_> = used.iter().map(|used| &used.preprocess).collect();
    assert_eq!(names.len(), used.len());
    left.len()
}
