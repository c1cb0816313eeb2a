//! Single rules, by example.

use serai_messages::signing::{SigningId, Thing};
use serai_messages::vault::{CoordinatorMessage, KeptReason, ProcessorMessage};
use serai_messages::{Coin, Session};

use super::double::{COST, DOUBLE};
use super::world::{World, set, sorted, transfer};
use crate::chain::Purpose;
use crate::ledger::{CLOSING_BLOCKS, Effect, Input, Ledger, QUIET_BLOCKS};

fn told(world: &World) -> Vec<&ProcessorMessage> {
    let told = world.effects.iter().filter_map(|effect| match effect {
        Effect::Tell(message) => Some(message),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_tenth_quiet_block_is_acknowledged_with_an_empty_batch() {
    let mut world = World::new();
    for _ in 0..QUIET_BLOCKS - 1 {
        world.mine(0, 1);
    }
    assert_eq!(world.due, None);
    world.mine(0, 1);
    let (id, reference, batch) = world.due.clone().unwrap();
    assert_eq!(id, SigningId { set: set(0), thing: Thing::Batch(0) });
    assert_eq!(reference, world.block());
    assert_eq!(batch[5..37], world.chain.blocks[9].hash);
    assert_eq!(batch[37..], [0]);
}

#[test]
fn deposits_are_credited_or_kept_with_the_reason() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 100, Some(transfer()));
    world.deposit(0, Purpose::External, 101, None);
    world.deposit(0, Purpose::External, 102, Some(vec![1]));
    world.deposit(0, Purpose::External, COST, Some(transfer()));
    world.deposit(0, Purpose::Change, 103, Some(transfer()));
    world.mine(9, 1);
    world.execute(0);
    assert_eq!(world.supply, 100 - COST);
    let kept: Vec<(u64, KeptReason)> = told(&world)
        .iter()
        .filter_map(|message| match message {
            ProcessorMessage::Kept { amount, reason, .. } => Some((*amount, *reason)),
            _ => None,
        })
        .collect();
    let expected = [
        (101, KeptReason::NoInstruction),
        (102, KeptReason::NotUnderstood),
        (COST, KeptReason::TooSmall),
        (103, KeptReason::NoInstruction),
    ];
    assert_eq!(kept, expected);
    assert_eq!(world.holdings[0].retained, 101 + 102 + 103 + COST + COST);
}

#[test]
fn a_block_with_much_is_acknowledged_by_several_batches() {
    let mut world = World::new();
    for _ in 0..700 {
        world.deposit(0, Purpose::External, 10, Some(transfer()));
    }
    world.mine(700, 1);
    world.mine(0, 1);
    assert!(world.execute(0));
    assert!(world.execute(0));
    assert!(!world.execute(0));
    assert_eq!(world.supply, 700 * (10 - COST));
    let [first, second] = world.holdings.as_slice() else { panic!() };
    assert_eq!((first.height, first.hash), (second.height, second.hash));
    assert!(first.retained > second.retained);
}

#[test]
fn a_rotation_moves_everything_and_ends_with_a_report() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 1_000, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    world.activate();
    // The batch that was under way is the old vault's; the next one is the new vault's.
    world.deposit(0, Purpose::External, 500, Some(transfer()));
    world.mine(9, 2);
    assert_eq!(world.due.as_ref().unwrap().0.set, set(0));
    world.execute(0);
    world.deposit(1, Purpose::External, 300, Some(transfer()));
    world.mine(9, 2);
    assert_eq!(world.due.as_ref().unwrap().0.set, set(1));
    world.execute(0);
    let (id, _) = world.plans.last().unwrap();
    assert_eq!(*id, SigningId { set: set(0), thing: Thing::Forward(2) });
    // Payments come from the new vault at once.
    world.burn(1_700, vec![9; 20]).unwrap();
    let (id, plan) = world.plans.last().unwrap();
    assert_eq!(id.set, set(1));
    assert!(plan.spent.len() == 2, "{plan:?}");
    for _ in 0..CLOSING_BLOCKS + 20 {
        world.mine(9, 2);
        world.execute(0);
    }
    assert_eq!(world.reported, [set(0)]);
    world.retire();
    for _ in 0..QUIET_BLOCKS {
        world.mine(9, 2);
    }
    world.execute(0);
    let addresses = &world.holdings.last().unwrap().addresses;
    assert!(addresses.iter().all(|address| address.starts_with("btc-1")), "{addresses:?}");
}

#[test]
fn a_vault_whose_report_is_due_credits_nothing() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 1_000, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    world.activate();
    for _ in 0..CLOSING_BLOCKS + 5 * QUIET_BLOCKS as u64 {
        world.mine(9, 2);
        world.execute(0);
    }
    assert_eq!(world.reported, [set(0)]);
    // Nobody would move it: the set may be retired at any time.
    let supply = world.supply;
    world.deposit(0, Purpose::External, 500, Some(transfer()));
    for _ in 0..=QUIET_BLOCKS {
        world.mine(9, 2);
        world.execute(0);
    }
    assert_eq!(world.supply, supply);
    let plans = world.plans.len();
    world.retire();
    world.deposit(1, Purpose::External, 300, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    assert_eq!((world.supply, world.plans.len()), (supply + 300 - COST, plans));
}

