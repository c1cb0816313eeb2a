//! Liars that keep the others' views apart, so that their votes for the next attempt differ.

use serai_messages::keygen::{KeygenId, PeerMessage};
use serai_messages::{Attempt, BlockNumber, Body, Enclosed, SignedStatement};
use serai_protocol::keygen::Input;

use crate::world::{ATTEMPT_BLOCKS, SET, START, World};

const LIARS: [usize; 2] = [5, 6];

/// Two liars wait for each other's shares, and each shows its one to some alone: of the others two miss the one, two
/// miss the other, and one misses both. `lost`: which of the others' disclosures are.
fn liars_that_divide(seed: u64, lost: impl Fn(&SignedStatement) -> bool + 'static) -> World {
    World::tampered(7, seed, move |from, to, message| {
        let shown = match message {
            PeerMessage::AttemptVote { .. } => !LIARS.contains(&from),
            PeerMessage::Share { to, .. } => {
                !LIARS.contains(&from) || !LIARS.contains(&(usize::from(to.0) - 1))
            }
            PeerMessage::Disclosure { .. } if LIARS.contains(&to) => false,
            PeerMessage::Disclosure { .. } if from == LIARS[0] => [2, 3].contains(&to),
            PeerMessage::Disclosure { .. } if from == LIARS[1] => [0, 1].contains(&to),
            PeerMessage::Disclosure { statement, .. } => !lost(&statement.open().unwrap()),
            _ => true,
        };
        shown.then(|| message.clone())
    })
}

fn assert_liars_alone_to_blame(world: &World) {
    let liars = LIARS.map(|liar| world.key(liar));
    let within = |key| liars.contains(key);
    assert!(world.published.iter().all(|(removed, _)| removed.iter().all(within)));
    world.assert_others_blame_only(&LIARS);
}

/// Shares that some alone were shown are shown to all, so that all miss the same.
#[test]
fn who_shows_shares_to_some_divides_nobody() {
    for seed in 0..4 {
        let mut world = liars_that_divide(seed, |_| false);
        world.run(4 * ATTEMPT_BLOCKS, |world| world.all_done(0..5));
        assert!((0..5).all(|index| world.attempt(index) == 1));
        assert_liars_alone_to_blame(&world);
        world.assert_replays();
    }
}

/// Where what they miss stays apart, nobody gives up what it sees, and still all come together.
#[test]
fn views_that_stay_apart_are_brought_together_by_a_proposal() {
    let liars = LIARS.map(|liar| World::new(7, 0).key(liar));
    for seed in 0..4 {
        let mut world = liars_that_divide(seed, move |statement| {
            let Body::Keygen(message) = &statement.statement.body else { return false };
            message.kind() == "share" && liars.contains(&statement.signer)
        });
        world.run(12 * ATTEMPT_BLOCKS, |world| world.all_done(0..5));
        assert!((0..5).all(|index| world.attempt(index) > 1));
        assert_liars_alone_to_blame(&world);
        world.assert_replays();
    }
}

/// A liar delays the first votes to the number at which it is its turn to propose, and proposes to leave out
/// nobody: no other attempt begins with it.
#[test]
fn a_proposal_that_goes_no_further_is_not_followed() {
    const LIAR: usize = 1;
    for seed in 0..4 {
        let mut world = World::tampered(4, seed, |from, to, message| {
            (from != LIAR || to == LIAR).then(|| message.clone())
        });
        world.unheard = Some(LIAR);
        while world.height < START + ATTEMPT_BLOCKS - 1 {
            world.settle();
            world.block();
        }
        world.settle();
        let announcement = world.heard(LIAR, LIAR, "announcement").unwrap();
        let id = KeygenId { set: SET, attempt: Attempt(1) };
        let height = BlockNumber(START + ATTEMPT_BLOCKS);
        let vote = PeerMessage::AttemptVote { id, removed: Vec::new(), height };
        let vote = world.sign(LIAR, vote);
        for statement in [announcement, vote] {
            for to in (0..4).filter(|to| *to != LIAR) {
                world.deliver(to, statement.clone());
            }
        }
        let others = || (0..4).filter(|index| *index != LIAR);
        world.run(60, |world| world.all_done(others()));
        let liar = world.key(LIAR);
        assert!(world.published.iter().all(|(removed, _)| *removed == [liar]));
        assert!(others().all(|index| world.attempt(index) == 2));
        world.assert_replays();
    }
}

