//! Positions, acceptance, sequences and the outbox, in one database.

use proptest::prelude::*;
use serai_bus::exchange::{self, Acceptance, Consumer};
use serai_bus::{OffsetReset, Position, Start};
use serai_messages::{Coin, Endpoint, Incarnation, IntentId, Sequence};

use crate::setup::{change, database, record};

const READER: Consumer<'_> = Consumer { reader: "signature", topic: "alice-btc" };
const PROCESSOR: Endpoint = Endpoint::Processor(Coin::Btc);

#[test]
fn reading_starts_after_the_position_or_where_it_is_told() {
    let (_folder, database) = database();
    let start = |reset| database.read(|c| exchange::start(c, READER, reset)).unwrap();
    assert_eq!(start(OffsetReset::Earliest), Start::Earliest);
    assert_eq!(start(OffsetReset::Latest), Start::Latest);
    let position = Position { offset: 7, id: Some(IntentId::new("a/7").unwrap()) };
    change(&database, |t| exchange::set_position(t, READER, &position));
    assert_eq!(start(OffsetReset::Latest), Start::After(position));
    let other = Consumer { reader: "submission", ..READER };
    assert_eq!(database.read(|c| exchange::position(c, other)).unwrap(), None);
    let undecodable = Position { offset: 8, id: None };
    change(&database, |t| exchange::set_position(t, READER, &undecodable));
    assert_eq!(start(OffsetReset::Latest), Start::After(undecodable));
    // Told to go on: nothing may be skipped, so `latest` does not apply.
    assert_eq!(change(&database, |t| exchange::forget_position(t, READER.topic)), 1);
    assert_eq!(start(OffsetReset::Latest), Start::Earliest);
    assert_eq!(database.read(|c| exchange::position(c, READER)).unwrap(), None);
}

#[test]
fn a_record_is_new_once_and_an_older_incarnation_is_replaced() {
    let (_folder, database) = database();
    let accept = |incarnation, sequence| {
        change(&database, |t| {
            exchange::accept(t, READER, PROCESSOR, Incarnation(incarnation), Sequence(sequence))
        })
    };
    assert_eq!(accept(1, 1), Acceptance::New);
    assert_eq!(accept(1, 1), Acceptance::Repeat);
    assert_eq!(accept(1, 2), Acceptance::New);
    assert_eq!(accept(1, 1), Acceptance::Repeat);
    assert_eq!(accept(2, 1), Acceptance::New);
    assert_eq!(accept(1, 3), Acceptance::Replaced);
    assert_eq!(accept(2, 1), Acceptance::Repeat);
    // Another consumer and another sender keep their own count.
    let other = Consumer { reader: "submission", ..READER };
    assert_eq!(
        change(&database, |t| exchange::accept(t, other, PROCESSOR, Incarnation(1), Sequence(1))),
        Acceptance::New
    );
}

#[test]
fn sequences_have_no_gaps_and_begin_anew_with_an_incarnation() {
    let (_folder, database) = database();
    let next = |to, incarnation| {
        change(&database, |t| {
            exchange::next_sequence(t, READER.topic, to, Incarnation(incarnation))
        })
        .0
    };
    assert_eq!([next(PROCESSOR, 1), next(PROCESSOR, 1), next(PROCESSOR, 1)], [1, 2, 3]);
    assert_eq!(next(Endpoint::Anyone, 1), 1);
    assert_eq!([next(PROCESSOR, 2), next(PROCESSOR, 2)], [1, 2]);
}

#[test]
fn the_outbox_gives_back_the_same_records_in_order_until_confirmed() {
    let (_folder, database) = database();
    let pending = |limit| database.read(|c| exchange::pending(c, READER.topic, limit)).unwrap();
    change(&database, |t| {
        for n in 0..5 {
            exchange::enqueue(t, READER.topic, &record(n, 100))?;
            exchange::enqueue(t, "alice-eth", &record(n + 100, 100))?;
        }
        Ok(())
    });
    let waiting = pending(3);
    let records: Vec<_> = waiting.iter().map(|outgoing| outgoing.record.clone()).collect();
    assert_eq!(records, [record(0, 100), record(1, 100), record(2, 100)]);
    change(&database, |t| exchange::confirm(t, READER.topic, waiting[1].row));
    let records: Vec<_> = pending(10).into_iter().map(|outgoing| outgoing.record).collect();
    assert_eq!(records, [record(2, 100), record(3, 100), record(4, 100)]);
    let others = database.read(|c| exchange::pending(c, "alice-eth", 10)).unwrap();
    assert_eq!(others.len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever repeats and reorderings a sender's restarts cause, each sequence is new at most
    /// once, and what is new only grows.
    #[test]
    fn nothing_is_accepted_twice(
        arrivals in proptest::collection::vec((1u64..4, 1u64..8), 1..60),
    ) {
        let (_folder, database) = database();
        let mut newest = (0, 0);
        for (incarnation, sequence) in arrivals {
            let accepted = change(&database, |t| {
                exchange::accept(t, READER, PROCESSOR, Incarnation(incarnation), Sequence(sequence))
            });
            let arrived = (incarnation, sequence);
            let expected = if arrived > newest {
                newest = arrived;
                Acceptance::New
            } else if incarnation < newest.0 {
                Acceptance::Replaced
            } else {
                Acceptance::Repeat
            };
            prop_assert_eq!(accepted, expected);
        }
    }
}
