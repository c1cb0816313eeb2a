//! What the own processor says.

use serai_messages::{
    SignatureBytes, ValidatorKey,
    signing::{PeerMessage, ProcessorMessage, Request},
};

use super::{
    Effect, FaultKind, Signing,
    opener::{Session, State},
};

impl Signing {
    pub(super) fn handle_processor(&mut self, message: &ProcessorMessage, out: &mut Vec<Effect>) {
        if message.id() != self.parameters.id {
            return;
        }
        match message {
            ProcessorMessage::Ready { reference, content, preprocess, .. } => {
                if *reference == self.parameters.reference && *content == self.parameters.content {
                    self.messages.get_or_insert(preprocess.len());
                    self.tell_preprocess(0, preprocess, out);
                }
            }
            ProcessorMessage::Preprocess { opener, preprocess, .. } => {
                self.asked.remove(&Request::Preprocess { opener: *opener });
                let Some(opener) = self.rank.get(opener).copied() else { return };
                self.tell_preprocess(opener, preprocess, out);
            }
            ProcessorMessage::Share { open, share, .. } => {
                self.asked.remove(&Request::Sign { open: *open });
                let (id, open, share) = (self.parameters.id, *open, share.clone());
                self.answer(open, PeerMessage::Share { id, open, share }, out);
            }
            ProcessorMessage::InvalidShare { open, accused, .. } => {
                self.handle_invalid(*open, *accused, out);
            }
            ProcessorMessage::Signed { signatures, .. } => self.finish(signatures, out),
            ProcessorMessage::Judged { open, accused, valid, .. } => {
                self.asked.remove(&Request::Judge { open: *open, accused: *accused });
                let Some(accused) = self.rank.get(accused).copied() else { return };
                self.handle_verdict(*open, accused, *valid, out);
                self.handle_verified(*open, accused, *valid, out);
            }
            ProcessorMessage::Refused { request, reason, .. } => {
                self.refused = Some(reason.clone());
                self.handle_refusal(*request, out);
            }
        }
    }

    /// The own processor does not do what it was asked.
    fn handle_refusal(&mut self, request: Request, out: &mut Vec<Effect>) {
        // Whom it does not judge now, it is not asked about again: that would not end.
        if matches!(request, Request::Judge { .. }) || !self.asked.remove(&request) {
            return;
        }
        match request {
            Request::Signature { sender } => {
                let Some(sender) = self.rank.get(&sender).copied() else { return };
                let signed = self.peers.get(sender).and_then(|peer| peer.signed.clone());
                let evidence = signed.into_iter().collect();
                self.fault(sender, FaultKind::InvalidSignatures, evidence, out);
            }
            Request::Aggregate { open } => self.end_session(open),
            Request::Sign { open } => {
                self.end_session(open);
                self.answer(open, PeerMessage::Decline { id: self.parameters.id, open }, out);
            }
            Request::Preprocess { .. } | Request::Judge { .. } => (),
        }
    }

    fn end_session(&mut self, open: [u8; 32]) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.open == open) {
            session.state = State::Dead;
        }
    }

    /// A preprocess or, of an own session whose shares are there, a share does not verify.
    fn handle_invalid(&mut self, open: [u8; 32], accused_key: ValidatorKey, out: &mut Vec<Effect>) {
        let Some(accused) = self.rank.get(&accused_key).copied() else { return };
        let aggregating =
            |session: &Session| session.open == open && session.state == State::Aggregating;
        if self.sessions.iter().any(aggregating) {
            self.asked.remove(&Request::Aggregate { open });
            return self.accuse(open, accused, out);
        }
        // Nobody can sign in this session.
        self.asked.remove(&Request::Sign { open });
        self.end_session(open);
        if let Some(preprocess) = self.preprocess_in(open, accused_key) {
            self.fault(accused, FaultKind::InvalidPreprocess, vec![preprocess], out);
        }
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
        self.asked.retain(|request| !answered(request));
        let (id, digest) = (self.parameters.id, self.digest);
        if made.is_some() {
            let signatures = signatures.to_vec();
            out.push(Effect::Say(PeerMessage::Signed { id, digest, signatures }));
        } else {
            // Openers that count on this validator's share go without it.
            for rank in 0..self.peers.len() {
                let waits =
                    |peer: &super::machine::Peer| peer.joined.values().any(|j| j.answer.is_none());
                if self.peers.get(rank).is_some_and(waits) {
                    self.answer_with_signatures(rank, out);
                }
            }
        }
        self.made_by = made;
        out.push(Effect::Done { signatures: signatures.to_vec() });
    }
}
