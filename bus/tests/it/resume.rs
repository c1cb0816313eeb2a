//! A reader goes on after what it handled, in this life and in the next.

use serai_bus::exchange::{self, Consumer};
use serai_bus::{OffsetReset, Subscription};

use crate::setup::{DEADLINE, Setup, change, database, record};

async fn resume(setup: Setup) {
    let (_folder, database) = database();
    let consumer = Consumer { reader: "signature", topic: &setup.topic };
    let records: Vec<_> = (0..30).map(|n| record(n, 50)).collect();
    setup.bus.append(&setup.topic, &records).await.unwrap();
    for life in 0..3u64 {
        // `latest` would skip everything if the position were not what counts.
        let reset = if life == 0 { OffsetReset::Earliest } else { OffsetReset::Latest };
        let bus = setup.apart();
        let mut reading = Subscription::open(&bus, &database, consumer, reset).await.unwrap();
        for n in life * 10..(life + 1) * 10 {
            let delivered = tokio::time::timeout(DEADLINE, reading.next()).await.unwrap().unwrap();
            assert_eq!(delivered.record.as_ref().unwrap(), &record(n, 50));
            change(&database, |t| exchange::set_position(t, consumer, &delivered.position()));
            reading.handled(delivered.offset).await;
        }
    }
}

contract!(resume);
