//! A crash before an acknowledgement repeats: the sender's records byte for byte, which the receiver
//! drops, and the receiver's reading, which handles them then.

use rand_core::OsRng;
use serai_bus::exchange::{self, Acceptance, Consumer};
use serai_bus::{Database, Delivered, OffsetReset, Publisher, SecretKey, Subscription, sealing};

use crate::setup::{DEADLINE, Setup, change, database, record};

async fn redelivery(setup: Setup) {
    let (_senders, sender) = database();
    let (_receivers, receiver) = database();
    let consumer = Consumer { reader: "signature", topic: &setup.topic };
    let (own, peer) = (SecretKey::generate(&mut OsRng), SecretKey::generate(&mut OsRng));
    let sealed: Vec<_> = (1..=5)
        .map(|n| {
            let mut record = record(n, 100);
            sealing::seal(&mut record, &own, &peer.public(), &mut OsRng).unwrap();
            record
        })
        .collect();
    change(&sender, |t| {
        sealed.iter().try_for_each(|record| exchange::enqueue(t, &setup.topic, record))
    });

    // A sender's life that appends and ends before it notes so.
    let pending = sender.read(|c| exchange::pending(c, &setup.topic, 3)).unwrap();
    let first: Vec<_> = pending.into_iter().map(|outgoing| outgoing.record).collect();
    setup.bus.append(&setup.topic, &first).await.unwrap();
    // Its next life.
    let (publisher, _waker) =
        Publisher::new(setup.bus.clone(), sender.clone(), setup.topic.clone());
    let publishing = tokio::spawn(publisher.run());

    // A receiver's life that reads and ends before it commits.
    let open = || Subscription::open(&setup.bus, &receiver, consumer, OffsetReset::Earliest);
    let mut reading = open().await.unwrap();
    let lost = next(&mut reading).await;
    assert_eq!(lost.record.as_ref().unwrap(), &sealed[0]);
    drop(reading);

    // Its next life reads the same record again, and each repeat after it.
    let mut reading = open().await.unwrap();
    let mut new = Vec::new();
    for (at, expected) in [0, 1, 2, 0, 1, 2, 3, 4].into_iter().enumerate() {
        let delivered = next(&mut reading).await;
        if at == 0 {
            assert_eq!(delivered, lost);
        }
        assert_eq!(delivered.record.as_ref().unwrap(), &sealed[expected], "record {at}");
        if handle(&receiver, consumer, &delivered) == Acceptance::New {
            new.push(delivered.record.unwrap());
        }
    }
    assert_eq!(new, sealed);
    crate::setup::until("the outbox is empty", || async {
        sender.read(|c| exchange::pending(c, &setup.topic, 1)).unwrap().is_empty()
    })
    .await;
    publishing.abort();
}

async fn next(reading: &mut Subscription) -> Delivered {
    tokio::time::timeout(DEADLINE, reading.next()).await.expect("no record").unwrap()
}

fn handle(receiver: &Database, consumer: Consumer<'_>, delivered: &Delivered) -> Acceptance {
    let record = delivered.record.as_ref().unwrap();
    change(receiver, |t| {
        exchange::set_position(t, consumer, &delivered.position())?;
        exchange::accept(t, consumer, record.from, record.incarnation, record.sequence)
    })
}

contract!(redelivery);
