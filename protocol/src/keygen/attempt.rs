//! State of the running attempt.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::{
    Attempt, BlockNumber, KeyPair, Participant, SignatureBytes, SignedStatement, ValidatorKey,
    keygen::{Awaited, KeyKind, KeygenId, Party, PeerMessage, PerKey, Round},
};

use super::Stage;

/// What a member may say once in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Announcement,
    PartySignature,
    Commitments,
    Agreement(Round),
    Share(Participant),
    ProofPreprocess,
    ProofShare,
    MusigPreprocess,
    MusigShare,
    Waiting(Awaited),
}

impl Slot {
    /// The slot of a message; none for those that may repeat, and for votes, which are kept apart.
    pub(super) fn of(message: &PeerMessage) -> Option<Slot> {
        Some(match message {
            PeerMessage::Announcement { .. } => Slot::Announcement,
            PeerMessage::PartySignature { .. } => Slot::PartySignature,
            PeerMessage::Commitments { .. } => Slot::Commitments,
            // The other two rounds are compared through the shares that follow them.
            PeerMessage::Agreement { round: Round::Announcement, .. } => {
                Slot::Agreement(Round::Announcement)
            }
            PeerMessage::Agreement { round: Round::Commitments, .. } => {
                Slot::Agreement(Round::Commitments)
            }
            PeerMessage::Share { to, .. } => Slot::Share(*to),
            PeerMessage::ProofPreprocess { .. } => Slot::ProofPreprocess,
            PeerMessage::ProofShare { .. } => Slot::ProofShare,
            PeerMessage::MusigPreprocess { .. } => Slot::MusigPreprocess,
            PeerMessage::MusigShare { .. } => Slot::MusigShare,
            PeerMessage::Waiting { awaited, .. } => Slot::Waiting(*awaited),
            PeerMessage::Agreement { .. }
            | PeerMessage::Disclosure { .. }
            | PeerMessage::Evidence { .. }
            | PeerMessage::Accusation { .. }
            | PeerMessage::Proof { .. }
            | PeerMessage::AttemptVote { .. } => return None,
        })
    }

    /// The slot that a member fills for `waiter`.
    pub(super) fn awaited(awaited: Awaited, waiter: Participant) -> Slot {
        match awaited {
            Awaited::Announcement => Slot::Announcement,
            Awaited::PartySignature => Slot::PartySignature,
            Awaited::Commitments => Slot::Commitments,
            Awaited::Agreement => Slot::Agreement(Round::Commitments),
            Awaited::Share => Slot::Share(waiter),
            Awaited::ProofPreprocess => Slot::ProofPreprocess,
            Awaited::ProofShare => Slot::ProofShare,
            Awaited::MusigPreprocess => Slot::MusigPreprocess,
            Awaited::MusigShare => Slot::MusigShare,
        }
    }

    /// The broadcast that a round compares.
    pub(super) fn compared(round: Round) -> Slot {
        match round {
            Round::Announcement => Slot::Announcement,
            Round::Commitments => Slot::Commitments,
            Round::ProofPreprocess => Slot::ProofPreprocess,
            Round::MusigPreprocess => Slot::MusigPreprocess,
        }
    }

    /// Where a member reports what it received in a round.
    pub(super) fn report(round: Round) -> Slot {
        match round {
            Round::Announcement | Round::Commitments => Slot::Agreement(round),
            Round::ProofPreprocess => Slot::ProofShare,
            Round::MusigPreprocess => Slot::MusigShare,
        }
    }

    /// The round that compares this broadcast.
    pub(super) fn round(self) -> Option<Round> {
        [Round::Announcement, Round::Commitments, Round::ProofPreprocess, Round::MusigPreprocess]
            .into_iter()
            .find(|round| Slot::compared(*round) == self)
    }
}

/// A checked statement.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) statement: SignedStatement,
    /// What it says, of key generation.
    message: PeerMessage,
    pub(super) digest: [u8; 32],
}

impl Held {
    pub(super) fn new(statement: &SignedStatement, message: &PeerMessage) -> Self {
        let digest = statement.digest();
        Self { statement: statement.clone(), message: message.clone(), digest }
    }

