//! A topic that was recreated under a stored position stops its reader with a sentence; told to go
//! on, the reader reads all that the new topic holds.

use serai_bus::exchange::{self, Consumer};
use serai_bus::{BusError, OffsetReset, SubscribeError, Subscription};

use crate::setup::{DEADLINE, Setup, change, database, record};

async fn recreated(setup: Setup) {
    let (_folder, database) = database();
    let consumer = Consumer { reader: "signature", topic: &setup.topic };
    let open = || Subscription::open(&setup.bus, &database, consumer, OffsetReset::Latest);
    let first: Vec<_> = (0..3).map(|n| record(n, 50)).collect();
    let last = setup.bus.append(&setup.topic, &first).await.unwrap();
    let position = serai_bus::Position { offset: last, id: Some(first[2].id.clone()) };
    change(&database, |t| exchange::set_position(t, consumer, &position));
    let mut reading = open().await.unwrap();

    // Another topic with more records than were handled: only the record's id tells.
    setup.recreate_topic().await;
    let second: Vec<_> = (10..20).map(|n| record(n, 50)).collect();
    setup.bus.append(&setup.topic, &second).await.unwrap();
    match open().await {
        Err(SubscribeError::Bus(error @ BusError::Diverged { .. })) => {
            let sentence = error.to_string();
            for part in [setup.topic.as_str(), "test/2", "test/12", "topics resume"] {
                assert!(sentence.contains(part), "no {part:?} in: {sentence}");
            }
        }
        other => panic!("not diverged: {other:?}"),
    }
    // The reader that was reading all the while must not go on in the new topic either.
    match tokio::time::timeout(DEADLINE, reading.next()).await.unwrap() {
        Err(BusError::Diverged { .. } | BusError::UnknownTopic { .. }) => {}
        other => panic!("a running reader went on: {other:?}"),
    }

    assert_eq!(change(&database, |t| exchange::forget_position(t, &setup.topic)), 1);
    let mut reading = open().await.unwrap();
    for expected in second {
        let delivered = tokio::time::timeout(DEADLINE, reading.next()).await.unwrap().unwrap();
        assert_eq!(delivered.record.unwrap(), expected);
    }

    // An emptier topic than was handled.
    let position = serai_bus::Position { offset: 9, id: Some(record(19, 0).id) };
    change(&database, |t| exchange::set_position(t, consumer, &position));
    setup.recreate_topic().await;
    let error = open().await.err().unwrap();
    assert!(matches!(error, SubscribeError::Bus(BusError::Diverged { .. })), "{error}");
}

contract!(recreated);
