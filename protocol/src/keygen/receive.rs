//! Statements: whether they count, and where they are kept.

use std::collections::BTreeMap;

use serai_messages::{
    Attempt, Body, Enclosed, STATEMENT_CONTEXT, SignedStatement, UnknownVersion,
    keygen::{Awaited, PeerMessage, Round},
    planted::{Bug, is_planted},
    threshold,
};

use super::{
    Effect, FaultKind, Keygen, Stage,
    attempt::{Conflict, Held, Running, Slot},
};

/// Statements in statements that are opened: a disclosed disclosure proves a contradiction, deeper
/// ones prove nothing more.
pub(super) const MAX_DEPTH: u8 = 2;

/// Bytes of one key's part of a message whose size does not grow with the set.
const MAX_PART_BYTES: usize = 1024;

/// A point of the Ristretto key.
const RISTRETTO_BYTES: usize = 32;

/// A point of the external key where it is largest: compressed secp256k1.
const LARGEST_POINT_BYTES: usize = 33;

/// Statements in one [`PeerMessage::Evidence`].
const MAX_EVIDENCE: usize = 2;

/// Bytes of a statement in a [`PeerMessage::Disclosure`] or [`PeerMessage::Accusation`]; the largest
/// honest ones are a set's commitments, which are a tenth of it.
const MAX_ENCLOSED_BYTES: usize = 64 * 1024;

/// Bytes of a statement in a [`PeerMessage::Evidence`]: whatever is accepted can be shown.
const MAX_EVIDENCE_BYTES: usize = 2 * MAX_ENCLOSED_BYTES;

/// What a validator said of an attempt that has not begun here. One attempt per validator: an honest
/// one that speaks of a later attempt has left the earlier one.
#[derive(Clone, Debug, Default)]
pub(super) struct Early {
    attempt: Attempt,
    statements: BTreeMap<Slot, Held>,
}

/// Most bytes of the commitments of one key, whose points have `point` bytes, in a set of `n`: one
/// point per coefficient, a key for encryption, and a proof of knowledge of a point and a scalar. The
/// honest size and a few bytes, for those of a whole set travel to the processor in one message.
fn commitments_cap(point: usize, n: usize) -> usize {
    let t = u16::try_from(n).map_or(n, |n| usize::from(threshold(n)));
    point * (t + 2) + 36
}

/// Whether every part of a message has a size that an honest member's could have in a set of `n`.
fn within_bounds(message: &PeerMessage, n: usize) -> bool {
    let small = |bytes: &[u8]| bytes.len() <= MAX_PART_BYTES;
    match message {
        PeerMessage::Commitments { commitments, .. } => {
            commitments.ristretto.len() <= commitments_cap(RISTRETTO_BYTES, n)
                && commitments.external.len() <= commitments_cap(LARGEST_POINT_BYTES, n)
        }
        PeerMessage::Agreement { digests, .. } => digests.len() <= n,
        PeerMessage::Waiting { from, .. } => from.len() <= n,
        PeerMessage::Share { share, .. } => small(&share.ristretto) && small(&share.external),
        PeerMessage::Accusation { share, blame, .. } => {
            share.size() <= MAX_ENCLOSED_BYTES && blame.as_deref().is_none_or(small)
        }
        PeerMessage::ProofPreprocess { key_pair, preprocess, .. } => {
            key_pair.external.len() <= 96
                && small(&preprocess.ristretto)
                && small(&preprocess.external)
        }
        PeerMessage::ProofShare { digests, share, .. } => {
            digests.len() <= n && small(&share.ristretto) && small(&share.external)
        }
        PeerMessage::Proof { signatures, .. } => {
            small(&signatures.ristretto) && small(&signatures.external)
        }
        PeerMessage::MusigPreprocess { preprocess, .. } => small(preprocess),
        PeerMessage::MusigShare { digests, share, .. } => digests.len() <= n && small(share),
        PeerMessage::AttemptVote { removed, .. } => removed.len() <= n,
        PeerMessage::Disclosure { statement, .. } => statement.size() <= MAX_ENCLOSED_BYTES,
        PeerMessage::Evidence { statements, .. } => {
            statements.len() <= MAX_EVIDENCE
                && statements.iter().all(|statement| statement.size() <= MAX_EVIDENCE_BYTES)
        }
        PeerMessage::Announcement { .. } | PeerMessage::PartySignature { .. } => true,
    }
}

/// Whether the signer signed this.
pub(super) fn verified(statement: &SignedStatement) -> bool {
    let bytes = statement.statement.signing_bytes();
    let (signer, signature) = (&statement.signer.0, &statement.signature.0);
    serai_sr25519::verify(signer, STATEMENT_CONTEXT, &bytes, signature).is_ok()
}

