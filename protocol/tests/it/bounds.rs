//! What strangers and flooding members can do: nothing.

use proptest::prelude::*;
use serai_messages::{
    Attempt, BlockHash, BlockNumber, Enclosed, Participant, SignatureBytes, ValidatorKey,
    keygen::{KeygenId, PeerMessage, PerKey},
};
use serai_protocol::keygen::{Effect, Input, InvalidParameters, Keygen};

use crate::world::{ATTEMPT_BLOCKS, SET, World};

#[test]
fn impossible_sets_are_refused() {
    let world = World::new(4, 1);
    let good = world.validators[0].parameters.clone();
    let with = |change: fn(&mut serai_protocol::keygen::Parameters)| {
        let mut parameters = good.clone();
        change(&mut parameters);
        Keygen::new(parameters).err()
    };
    assert_eq!(with(|_| ()), None);
    assert_eq!(with(|p| p.validators.clear()), Some(InvalidParameters::ValidatorCount(0)));
    assert_eq!(with(|p| p.attempt_blocks = 0), Some(InvalidParameters::AttemptBlocks));
    assert_eq!(
        with(|p| p.own = ValidatorKey([1; 32])),
        Some(InvalidParameters::NotInSet(ValidatorKey([1; 32])))
    );
    let first = good.validators[0];
    assert_eq!(
        with(|p| p.validators[1] = p.validators[0]),
        Some(InvalidParameters::Duplicate(first))
    );
}

#[test]
fn statements_of_strangers_other_chains_and_forgers_do_not_count() {
    let mut world = World::new(4, 2);
    world.settle();
    let good = world.validators[0].log.iter().find_map(|input| match input {
        Input::Statement(statement) if statement.signer != world.key(0) => Some(statement.clone()),
        _ => None,
    });
    let good = good.unwrap();
    let fresh = || Keygen::new(world.validators[0].parameters.clone()).unwrap().0;
    let rejects = |change: &dyn Fn(&mut serai_messages::SignedStatement)| {
        let mut statement = good.clone();
        change(&mut statement);
        let mut keygen = fresh();
        assert_eq!(keygen.handle(&Input::Statement(statement)), []);
        keygen.summary().rejected == 1
    };
    assert!(!rejects(&|_| ()));
    assert!(rejects(&|s| s.signature = SignatureBytes([3; 64])));
    assert!(rejects(&|s| s.signer = ValidatorKey([3; 32])));
    assert!(rejects(&|s| s.statement.genesis = BlockHash([3; 32])));
    assert!(rejects(&|s| s.statement.version += 1));
}

#[test]
fn statements_of_attempts_to_come_are_bounded_per_sender() {
    let mut world = World::new(4, 3);
    let size = |world: &World| format!("{:?}", world.validators[0].keygen).len();
    let before = size(&world);
    let mut after_first = 0;
    for round in 0..40_u32 {
        for kind in 0..20_u16 {
            let id = KeygenId { set: SET, attempt: Attempt(1 + round) };
            let share = PerKey { ristretto: vec![1; 100], external: vec![2; 100] };
            let statement = world.sign(1, PeerMessage::Share { id, to: Participant(kind), share });
            world.input(0, Input::Statement(statement));
            let removed = Vec::new();
            let height = BlockNumber(u64::from(kind));
            let vote = world.sign(1, PeerMessage::AttemptVote { id, removed, height });
            world.input(0, Input::Statement(vote.clone()));
            let statement = Enclosed::new(&vote);
            let shown = world.sign(1, PeerMessage::Disclosure { id, statement });
            world.input(0, Input::Statement(shown));
        }
        if round == 6 {
            after_first = size(&world);
        }
    }
    assert!(after_first > before);
    // Only the faults of its contradicting votes are more, up to their cap.
    let faults = format!("{:?}", world.validators[0].keygen.summary().faults).len();
    assert!(size(&world) < after_first + 20 * faults, "{} {after_first}", size(&world));
    assert!(world.validators[0].keygen.summary().faults.len() <= 16);
}

