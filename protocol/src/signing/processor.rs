//! What the own processor says.

use serai_messages::{
    SignatureBytes, ValidatorKey,
    signing::{PeerMessage, ProcessorMessage},
};

use super::{
    Effect, FaultKind, Signing,
    asked::Request,
    opener::{Session, State},
};

impl Signing {
    pub(super) fn handle_processor(&mut self, message: &ProcessorMessage, out: &mut Vec<Effect>) {
        if message.id() != self.parameters.id {
            return;
        }
        let refused = match message {
            ProcessorMessage::Ready { reference, content, preprocess, .. } => {
                if *reference == self.parameters.reference && *content == self.parameters.content {
                    self.messages.get_or_insert(preprocess.len());
                    self.tell_preprocess(0, preprocess, out);
                }
                return;
            }
            ProcessorMessage::Preprocess { opener, preprocess, .. } => {
                let Some(opener) = self.rank.get(opener).copied() else { return };
                self.tell_preprocess(opener, preprocess, out);
                self.asked.answered(Request::Preprocess { opener })
            }
            ProcessorMessage::Share { open, share, .. } => {
                self.tell_share(*open, share, out);
                self.asked.answered(Request::Sign { open: *open })
            }
            ProcessorMessage::InvalidShare { open, accused, .. } => {
                self.handle_invalid(*open, *accused, out)
            }
            ProcessorMessage::Signed { signatures, .. } => return self.finish(signatures, out),
            ProcessorMessage::Judged { open, accused, valid, .. } => {
                let Some(accused) = self.rank.get(accused).copied() else { return };
                self.handle_verdict(*open, accused, *valid, out);
                self.handle_verified(*open, accused, *valid, out);
                self.asked.answered(Request::Judge { open: *open, accused })
            }
            ProcessorMessage::Refused { reason, .. } => {
                self.refused = Some(reason.clone());
                self.asked.refused()
            }
        };
        self.handle_refusals(&refused, out);
    }

    /// What the own processor has refused beyond doubt.
    fn handle_refusals(&mut self, refused: &[Request], out: &mut Vec<Effect>) {
        for request in refused {
            match request {
                Request::Signature { sender } => {
                    let signed = self.peers.get(*sender).and_then(|peer| peer.signed.clone());
                    let evidence = signed.into_iter().collect();
                    self.fault(*sender, FaultKind::InvalidSignatures, evidence, out);
                }
                Request::Aggregate { open } | Request::Sign { open } => self.end_session(*open),
                Request::Preprocess { .. } | Request::Judge { .. } => (),
            }
        }
    }

    fn end_session(&mut self, open: [u8; 32]) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.open == open) {
            session.state = State::Dead;
        }
    }

    /// A preprocess or, of an own session whose shares are there, a share does not verify.
    fn handle_invalid(
        &mut self,
        open: [u8; 32],
        accused_key: ValidatorKey,
        out: &mut Vec<Effect>,
    ) -> Vec<Request> {
        let Some(accused) = self.rank.get(&accused_key).copied() else { return Vec::new() };
        let aggregating =
            |session: &Session| session.open == open && session.state == State::Aggregating;
        if self.sessions.iter().any(aggregating) {
            self.accuse(open, accused, out);
            return self.asked.answered(Request::Aggregate { open });
        }
        // Nobody can sign in this session.
        self.end_session(open);
        if let Some(preprocess) = self.preprocess_in(open, accused_key) {
            self.fault(accused, FaultKind::InvalidPreprocess, vec![preprocess], out);
        }
        self.asked.answered(Request::Sign { open })
    }

    fn finish(&mut self, signatures: &[SignatureBytes], out: &mut Vec<Effect>) {
        let made = self.sessions.iter().find(|session| session.state == State::Aggregating);
        let made = made.map(|session| session.members.iter().map(|(rank, _)| *rank).collect());
        let answered = |request: &Request| {
            matches!(request, Request::Aggregate { .. } | Request::Signature { .. })
        };
        if self.signatures.is_some() {
            return;
        }
        self.signatures = Some(signatures.to_vec());
        self.asked.settled(answered);
        let (id, digest) = (self.parameters.id, self.digest);
        if made.is_some() {
            let signatures = signatures.to_vec();
            out.push(Effect::Say(PeerMessage::Signed { id, digest, signatures }));
        } else {
            // Openers that count on this validator's share go without it.
            for rank in 0..self.peers.len() {
                let waits = |peer: &super::machine::Peer| peer.joined.values().any(|j| !j.shared);
                if self.peers.get(rank).is_some_and(waits) {
                    self.answer_with_signatures(rank, out);
                }
            }
        }
        self.made_by = made;
        out.push(Effect::Done { signatures: signatures.to_vec() });
    }
}