impl Keygen {
    /// Takes a statement from whomever; `depth` statements enclose it.
    pub(super) fn receive(
        &mut self,
        statement: &SignedStatement,
        depth: u8,
        out: &mut Vec<Effect>,
    ) {
        let Body::Keygen(message) = &statement.statement.body else {
            self.rejected += 1;
            return;
        };
        let id = message.id();
        let acceptable = UnknownVersion::check(statement.statement.version).is_ok()
            && statement.statement.body.is_readable()
            && statement.statement.genesis == self.parameters.genesis
            && id.set == self.parameters.set
            && within_bounds(message, self.parameters.validators.len())
            && depth <= MAX_DEPTH;
        let Some(signer) = self.index.get(&statement.signer).copied().filter(|_| acceptable) else {
            self.rejected += 1;
            return;
        };
        if let PeerMessage::AttemptVote { removed, height, .. } = message {
            return self.receive_vote(statement, signer, id.attempt, removed, *height, out);
        }
        if let PeerMessage::Evidence { statements, .. } = message {
            self.receive_evidence(statements, out);
        }
        match id.attempt.cmp(&self.running.attempt()) {
            std::cmp::Ordering::Less if !is_planted(Bug::StalePartyAccepted) => {
                self.help_late(statement, out);
            }
            std::cmp::Ordering::Greater => {
                self.receive_early(statement, message, signer, depth, out)
            }
            std::cmp::Ordering::Less | std::cmp::Ordering::Equal => {
                let position = self.running.positions.get(&statement.signer).copied();
                if let (Some(position), Some(_)) = (position, self.running.own) {
                    self.receive_current(statement, message, position, depth, out);
                }
            }
        }
    }

    /// Takes evidence of whichever attempt: two statements of one slot prove a fault in any.
    fn receive_evidence(&mut self, statements: &[Enclosed], out: &mut Vec<Effect>) {
        let opened: Vec<_> = statements.iter().filter_map(|it| it.open().ok()).collect();
        let [first, second] = opened.as_slice() else { return };
        let (signer, slot) = (first.signer, first.statement.body.slot());
        let counts = |statement: &SignedStatement| {
            let Body::Keygen(message) = &statement.statement.body else { return false };
            message.id().set == self.parameters.set
                && statement.statement.genesis == self.parameters.genesis
                && statement.signer == signer
                && statement.statement.body.slot() == slot
        };
        let known = self.is_culprit(&signer) || !self.index.contains_key(&signer);
        let contradict = opened.iter().all(counts) && first.digest() != second.digest();
        let Some(slot) = slot.clone().filter(|_| contradict && !known) else { return };
        if opened.iter().all(verified) {
            self.fault(signer, FaultKind::Equivocation { slot }, opened, out);
        } else {
            self.rejected += 1;
        }
    }

