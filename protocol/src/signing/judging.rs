//! Accusations of bad shares: the own processor judges each.

use serai_messages::{
    Body, Enclosed, SignedStatement,
    signing::{CoordinatorMessage, PeerMessage, Request},
};

use super::{
    Effect, FaultKind, Signing,
    opener::{preprocess_of, share_of},
    receive::verified,
};

/// Accusations of one validator that wait for the own processor.
const MAX_PER_ACCUSER: usize = 16;

/// An accusation that the own processor judges; known by accuser and accused.
#[derive(Debug)]
pub(super) struct Accusation {
    statement: SignedStatement,
    open: [u8; 32],
    share: SignedStatement,
}

impl Signing {
    pub(super) fn receive_accusation(
        &mut self,
        statement: &SignedStatement,
        accuser: usize,
        open: &Enclosed,
        share: &Enclosed,
        out: &mut Vec<Effect>,
    ) {
        let pending = self.accusations.keys().filter(|(who, _)| *who == accuser).count();
        if accuser == self.own || self.is_culprit(accuser) || pending >= MAX_PER_ACCUSER {
            return;
        }
        let shared = share.open().ok();
        let accused = shared.as_ref().and_then(|share| self.rank.get(&share.signer).copied());
        if accused.is_some_and(|accused| {
            self.has_fault(accused, "invalid-share")
                || self.accusations.contains_key(&(accuser, accused))
        }) {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        let opened = open.open().ok();
        // A session of others, who sign other content: it says nothing of this one.
        if let Some(opened) = &opened
            && let Some(opener) = self.acceptable(opened)
            && let Body::Signing(PeerMessage::Open { digest, .. }) = &opened.statement.body
            && *digest != self.digest
        {
            return self.receive_other_content(opened, opener, out);
        }
        let checked = opened.zip(shared).and_then(|(opened, share)| {
            let members = self.accused_session(&opened, &share)?;
            Some((opened.digest(), members, share, accused?))
        });
        let Some((open, members, share, accused)) = checked else {
            let kind = FaultKind::Malformed { statement: "accusation".to_owned() };
            return self.fault(accuser, kind, vec![statement.clone()], out);
        };
        let Some((accused_key, bytes)) = share_of(&share) else { return };
        if self.messages.is_some_and(|messages| messages != bytes.len()) {
            return self.fault(accused, FaultKind::InvalidShare, vec![statement.clone()], out);
        }
        let judged = |(about, known): (&(usize, usize), &Accusation)| {
            (about.1 == accused && known.open == open).then(|| known.share.clone())
        };
        let mine = self.sessions.iter().find(|session| session.open == open);
        let mine = mine.and_then(|session| session.shares.get(&accused).cloned());
        let same = self.accusations.iter().find_map(judged).or(mine);
        if let Some(known) = &same
            && known.digest() != share.digest()
        {
            let slot = share.statement.body.slot().unwrap_or_default();
            let evidence = vec![known.clone(), share];
            return self.fault(accused, FaultKind::Equivocation { slot }, evidence, out);
        }
        let statement = statement.clone();
        self.accusations.insert((accuser, accused), Accusation { statement, open, share });
        if self.asked.insert(Request::Judge { open, accused: accused_key }) {
            out.push(Effect::ToProcessor(CoordinatorMessage::Judge {
                id: self.parameters.id,
                open,
                preprocesses: members.iter().filter_map(preprocess_of).collect(),
                accused: accused_key,
                share: bytes,
            }));
        }
    }

    /// The members of the session that an accusation is about, if it is one of this thing and the
    /// share is the share of one of them.
    fn accused_session(
        &self,
        opened: &SignedStatement,
        share: &SignedStatement,
    ) -> Option<Vec<SignedStatement>> {
        let opener = self.acceptable(opened)?;
        let Body::Signing(PeerMessage::Open { members, .. }) = &opened.statement.body else {
            return None;
        };
        let members = self.members(opener, members)?;
        self.acceptable(share)?;
        let Body::Signing(PeerMessage::Share { open, .. }) = &share.statement.body else {
            return None;
        };
        let right = *open == opened.digest()
            && members.iter().any(|member| member.signer == share.signer)
            && verified(opened)
            && verified(share);
        right.then_some(members)
    }

    /// The own processor judged.
    pub(super) fn handle_verdict(
        &mut self,
        open: [u8; 32],
        accused: usize,
        valid: bool,
        out: &mut Vec<Effect>,
    ) {
        let about =
            |&(_, who): &(usize, usize), known: &Accusation| who == accused && known.open == open;
        let judged: Vec<_> = self
            .accusations
            .iter()
            .filter(|(key, known)| about(key, known))
            .map(|((accuser, _), known)| (*accuser, known.statement.clone()))
            .collect();
        self.accusations.retain(|key, known| !about(key, known));
        let Some(accused_key) = self.order.get(accused).copied() else { return };
        for (accuser, statement) in judged {
            if valid {
                let kind = FaultKind::FalseAccusation { accused: accused_key };
                self.fault(accuser, kind, vec![statement], out);
            } else {
                self.fault(accused, FaultKind::InvalidShare, vec![statement], out);
            }
        }
    }
}
