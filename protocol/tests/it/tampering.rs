//! One member misbehaves in one way: every honest member names it, its attempt makes no keys, and the
//! next attempt succeeds without it.

use serai_protocol::keygen::Input;

use crate::world::World;
use serai_messages::{
    Body, Enclosed, Participant,
    keygen::{KeyKind, PeerMessage, PerKey, ProcessorMessage, Round},
};

const LIAR: usize = 1;
const VICTIM: usize = 3;
const CASES: [(usize, u64); 4] = [(4, 1), (4, 2), (7, 3), (7, 4)];

fn flip(bytes: &mut [u8]) {
    bytes[0] ^= 1;
}

fn flip_both(part: &mut PerKey) {
    flip(&mut part.ristretto);
    flip(&mut part.external);
}

/// The liar's messages pass `lie` (recipient, message) before they leave, in the first attempt.
fn lying(count: usize, seed: u64, lie: impl Fn(usize, &mut PeerMessage) + 'static) -> World {
    let mut world = World::tampered(count, seed, move |from, to, message| {
        let mut message = message.clone();
        if from != LIAR || message.id().attempt.0 > 0 {
            return Some(message);
        }
        lie(to, &mut message);
        // It shows nothing of what it received.
        (message.kind() != "disclosure").then_some(message)
    });
    // It could complete the signature that it keeps the others from completing.
    world.unheard = Some(LIAR);
    world
}

/// Everyone honest names the liar for `kind` and nobody else for anything, and finishes without it.
fn assert_named(world: &mut World, kind: &str) {
    let count = world.validators.len();
    let honest = || (0..count).filter(|index| *index != LIAR);
    world.run(80, |world| world.all_done(0..count));
    let liar = world.key(LIAR);
    for (removed, _) in &world.published {
        assert_eq!(removed.as_slice(), [liar], "keys of the liar's attempt were published");
    }
    let mut named = 0;
    for index in honest() {
        let faults = &world.validators[index].faults;
        assert!(faults.iter().all(|fault| fault.accused == liar), "{index}: {faults:?}");
        // Enough others may have voted before this one could see for itself.
        let kinds: Vec<_> = faults.iter().map(|fault| fault.kind.name()).collect();
        assert!(kinds.contains(&kind) || kinds.contains(&"left-out"), "{index}: {kinds:?}");
        named += usize::from(kinds.contains(&kind));
    }
    assert!(named > count / 2, "only {named} named it");
    world.assert_replays();
}

fn assert_lie_is_named(kind: &str, lie: impl Fn(usize, &mut PeerMessage) + Copy + 'static) {
    for (count, seed) in CASES {
        assert_named(&mut lying(count, seed, lie), kind);
    }
}

#[test]
fn equivocating_announcement() {
    assert_lie_is_named("equivocation", |to, message| {
        if let PeerMessage::Announcement { processor, .. } = message
            && to == VICTIM
        {
            flip(&mut processor.0);
        }
    });
}

#[test]
fn equivocating_commitments() {
    assert_lie_is_named("equivocation", |to, message| {
        if let PeerMessage::Commitments { commitments, .. } = message
            && to == VICTIM
        {
            flip_both(commitments);
        }
    });
}

#[test]
fn equivocating_proof_preprocess() {
    assert_lie_is_named("equivocation", |to, message| {
        if let PeerMessage::ProofPreprocess { preprocess, .. } = message
            && to == VICTIM
        {
            flip_both(preprocess);
        }
    });
}

#[test]
fn equivocating_musig_preprocess() {
    assert_lie_is_named("equivocation", |to, message| {
        if let PeerMessage::MusigPreprocess { preprocess, .. } = message
            && to == VICTIM
        {
            // Two points swapped are two points.
            preprocess.rotate_left(32);
        }
    });
}

#[test]
fn lying_in_the_agreement_without_a_statement_to_show() {
    assert_lie_is_named("undisclosed", |_, message| {
        if let PeerMessage::Agreement { round: Round::Commitments, digests, .. } = message {
            flip(&mut digests[VICTIM]);
        }
    });
}