    fn receive_early(
        &mut self,
        statement: &SignedStatement,
        message: &PeerMessage,
        signer: usize,
        depth: u8,
        out: &mut Vec<Effect>,
    ) {
        // Votes for an attempt come enclosed, from one who is in it already.
        if let PeerMessage::Disclosure { id, statement: enclosed } = message {
            if let Ok(inner) = enclosed.open()
                && let Body::Keygen(PeerMessage::AttemptVote { id: voted, .. }) =
                    &inner.statement.body
            {
                if voted == id {
                    self.keep_shown(statement, signer, id.attempt);
                }
                self.receive(&inner, depth + 1, out);
            }
            return;
        }
        let (Some(slot), Some(early)) = (Slot::of(message), self.early.get(signer)) else { return };
        let attempt = message.id().attempt;
        if attempt < early.attempt {
            return;
        }
        let same = attempt == early.attempt;
        let is_share = |slot: &Slot| matches!(slot, Slot::Share(_));
        // Its one share for this validator; a second one is for somebody else.
        let taken = early.statements.contains_key(&slot)
            || is_share(&slot) && early.statements.keys().any(is_share);
        if same && taken {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        let held = Held::new(statement, message);
        if let Some(early) = self.early.get_mut(signer) {
            if !same {
                *early = Early { attempt, statements: BTreeMap::new() };
            }
            early.statements.insert(slot, held);
        }
    }

    /// Moves what was kept for the running attempt into it.
    pub(super) fn take_early(&mut self, out: &mut Vec<Effect>) {
        let attempt = self.running.attempt();
        for (index, key) in self.parameters.validators.clone().into_iter().enumerate() {
            let Some(early) = self.early.get_mut(index).filter(|e| e.attempt <= attempt) else {
                continue;
            };
            let early = std::mem::take(early);
            let Some(position) = self.running.positions.get(&key).copied() else { continue };
            if early.attempt < attempt || self.running.own.is_none() {
                continue;
            }
            for (slot, held) in early.statements {
                if self.is_for_us(position, slot, 0) {
                    self.store(position, slot, held, out);
                }
            }
        }
    }

    /// A share for another member is kept only where it is disclosed, or the own one.
    fn is_for_us(&self, position: usize, slot: Slot, depth: u8) -> bool {
        match slot {
            Slot::Share(to) => {
                depth > 0 && self.running.position(to).is_some()
                    || self.running.own == Some(position)
                    || self.running.own.map(Running::participant) == Some(to)
            }
            _ => true,
        }
    }

    fn receive_current(
        &mut self,
        statement: &SignedStatement,
        message: &PeerMessage,
        position: usize,
        depth: u8,
        out: &mut Vec<Effect>,
    ) {
        match message {
            PeerMessage::Disclosure { statement: enclosed, .. } => {
                return self.receive_disclosure(statement, enclosed, position, depth, out);
            }
            PeerMessage::Evidence { statements, .. } => {
                // What is in it speaks for itself, whoever shows it.
                for inner in statements.iter().filter_map(|enclosed| enclosed.open().ok()) {
                    self.receive(&inner, depth + 1, out);
                }
                return;
            }
            PeerMessage::Accusation { share, key, blame, .. } => {
                return self.receive_accusation(statement, position, share, *key, blame, out);
            }
            PeerMessage::Proof { signatures, .. } => {
                let wanted = !self.running.proven && self.running.own != Some(position);
                if wanted && !self.running.proofs.contains_key(&position) && verified(statement) {
                    self.running.proofs.insert(position, signatures.clone());
                }
                return;
            }
            _ => (),
        }
        let Some(slot) = Slot::of(message).filter(|slot| self.is_for_us(position, *slot, depth))
        else {
            self.rejected += 1;
            return;
        };
        let digest = statement.digest();
        let held = self.running.held(position, slot);
        if held.is_some_and(|held| held.digest == digest)
            || self.running.contradicted.contains(&(position, slot))
        {
            return;
        }
        if !verified(statement) {
            self.rejected += 1;
            return;
        }
        if let Some(held) = held {
            let evidence = vec![held.statement.clone(), statement.clone()];
            let name = statement.statement.body.slot().unwrap_or_default();
            self.running.contradicted.insert((position, slot));
            // Who says several things may have said any: nobody's report about it is held against
            // the reporter.
            let about_it = |c: &Conflict| c.about == position && Slot::compared(c.round) == slot;
            self.running.conflicts.retain(|conflict, _| !about_it(conflict));
            let kind = FaultKind::Equivocation { slot: name };
            return self.fault(statement.signer, kind, evidence, out);
        }
        self.store(position, slot, Held::new(statement, message), out);
    }

    fn store(&mut self, position: usize, slot: Slot, held: Held, out: &mut Vec<Effect>) {
        let Some(slots) = self.running.held.get_mut(position) else { return };
        let statement = held.statement.clone();
        slots.insert(slot, held);
        self.pass_to_waiting(position, slot, &statement, out);
        match slot {
            Slot::Waiting(awaited) => {
                if awaited == Awaited::Share {
                    self.running.waiting_heard.insert(position, self.height);
                }
                self.answer_waiting(position, awaited, out);
            }
            Slot::Agreement(Round::Announcement) if self.running.stage == Stage::Party => {
                self.examine(position, out);
            }
            _ if self.running.stage_slot() == Some(slot) => self.examine(position, out),
            _ => (),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::keygen::{CoordinatorMessage, KeygenId, PerKey};
    use serai_messages::{
        Attempt, BlockHash, Body, Coin, MAX_BODY_BYTES, MAX_VALIDATORS, Session, SignatureBytes,
        SignedStatement, Statement, VERSION, ValidatorKey, ValidatorSet, encode,
    };

    use super::*;

    #[test]
    fn the_largest_commitments_of_the_largest_set_fit_one_message() {
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let id = KeygenId { set, attempt: Attempt(0) };
        let part = |point| vec![0; commitments_cap(point, MAX_VALIDATORS)];
        let commitments =
            PerKey { ristretto: part(RISTRETTO_BYTES), external: part(LARGEST_POINT_BYTES) };
        let message = PeerMessage::Commitments { id, commitments };
        assert!(within_bounds(&message, MAX_VALIDATORS));
        let body = Body::Keygen(message);
        let statement = SignedStatement {
            signer: ValidatorKey([0; 32]),
            statement: Statement { version: VERSION, genesis: BlockHash([0; 32]), body },
            signature: SignatureBytes([0; 64]),
        };
        let statements = vec![statement; MAX_VALIDATORS];
        let size = encode(&CoordinatorMessage::Commitments { id, statements }).len();
        assert!(size <= MAX_BODY_BYTES, "{size}");
    }
}
