//! Members that hold a key generation up: from some stage of an attempt on they say nothing but whom they
//! wait for, whether they do or not; and before it one other may get no share of theirs.

use std::collections::BTreeMap;

use serai_messages::Participant;
use serai_messages::keygen::{Awaited, KeygenId, PeerMessage, Round};

use crate::draw::Draw;

/// How many of a thousand attempts are held up.
const STALLED: u64 = 200;

/// How many of a thousand members do the same in each attempt.
const PERSISTENT: u64 = 200;

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

/// What one such member does.
#[derive(Debug)]
pub struct Stalling {
    always: Option<Stall>,
    attempts: BTreeMap<KeygenId, Attempted>,
}

#[derive(Debug)]
struct Attempted {
    stall: Option<Stall>,
    begun: bool,
}

#[derive(Clone, Debug)]
struct Stall {
    since: Awaited,
    /// To whom no share is given, before that.
    without_share: Option<Participant>,
    awaited: Awaited,
    from: Vec<Participant>,
}

impl Stalling {
    /// Of a member of so many.
    pub fn new(validators: usize, draw: &mut Draw) -> Self {
        let always = if draw.chance(PERSISTENT) { Stall::drawn(validators, draw) } else { None };
        Self { always, attempts: BTreeMap::new() }
    }

    /// What is said in place of the message, the message itself until the member begins; none in an attempt
    /// that it does not hold up.
    pub fn says(
        &mut self,
        message: &PeerMessage,
        validators: usize,
        draw: &mut Draw,
    ) -> Option<PeerMessage> {
        let id = message.id();
        let always = &self.always;
        let attempted = self.attempts.entry(id).or_insert_with(|| {
            let once = || if draw.chance(STALLED) { Stall::drawn(validators, draw) } else { None };
            Attempted { stall: always.clone().or_else(once), begun: false }
        });
        let stall = attempted.stall.as_ref()?;
        attempted.begun |= stage(message).is_some_and(|stage| stage >= stall.since);
        let kept = match message {
            // Who does not vote either is silent, which is another fault.
            PeerMessage::AttemptVote { .. } => false,
            PeerMessage::Share { to, .. } => attempted.begun || stall.without_share == Some(*to),
            PeerMessage::Disclosure { .. } => attempted.begun || stall.without_share.is_some(),
            _ => attempted.begun,
        };
        let waits =
            || PeerMessage::Waiting { id, awaited: stall.awaited, from: stall.from.clone() };
        Some(if kept { waits() } else { message.clone() })
    }
}

impl Stall {
    fn drawn(validators: usize, draw: &mut Draw) -> Option<Self> {
        let since = *draw.one_of(&STAGES)?;
        let awaited = *draw.one_of(&STAGES)?;
        let mut from: Vec<_> = (1..).take(validators).map(Participant).collect();
        let one = *draw.one_of(&from)?;
        if draw.chance(700) {
            from = vec![one];
        } else {
            from.retain(|_| draw.chance(500));
        }
        let without_share = draw.chance(500).then_some(one);
        Some(Self { since, without_share, awaited, from })
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
