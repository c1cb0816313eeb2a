//! Processors that do not do what they are asked.

use serai_messages::{
    SignatureBytes,
    signing::{PeerMessage, ProcessorMessage, Request},
};
use serai_protocol::signing::{Effect, FaultKind, Input, Signing};

use super::world::{ID, World};

/// A refusal names one request, whatever else is owed an answer.
#[test]
fn the_sender_of_refused_signatures_is_named_while_more_is_owed() {
    let mut world = World::new(4, 1);
    let parameters = world.validators[3].parameters.clone();
    let (mut machine, _) = Signing::new(parameters).unwrap();
    let content = world.content;
    let request = world.sign(1, PeerMessage::Request { id: ID, digest: content });
    machine.handle(&Input::Statement(request));
    let signed = [0, 2].map(|sender: u8| {
        let signatures = vec![SignatureBytes([sender; 64]); 2];
        let message = PeerMessage::Signed { id: ID, digest: content, signatures };
        let signed = world.sign(sender.into(), message);
        machine.handle(&Input::Statement(signed.clone()));
        signed
    });
    let refusal = |request| {
        let reason = "no".to_owned();
        Input::Processor(ProcessorMessage::Refused { id: ID, request, reason })
    };
    // What it was not asked.
    let other = Request::Signature { sender: world.key(1) };
    assert_eq!(machine.handle(&refusal(other)), []);
    let refused = refusal(Request::Signature { sender: world.key(2) });
    let effects = machine.handle(&refused);
    let [Effect::Fault(fault)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(fault.accused, world.key(2));
    assert_eq!(fault.kind, FaultKind::InvalidSignatures);
    assert_eq!(fault.evidence, [signed[1].clone()]);
    assert_eq!(machine.handle(&refused), []);
    // With the signatures there, nobody is at fault any more for what it was refused for.
    let signatures = vec![SignatureBytes([1; 64]); 2];
    machine.handle(&Input::Processor(ProcessorMessage::Signed { id: ID, signatures }));
    assert_eq!(machine.handle(&refusal(Request::Signature { sender: world.key(0) })), []);
}

/// A validator's processor refuses to sign so many times.
pub fn refuse_sign(world: &mut World, signer: usize, mut how_often: usize) {
    world.processor_lie = Box::new(move |index, request, answer| match request {
        Request::Sign { .. } if index == signer && how_often > 0 => {
            how_often -= 1;
            ProcessorMessage::Refused { id: ID, request, reason: "lost".to_owned() }
        }
        _ => answer,
    });
}

/// Only the first of the draw is asked: nobody hears that others open as well.
fn only_the_first_opens(world: &mut World) {
    world.lie = Box::new(|_, _, message| match message {
        PeerMessage::Request { .. } => Vec::new(),
        _ => vec![message.clone()],
    });
}

#[test]
fn who_declines_signs_in_the_next_session() {
    for seed in 0..20 {
        for decliner in [1, 2] {
            let mut world = World::new(4, seed);
            // Three are left, and three have to sign.
            world.validators[3].dead_from = Some(0);
            world.declined = 1;
            only_the_first_opens(&mut world);
            refuse_sign(&mut world, decliner, 1);
            let last = world.assert_signed();
            assert!(last < 1_500, "{last} ms");
            let summary = world.validators[0].machine.summary();
            assert_eq!(summary.opened, 2);
            assert_eq!(summary.party, [0, 1, 2].map(|index| world.key(index)));
        }
    }
}

/// Sessions of the first opener that a validator was asked to sign in.
fn opened_with(world: &World, index: usize) -> usize {
    let key = world.key(index);
    let open = |e: &&Effect| matches!(e, Effect::Tell(to, PeerMessage::Open { .. }) if *to == key);
    world.effects(0).iter().filter(open).count()
}

#[test]
fn who_declines_for_ever_is_left_out() {
    for (count, seed) in [(4, 1), (7, 2), (20, 3)] {
        let mut world = World::new(count, seed);
        world.declined = 3;
        only_the_first_opens(&mut world);
        refuse_sign(&mut world, 1, usize::MAX);
        world.assert_signed();
        assert!(opened_with(&world, 1) <= 3);
    }
    // Nobody else is there instead: it is not waited for and not asked again.
    let mut world = World::new(4, 1);
    world.validators[3].dead_from = Some(0);
    only_the_first_opens(&mut world);
    refuse_sign(&mut world, 1, usize::MAX);
    world.run();
    assert_eq!(opened_with(&world, 1), 3);
    assert_eq!(world.validators[0].machine.summary().faults, []);
}

/// An opener whose own processor refuses to sign opens again, and not without end.
#[test]
fn own_sessions_that_are_refused_end() {
    let mut world = World::new(4, 1);
    world.declined = 8;
    refuse_sign(&mut world, 0, usize::MAX);
    let last = world.assert_signed();
    assert!(last < 1_500, "{last} ms");
    let declines = |effect: &&Effect| matches!(effect, Effect::Tell(to, PeerMessage::Decline { .. }) if *to == world.key(0));
    assert_eq!(world.effects(0).iter().filter(declines).count(), 0);
}
