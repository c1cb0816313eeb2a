//! Records are read in the order in which they were appended, by readers that were there before and
//! by readers that come later, in the same process and in another.

use serai_bus::Start;

use crate::setup::{Setup, next, next_record, record};

async fn order(setup: Setup) {
    let mut early = setup.bus.read(&setup.topic, Start::Earliest).await.unwrap();
    // A client of its own: to the bus this is another process.
    let other = setup.apart();
    let mut apart = other.read(&setup.topic, Start::Earliest).await.unwrap();
    let first = setup.bus.append(&setup.topic, &[record(0, 10)]).await.unwrap();
    assert_eq!(next_record(&mut *early).await, record(0, 10));
    assert_eq!(next_record(&mut *apart).await, record(0, 10));
    let batch: Vec<_> = (1..500).map(|n| record(n, 1000)).collect();
    let last = setup.bus.append(&setup.topic, &batch).await.unwrap();
    assert_eq!(last, first + 499);
    let mut late = other.read(&setup.topic, Start::After(position(first, 0))).await.unwrap();
    for n in 1..500 {
        for reader in [&mut early, &mut apart, &mut late] {
            let delivered = next(&mut **reader).await.unwrap();
            assert_eq!(delivered.offset, first + n);
            assert_eq!(delivered.record.unwrap(), record(n, 1000));
        }
    }
    let mut latest = setup.bus.read(&setup.topic, Start::Latest).await.unwrap();
    other.append(&setup.topic, &[record(500, 10)]).await.unwrap();
    assert_eq!(next_record(&mut *latest).await, record(500, 10));
    let info = setup.bus.info(&setup.topic).await.unwrap();
    assert_eq!((info.earliest, info.next), (first, last + 2));
}

fn position(offset: u64, n: u64) -> serai_bus::Position {
    serai_bus::Position { offset, id: Some(record(n, 0).id) }
}

contract!(order);