/// A liar says nothing but votes: to a member that was away for attempt 0 only such as are for numbers far ahead,
/// to the others what they vote. The member comes to their attempt all the same.
#[test]
fn votes_for_numbers_far_ahead_keep_nobody_behind() {
    const LIAR: usize = 2;
    const AWAY: usize = 3;
    for seed in 0..4 {
        let mut world = World::tampered(4, seed, |from, to, message| {
            let lost = from == LIAR || from == AWAY && message.id().attempt.0 == 0;
            (to == from || !lost).then(|| message.clone())
        });
        world.unheard = Some(LIAR);
        for number in 1_000_000..1_000_004 {
            let id = KeygenId { set: SET, attempt: Attempt(number) };
            let vote =
                PeerMessage::AttemptVote { id, removed: Vec::new(), height: BlockNumber(START) };
            let vote = world.sign(LIAR, vote);
            world.deliver(AWAY, vote);
        }
        world.settle();
        world.validators[AWAY].off = true;
        let mut voted = 0;
        for _ in 0..24 * ATTEMPT_BLOCKS {
            world.settle();
            let votes: Vec<_> = world.votes(0).into_iter().skip(voted).collect();
            voted += votes.len();
            for vote in votes {
                let vote = world.sign(LIAR, vote);
                for to in [0, 1] {
                    world.deliver(to, vote.clone());
                }
            }
            world.settle();
            world.block();
            if world.height == START + ATTEMPT_BLOCKS + 1 {
                world.switch_on(AWAY);
            }
        }
        world.settle();
        let attempts: Vec<_> = (0..4).map(|index| world.attempt(index)).collect();
        assert!(world.all_done([0, 1, AWAY]), "{attempts:?}");
        let liar = world.key(LIAR);
        assert!(world.published.iter().all(|(removed, _)| *removed == [liar]));
        world.assert_replays();
    }
}

const LATE: usize = 3;

fn vote_for(number: u32) -> PeerMessage {
    let id = KeygenId { set: SET, attempt: Attempt(number) };
    PeerMessage::AttemptVote { id, removed: Vec::new(), height: due(number) }
}

fn due(number: u32) -> BlockNumber {
    BlockNumber(START + u64::from(number) * ATTEMPT_BLOCKS)
}

fn tell_late(world: &mut World, from: usize, message: PeerMessage) {
    let statement = world.sign(from, message);
    world.input(LATE, Input::Statement(statement));
}

/// A member comes late, when a voter whom the others' attempt needed has voted for many numbers since: it is shown
/// that vote, and takes it.
#[test]
fn a_vote_that_is_shown_counts_whatever_its_voter_says_since() {
    let mut world = World::new(4, 1);
    world.input(LATE, Input::Height(due(9)));
    for number in 1..10 {
        tell_late(&mut world, 2, vote_for(number));
    }
    let id = vote_for(1).id();
    for voter in 0..3 {
        let statement = Enclosed::new(&world.sign(voter, vote_for(1)));
        tell_late(&mut world, 0, PeerMessage::Disclosure { id, statement });
    }
    assert_eq!(world.attempt(LATE), 1);
}

#[test]
fn votes_far_ahead_take_no_place_of_one_that_is_due() {
    let mut world = World::new(4, 1);
    for number in (1_000_000..1_000_010).chain([1]) {
        tell_late(&mut world, 2, vote_for(number));
    }
    for voter in [0, 1] {
        tell_late(&mut world, voter, vote_for(1));
    }
    assert_eq!(world.attempt(LATE), 1);
}

/// One whose chain is behind another's hears each of its votes before the block at which it is due.
#[test]
fn votes_of_one_who_is_a_block_ahead_count() {
    let mut world = World::new(4, 1);
    for number in 1..20 {
        world.input(LATE, Input::Height(BlockNumber(due(number).0 - 1)));
        tell_late(&mut world, 0, vote_for(number));
        world.input(LATE, Input::Height(due(number)));
    }
    for voter in [1, 2] {
        tell_late(&mut world, voter, vote_for(19));
    }
    assert_eq!(world.attempt(LATE), 19);
}

/// One that was restarted by other rules hears what it voted for before: it does not vote for that number again.
#[test]
fn nobody_votes_again_for_a_number_that_it_voted_for() {
    let mut world = World::new(4, 1);
    world.input(LATE, Input::Height(due(0)));
    tell_late(&mut world, LATE, vote_for(1));
    for number in [1, 2] {
        world.input(LATE, Input::Height(due(number)));
        assert_eq!(world.votes(LATE).len(), usize::from(number == 2));
    }
}

/// Three liars of ten keep their shares from three, two and two of the others, which each miss one of them only.
#[test]
fn who_keeps_shares_from_some_is_missed_by_all() {
    const KEPT_FROM: [(usize, &[usize]); 3] = [(7, &[0, 1, 2]), (8, &[3, 4]), (9, &[5, 6])];
    let is_liar = |index: usize| KEPT_FROM.iter().any(|(liar, _)| *liar == index);
    let mut world = World::tampered(10, 1, move |from, _, message| {
        let kept_from = KEPT_FROM.iter().find(|(liar, _)| *liar == from);
        let kept = kept_from.is_some_and(|(_, kept_from)| match message {
            PeerMessage::Share { to, .. } => kept_from.contains(&(usize::from(to.0) - 1)),
            PeerMessage::Disclosure { .. } | PeerMessage::AttemptVote { .. } => true,
            _ => false,
        });
        (!kept).then(|| message.clone())
    });
    world.run(8 * ATTEMPT_BLOCKS, |world| world.all_done((0..10).filter(|index| !is_liar(*index))));
    let liars = KEPT_FROM.map(|(liar, _)| world.key(liar));
    assert!(world.published.iter().all(|(removed, _)| *removed == liars));
    world.assert_others_blame_only(&KEPT_FROM.map(|(liar, _)| liar));
    world.assert_replays();
}
