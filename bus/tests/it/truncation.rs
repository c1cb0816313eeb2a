//! Truncation drops the oldest records and gives no offset twice.

use serai_bus::{BusError, Position, Start, TopicInfo};

use crate::setup::{Setup, next, record};

async fn truncation(setup: Setup) {
    let records: Vec<_> = (0..10).map(|n| record(n, 50)).collect();
    let last = setup.bus.append(&setup.topic, &records).await.unwrap();
    let first = last - 9;
    let position = |n: u64| Position { offset: first + n, id: Some(record(n, 0).id) };
    setup.bus.truncate(&setup.topic, first + 4).await.unwrap();
    let info = setup.bus.info(&setup.topic).await.unwrap();
    assert_eq!(info, TopicInfo { earliest: first + 4, next: last + 1 });
    // Below what is gone already: nothing changes.
    setup.bus.truncate(&setup.topic, first).await.unwrap();
    assert_eq!(setup.bus.info(&setup.topic).await.unwrap(), info);

    // The position at the cut resumes, the one before it is gone.
    let mut reader = setup.bus.read(&setup.topic, Start::After(position(4))).await.unwrap();
    assert_eq!(next(&mut *reader).await.unwrap().offset, first + 5);
    let error = setup.bus.read(&setup.topic, Start::After(position(3))).await.err().unwrap();
    assert!(matches!(error, BusError::Diverged { .. }), "{error}");
    let mut reader = setup.bus.read(&setup.topic, Start::Earliest).await.unwrap();
    assert_eq!(next(&mut *reader).await.unwrap().offset, first + 4);

    // Beyond the end: everything goes, and offsets go on.
    setup.bus.truncate(&setup.topic, last + 100).await.unwrap();
    let info = setup.bus.info(&setup.topic).await.unwrap();
    assert_eq!(info, TopicInfo { earliest: last + 1, next: last + 1 });
    assert_eq!(setup.bus.append(&setup.topic, &[record(10, 5)]).await.unwrap(), last + 1);
    let mut reader = setup.apart().read(&setup.topic, Start::Earliest).await.unwrap();
    assert_eq!(next(&mut *reader).await.unwrap().record.unwrap(), record(10, 5));
}

contract!(truncation);