    pub(super) fn message(&self) -> &PeerMessage {
        &self.message
    }

    /// The digests that this statement reports, if it is a report.
    pub(super) fn report(&self) -> Option<&[[u8; 32]]> {
        match self.message() {
            PeerMessage::Agreement { digests, .. }
            | PeerMessage::ProofShare { digests, .. }
            | PeerMessage::MusigShare { digests, .. } => Some(digests),
            _ => None,
        }
    }

    /// The bytes for the MuSig machine, if these are some.
    pub(super) fn musig(&self) -> Option<&Vec<u8>> {
        match self.message() {
            PeerMessage::MusigPreprocess { preprocess, .. } => Some(preprocess),
            PeerMessage::MusigShare { share, .. } => Some(share),
            _ => None,
        }
    }
}

/// A member reported another digest of a broadcast than is held here, and has not shown it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Conflict {
    pub(super) round: Round,
    pub(super) reporter: usize,
    pub(super) about: usize,
    pub(super) digest: [u8; 32],
}

/// An accusation that the own processor judges.
#[derive(Clone, Debug)]
pub(super) struct Accusation {
    pub(super) statement: SignedStatement,
    pub(super) share: SignedStatement,
    pub(super) key: KeyKind,
    pub(super) blame: Option<Vec<u8>>,
    /// The own processor was asked.
    pub(super) judged: bool,
}

/// The running attempt. Members are positions in `members`; participant `i` is position `i - 1`.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: KeygenId,
    pub(super) members: Vec<ValidatorKey>,
    pub(super) positions: BTreeMap<ValidatorKey, usize>,
    pub(super) removed: Vec<ValidatorKey>,
    /// None: this validator is left out.
    pub(super) own: Option<usize>,
    pub(super) stage: Stage,
    /// Height at which the stage was entered.
    pub(super) since: Option<BlockNumber>,
    /// Height at which the attempt began here.
    pub(super) began: Option<BlockNumber>,
    pub(super) held: Vec<BTreeMap<Slot, Held>>,
    /// Whose statement of the present stage is there and right.
    pub(super) passed: Vec<bool>,
    /// Set when all announcements are in.
    pub(super) party: Option<Party>,
    /// Own announcements digests were said after a party signature that differs.
    pub(super) announcements_reported: bool,
    pub(super) shares_made: bool,
    pub(super) key_pair: Option<KeyPair>,
    pub(super) proven: bool,
    /// Proving signatures that members offer.
    pub(super) proofs: BTreeMap<usize, PerKey>,
    /// Whose of them the own processor was given.
    pub(super) proofs_given: BTreeSet<usize>,
    pub(super) signature: Option<SignatureBytes>,
    /// For how many lengths of an attempt `set_keys` was published again.
    pub(super) set_keys_repeated: u64,
    /// The own MuSig share is made: the others can complete without this validator.
    pub(super) musig_shared: bool,
    pub(super) musig_lost: bool,
    pub(super) waiting_said: BTreeSet<Awaited>,
    /// When it was heard that a member waits for shares.
    pub(super) waiting_heard: BTreeMap<usize, Option<BlockNumber>>,
    /// Positions of who waits, as all were told.
    pub(super) waiting_passed_on: BTreeSet<usize>,
    /// Statements shown to all because somebody waits for shares.
    pub(super) passed_on: usize,
    /// Positions of who waits and of who was told so.
    pub(super) missed_told: BTreeSet<(usize, usize)>,
    /// Open ones, with the height at which each was seen first.
    pub(super) conflicts: BTreeMap<Conflict, Option<BlockNumber>>,
    /// Slots in which a member is proven to have said two different things.
    pub(super) contradicted: BTreeSet<(usize, Slot)>,
    /// Digests of the statements that were disclosed to all.
    pub(super) disclosed: BTreeSet<[u8; 32]>,
    pub(super) accusations: BTreeMap<(usize, usize), Accusation>,
    /// A member is proven to be at fault: the attempt goes no further.
    pub(super) failed: bool,
    /// This or another member cannot go on, and is not at fault.
    pub(super) resigned: bool,
    /// This member cannot go on.
    pub(super) unable: bool,
    /// Why the own processor will not take part.
    pub(super) refused: Option<String>,
    /// Validators that were shown the votes for this attempt.
    pub(super) helped: BTreeSet<ValidatorKey>,
}

