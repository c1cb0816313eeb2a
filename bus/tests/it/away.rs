//! The bus goes away and comes back: what was said meanwhile arrives, all of it, in order.

use serai_bus::exchange::{self, Acceptance, Consumer};
use serai_bus::{Bus, Database, OffsetReset, Publisher, Subscription};
use std::sync::Arc;

use crate::setup::{BROKER, DEADLINE, Setup, change, database, record};

const BEFORE: u64 = 20;
const MEANWHILE: u64 = 20;
const AFTER: u64 = 20;

async fn away(setup: Setup) {
    let (_senders, sender) = database();
    let (_receivers, receiver) = database();
    let (publisher, waker) = Publisher::new(setup.bus.clone(), sender.clone(), setup.topic.clone());
    let publishing = tokio::spawn(publisher.run());
    let receiving = tokio::spawn(receive(setup.apart(), receiver, setup.topic.clone()));
    let say = |n| {
        change(&sender, |t| exchange::enqueue(t, &setup.topic, &record(n, 500)));
        waker.wake();
    };
    for n in 1..=BEFORE {
        say(n);
    }
    crate::setup::until("everything said before is appended", || async {
        sender.read(|c| exchange::pending(c, &setup.topic, 1)).unwrap().is_empty()
    })
    .await;
    let was_away = setup
        .take_away(async {
            for n in BEFORE + 1..=BEFORE + MEANWHILE {
                say(n);
                // The publisher gets to try each of them while the bus is away.
                tokio::task::yield_now().await;
            }
            let waiting = sender.read(|c| exchange::pending(c, &setup.topic, 100)).unwrap();
            assert_eq!(waiting.len() as u64, MEANWHILE, "the bus was not away");
        })
        .await;
    if was_away {
        for n in BEFORE + MEANWHILE + 1..=BEFORE + MEANWHILE + AFTER {
            say(n);
        }
        let received = tokio::time::timeout(DEADLINE, receiving).await.expect("not all arrived");
        let expected: Vec<u64> = (1..=BEFORE + MEANWHILE + AFTER).collect();
        assert_eq!(received.unwrap(), expected);
    } else {
        receiving.abort();
    }
    publishing.abort();
}

/// The sequences of new records, in the order in which they came.
async fn receive(bus: Arc<dyn Bus>, database: Database, topic: String) -> Vec<u64> {
    let consumer = Consumer { reader: "signature", topic: &topic };
    let mut reading =
        Subscription::open(&bus, &database, consumer, OffsetReset::Earliest).await.unwrap();
    let mut received = Vec::new();
    while received.len() as u64 != BEFORE + MEANWHILE + AFTER {
        let delivered = reading.next().await.unwrap();
        let record = delivered.record.as_ref().unwrap();
        let acceptance = change(&database, |t| {
            exchange::set_position(t, consumer, &delivered.position())?;
            exchange::accept(t, consumer, record.from, record.incarnation, record.sequence)
        });
        if acceptance == Acceptance::New {
            received.push(record.sequence.0);
        }
    }
    received
}

#[tokio::test]
async fn embedded() {
    away(Setup::embedded().await).await;
}

#[tokio::test]
async fn kafka() {
    // Alone: the other tests need the broker.
    let _broker = BROKER.write().await;
    if let Some(setup) = Setup::kafka().await {
        away(setup).await;
    }
}