#[test]
fn lying_about_preprocesses() {
    assert_lie_is_named("undisclosed", |_, message| {
        if let PeerMessage::ProofShare { digests, .. } | PeerMessage::MusigShare { digests, .. } =
            message
        {
            flip(&mut digests[VICTIM]);
        }
    });
}

#[test]
fn showing_another_statement_than_reported_is_named_at_once() {
    for (count, seed) in CASES {
        let mut world = lying(count, seed, |_, message| {
            if let PeerMessage::Agreement { digests, .. } = message {
                flip(&mut digests[VICTIM]);
            }
        });
        world.settle();
        let victim = world.key(VICTIM);
        let found = world.validators[0].log.iter().find_map(|input| {
            let Input::Statement(statement) = input else { return None };
            let Body::Keygen(message) = &statement.statement.body else {
                panic!("not of key generation")
            };
            let wanted = statement.signer == victim && message.kind() == "commitments";
            wanted.then(|| (message.id(), Enclosed::new(statement)))
        });
        let (id, statement) = found.unwrap();
        let shown = world.sign(LIAR, PeerMessage::Disclosure { id, statement });
        for to in (0..count).filter(|to| *to != LIAR) {
            world.deliver(to, shown.clone());
        }
        world.settle();
        world.block();
        world.settle();
        assert!((0..count).all(|index| world.attempt(index) == 1));
        assert_named(&mut world, "false-report");
    }
}

#[test]
fn bad_commitments() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        world.tamper_processor = Box::new(|index, mut message| {
            if let ProcessorMessage::Commitments { id, commitments } = &mut message
                && index == LIAR
                && id.attempt.0 == 0
            {
                flip(&mut commitments.external);
            }
            vec![message]
        });
        assert_named(&mut world, "invalid-commitments");
    }
}

#[test]
fn bad_share() {
    assert_lie_is_named("invalid-share", |to, message| {
        if let PeerMessage::Share { share, .. } = message
            && to == VICTIM
        {
            flip(&mut share.external);
        }
    });
}

#[test]
fn false_accusation() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        world.tamper_processor = Box::new(|index, message| match message {
            ProcessorMessage::KeyPair { id, .. } if index == LIAR && id.attempt.0 == 0 => {
                let accused = Participant(VICTIM as u16 + 1);
                let key = KeyKind::Ristretto;
                vec![ProcessorMessage::InvalidShare { id, accused, key, blame: Some(vec![1]) }]
            }
            other => vec![other],
        });
        assert_named(&mut world, "false-accusation");
    }
}

#[test]
fn bad_party_signature() {
    assert_lie_is_named("invalid-party-signature", |_, message| {
        if let PeerMessage::PartySignature { signature, .. } = message {
            flip(&mut signature.0);
        }
    });
}

#[test]
fn bad_party_signature_to_one() {
    assert_lie_is_named("equivocation", |to, message| {
        if let PeerMessage::PartySignature { signature, .. } = message
            && to == VICTIM
        {
            flip(&mut signature.0);
        }
    });
}

#[test]
fn wrong_key_pair() {
    assert_lie_is_named("wrong-key-pair", |_, message| {
        if let PeerMessage::ProofPreprocess { key_pair, .. } = message {
            flip(&mut key_pair.ristretto);
        }
    });
}

#[test]
fn bad_proof_share() {
    assert_lie_is_named("invalid-proof-share", |_, message| {
        if let PeerMessage::ProofShare { share, .. } = message {
            flip_both(share);
        }
    });
}

#[test]
fn bad_musig_preprocess() {
    assert_lie_is_named("invalid-musig-share", |_, message| {
        if let PeerMessage::MusigPreprocess { preprocess, .. } = message {
            preprocess.fill(0xff);
        }
    });
}

#[test]
fn bad_musig_share() {
    assert_lie_is_named("invalid-musig-share", |_, message| {
        if let PeerMessage::MusigShare { share, .. } = message {
            flip(share);
        }
    });
}

#[test]
fn malformed_report() {
    assert_lie_is_named("malformed", |_, message| {
        if let PeerMessage::Agreement { digests, .. } = message {
            digests.pop();
        }
    });
}
