//! Validators that lie where they could be believed.

use serai_messages::{
    Enclosed, SignatureBytes,
    signing::{PeerMessage, ProcessorMessage, Shares},
};
use serai_protocol::signing::FaultKind;

use super::world::{ID, World};

const CASES: [(usize, u64); 5] = [(4, 1), (4, 2), (7, 3), (7, 4), (20, 5)];

fn flip(shares: &mut Shares) {
    shares[0][0] ^= 1;
}

fn lying(
    count: usize,
    seed: u64,
    liars: impl IntoIterator<Item = usize>,
    mut lie: impl FnMut(usize, &PeerMessage) -> Vec<PeerMessage> + 'static,
) -> World {
    let mut world = World::new(count, seed);
    world.liars = liars.into_iter().collect();
    let liars = world.liars.clone();
    world.lie =
        Box::new(
            move |from, to, message| {
                if liars.contains(&from) { lie(to, message) } else { vec![message.clone()] }
            },
        );
    world
}

#[test]
fn bad_shares_are_named_by_all() {
    for (count, seed) in CASES {
        // All of the first party that may lie, but for its opener.
        let spare = World::new(count, seed).spare();
        let mut world = lying(count, seed, 1..=spare, |_, message| {
            let mut message = message.clone();
            if let PeerMessage::Share { share, .. } = &mut message {
                flip(share);
            }
            vec![message]
        });
        world.assert_signed();
        // The second may be in no session, if its next preprocess comes late.
        let bad = |liar: &usize| {
            let mut honest = world.honest().into_iter();
            honest.any(|by| world.named(by, *liar).contains(&"invalid-share"))
        };
        let named: Vec<_> = (1..=spare).filter(bad).collect();
        assert!(!named.is_empty());
        for liar in named {
            world.assert_named_by_all(liar, "invalid-share");
        }
        for by in world.honest() {
            let judged = world.validators[by].processor.judged;
            // What it was told, and what it opened itself.
            assert!(judged <= spare * (count + world.threshold), "{judged} judgements");
        }
    }
}

#[test]
fn shares_of_another_number_of_messages_are_named_by_all() {
    for (count, seed) in CASES {
        let mut world = lying(count, seed, [1], |_, message| {
            let mut message = message.clone();
            if let PeerMessage::Share { share, .. } = &mut message {
                share.pop();
            }
            vec![message]
        });
        world.assert_signed();
        world.assert_named_by_all(1, "invalid-share");
    }
}

#[test]
fn bad_preprocesses_are_named_by_whoever_met_them() {
    for (count, seed) in CASES {
        for shorter in [false, true] {
            let mut world = lying(count, seed, [1], move |_, message| {
                let mut message = message.clone();
                if let PeerMessage::Preprocess { preprocess, .. } = &mut message {
                    flip(preprocess);
                    if shorter {
                        preprocess.pop();
                    }
                }
                vec![message]
            });
            world.assert_signed();
            assert_eq!(world.named(0, 1), ["invalid-preprocess"]);
        }
    }
}

#[test]
fn equivocating_shares() {
    for (count, seed) in CASES {
        let mut world = lying(count, seed, [1], |_, message| {
            let mut other = message.clone();
            if let PeerMessage::Share { share, .. } = &mut other {
                flip(share);
            }
            vec![message.clone(), other]
        });
        world.assert_signed();
        assert!(world.named(0, 1).contains(&"equivocation"), "{:?}", world.named(0, 1));
    }
}

#[test]
fn other_content_is_named_by_all_and_never_signed_with() {
    for (count, seed) in CASES {
        for liar in [0, 1, count - 1] {
            let mut world = World::new(count, seed);
            world.liars = [liar].into();
            world.differ(liar);
            world.assert_signed();
            world.assert_named_by_all(liar, "other-content");
            let seen = world.validators[liar].machine.summary().seen;
            assert_eq!(seen, 0, "it was asked to sign");
        }
    }
}

#[test]
fn other_content_said_to_one_is_shown_to_all() {
    for (count, seed) in CASES {
        let mut world = lying(count, seed, [2], |to, message| {
            let mut message = message.clone();
            if let PeerMessage::Preprocess { digest, .. } = &mut message
                && to == 0
            {
                digest[0] ^= 1;
            }
            vec![message]
        });
        world.assert_signed();
        world.assert_named_by_all(2, "other-content");
    }
}