/// The shares of all but one are lost and come by disclosures, and that one holds up the next stage: of what all
/// waited for, not all is shown to all.
#[test]
fn what_is_shown_because_others_wait_is_bounded() {
    const SILENT: usize = 7;
    const COUNT: usize = 20;
    let mut world = World::tampered(COUNT, 5, |from, to, message| {
        let first = message.id().attempt.0 == 0;
        let lost = match message {
            PeerMessage::Share { .. } if first => from != SILENT,
            PeerMessage::ProofPreprocess { .. } | PeerMessage::Disclosure { .. } => from == SILENT,
            _ => from == SILENT && !first,
        };
        (from == to || !lost).then(|| message.clone())
    });
    world.unheard = Some(SILENT);
    world.run(4 * ATTEMPT_BLOCKS, |world| world.attempt(0) > 0);
    for index in (0..COUNT).filter(|index| *index != SILENT) {
        let own = world.key(index);
        let shown = world.validators[index].effects.iter().filter(|effect| match effect {
            Effect::Say(PeerMessage::Disclosure { statement, .. }) => {
                statement.open().unwrap().signer != own
            }
            _ => false,
        });
        let shown = shown.count();
        assert!((200..=240).contains(&shown), "{index}: {shown}");
    }
}

#[test]
fn statements_nested_in_statements_end() {
    let mut world = World::new(4, 4);
    let id = KeygenId { set: SET, attempt: Attempt(0) };
    let mut statement = world.sign(
        1,
        PeerMessage::Proof { id, signatures: PerKey { ristretto: vec![], external: vec![] } },
    );
    for _ in 0..50 {
        let enclosed = Enclosed::new(&statement);
        statement = world.sign(1, PeerMessage::Disclosure { id, statement: enclosed });
    }
    assert_eq!(world.validators[0].keygen.handle(&Input::Statement(statement)), []);
}

#[test]
fn own_disclosures_change_nothing() {
    let mut world = World::new(4, 6);
    world.settle();
    for signer in 0..4 {
        let shown = world.heard(0, signer, "announcement").unwrap();
        let id = KeygenId { set: SET, attempt: Attempt(0) };
        let statement = Enclosed::new(&shown);
        let own = world.sign(0, PeerMessage::Disclosure { id, statement });
        let keygen = &mut world.validators[0].keygen;
        let before = format!("{keygen:?}");
        assert_eq!(keygen.handle(&Input::Statement(own)), []);
        assert_eq!(format!("{keygen:?}"), before);
    }
}

/// Kinds of statements that a noisy member may change or keep back.
const KINDS: [&str; 14] = [
    "announcement",
    "party-signature",
    "commitments",
    "agreement",
    "disclosure",
    "evidence",
    "waiting",
    "share",
    "accusation",
    "proof-preprocess",
    "proof-share",
    "proof",
    "musig-preprocess",
    "musig-share",
];

/// What is done to one kind of statement to one recipient.
#[derive(Clone, Debug)]
struct Noise {
    from: usize,
    to: usize,
    kind: usize,
    /// 0 keeps it back, others flip a bit.
    value: u8,
}

fn noise(noisy: &'static [usize], count: usize) -> impl Strategy<Value = Noise> {
    (prop::sample::select(noisy), 0..count, 0..KINDS.len(), any::<u8>())
        .prop_map(|(from, to, kind, value)| Noise { from, to, kind, value })
}

fn noisy_members_harm_no_other(
    count: usize,
    noisy: &[usize],
    seed: u64,
    noises: Vec<Noise>,
) -> Result<(), TestCaseError> {
    let mut world = World::tampered(count, seed, move |from, to, message| {
        let hit = noises.iter().find(|noise| {
            (noise.from, noise.to) == (from, to) && KINDS[noise.kind] == message.kind()
        });
        let Some(Noise { value, .. }) = hit else { return Some(message.clone()) };
        if value % 4 == 0 {
            return None;
        }
        let mut bytes = serai_messages::encode(message);
        let position = usize::from(*value) * 7 % (bytes.len() - 10) + 10;
        bytes[position] ^= 1 << (value % 8);
        serai_messages::decode(&bytes).ok()
    });
    let honest: Vec<_> = (0..count).filter(|index| !noisy.contains(index)).collect();
    world.run(160, |world| world.all_done(honest.iter().copied()));
    let accusable: Vec<_> = noisy.iter().map(|index| world.key(*index)).collect();
    for index in honest {
        for fault in &world.validators[index].faults {
            prop_assert!(accusable.contains(&fault.accused), "{index}: {fault:?}");
        }
    }
    world.assert_replays();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The others finish, and accuse nobody else.
    #[test]
    fn one_noisy_member_of_four_harms_no_other(
        seed in any::<u64>(),
        noises in prop::collection::vec(noise(&[1], 4), 0..8),
    ) {
        noisy_members_harm_no_other(4, &[1], seed, noises)?;
    }

    #[test]
    fn two_noisy_members_of_seven_harm_no_other(
        seed in any::<u64>(),
        noises in prop::collection::vec(noise(&[1, 4], 7), 0..12),
    ) {
        noisy_members_harm_no_other(7, &[1, 4], seed, noises)?;
    }
}
