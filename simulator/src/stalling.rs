//! Members that hold a key generation up: from some stage of an attempt on they say nothing but whom they
//! wait for, and nothing of that is so.

use std::collections::BTreeMap;

use serai_messages::Participant;
use serai_messages::keygen::{Awaited, KeygenId, PeerMessage, Round};

use crate::draw::Draw;

/// In how many of a thousand attempts it does.
const STALLED: u64 = 200;

const STAGES: [Awaited; 9] = [
    Awaited::Announcement,
    Awaited::PartySignature,
    Awaited::Commitments,
    Awaited::Agreement,
    Awaited::Share,
    Awaited::ProofPreprocess,
    Awaited::ProofShare,
    Awaited::MusigPreprocess,
    Awaited::MusigShare,
];

/// What one such member does, attempt by attempt.
#[derive(Debug, Default)]
pub struct Stalling(BTreeMap<KeygenId, Option<Stall>>);

#[derive(Debug)]
struct Stall {
    since: Awaited,
    begun: bool,
    says: PeerMessage,
}

impl Stalling {
    /// What is said in place of the message, if anything.
    pub fn says(
        &mut self,
        message: &PeerMessage,
        validators: usize,
        draw: &mut Draw,
    ) -> Option<PeerMessage> {
        // Who does not vote either is silent, which is another fault.
        if matches!(message, PeerMessage::AttemptVote { .. }) {
            return None;
        }
        let stalled = self.0.entry(message.id());
        let stall = stalled.or_insert_with(|| Stall::drawn(message.id(), validators, draw));
        let stall = stall.as_mut()?;
        stall.begun |= stage(message).is_some_and(|stage| stage >= stall.since);
        stall.begun.then(|| stall.says.clone())
    }
}

impl Stall {
    fn drawn(id: KeygenId, validators: usize, draw: &mut Draw) -> Option<Self> {
        if !draw.chance(STALLED) {
            return None;
        }
        let since = *draw.one_of(&STAGES)?;
        let awaited = *draw.one_of(&STAGES)?;
        let mut from: Vec<_> = (1..).take(validators).map(Participant).collect();
        let only = draw.one_of(&from).copied();
        if draw.chance(700) {
            from.retain(|participant| Some(*participant) == only);
        } else {
            from.retain(|_| draw.chance(500));
        }
        Some(Self { since, begun: false, says: PeerMessage::Waiting { id, awaited, from } })
    }
}

fn stage(message: &PeerMessage) -> Option<Awaited> {
    Some(match message {
        PeerMessage::Announcement { .. } => Awaited::Announcement,
        PeerMessage::PartySignature { .. } => Awaited::PartySignature,
        PeerMessage::Commitments { .. } => Awaited::Commitments,
        PeerMessage::Agreement { round: Round::Commitments, .. } => Awaited::Agreement,
        PeerMessage::Share { .. } => Awaited::Share,
        PeerMessage::ProofPreprocess { .. } => Awaited::ProofPreprocess,
        PeerMessage::ProofShare { .. } => Awaited::ProofShare,
        PeerMessage::MusigPreprocess { .. } => Awaited::MusigPreprocess,
        PeerMessage::MusigShare { .. } => Awaited::MusigShare,
        _ => return None,
    })
}
