//! This validator as a member of others' sessions, and of its own.

use serai_messages::{
    Body, Enclosed, SignedStatement, ValidatorKey,
    planted::{Bug, is_planted},
    signing::{CoordinatorMessage, PeerMessage, Request, Shares},
};

use super::{
    Effect, FaultKind, Signing, machine::Joined, opener::preprocess_of, receive::verified,
};

/// How often one peer is told the signatures.
const MAX_ANSWERS: u8 = 8;

/// How often one peer is told its unused preprocess again, and the answer in one of its sessions.
pub(super) const MAX_REPEATS: u8 = 8;

impl Signing {
    /// A preprocess of the own processor, for this opener.
    pub(super) fn tell_preprocess(
        &mut self,
        opener: usize,
        preprocess: &Shares,
        out: &mut Vec<Effect>,
    ) {
        if self.is_done() {
            return;
        }
        let Some(peer) = self.peers.get_mut(opener) else { return };
        let used = peer.joined.values().any(|joined| joined.preprocess == *preprocess);
        if used || peer.told.as_ref() == Some(preprocess) {
            return;
        }
        peer.told = Some(preprocess.clone());
        let (opener, preprocess) = (peer.key, preprocess.clone());
        let (id, digest) = (self.parameters.id, self.digest);
        let message = PeerMessage::Preprocess { id, digest, opener, preprocess };
        out.push(Effect::Tell(opener, message));
    }

    /// An opener still asks that was told a preprocess and has not used it: it may not have it.
    fn tell_preprocess_again(&mut self, opener: usize, out: &mut Vec<Effect>) {
        let (id, digest) = (self.parameters.id, self.digest);
        let Some(peer) = self.peers.get_mut(opener) else { return };
        let Some(preprocess) = peer.told.clone().filter(|_| peer.repeats < MAX_REPEATS) else {
            return;
        };
        peer.repeats += 1;
        let opener = peer.key;
        let message = PeerMessage::Preprocess { id, digest, opener, preprocess };
        out.push(Effect::Tell(opener, message));
    }

    /// Who has the signatures gives them to whoever still works for them. Telling is repeated until it
    /// is confirmed, so once would do for a peer that forgets nothing.
    pub(super) fn answer_with_signatures(&mut self, rank: usize, out: &mut Vec<Effect>) {
        let own = self.own;
        let (Some(peer), Some(signatures)) = (self.peers.get_mut(rank), &self.signatures) else {
            return;
        };
        if rank != own && !peer.culprit && peer.answers < MAX_ANSWERS {
            peer.answers += 1;
            let (id, digest) = (self.parameters.id, self.digest);
            let signatures = signatures.clone();
            out.push(Effect::Tell(peer.key, PeerMessage::Signed { id, digest, signatures }));
        }
    }

    pub(super) fn receive_request(
        &mut self,
        statement: &SignedStatement,
        rank: usize,
        out: &mut Vec<Effect>,
    ) {
        if rank == self.own || self.is_culprit(rank) {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
        } else if self.is_done() {
            self.answer_with_signatures(rank, out);
        } else if self.sessions_left(rank) {
            self.tell_preprocess_again(rank, out);
            self.ask_preprocess(rank, out);
        }
    }

    /// An honest opener needs one session more than there are validators who fail it.
    fn sessions_left(&self, opener: usize) -> bool {
        let limit = self.peers.len().saturating_mul(2);
        self.peers.get(opener).is_some_and(|peer| peer.joined.len() < limit)
    }

