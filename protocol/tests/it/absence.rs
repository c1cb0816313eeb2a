//! Members that are silent, to all or to some, and members that come late.

use serai_messages::keygen::{Awaited, KeygenId, PeerMessage};
use serai_messages::{Attempt, Participant, ValidatorKey};
use serai_protocol::keygen::{FaultKind, Input};

use crate::world::{ATTEMPT_BLOCKS, SET, START, World};

const ABSENT: usize = 2;
const VICTIM: usize = 0;
const KINDS: [&str; 9] = [
    "announcement",
    "party-signature",
    "commitments",
    "agreement",
    "share",
    "proof-preprocess",
    "proof-share",
    "musig-preprocess",
    "musig-share",
];

fn kind_index(message: &PeerMessage) -> Option<usize> {
    KINDS.iter().position(|kind| *kind == message.kind())
}

fn absent_key() -> ValidatorKey {
    World::new(4, 0).key(ABSENT)
}

fn assert_absent_alone_to_blame(world: &World) {
    let absent = world.key(ABSENT);
    let removed: Vec<_> = world.published.iter().map(|(removed, _)| removed.clone()).collect();
    assert!(removed.iter().all(|removed| *removed == [absent]), "{removed:?}");
    world.assert_others_blame_only(&[ABSENT]);
}

#[test]
fn silent_member_is_left_out_of_the_next_attempt() {
    for count in [4, 7] {
        for (since, kind) in KINDS.iter().enumerate() {
            // From this kind on it says nothing, in no attempt.
            let mut world = World::tampered(count, since as u64, move |from, _, message| {
                let silent = from == ABSENT
                    && (kind_index(message).is_none_or(|kind| kind >= since)
                        || message.id().attempt.0 > 0);
                (!silent).then(|| message.clone())
            });
            world.unheard = Some(ABSENT);
            world.run(60, |world| world.all_done(0..count));
            let absent = world.key(ABSENT);
            assert!(world.published.iter().all(|(removed, _)| *removed == [absent]), "{kind}");
            for index in (0..count).filter(|index| *index != ABSENT) {
                let faults = &world.validators[index].faults;
                assert_eq!(faults.len(), 1, "{kind}: {faults:?}");
                assert_eq!(faults[0].accused, absent);
                assert!(["silent", "left-out"].contains(&faults[0].kind.name()));
                assert_eq!(world.attempt(index), 1);
            }
            world.assert_replays();
        }
    }
}

#[test]
fn what_one_member_misses_the_others_show_it() {
    for count in [4, 7] {
        for (seed, kind) in KINDS.iter().enumerate() {
            let mut world = World::tampered(count, seed as u64, move |from, to, message| {
                let dropped = (from, to) == (ABSENT, VICTIM) && message.kind() == *kind;
                (!dropped).then(|| message.clone())
            });
            world.run(ATTEMPT_BLOCKS - 2, |world| world.all_done(0..count));
            assert!(world.published.iter().all(|(removed, _)| removed.is_empty()), "{kind}");
            for validator in &world.validators {
                assert_eq!(validator.faults, [], "{kind}");
            }
            world.assert_replays();
        }
    }
}

/// Says a share to one member neither at first nor when asked: all see who is silent.
#[test]
fn withheld_share_is_the_senders_fault_not_the_recipients() {
    for count in [4, 7] {
        let mut world = World::tampered(count, 5, |from, to, message| {
            let dropped = from == ABSENT
                && (message.kind() == "share" && to == VICTIM || message.kind() == "disclosure");
            (!dropped).then(|| message.clone())
        });
        world.run(60, |world| world.all_done(0..count));
        assert_absent_alone_to_blame(&world);
        let silent = FaultKind::Silent { awaited: Awaited::Share };
        for index in (0..count).filter(|index| *index != ABSENT) {
            let kinds: Vec<_> = world.validators[index].faults.iter().map(|it| &it.kind).collect();
            assert_eq!(kinds, [&silent], "{index}");
        }
    }
}

/// Says that it waits for a share of one member, to all but that one, and nothing else: the one is told by the
/// others, shows its share, and is not taken for silent in its place.
#[test]
fn who_is_waited_for_behind_its_back_is_told() {
    for count in [4, 7] {
        let mut world = World::tampered(count, 6, |from, to, message| {
            if from != ABSENT || (message.id().attempt.0 == 0 && kind_index(message) < Some(5)) {
                return Some(message.clone());
            }
            let id = message.id();
            let waits = to != VICTIM && id.attempt.0 == 0 && message.kind() == "proof-preprocess";
            let from = vec![Participant(VICTIM as u16 + 1)];
            waits.then_some(PeerMessage::Waiting { id, awaited: Awaited::Share, from })
        });
        world.unheard = Some(ABSENT);
        world.run(60, |world| world.all_done(0..count));
        assert_absent_alone_to_blame(&world);
    }
}

