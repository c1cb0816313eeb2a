//! Statements: whether they count, and who is told of them.

use serai_messages::{
    Body, Enclosed, STATEMENT_CONTEXT, SignedStatement, UnknownVersion,
    signing::{CoordinatorMessage, MAX_MESSAGES, PeerMessage, Request, Shares},
};

use super::{Effect, FaultKind, Signing};

/// Bytes of one message's preprocess or share.
const MAX_PART_BYTES: usize = 512;

/// Whether the signer signed this.
pub(super) fn verified(statement: &SignedStatement) -> bool {
    let bytes = statement.statement.signing_bytes();
    let (signer, signature) = (&statement.signer.0, &statement.signature.0);
    serai_sr25519::verify(signer, STATEMENT_CONTEXT, &bytes, signature).is_ok()
}

/// Whether every part of a message has a size that an honest validator's could have.
fn within_bounds(message: &PeerMessage, n: usize) -> bool {
    let parts = |parts: &Shares| {
        (1..=MAX_MESSAGES).contains(&parts.len())
            && parts.iter().all(|part| part.len() <= MAX_PART_BYTES)
    };
    match message {
        PeerMessage::Preprocess { preprocess, .. } => parts(preprocess),
        PeerMessage::Share { share, .. } => parts(share),
        PeerMessage::Open { members, .. } => members.len() <= n,
        PeerMessage::Signed { signatures, .. } => (1..=MAX_MESSAGES).contains(&signatures.len()),
        PeerMessage::Request { .. }
        | PeerMessage::Accusation { .. }
        | PeerMessage::Differs { .. }
        | PeerMessage::Decline { .. } => true,
    }
}

/// The content that a statement is about, where it says so.
fn digest_of(message: &PeerMessage) -> Option<[u8; 32]> {
    match message {
        PeerMessage::Request { digest, .. }
        | PeerMessage::Preprocess { digest, .. }
        | PeerMessage::Open { digest, .. }
        | PeerMessage::Signed { digest, .. }
        | PeerMessage::Differs { digest, .. } => Some(*digest),
        PeerMessage::Share { .. }
        | PeerMessage::Accusation { .. }
        | PeerMessage::Decline { .. } => None,
    }
}

impl Signing {
    /// The signer's place, if this is a statement of a holder about this thing. Its signature is not
    /// checked yet.
    pub(super) fn acceptable(&self, statement: &SignedStatement) -> Option<usize> {
        let Body::Signing(message) = &statement.statement.body else { return None };
        let acceptable = UnknownVersion::check(statement.statement.version).is_ok()
            && statement.statement.body.is_readable()
            && statement.statement.genesis == self.parameters.genesis
            && message.id() == self.parameters.id
            && within_bounds(message, self.peers.len());
        self.rank.get(&statement.signer).copied().filter(|_| acceptable)
    }

    pub(super) fn receive(&mut self, statement: &SignedStatement, out: &mut Vec<Effect>) {
        let Some(rank) = self.acceptable(statement) else {
            self.rejected += 1;
            return;
        };
        let Body::Signing(message) = &statement.statement.body else { return };
        if digest_of(message).is_some_and(|digest| digest != self.digest) {
            self.receive_other_content(statement, rank, out);
            // What it shows may be as true as ever.
            if let PeerMessage::Differs { statement: enclosed, .. } = message
                && verified(statement)
                && let Ok(inner) = enclosed.open()
            {
                self.check_shown(&inner, out);
            }
            return;
        }
        match message {
            PeerMessage::Request { .. } => self.receive_request(statement, rank, out),
            PeerMessage::Preprocess { opener, preprocess, .. } => {
                self.receive_preprocess(statement, rank, *opener, preprocess, out);
            }
            PeerMessage::Open { session, members, .. } => {
                self.receive_open(statement, rank, *session, members, out);
            }
            PeerMessage::Share { open, share, .. } => {
                self.receive_share(statement, rank, *open, share, out);
            }
            PeerMessage::Decline { open, .. } => self.receive_decline(statement, rank, *open),
            PeerMessage::Signed { .. } => self.receive_signed(statement, rank, out),
            PeerMessage::Accusation { open, share, .. } => {
                self.receive_accusation(statement, rank, open, share, out);
            }
            PeerMessage::Differs { statement: enclosed, .. } => {
                self.receive_differs(statement, rank, enclosed, out);
            }
        }
    }

    /// Somebody would sign something else. All are told, once.
    pub(super) fn receive_other_content(
        &mut self,
        statement: &SignedStatement,
        rank: usize,
        out: &mut Vec<Effect>,
    ) {
        if rank == self.own || self.has_fault(rank, "other-content") {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        if self.reported.insert(rank) {
            let (id, digest) = (self.parameters.id, self.digest);
            let enclosed = Enclosed::new(statement);
            out.push(Effect::Say(PeerMessage::Differs { id, digest, statement: enclosed }));
        }
        self.fault(rank, FaultKind::OtherContent, vec![statement.clone()], out);
    }

    fn receive_differs(
        &mut self,
        statement: &SignedStatement,
        rank: usize,
        enclosed: &Enclosed,
        out: &mut Vec<Effect>,
    ) {
        if rank == self.own || self.is_culprit(rank) {
            return;
        }
        let shown = enclosed.open().ok();
        let accused = shown.as_ref().and_then(|shown| self.acceptable(shown));
        if accused.is_some_and(|accused| self.has_fault(accused, "other-content")) {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        // Who has the same content as this validator reports only what differs from it.
        if !shown.is_some_and(|shown| self.check_shown(&shown, out)) {
            let kind = FaultKind::Malformed { statement: "differs".to_owned() };
            self.fault(rank, kind, vec![statement.clone()], out);
        }
    }

    /// Whether this is somebody's statement about other content; then that one is at fault.
    fn check_shown(&mut self, shown: &SignedStatement, out: &mut Vec<Effect>) -> bool {
        let Some(accused) = self.acceptable(shown) else { return false };
        let Body::Signing(message) = &shown.statement.body else { return false };
        let differs = digest_of(message).is_some_and(|digest| digest != self.digest);
        if !differs || !verified(shown) {
            return false;
        }
        if accused != self.own {
            self.fault(accused, FaultKind::OtherContent, vec![shown.clone()], out);
        }
        true
    }

    /// The own processor verifies the first signatures of each validator.
    fn receive_signed(&mut self, statement: &SignedStatement, rank: usize, out: &mut Vec<Effect>) {
        let Body::Signing(PeerMessage::Signed { id, signatures, .. }) = &statement.statement.body
        else {
            return;
        };
        if self.is_done() || rank == self.own || self.is_culprit(rank) {
            return;
        }
        let Some(peer) = self.peers.get_mut(rank) else { return };
        if peer.signed.is_some() {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        peer.signed = Some(statement.clone());
        let sender = peer.key;
        if self.asked.insert(Request::Signature { sender }) {
            let (id, signatures) = (*id, signatures.clone());
            out.push(Effect::ToProcessor(CoordinatorMessage::Signature { id, sender, signatures }));
        }
    }
}