impl Running {
    pub(super) fn new(
        id: KeygenId,
        validators: &[ValidatorKey],
        removed: Vec<ValidatorKey>,
        own: ValidatorKey,
        height: Option<BlockNumber>,
    ) -> Self {
        let members: Vec<_> =
            validators.iter().filter(|key| !removed.contains(key)).copied().collect();
        let positions: BTreeMap<_, _> =
            members.iter().enumerate().map(|(position, key)| (*key, position)).collect();
        let own = positions.get(&own).copied();
        Self {
            id,
            own,
            stage: if own.is_some() { Stage::Announce } else { Stage::LeftOut },
            since: height,
            began: height,
            held: vec![BTreeMap::new(); members.len()],
            passed: vec![false; members.len()],
            members,
            positions,
            removed,
            party: None,
            announcements_reported: false,
            shares_made: false,
            key_pair: None,
            proven: false,
            proofs: BTreeMap::new(),
            proofs_given: BTreeSet::new(),
            signature: None,
            set_keys_repeated: 0,
            musig_shared: false,
            musig_lost: false,
            waiting_said: BTreeSet::new(),
            waiting_heard: BTreeMap::new(),
            waiting_passed_on: BTreeSet::new(),
            passed_on: 0,
            missed_told: BTreeSet::new(),
            conflicts: BTreeMap::new(),
            contradicted: BTreeSet::new(),
            disclosed: BTreeSet::new(),
            accusations: BTreeMap::new(),
            failed: false,
            resigned: false,
            unable: false,
            refused: None,
            helped: BTreeSet::new(),
        }
    }

    /// Participant at a position. Positions are below [`serai_messages::MAX_VALIDATORS`].
    pub(super) fn participant(position: usize) -> Participant {
        Participant(u16::try_from(position + 1).unwrap_or(u16::MAX))
    }

    /// Position of a participant of this attempt.
    pub(super) fn position(&self, participant: Participant) -> Option<usize> {
        usize::from(participant.0).checked_sub(1).filter(|position| *position < self.members.len())
    }

    pub(super) fn held(&self, position: usize, slot: Slot) -> Option<&Held> {
        self.held.get(position)?.get(&slot)
    }

    /// The slot that the present stage needs of every member.
    pub(super) fn stage_slot(&self) -> Option<Slot> {
        let own = Self::participant(self.own?);
        self.stage.awaited().map(|awaited| Slot::awaited(awaited, own))
    }

    /// All members' statements of a slot, in their order; without the own one for shares.
    pub(super) fn statements(&self, slot: Slot) -> Vec<SignedStatement> {
        self.held.iter().filter_map(|held| held.get(&slot)).map(|h| h.statement.clone()).collect()
    }

    /// All members' digests of a slot, in their order.
    pub(super) fn digests(&self, slot: Slot) -> Vec<[u8; 32]> {
        self.held.iter().filter_map(|held| held.get(&slot)).map(|held| held.digest).collect()
    }

    /// All members' bytes for the MuSig machine.
    pub(super) fn musig(&self, slot: Slot) -> BTreeMap<Participant, Vec<u8>> {
        let bytes = self.held.iter().filter_map(|held| held.get(&slot)?.musig());
        (1..).map(Participant).zip(bytes.cloned()).collect()
    }

    /// Whether the present stage needs something of this member.
    pub(super) fn needs(&self, position: usize) -> bool {
        let of_own = self.own == Some(position);
        self.stage.awaited().is_some()
            && !(of_own && self.stage == Stage::Shares)
            && !self.passed.get(position).copied().unwrap_or(true)
    }

    /// Number of the attempt.
    pub(super) fn attempt(&self) -> Attempt {
        self.id.attempt
    }
}
