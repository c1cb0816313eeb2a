//! From stage to stage: when one has all that it needs, what entering the next causes, and whether
//! a member's statement passes.

use serai_messages::keygen::{CoordinatorMessage, Member, Party, PeerMessage, Round, SignedParty};

use super::{
    Effect, FaultKind, Keygen, MusigRequest, Stage,
    attempt::{Held, Running, Slot},
};
use crate::musig::set_keys_message;

impl Keygen {
    /// Enters stages as long as the present one has all that it needs.
    pub(super) fn advance(&mut self, out: &mut Vec<Effect>) {
        while !self.running.failed && self.complete() {
            self.enter(self.running.stage.next(), out);
        }
    }

    fn complete(&self) -> bool {
        let running = &self.running;
        let all = || (0..running.members.len()).all(|position| !running.needs(position));
        match running.stage {
            Stage::Proof => running.proven,
            Stage::MusigSignature => running.signature.is_some() || running.musig_lost,
            Stage::Confirming | Stage::Done | Stage::LeftOut => false,
            Stage::Shares => running.shares_made && all(),
            _ => all(),
        }
    }

    pub(super) fn enter(&mut self, stage: Stage, out: &mut Vec<Effect>) {
        self.running.stage = stage;
        self.running.since = self.height;
        self.running.passed.fill(false);
        if stage == Stage::Party {
            self.running.party = Some(self.party());
        }
        out.extend(self.entry(stage));
        if stage == Stage::Shares {
            self.judge_pending(out);
        }
        self.examine_all(out);
    }

    /// What entering a stage causes.
    fn entry(&self, stage: Stage) -> Option<Effect> {
        let running = &self.running;
        let id = running.id;
        let statements = |slot| running.statements(slot);
        Some(match stage {
            Stage::Announce => {
                let processor = self.parameters.own_processor;
                Effect::Say(PeerMessage::Announcement { id, processor })
            }
            Stage::Party => Effect::SignParty { digest: running.party.as_ref()?.digest() },
            Stage::Commitments => {
                let party = running.party.clone()?;
                let signatures = running.held.iter().filter_map(|held| {
                    match held.get(&Slot::PartySignature)?.message() {
                        PeerMessage::PartySignature { signature, .. } => Some(*signature),
                        _ => None,
                    }
                });
                let party = SignedParty { party, signatures: signatures.collect() };
                let own = self.parameters.own;
                Effect::ToProcessor(CoordinatorMessage::Start { party, own })
            }
            Stage::Agreement => Effect::Say(self.agreement(Round::Commitments)),
            Stage::Shares => Effect::ToProcessor(CoordinatorMessage::Commitments {
                id,
                statements: statements(Slot::Commitments),
            }),
            Stage::ProofPreprocesses => Effect::ToProcessor(CoordinatorMessage::Shares {
                id,
                statements: statements(Slot::Share(Running::participant(running.own?))),
            }),
            Stage::ProofShares => Effect::ToProcessor(CoordinatorMessage::ProofPreprocesses {
                id,
                statements: statements(Slot::ProofPreprocess),
            }),
            Stage::Proof => Effect::ToProcessor(CoordinatorMessage::ProofShares {
                id,
                statements: statements(Slot::ProofShare),
            }),
            Stage::MusigPreprocesses => {
                Effect::Musig(MusigRequest::Preprocess { id, members: running.members.clone() })
            }
            Stage::MusigShares => Effect::Musig(MusigRequest::Sign {
                id,
                preprocesses: running.musig(Slot::MusigPreprocess),
                message: set_keys_message(id.set, &running.removed, running.key_pair.as_ref()?),
            }),
            Stage::MusigSignature if running.musig_lost => return None,
            Stage::MusigSignature => Effect::Musig(MusigRequest::Complete {
                id,
                shares: running.musig(Slot::MusigShare),
            }),
            Stage::Confirming => return self.set_keys(),
            Stage::Done | Stage::LeftOut => return None,
        })
    }

