//! The ledger in a database.

use rusqlite::Connection;
use serai_messages::signing::PaymentId;
use serai_messages::vault::CoordinatorMessage;
use serai_messages::{BlockNumber, Coin};

use super::double::DOUBLE;
use super::world::{World, transfer};
use crate::chain::Purpose;
use crate::ledger::{Book, MIGRATION, Taken, plans};

#[test]
fn an_event_that_is_relayed_again_counts_once() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 1_000, Some(transfer()));
    world.mine(9, 2);
    world.execute(0);
    world.burn(100, vec![9; 20]).unwrap();
    assert_eq!(world.plans.len(), 1);

    let mut connection = Connection::open_in_memory().unwrap();
    for step in MIGRATION.steps {
        connection.execute_batch(step).unwrap();
    }
    let mut book = Book::open(&DOUBLE, &connection).unwrap();
    let transaction = connection.transaction().unwrap();
    for event in &world.events {
        book.event(&transaction, event).unwrap();
        book.blocks(&transaction, world.chain.blocks.iter().cloned()).unwrap();
    }
    let snapshot = book.ledger().snapshot();
    assert_eq!(plans(&transaction).unwrap().len(), 1);

    // A coordinator that was restored begins at block 0.
    for event in &world.events {
        assert_eq!(book.event(&transaction, event).unwrap(), Taken::default(), "{event:?}");
    }
    let other = CoordinatorMessage::Burned {
        id: PaymentId { block: BlockNumber(3), index: 1 },
        block: world.block(),
        coin: Coin::Btc,
        external_coin: 4,
        amount: 99,
        address: vec![9; 20],
        data: None,
    };
    assert!(world.events.iter().any(|event| event.intent() == other.intent()), "the same payment");
    assert_eq!(book.event(&transaction, &other).unwrap(), Taken::default());
    assert_eq!(book.ledger().snapshot(), snapshot);
    assert_eq!(plans(&transaction).unwrap().len(), 1);
}
