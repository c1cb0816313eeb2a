//! What the own processor says.

use serai_messages::{
    Participant,
    keygen::{CoordinatorMessage, PeerMessage, ProcessorMessage},
};

use super::{
    Effect, FaultKind, Keygen, Stage,
    attempt::{Running, Slot},
};

impl Keygen {
    pub(super) fn handle_processor(&mut self, message: &ProcessorMessage, out: &mut Vec<Effect>) {
        let id = message.id();
        let Some(own) = self.running.own.filter(|_| id == self.running.id) else { return };
        let stage = self.running.stage;
        match message {
            ProcessorMessage::Commitments { commitments, .. } => {
                if stage == Stage::Commitments {
                    let commitments = commitments.clone();
                    out.push(Effect::Say(PeerMessage::Commitments { id, commitments }));
                }
            }
            ProcessorMessage::Shares { shares, .. } => {
                if stage != Stage::Shares || self.running.shares_made {
                    return;
                }
                self.running.shares_made = true;
                for (to, share) in shares {
                    let recipient = self.running.position(*to).filter(|position| *position != own);
                    if let Some(key) = recipient.and_then(|p| self.running.members.get(p)) {
                        let share = PeerMessage::Share { id, to: *to, share: share.clone() };
                        out.push(Effect::Tell(*key, share));
                    }
                }
            }
            ProcessorMessage::InvalidCommitments { accused, key, .. } => {
                let kind = FaultKind::InvalidCommitments { key: *key };
                if let Some(position) = self.other(*accused, stage >= Stage::Shares) {
                    self.fault_of(position, kind, &[Slot::Commitments], out);
                }
            }
            ProcessorMessage::InvalidShare { accused, key, blame, .. } => {
                if self.other(*accused, stage >= Stage::ProofPreprocesses).is_some() {
                    self.accuse(id, *accused, *key, blame.clone(), out);
                }
            }
            ProcessorMessage::Verdict { accuser, accused, guilty, .. } => {
                self.handle_verdict(*accuser, *accused, *guilty, out);
            }
            ProcessorMessage::KeyPair { key_pair, preprocess, .. } => {
                if stage != Stage::ProofPreprocesses || self.running.key_pair.is_some() {
                    return;
                }
                self.running.key_pair = Some(key_pair.clone());
                let (key_pair, preprocess) = (key_pair.clone(), preprocess.clone());
                out.push(Effect::Say(PeerMessage::ProofPreprocess { id, key_pair, preprocess }));
                self.examine_all(out);
            }
            ProcessorMessage::ProofShare { share, .. } => {
                if stage == Stage::ProofShares {
                    let digests = self.running.digests(Slot::ProofPreprocess);
                    let share = share.clone();
                    out.push(Effect::Say(PeerMessage::ProofShare { id, digests, share }));
                }
            }
            ProcessorMessage::InvalidProofShare { accused, key, .. } => {
                let kind = FaultKind::InvalidProofShare { key: *key };
                if let Some(position) = self.other(*accused, stage >= Stage::ProofShares) {
                    let slots = [Slot::ProofPreprocess, Slot::ProofShare];
                    self.fault_of(position, kind, &slots, out);
                }
            }
            ProcessorMessage::Proven { key_pair, signatures, .. } => {
                let same = self.running.key_pair.as_ref() == Some(key_pair);
                if stage == Stage::Proof && same && !self.running.proven {
                    self.running.proven = true;
                    let signatures = signatures.clone();
                    out.push(Effect::Say(PeerMessage::Proof { id, signatures }));
                }
            }
            ProcessorMessage::Refused { reason, .. } => {
                self.running.refused = Some(reason.clone());
                self.running.unable |= stage < Stage::MusigPreprocesses;
                self.running.resigned |= self.running.unable;
            }
        }
    }

    /// Position of another member whom the processor accuses, where it can know.
    fn other(&self, accused: Participant, can_know: bool) -> Option<usize> {
        let own = self.running.own.map(Running::participant);
        self.running.position(accused).filter(|_| can_know && own != Some(accused))
    }

    /// Gives a processor that has not verified the proving signatures by itself those that another
    /// member completed, one member's at a time.
    pub(super) fn offer_proof(&mut self, out: &mut Vec<Effect>) {
        let waited = self.running.since.is_some_and(|since| self.height > Some(since));
        if self.running.stage != Stage::Proof || self.running.proven || !waited {
            return;
        }
        let given = &self.running.proofs_given;
        let next = self.running.proofs.iter().find(|(position, _)| !given.contains(position));
        let Some((position, signatures)) = next else { return };
        let (id, position, signatures) = (self.running.id, *position, signatures.clone());
        self.running.proofs_given.insert(position);
        out.push(Effect::ToProcessor(CoordinatorMessage::Proof { id, signatures }));
    }
}