#[test]
fn a_burn_that_is_too_large_for_now_lets_others_go_first() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 1_000, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    world.activate();
    // Forwarding costs more than the deposit left for it.
    for _ in 0..2 * QUIET_BLOCKS {
        world.mine(9, 50);
        world.execute(0);
    }
    world.mine(9, 2);
    world.execute(0);
    let plans = world.plans.len();
    world.burn(980, vec![9; 20]).unwrap();
    assert_eq!(world.plans.len(), plans);
    let second = world.burn(15, vec![9; 20]).unwrap();
    assert_eq!(world.plans.len(), plans + 1);
    assert_eq!(world.plans[plans].0.thing, Thing::Payment(second));
    // With the next deposit there is enough.
    world.deposit(1, Purpose::External, 500, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    assert_eq!(world.plans.len(), plans + 2);
}

#[test]
fn a_deposit_to_a_vault_activated_meanwhile_is_credited_later() {
    let mut world = World::new();
    world.mine(0, 1);
    world.activate();
    world.deposit(1, Purpose::External, 100, Some(transfer()));
    world.mine(9, 1);
    for _ in 0..QUIET_BLOCKS {
        world.mine(0, 1);
    }
    world.execute(0);
    assert_eq!(world.supply, 0);
    world.execute(0);
    assert_eq!(world.supply, 100 - COST);
}

#[test]
fn what_contradicts_the_ledger_stops_it() {
    let executed = |world: &World, id, external_block| CoordinatorMessage::Executed {
        coin: Coin::Btc,
        id,
        block: world.block(),
        external_block,
        instructions_hash: [0; 32],
        failed: Vec::new(),
    };
    let mut world = World::new();
    (0..QUIET_BLOCKS).for_each(|_| world.mine(0, 1));
    let snapshot = world.ledger.snapshot();
    let other = world.chain.blocks[9].hash;
    let stray = CoordinatorMessage::HandedOver { set: set(7), block: world.block() };
    for event in [
        executed(&world, 0, [1; 32]),
        executed(&world, 0, other),
        executed(&world, 5, other),
        stray,
    ] {
        let mut ledger = Ledger::restore(&DOUBLE, &snapshot).unwrap();
        let effects = ledger.handle(Input::Event(event.clone()));
        let halted = matches!(&effects[..], [Effect::Tell(ProcessorMessage::Halted { .. })]);
        assert!(halted && ledger.halted().is_some(), "{event:?}: {effects:?}");
        assert!(!ledger.takes(&event));
        assert_eq!(ledger.wants(), None);
    }

    let mut world = World::new();
    world.mine(0, 1);
    let mut block = world.chain.blocks[0].clone();
    block.height = 1;
    block.parent = [9; 32];
    let effects = world.ledger.handle(Input::Block(block));
    assert!(matches!(&effects[..], [Effect::Tell(ProcessorMessage::Halted { .. })]));
    assert_eq!(set(0).session, Session(0));
}

#[test]
fn an_unpayable_burn_is_said_and_blocks_nothing() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 1_000, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    world.burn(5, vec![9; 20]).unwrap();
    world.burn(100, Vec::new()).unwrap();
    let paid = world.burn(200, vec![9; 20]).unwrap();
    assert_eq!(world.plans.len(), 1);
    assert_eq!(world.plans[0].0.thing, Thing::Payment(paid));
    world.mine(9, 2);
    world.execute(0);
    let at = world.holdings.last().unwrap();
    assert_eq!((at.in_flight, at.retained), (0, 105 + COST));
    let completed =
        told(&world).iter().any(|message| matches!(message, ProcessorMessage::Completed { .. }));
    assert!(completed);
}

/// Others may not know of the plan yet when they look at the block.
#[test]
fn a_plan_made_meanwhile_ends_no_search_and_is_completed_in_its_block() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 100, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    // What is left is too small for change: no output leads to a vault.
    world.burn(world.supply, vec![9; 20]).unwrap();
    assert_eq!(world.plans[0].1.created, []);
    world.mine(9, 2);
    assert_eq!(world.due, None);
    for _ in 1..QUIET_BLOCKS {
        world.mine(9, 2);
    }
    world.execute(0);
    let completed = told(&world).into_iter().find_map(|message| match message {
        ProcessorMessage::Completed { height, .. } => Some(*height),
        _ => None,
    });
    assert_eq!(completed, Some(1));
    assert_eq!(world.holdings[1].in_flight, 0);
    // Blocks before events, as far as they are wanted.
    let (ledger, effects) = world.repeat(|| 0);
    assert_eq!(sorted(&effects), sorted(&world.effects));
    assert_eq!(ledger.snapshot(), world.ledger.snapshot());
}