/// Says early that it waits for one member's share, and also for nobody at the next stage, gives all its shares and
/// stops: that member shows its share to all once it is made, and is not blamed.
#[test]
fn who_waits_early_for_what_is_made_later_is_missed() {
    for count in [4, 7] {
        let mut world = World::tampered(count, 6, |from, to, message| {
            let late = kind_index(message).is_none_or(|kind| kind >= 5);
            let stops = late || message.id().attempt.0 > 0;
            (from != ABSENT || to == ABSENT || !stops).then(|| message.clone())
        });
        world.unheard = Some(ABSENT);
        let id = KeygenId { set: SET, attempt: Attempt(0) };
        let named = vec![Participant(VICTIM as u16 + 1)];
        for (awaited, from) in [(Awaited::Share, named), (Awaited::ProofPreprocess, Vec::new())] {
            let wait = world.sign(ABSENT, PeerMessage::Waiting { id, awaited, from });
            for to in (0..count).filter(|to| *to != ABSENT) {
                world.input(to, Input::Statement(wait.clone()));
            }
        }
        world.run(60, |world| world.all_done((0..count).filter(|index| *index != ABSENT)));
        assert_absent_alone_to_blame(&world);
        world.assert_replays();
    }
}

/// Says that it waits for a share before anybody can have made one, and nothing else: it is missed itself.
#[test]
fn who_claims_a_later_stage_is_missed_at_this_one() {
    for count in [4, 7] {
        let mut world = World::tampered(count, 7, |from, _, message| {
            if from != ABSENT || (message.id().attempt.0 == 0 && kind_index(message) < Some(2)) {
                return Some(message.clone());
            }
            let id = message.id();
            let waits = id.attempt.0 == 0 && message.kind() == "commitments";
            let from = vec![Participant(VICTIM as u16 + 1)];
            waits.then_some(PeerMessage::Waiting { id, awaited: Awaited::Share, from })
        });
        world.unheard = Some(ABSENT);
        world.run(60, |world| world.all_done(0..count));
        assert_absent_alone_to_blame(&world);
    }
}

/// Keeps a share from one member, which cannot go on then, and says that it waits for that one: in each attempt.
#[test]
fn who_waits_for_the_one_that_waits_for_it_is_missed() {
    for count in [4, 7] {
        let mut world = World::tampered(count, 8, |from, to, message| {
            if from != ABSENT || message.kind() == "attempt-vote" {
                return Some(message.clone());
            }
            if message.kind() == "proof-preprocess" {
                let from = vec![Participant(VICTIM as u16 + 1)];
                let (id, awaited) = (message.id(), Awaited::ProofPreprocess);
                return Some(PeerMessage::Waiting { id, awaited, from });
            }
            let kept = message.kind() == "share" && to == VICTIM
                || ["disclosure", "waiting"].contains(&message.kind());
            (!kept && kind_index(message) < Some(5)).then(|| message.clone())
        });
        world.unheard = Some(ABSENT);
        world.run(80, |world| world.all_done((0..count).filter(|index| *index != ABSENT)));
        assert_absent_alone_to_blame(&world);
    }
}

#[test]
fn too_many_silent_are_waited_for_not_removed() {
    // Of 4, one may be left out; here two are away for two attempts.
    let mut world = World::new(4, 8);
    for index in [2, 3] {
        world.validators[index].off = true;
    }
    for _ in 0..2 * ATTEMPT_BLOCKS + 3 {
        world.settle();
        world.block();
    }
    world.settle();
    assert!(world.published.is_empty());
    for index in [2, 3] {
        world.switch_on(index);
    }
    world.run(60, |world| world.all_done(0..4));
    assert!(world.published.iter().all(|(removed, _)| removed.is_empty()));
}

#[test]
fn late_member_catches_up_with_the_running_attempt() {
    for seed in 0..5 {
        // A message is lost for good, so that the first attempt fails, while one member is away.
        let mut world = World::tampered(7, seed, |from, _, message| {
            let dropped = from == ABSENT && message.id().attempt.0 == 0;
            (!dropped).then(|| message.clone())
        });
        world.validators[5].off = true;
        for _ in 0..ATTEMPT_BLOCKS + 4 {
            world.settle();
            world.block();
        }
        world.settle();
        world.switch_on(5);
        world.run(80, |world| world.all_done(0..7));
    }
}

