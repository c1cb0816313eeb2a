//! Members that lie so that honest ones look guilty, or so that there is no time to answer.

use serai_messages::{
    Attempt, Enclosed, Participant, SignatureBytes, SignedStatement, ValidatorKey,
    keygen::{KeygenId, PeerMessage, Round},
};
use serai_protocol::keygen::{FaultKind, Input};

use crate::world::{ATTEMPT_BLOCKS, SET, START, World};

const LIAR: usize = 2;
const VICTIM: usize = 3;

fn enclosed(world: &mut World, by: usize, statement: &SignedStatement) -> SignedStatement {
    let id = KeygenId { set: SET, attempt: Attempt(0) };
    world.sign(by, PeerMessage::Disclosure { id, statement: Enclosed::new(statement) })
}

/// What somebody honest has shown is shown again, so deep in other statements that it is not read: its
/// report is not false for that.
#[test]
fn a_disclosure_enclosed_too_deep_proves_nothing() {
    let mut world = World::tampered(4, 1, |from, to, message| {
        let kind = message.kind();
        let shown = kind == "disclosure" && from == VICTIM || kind == "evidence";
        match message.clone() {
            _ if shown && to != VICTIM => None,
            PeerMessage::Commitments { id, mut commitments } if from == LIAR && to == VICTIM => {
                commitments.ristretto[0] ^= 1;
                Some(PeerMessage::Commitments { id, commitments })
            }
            same => Some(same),
        }
    });
    world.settle();
    let other = world.heard(VICTIM, LIAR, "commitments").unwrap();
    assert_ne!(other.digest(), world.heard(0, LIAR, "commitments").unwrap().digest());
    let shown = enclosed(&mut world, VICTIM, &other);
    let once = enclosed(&mut world, LIAR, &shown);
    let twice = enclosed(&mut world, LIAR, &once);
    world.deliver(0, twice);
    world.settle();
    assert_eq!(world.validators[0].faults, []);
    world.deliver(0, once);
    world.settle();
    let [fault] = world.validators[0].faults.as_slice() else { panic!("one fault") };
    assert_eq!((fault.accused, fault.kind.name()), (world.key(LIAR), "equivocation"));
}

/// Two statements of one slot prove a fault to whoever sees them, in whichever attempt it is.
#[test]
fn evidence_of_another_attempt_counts() {
    let mut world = World::new(4, 2);
    world.settle();
    let id = KeygenId { set: SET, attempt: Attempt(5) };
    let [first, second] = [1, 2].map(|byte| {
        let processor = serai_messages::ProcessorKey([byte; 32]);
        world.sign(LIAR, PeerMessage::Announcement { id, processor })
    });
    let mut forged = second.clone();
    forged.signature = SignatureBytes([1; 64]);
    let other = world.sign(VICTIM, second_announcement(&second));
    for wrong in [&first, &forged, &other] {
        let statements = vec![Enclosed::new(&first), Enclosed::new(wrong)];
        let evidence = world.sign(1, PeerMessage::Evidence { id, statements });
        world.deliver(0, evidence);
        world.settle();
        assert_eq!(world.validators[0].faults, []);
    }
    let statements = vec![Enclosed::new(&first), Enclosed::new(&second)];
    let evidence = world.sign(1, PeerMessage::Evidence { id, statements });
    world.deliver(0, evidence);
    world.settle();
    for validator in [0, 1, VICTIM] {
        let [fault] = world.validators[validator].faults.as_slice() else { panic!("one fault") };
        assert_eq!(fault.accused, world.key(LIAR));
        assert!(matches!(fault.kind, FaultKind::Equivocation { .. }));
    }
    world.run(60, |world| world.all_done((0..4).filter(|index| *index != LIAR)));
}

fn second_announcement(statement: &SignedStatement) -> PeerMessage {
    match &statement.statement.body {
        serai_messages::Body::Keygen(message) => message.clone(),
        other => panic!("{other:?}"),
    }
}

/// Keeps its report until just before the deadline, and then a share from one member: that one has time
/// to say so, and is not left out in its place.
#[test]
fn a_stage_that_comes_late_has_its_time() {
    const LATE: u64 = START + ATTEMPT_BLOCKS - 1;
    for seed in 0..3 {
        let mut world = World::tampered(4, seed, move |from, to, message| {
            if from != LIAR {
                return Some(message.clone());
            }
            match message {
                PeerMessage::AttemptVote { id, height, .. } => {
                    let removed = vec![victim()];
                    Some(PeerMessage::AttemptVote { id: *id, removed, height: *height })
                }
                PeerMessage::Share { to, .. } if *to == Participant(VICTIM as u16 + 1) => None,
                PeerMessage::Agreement { .. } if to != LIAR => None,
                PeerMessage::Disclosure { .. } => None,
                _ => Some(message.clone()),
            }
        });
        world.unheard = Some(LIAR);
        while world.height < LATE {
            world.settle();
            world.block();
        }
        world.settle();
        let agreement = world.heard(LIAR, LIAR, "agreement").unwrap();
        for to in (0..4).filter(|to| *to != LIAR) {
            world.deliver(to, agreement.clone());
        }
        world.run(80, |world| world.all_done((0..4).filter(|index| *index != LIAR)));
        let liar = world.key(LIAR);
        assert!(world.published.iter().all(|(removed, _)| *removed == [liar]));
        world.assert_others_blame_only(&[LIAR]);
        world.assert_replays();
    }
}

/// Reports something else than it received, just before the deadline of each attempt, and shows nothing: it is
/// named for that all the same.
#[test]
fn a_false_report_that_comes_late_is_named() {
    for seed in 0..3 {
        let mut world = World::tampered(4, seed, |from, to, message| match message.clone() {
            PeerMessage::Agreement { id, round: Round::Commitments, mut digests }
                if from == LIAR =>
            {
                digests[0][0] ^= 1;
                let other = PeerMessage::Agreement { id, round: Round::Commitments, digests };
                (to == LIAR).then_some(other)
            }
            PeerMessage::Disclosure { .. } if from == LIAR => None,
            same => Some(same),
        });
        world.unheard = Some(LIAR);
        for _ in 0..6 * ATTEMPT_BLOCKS {
            world.settle();
            let deadline = world.validators[0].keygen.summary().deadline.0;
            if world.height + 1 == deadline
                && let Some(report) = last_report(&world)
            {
                for to in (0..4).filter(|to| *to != LIAR) {
                    world.deliver(to, report.clone());
                }
                world.settle();
            }
            world.block();
        }
        world.run(1, |world| world.all_done((0..4).filter(|index| *index != LIAR)));
        let liar = world.key(LIAR);
        assert!(world.published.iter().all(|(removed, _)| *removed == [liar]));
        world.assert_others_blame_only(&[LIAR]);
    }
}

/// What the liar reported of commitments last.
fn last_report(world: &World) -> Option<SignedStatement> {
    world.validators[LIAR].log.iter().rev().find_map(|input| match input {
        Input::Statement(statement) if statement.signer == world.key(LIAR) => {
            let serai_messages::Body::Keygen(message) = &statement.statement.body else {
                return None;
            };
            (message.kind() == "agreement").then(|| statement.clone())
        }
        _ => None,
    })
}

fn victim() -> ValidatorKey {
    World::new(4, 0).key(VICTIM)
}
