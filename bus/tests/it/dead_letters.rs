//! What does not decode or does not open goes to the dead letters with the reason, and blocks
//! nothing: not itself, not what comes after it.

use rand_core::OsRng;
use serai_bus::exchange::{self, Consumer};
use serai_bus::{
    DeadLetter, Delivered, OffsetReset, Publisher, SecretKey, Start, Subscription, sealing,
};
use serai_messages::{Endpoint, Incarnation, Record, Topic};

use crate::setup::{DEADLINE, Setup, change, database, next_record, record};

async fn dead_letters(setup: Setup) {
    let (_folder, database) = database();
    let consumer = Consumer { reader: "signature", topic: &setup.topic };
    let (own, peer) = (SecretKey::generate(&mut OsRng), SecretKey::generate(&mut OsRng));
    let stranger = SecretKey::generate(&mut OsRng);
    let seal = |n, from: &SecretKey| {
        let mut sealed = record(n, 100);
        sealing::seal(&mut sealed, from, &peer.public(), &mut OsRng).unwrap();
        sealed
    };

    setup.put_garbage("id", "not/a/record", b"bytes").await;
    setup.put_garbage("type", "huge", &vec![7; Record::MAX_BODY_BYTES + 1]).await;
    let unopenable = seal(1, &stranger);
    let good = seal(2, &own);
    setup.bus.append(&setup.topic, &[unopenable.clone(), good]).await.unwrap();

    let letters = Topic::DeadLetter.full_name(&setup.name);
    let (publisher, waker) = Publisher::new(setup.bus.clone(), database.clone(), letters.clone());
    let publishing = tokio::spawn(publisher.run());

    let mut opened = None;
    let mut reading =
        Subscription::open(&setup.bus, &database, consumer, OffsetReset::Earliest).await.unwrap();
    while opened.is_none() {
        let delivered = tokio::time::timeout(DEADLINE, reading.next())
            .await
            .expect("blocked by a bad record")
            .unwrap();
        opened = handle(&database, &setup, consumer, &delivered, &peer, &own);
        waker.wake();
    }
    assert_eq!(opened.unwrap(), record(2, 100).body);

    let mut reader = setup.bus.read(&letters, Start::Earliest).await.unwrap();
    let mut letter = async || {
        let record = next_record(&mut *reader).await;
        assert_eq!(record.kind, DeadLetter::KIND);
        DeadLetter::read(&record).unwrap()
    };
    let first = letter().await;
    assert!(first.reason.contains("no header"), "{}", first.reason);
    assert_eq!(first.headers, [("id".to_owned(), "not/a/record".to_owned())]);
    assert_eq!((first.body.as_slice(), first.body_bytes), (b"bytes".as_slice(), 5));
    assert_eq!((first.reader.as_str(), &first.topic), ("signature", &setup.topic));
    let second = letter().await;
    assert!(second.reason.contains("over the cap"), "{}", second.reason);
    assert_eq!(second.body_bytes, Record::MAX_BODY_BYTES + 1);
    assert!(second.body.len() < second.body_bytes);
    let third = letter().await;
    assert!(third.reason.contains("does not open"), "{}", third.reason);
    assert_eq!(third.body, unopenable.body);
    assert!(third.headers.contains(&("sequence".to_owned(), "1".to_owned())));
    publishing.abort();
}

/// One consumer's handler: the opened body, or a letter.
fn handle(
    database: &serai_bus::Database,
    setup: &Setup,
    consumer: Consumer<'_>,
    delivered: &Delivered,
    own: &SecretKey,
    peer: &SecretKey,
) -> Option<Vec<u8>> {
    change(database, |t| {
        exchange::set_position(t, consumer, &delivered.position())?;
        let opened = delivered.record.as_ref().map(|r| sealing::open(r, own, &peer.public()));
        let reason = match opened {
            Ok(Ok(body)) => return Ok(Some(body.to_vec())),
            Ok(Err(error)) => error.to_string(),
            Err(_) => String::new(),
        };
        DeadLetter::new(consumer, delivered, &reason)
            .enqueue(t, &setup.name, Endpoint::Coordinator, Incarnation(1))
            .map(|()| None)
    })
}

contract!(dead_letters);
