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
