//! Serai's events on their way to a processor, and a processor's words on their way back.

use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::vault::{CoordinatorMessage, Holdings, ProcessorMessage};
use serai_messages::{BlockHash, BlockNumber, KeyPair, Session, ValidatorKey, ValidatorSet};

use super::world::{COIN, SET, Told, Validator, World};

fn block(number: u64) -> SeraiBlock {
    SeraiBlock { number: BlockNumber(number), hash: BlockHash([number as u8; 32]) }
}

fn burn(number: u64, external_coin: u8) -> Event {
    Event::Burn {
        block: block(number),
        index: 2,
        from: ValidatorKey([1; 32]),
        external_coin,
        amount: 5,
        address: vec![1, 2],
        data: None,
    }
}

/// Why its board says that the coin's vaults are not well.
fn halts(validator: &Validator) -> Vec<String> {
    let causes = validator.board.causes().into_iter();
    causes.filter(|cause| cause.contains("vaults of btc")).collect()
}

fn relayed(validator: &Validator) -> Vec<String> {
    let intent = |told: &Told| match told {
        Told::Vault(message) => Some(message.intent()),
        Told::Signing(_) => None,
    };
    validator.told.iter().filter_map(intent).collect()
}

#[tokio::test]
async fn events_wait_for_the_processors_key_and_keep_their_order() {
    let mut world = World::unannounced().await;
    let key_pair = KeyPair { ristretto: [1; 32], external: vec![2; 33] };
    // Of a set that this validator does not know, too.
    let later = ValidatorSet { coin: COIN, session: Session(1) };
    let events = [
        Event::KeyGen { block: block(4), set: SET, key_pair: key_pair.clone() },
        burn(5, 4),
        burn(5, 7),
        Event::SeraiFinalized { block: block(5) },
        Event::KeyGen { block: block(6), set: later, key_pair },
    ];
    for event in events {
        world.validators[0].event(event).await;
    }
    world.run().await;
    assert_eq!(relayed(&world.validators[0]), Vec::<String>::new());
    world.validators[0].restart().await;

    world.validators[0].announce().await;
    world.validators[0].event(Event::AcceptedHandover { block: block(7), set: later }).await;
    world.validators[0].announce().await;
    let executed = Event::BatchExecuted {
        block: block(8),
        coin: COIN,
        id: 0,
        external_block: [3; 32],
        instructions_hash: [4; 32],
        failed: vec![1],
    };
    world.validators[0].event(executed).await;
    world.validators[0].event(Event::SetRetired { block: block(9), set: SET }).await;
    world.run().await;
    let expected = [
        "vault/btc-0/activated",
        "vault/btc/burned/5-2",
        "vault/btc-1/activated",
        "vault/btc-1/handed-over",
        "vault/btc/executed/0",
        "vault/btc-0/retired",
    ];
    assert_eq!(relayed(&world.validators[0]), expected);
    let executed = CoordinatorMessage::Executed {
        coin: COIN,
        id: 0,
        block: block(8),
        external_block: [3; 32],
        instructions_hash: [4; 32],
        failed: vec![1],
    };
    assert!(world.validators[0].told.contains(&Told::Vault(executed)));
}

#[tokio::test]
async fn what_a_processor_sees_is_recorded_and_a_halt_is_shown() {
    let mut world = World::new().await;
    let validator = &mut world.validators[0];
    let holdings = Holdings {
        coin: COIN,
        batch: 1,
        height: 12,
        hash: [1; 32],
        holdings: 9,
        in_flight: 1,
        retained: 2,
        costs: 3,
    };
    validator.sees(ProcessorMessage::Holdings(holdings.clone())).await;
    validator.sees(ProcessorMessage::Finalized { coin: COIN, height: 12, hash: [1; 32] }).await;
    let reason = "batch 3 is not what was worked out".to_owned();
    validator.sees(ProcessorMessage::Halted { coin: COIN, reason: reason.clone() }).await;
    let finalized = Event::ExternalFinalized { coin: COIN, height: 12, hash: [1; 32] };
    assert_eq!(validator.recorded(), [Event::Holdings(holdings.clone()), finalized]);
    let halted = vec![format!("signature: vaults of btc: {reason}")];
    assert_eq!(halts(validator), halted);

    validator.restart().await;
    // A height that was passed before the halt says nothing.
    validator.sees(ProcessorMessage::Holdings(holdings)).await;
    assert_eq!(halts(validator), halted);
    let kept = ProcessorMessage::Unpayable {
        coin: COIN,
        payment: serai_messages::signing::PaymentId { block: BlockNumber(5), index: 2 },
        amount: 5,
        reason: "too small".to_owned(),
    };
    validator.sees(kept).await;
    assert_eq!(halts(validator), Vec::<String>::new());

    // Of another coin it is nobody's word.
    let other = serai_messages::Coin::Xmr;
    validator.sees(ProcessorMessage::Finalized { coin: other, height: 1, hash: [1; 32] }).await;
    assert_eq!(validator.dead_letters(), 1);
}