    pub(super) fn receive_open(
        &mut self,
        statement: &SignedStatement,
        opener: usize,
        number: u32,
        members: &[Enclosed],
        out: &mut Vec<Effect>,
    ) {
        let digest = statement.digest();
        let Some(peer) = self.peers.get(opener) else { return };
        if peer.culprit {
            return;
        }
        if peer.joined.values().any(|joined| joined.digest == digest) {
            return self.answer_again(statement, opener, out);
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        if let Some(other) = peer.joined.get(&number) {
            let evidence = vec![other.statement.clone(), statement.clone()];
            let slot = statement.statement.body.slot().unwrap_or_default();
            return self.fault(opener, FaultKind::Equivocation { slot }, evidence, out);
        }
        if self.is_done() {
            return self.answer_with_signatures(opener, out);
        }
        let members = if opener == self.own {
            // Made here of what was checked here.
            let mine = self.sessions.iter().find(|session| session.open == digest);
            mine.map(|session| session.members.iter().map(|(_, s)| s.clone()).collect())
        } else {
            let members = self.members(opener, members);
            if members.is_none() {
                let kind = FaultKind::Malformed { statement: "open".to_owned() };
                return self.fault(opener, kind, vec![statement.clone()], out);
            }
            members
        };
        if let Some(members) = members {
            self.join(statement, opener, number, &members, out);
        }
    }

    fn join(
        &mut self,
        statement: &SignedStatement,
        opener: usize,
        number: u32,
        members: &[SignedStatement],
        out: &mut Vec<Effect>,
    ) {
        let own = self.parameters.own;
        let preprocesses: Vec<_> = members.iter().filter_map(preprocess_of).collect();
        let Some((_, preprocess)) = preprocesses.iter().find(|(key, _)| *key == own).cloned()
        else {
            return;
        };
        let left = self.sessions_left(opener);
        let Some(peer) = self.peers.get_mut(opener) else { return };
        let reuses = is_planted(Bug::PreprocessReused);
        let same = peer.joined.values().find(|joined| joined.preprocess == preprocess);
        if let Some(first) = same.filter(|_| !reuses) {
            let evidence = vec![first.statement.clone(), statement.clone()];
            let kind = FaultKind::ReusedPreprocess { signer: own };
            return self.fault(opener, kind, evidence, out);
        }
        // What an earlier life has told, its processor knows best.
        let told = !self.opens || reuses || peer.told.as_ref() == Some(&preprocess);
        if !told || !left {
            return;
        }
        peer.told = None;
        let digest = statement.digest();
        let statement = statement.clone();
        peer.joined
            .insert(number, Joined { digest, statement, preprocess, answer: None, repeats: 0 });
        let (id, open) = (self.parameters.id, digest);
        self.asked.insert(Request::Sign { open });
        out.push(Effect::ToProcessor(CoordinatorMessage::Sign { id, open, preprocesses }));
        if self.sessions_left(opener) {
            self.ask_preprocess(opener, out);
        }
    }

    /// The members of an opener's session, if it is one that an honest opener could open.
    pub(super) fn members(
        &self,
        opener: usize,
        members: &[Enclosed],
    ) -> Option<Vec<SignedStatement>> {
        if members.len() != self.threshold {
            return None;
        }
        let opener_key = self.peers.get(opener)?.key;
        let mut last = None;
        let mut checked = Vec::with_capacity(members.len());
        for enclosed in members {
            let statement = enclosed.open().ok()?;
            let rank = self.acceptable(&statement)?;
            if last.is_some_and(|last| last >= rank) {
                return None;
            }
            last = Some(rank);
            let Body::Signing(PeerMessage::Preprocess { digest, opener, preprocess, .. }) =
                &statement.statement.body
            else {
                return None;
            };
            let right = *digest == self.digest
                && *opener == opener_key
                && self.messages.is_none_or(|messages| messages == preprocess.len());
            if !right || !verified(&statement) {
                return None;
            }
            checked.push(statement);
        }
        checked.iter().any(|statement| statement.signer == opener_key).then_some(checked)
    }

    /// Tells the opener of a session that this validator joined what it gives: a share, or none. The
    /// first answer stands.
    pub(super) fn answer(&mut self, open: [u8; 32], answer: PeerMessage, out: &mut Vec<Effect>) {
        let declines = matches!(answer, PeerMessage::Decline { .. });
        let mut peers = self.peers.iter_mut().enumerate();
        let Some((opener, key, joined)) = peers.find_map(|(rank, peer)| {
            let joined = peer.joined.values_mut().find(|joined| joined.digest == open)?;
            Some((rank, peer.key, joined))
        }) else {
            return;
        };
        if joined.answer.is_some() {
            return;
        }
        joined.answer = Some(answer.clone());
        // Its own session has ended when it is refused, and nobody else is to be told.
        if !declines || opener != self.own {
            out.push(Effect::Tell(key, answer));
        }
    }

    /// A session that is known is said again: its opener may not have the answer.
    fn answer_again(&mut self, statement: &SignedStatement, opener: usize, out: &mut Vec<Effect>) {
        if opener == self.own {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        if self.is_done() {
            return self.answer_with_signatures(opener, out);
        }
        let digest = statement.digest();
        let Some(peer) = self.peers.get_mut(opener) else { return };
        let key = peer.key;
        let joined = peer.joined.values_mut().find(|joined| joined.digest == digest);
        let Some(joined) = joined.filter(|joined| joined.repeats < MAX_REPEATS) else { return };
        if let Some(answer) = joined.answer.clone() {
            joined.repeats += 1;
            out.push(Effect::Tell(key, answer));
        }
    }

    /// Of a session in which this validator was asked to sign: the signed preprocess of a member.
    pub(super) fn preprocess_in(
        &self,
        open: [u8; 32],
        member: ValidatorKey,
    ) -> Option<SignedStatement> {
        let joined = self.peers.iter().flat_map(|peer| peer.joined.values());
        let session = joined.into_iter().find(|joined| joined.digest == open)?;
        let Body::Signing(PeerMessage::Open { members, .. }) = &session.statement.statement.body
        else {
            return None;
        };
        let mut statements = members.iter().filter_map(|enclosed| enclosed.open().ok());
        statements.find(|statement| statement.signer == member)
    }
}
