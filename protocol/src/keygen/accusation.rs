//! Accusations of bad shares: the own processor judges each.

use serai_messages::{
    Body, Enclosed, Participant, SignedStatement,
    keygen::{CoordinatorMessage, KeyKind, KeygenId, PeerMessage},
};

use super::{
    Effect, FaultKind, Keygen, Stage,
    attempt::{Accusation, Running, Slot},
    receive::verified,
};

/// Accusations of one member that are judged; the first true or false one ends the attempt.
const MAX_PER_ACCUSER: usize = 2;

impl Keygen {
    pub(super) fn receive_accusation(
        &mut self,
        statement: &SignedStatement,
        accuser: usize,
        share: &Enclosed,
        key: KeyKind,
        blame: &Option<Vec<u8>>,
        out: &mut Vec<Effect>,
    ) {
        if self.running.own == Some(accuser) {
            return;
        }
        let pending = self.running.accusations.keys().filter(|(who, _)| *who == accuser).count();
        if pending >= MAX_PER_ACCUSER || !verified(statement) {
            return;
        }
        let Some((accused, share)) = self.accused(accuser, share) else {
            let evidence = vec![statement.clone()];
            return self.fault(statement.signer, FaultKind::Malformed, evidence, out);
        };
        let blame = blame.clone();
        let accusation =
            Accusation { statement: statement.clone(), share, key, blame, judged: false };
        self.running.accusations.entry((accuser, accused)).or_insert(accusation);
        self.judge_pending(out);
    }

    /// Opens the share of an accusation: it must be the accused's own, to the accuser.
    fn accused(&self, accuser: usize, share: &Enclosed) -> Option<(usize, SignedStatement)> {
        let share = share.open().ok()?;
        let accused = self.running.positions.get(&share.signer).copied()?;
        let Body::Keygen(message) = &share.statement.body else { return None };
        let PeerMessage::Share { id, to, .. } = message else { return None };
        let right = *id == self.running.id
            && *to == Running::participant(accuser)
            && accused != accuser
            && share.statement.genesis == self.parameters.genesis
            && verified(&share);
        right.then_some((accused, share))
    }

    /// Asks the own processor to judge, once it has the agreed commitments to judge by.
    pub(super) fn judge_pending(&mut self, out: &mut Vec<Effect>) {
        if self.running.stage < Stage::Shares {
            return;
        }
        let id = self.running.id;
        for ((accuser, _), accusation) in &mut self.running.accusations {
            if std::mem::replace(&mut accusation.judged, true) {
                continue;
            }
            out.push(Effect::ToProcessor(CoordinatorMessage::Judge {
                id,
                accuser: Running::participant(*accuser),
                share: accusation.share.clone(),
                key: accusation.key,
                blame: accusation.blame.clone(),
            }));
        }
    }

    /// The own processor found a bad share: all are told, and judge.
    pub(super) fn accuse(
        &mut self,
        id: KeygenId,
        accused: Participant,
        key: KeyKind,
        blame: Option<Vec<u8>>,
        out: &mut Vec<Effect>,
    ) {
        let (Some(own), Some(accused)) = (self.running.own, self.running.position(accused)) else {
            return;
        };
        let slot = Slot::Share(Running::participant(own));
        let Some(held) = self.running.held(accused, slot) else { return };
        let (accused, share) = (held.statement.signer, held.statement.clone());
        let accusation = PeerMessage::Accusation { id, share: Enclosed::new(&share), key, blame };
        out.push(Effect::Say(accusation));
        let kind = FaultKind::InvalidShare { key, accuser: self.parameters.own };
        self.fault(accused, kind, vec![share], out);
    }

    /// The own processor judged.
    pub(super) fn handle_verdict(
        &mut self,
        accuser: Participant,
        accused: Participant,
        guilty: Participant,
        out: &mut Vec<Effect>,
    ) {
        let positions = (self.running.position(accuser), self.running.position(accused));
        let (Some(from), Some(about)) = positions else { return };
        let Some(accusation) = self.running.accusations.get(&(from, about)) else { return };
        let evidence = vec![accusation.statement.clone()];
        let (accuser_key, accused_key) = (accusation.statement.signer, accusation.share.signer);
        if guilty == accused {
            let kind = FaultKind::InvalidShare { key: accusation.key, accuser: accuser_key };
            self.fault(accused_key, kind, evidence, out);
        } else if guilty == accuser {
            let kind = FaultKind::FalseAccusation { accused: accused_key };
            self.fault(accuser_key, kind, evidence, out);
        }
    }
}