#[test]
fn false_accusations_and_reports_fall_back() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        world.liars = [0].into();
        // The first opener's processor finds fault with every session.
        let victim = world.key(1);
        world.processor_lie = Box::new(move |index, request, message| match message {
            ProcessorMessage::Signed { .. } if index == 0 => {
                ProcessorMessage::Refused { id: ID, request, reason: "it lies".to_owned() }
            }
            other => other,
        });
        world.assert_signed();
        // What it holds of the session is enough for an accusation that is well formed.
        let statement = |kind: &'static str, signer| {
            world.validators[0].log.iter().find_map(|input| match input {
                serai_protocol::signing::Input::Statement(statement)
                    if statement.signer == signer && statement.statement.body.kind() == kind =>
                {
                    Some(Enclosed::new(statement))
                }
                _ => None,
            })
        };
        let own = world.key(0);
        let (open, share) = (statement("open", own).unwrap(), statement("share", victim).unwrap());
        let accusation = world.sign(0, PeerMessage::Accusation { id: ID, open, share });
        for to in 1..count {
            world.deliver(to, &accusation);
        }
        world.assert_signed();
        for by in world.honest() {
            let faults = &world.validators[by].faults;
            let kind = FaultKind::FalseAccusation { accused: victim };
            assert!(faults.iter().any(|fault| fault.kind == kind), "{by}: {faults:?}");
        }
    }
}

#[test]
fn malformed_accusations_and_reports() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        world.liars = [1, 2].into();
        world.validators[1].dead_from = Some(0);
        if world.spare() > 1 {
            world.validators[2].dead_from = Some(0);
        }
        let request = world.sign(0, PeerMessage::Request { id: ID, digest: world.content });
        let enclosed = Enclosed::new(&request);
        let accusation =
            PeerMessage::Accusation { id: ID, open: enclosed.clone(), share: enclosed.clone() };
        let accusation = world.sign(1, accusation);
        let differs = PeerMessage::Differs { id: ID, digest: world.content, statement: enclosed };
        let differs = world.sign(2, differs);
        // Somebody else's signature under what somebody would be at fault for.
        let mut forged = world.sign(1, PeerMessage::Request { id: ID, digest: [1; 32] });
        forged.signer = world.key(3);
        for to in 0..count {
            world.deliver(to, &accusation);
            world.deliver(to, &forged);
            if world.spare() > 1 {
                world.deliver(to, &differs);
            }
        }
        world.assert_signed();
        world.assert_named_by_all(1, "malformed");
        if world.spare() > 1 {
            world.assert_named_by_all(2, "malformed");
        }
    }
}

#[test]
fn false_signatures_convince_nobody() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        // The last of the draw: nobody waits for it.
        let liar = count - 1;
        world.liars = [liar].into();
        world.validators[liar].dead_from = Some(0);
        let signatures = vec![SignatureBytes([3; 64]); 2];
        let message = PeerMessage::Signed { id: ID, digest: world.content, signatures };
        let signed = world.sign(liar, message);
        for to in 0..liar {
            world.deliver(to, &signed);
        }
        world.assert_signed();
        world.assert_named_by_all(liar, "invalid-signatures");
    }
}

/// Anything wrong in any message of any of `n - t` liars, with restarts in between.
#[test]
fn all_kinds_of_lies_at_once() {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};
    for (count, seeds) in [(4, 60), (7, 40), (20, 5)] {
        for seed in 0..seeds {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let mut drawn = World::new(count, seed + 1000);
            let liars = drawn.choose(drawn.spare());
            let mut world = lying(count, seed + 1000, liars, move |_, message| {
                let mut lie = message.clone();
                match &mut lie {
                    PeerMessage::Request { digest, .. } if rng.next_u64() % 4 == 0 => {
                        digest[0] ^= 1;
                    }
                    PeerMessage::Preprocess { preprocess, digest, .. } => {
                        match rng.next_u64() % 6 {
                            0 => flip(preprocess),
                            1 => digest[1] ^= 1,
                            2 => preprocess.clear(),
                            _ => (),
                        }
                    }
                    PeerMessage::Open { members, session, .. } => match rng.next_u64() % 6 {
                        0 => members.swap(0, 1),
                        1 => members.truncate(1),
                        2 => *session ^= 1,
                        3 => members[0] = members[1].clone(),
                        _ => (),
                    },
                    PeerMessage::Share { share, open, .. } => match rng.next_u64() % 6 {
                        0 => flip(share),
                        1 => open[0] ^= 1,
                        2 => share.truncate(1),
                        _ => (),
                    },
                    PeerMessage::Signed { signatures, .. } if rng.next_u64() % 2 == 0 => {
                        signatures[0].0[0] ^= 1;
                    }
                    PeerMessage::Accusation { open, share, .. } if rng.next_u64() % 2 == 0 => {
                        std::mem::swap(open, share);
                    }
                    _ => (),
                }
                match rng.next_u64() % 8 {
                    0 => Vec::new(),
                    1 => vec![lie, message.clone()],
                    _ => vec![lie],
                }
            });
            for _ in 0..count {
                let index = world.below(count as u64) as usize;
                let at = world.below(1_000);
                world.restart_at(index, at);
            }
            world.assert_signed();
        }
    }
}