#[test]
fn member_that_missed_the_votes_is_shown_them() {
    for seed in 0..3 {
        let mut world = World::tampered(7, seed, |from, to, message| {
            let dropped = from == ABSENT || (to == 5 && message.kind() == "attempt-vote");
            (from == to || !dropped).then(|| message.clone())
        });
        world.run(60, |world| world.all_done((0..7).filter(|index| *index != ABSENT)));
        let absent = world.key(ABSENT);
        assert!(world.published.iter().all(|(removed, _)| *removed == [absent]));
        assert!((0..7).all(|index| index == ABSENT || world.attempt(index) == 1));
    }
}

#[test]
fn set_that_starts_long_after_its_block_removes_nobody() {
    let mut world = World::new(4, 11);
    world.height = START + 10 * ATTEMPT_BLOCKS + 3;
    world.block();
    world.validators[3].off = true;
    for _ in 0..3 {
        world.settle();
        world.block();
    }
    world.switch_on(3);
    world.run(4, |world| world.all_done(0..4));
    assert!(world.published.iter().all(|(removed, _)| removed.is_empty()));
}

/// One that voted otherwise is told another vote by the liar than the others, whose quorum needs the liar's: it
/// comes to their attempt all the same.
#[test]
fn who_votes_twice_keeps_nobody_from_the_next_attempt() {
    const APART: usize = 3;
    for seed in 0..8 {
        let mut world = World::tampered(4, seed, |from, to, message| {
            let first = message.id().attempt.0 == 1;
            match message {
                PeerMessage::AttemptVote { id, height, .. }
                    if first && (from == APART || from == ABSENT && to == APART) =>
                {
                    let (id, height, removed) = (*id, *height, Vec::new());
                    Some(PeerMessage::AttemptVote { id, removed, height })
                }
                PeerMessage::AttemptVote { id, height, .. } if first && from == ABSENT => {
                    let (id, height, removed) = (*id, *height, vec![absent_key()]);
                    Some(PeerMessage::AttemptVote { id, removed, height })
                }
                _ if from == ABSENT && kind_index(message).is_none_or(|kind| kind >= 2) => None,
                _ => Some(message.clone()),
            }
        });
        world.unheard = Some(ABSENT);
        world.run(60, |world| world.all_done([0, 1, APART]));
        assert_eq!(world.attempt(APART), 1);
        assert_absent_alone_to_blame(&world);
        world.assert_replays();
    }
}

/// One that is left out, and was not told all the votes for that, learns it from the others by its next vote.
#[test]
fn who_is_left_out_without_knowing_is_shown_the_votes() {
    const LEFT_OUT: usize = 3;
    for seed in 0..3 {
        let mut world = World::tampered(4, seed, |from, to, message| {
            let lost = match message {
                PeerMessage::AttemptVote { .. } => from == ABSENT && to == LEFT_OUT,
                message if message.id().attempt.0 > 0 => from == ABSENT,
                message => from == LEFT_OUT && kind_index(message) != Some(0),
            };
            (!lost).then(|| message.clone())
        });
        world.run(4 * ATTEMPT_BLOCKS, |world| world.attempt(LEFT_OUT) > 0);
        assert_eq!(world.attempt(LEFT_OUT), world.attempt(0));
        world.assert_replays();
    }
}

/// Of 4, one may be left out: who is silent now goes before who was away for the first attempt.
#[test]
fn who_was_away_once_takes_the_place_of_who_stays_silent() {
    const AWAY: usize = 3;
    for seed in 0..3 {
        let mut world = World::tampered(4, seed, |from, _, message| {
            let first = message.id().attempt.0 == 0;
            let lost = from == AWAY && first
                || from == ABSENT && !first && message.kind() != "attempt-vote";
            (!lost).then(|| message.clone())
        });
        world.unheard = Some(ABSENT);
        world.run(120, |world| world.all_done([0, 1, AWAY]));
        let absent = world.key(ABSENT);
        assert!(world.published.iter().all(|(removed, _)| *removed == [absent]));
        world.assert_replays();
    }
}

/// Two missed a third one for a while, which all three could be left out for: their votes come together
/// once they see the same.
#[test]
fn votes_that_differed_come_together() {
    const SILENT: usize = 0;
    const LATE: usize = 1;
    for seed in 0..3 {
        let agreement = KINDS.iter().position(|kind| *kind == "agreement").unwrap();
        let mut world = World::tampered(4, seed, move |from, _, message| {
            let silent = from == SILENT && kind_index(message).is_none_or(|kind| kind >= agreement);
            (!silent).then(|| message.clone())
        });
        world.unheard = Some(SILENT);
        world.validators[LATE].off = true;
        for _ in 0..ATTEMPT_BLOCKS + 2 {
            world.settle();
            world.block();
        }
        world.switch_on(LATE);
        world.run(120, |world| world.all_done(1..4));
        let silent = world.key(SILENT);
        assert!(world.published.iter().all(|(removed, _)| *removed == [silent]));
        world.assert_replays();
    }
}
