//! What holds whatever happens.

use proptest::prelude::*;

use super::world::{World, sorted, transfer};
use crate::chain::Purpose;

#[derive(Clone, Debug)]
enum Step {
    Deposit { newest: bool, purpose: Purpose, amount: u64, data: u8 },
    Mine { most: usize, fee: u64 },
    Quiet(u8),
    Execute(u32),
    Burn { percent: u64, wrong: bool },
    Activate,
    Retire,
}

fn step() -> impl Strategy<Value = Step> {
    let purpose = prop_oneof![
        6 => Just(Purpose::External),
        1 => Just(Purpose::Change),
        1 => Just(Purpose::Forward),
    ];
    prop_oneof![
        8 => (any::<bool>(), purpose, 1_u64..400, 0_u8..12).prop_map(
            |(newest, purpose, amount, data)| Step::Deposit { newest, purpose, amount, data }
        ),
        8 => (0_usize..8, 1_u64..12).prop_map(|(most, fee)| Step::Mine { most, fee }),
        2 => (1_u8..12).prop_map(Step::Quiet),
        8 => prop_oneof![Just(0), any::<u32>()].prop_map(Step::Execute),
        6 => (prop_oneof![1_u64..=100, Just(100)], prop::bool::weighted(0.1))
            .prop_map(|(percent, wrong)| Step::Burn { percent, wrong }),
        2 => Just(Step::Activate),
        1 => Just(Step::Retire),
    ]
}

fn run(steps: &[Step]) -> World {
    let mut world = World::new();
    for step in steps {
        match *step {
            Step::Deposit { newest, purpose, amount, data } => {
                let session = if newest { world.sessions - 1 } else { world.retired };
                let data = match data {
                    0 => None,
                    1 => Some(vec![1, 2, 3]),
                    _ => Some(transfer()),
                };
                world.deposit(session, purpose, amount, data);
            }
            Step::Mine { most, fee } => world.mine(most, fee),
            Step::Quiet(blocks) => (0..blocks).for_each(|_| world.mine(0, 3)),
            Step::Execute(failing) => {
                world.execute(failing);
            }
            Step::Burn { percent, wrong } => {
                let to = if wrong { Vec::new() } else { vec![9; 20] };
                world.burn(world.supply * percent / 100, to);
            }
            // Serai begins the next session once the hand-over is done and the one before retired.
            Step::Activate
                if world.in_use + 1 == world.sessions && world.retired == world.in_use =>
            {
                world.activate()
            }
            Step::Activate => {}
            Step::Retire => world.retire(),
        }
    }
    world
}

/// Everything that is under way comes to its end.
fn settle(world: &mut World) {
    for percent in [50, 100] {
        world.burn(world.supply * percent / 100, vec![9; 20]);
        for _ in 0..100 {
            world.mine(usize::MAX, 1);
            world.execute(0);
            world.retire();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// The figures at canonical heights are checked in [`World`] at each step.
    #[test]
    fn solvent_at_every_canonical_height(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = run(&steps);
        settle(&mut world);
        prop_assert!(!world.holdings.is_empty());
    }

    #[test]
    fn interleaving_and_restarts_change_nothing(
        steps in prop::collection::vec(step(), 1..200),
        choices in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let mut world = run(&steps);
        settle(&mut world);
        let mut choices = choices.iter().copied().cycle();
        let (ledger, effects) = world.repeat(|| choices.next().unwrap_or_default());
        prop_assert_eq!(sorted(&effects), sorted(&world.effects));
        prop_assert_eq!(ledger.snapshot(), world.ledger.snapshot());
    }

    /// A burn that the vault can pay is paid, at the latest after everything was forwarded.
    #[test]
    fn burns_are_paid_or_said_unpayable(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = run(&steps);
        settle(&mut world);
        let last = world.holdings.last().map(|at| (at.in_flight, at.costs));
        let (in_flight, costs) = last.unwrap_or_default();
        // Only what forwarding cost, or what came too late for it, may be missing.
        prop_assert!(in_flight == 0 || costs > 0, "{} in flight", in_flight);
    }
}