    /// `set_keys` of the running attempt, once it is signed here.
    pub(super) fn set_keys(&self) -> Option<Effect> {
        Some(Effect::SetKeys {
            set: self.running.id.set,
            removed: self.running.removed.clone(),
            key_pair: self.running.key_pair.clone()?,
            signature: self.running.signature?,
        })
    }

    /// The party as this validator sees it.
    fn party(&self) -> Party {
        let running = &self.running;
        let processors =
            running.held.iter().filter_map(|held| match held.get(&Slot::Announcement)?.message() {
                PeerMessage::Announcement { processor, .. } => Some(*processor),
                _ => None,
            });
        let members = running.members.iter().zip(processors);
        Party {
            genesis: self.parameters.genesis,
            id: running.id,
            threshold: self.threshold,
            members: members
                .map(|(validator, processor)| Member { validator: *validator, processor })
                .collect(),
            removed: running.removed.clone(),
        }
    }

    /// Own report of a round.
    pub(super) fn agreement(&self, round: Round) -> PeerMessage {
        let digests = self.running.digests(Slot::compared(round));
        PeerMessage::Agreement { id: self.running.id, round, digests }
    }

    /// Examines what is held of every member that has not passed.
    pub(super) fn examine_all(&mut self, out: &mut Vec<Effect>) {
        for position in 0..self.running.members.len() {
            self.examine(position, out);
        }
    }

    /// Lets a member pass the present stage if its statement is there and right.
    pub(super) fn examine(&mut self, position: usize, out: &mut Vec<Effect>) {
        let Some(slot) = self.running.stage_slot() else { return };
        if !self.running.needs(position) {
            return;
        }
        let Some(held) = self.running.held(position, slot).cloned() else { return };
        let passes = match self.running.stage {
            Stage::Party => self.signed_same_party(position, &held, out),
            Stage::Agreement => self.compare(position, Round::Commitments, out),
            Stage::ProofPreprocesses => self.has_same_keys(position, &held, out),
            Stage::ProofShares => self.compare(position, Round::ProofPreprocess, out),
            Stage::MusigShares => self.compare(position, Round::MusigPreprocess, out),
            _ => true,
        };
        if let (true, Some(passed)) = (passes, self.running.passed.get_mut(position)) {
            *passed = true;
        }
    }

    fn signed_same_party(&mut self, position: usize, held: &Held, out: &mut Vec<Effect>) -> bool {
        let PeerMessage::PartySignature { digest, signature, .. } = held.message() else {
            return false;
        };
        let signer = held.statement.signer;
        let verified =
            serai_sr25519::verify(&signer.0, Party::SIGNATURE_CONTEXT, digest, &signature.0);
        if verified.is_err() {
            let evidence = vec![held.statement.clone()];
            self.fault(signer, FaultKind::InvalidPartySignature, evidence, out);
            return false;
        }
        if self.running.party.as_ref().is_some_and(|party| party.digest() == *digest) {
            return true;
        }
        // The announcements tell whose view is wrong.
        let report = Slot::Agreement(Round::Announcement);
        if !self.running.announcements_reported {
            self.running.announcements_reported = true;
            out.push(Effect::Say(self.agreement(Round::Announcement)));
        }
        let reported = self.running.held(position, report).map(|held| held.statement.clone());
        if let Some(reported) = reported
            && self.compare(position, Round::Announcement, out)
        {
            let evidence = vec![held.statement.clone(), reported];
            self.fault(signer, FaultKind::InvalidPartySignature, evidence, out);
        }
        false
    }

    fn has_same_keys(&mut self, position: usize, held: &Held, out: &mut Vec<Effect>) -> bool {
        let PeerMessage::ProofPreprocess { key_pair, .. } = held.message() else { return false };
        let Some(own) = &self.running.key_pair else { return false };
        if key_pair == own {
            return true;
        }
        if self.running.own != Some(position) {
            let evidence = vec![held.statement.clone()];
            self.fault(held.statement.signer, FaultKind::WrongKeyPair, evidence, out);
        }
        false
    }
}
