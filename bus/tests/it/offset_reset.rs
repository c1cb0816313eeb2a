//! Without a stored position, `offset_reset` says where reading begins.

use serai_bus::exchange::Consumer;
use serai_bus::{BusError, OffsetReset, Start, SubscribeError, Subscription};

use crate::setup::{DEADLINE, Setup, database, record};

async fn offset_reset(setup: Setup) {
    let (_folder, database) = database();
    let consumer = Consumer { reader: "signature", topic: &setup.topic };
    setup.bus.append(&setup.topic, &[record(0, 5), record(1, 5)]).await.unwrap();
    let open = |reset| Subscription::open(&setup.bus, &database, consumer, reset);
    let mut earliest = open(OffsetReset::Earliest).await.unwrap();
    let mut latest = open(OffsetReset::Latest).await.unwrap();
    setup.bus.append(&setup.topic, &[record(2, 5)]).await.unwrap();
    for (reading, n) in [(&mut earliest, 0), (&mut latest, 2)] {
        let delivered = tokio::time::timeout(DEADLINE, reading.next()).await.unwrap().unwrap();
        assert_eq!(delivered.record.unwrap(), record(n, 5));
    }

    let unknown = Consumer { topic: "nobody-btc", ..consumer };
    let error = Subscription::open(&setup.bus, &database, unknown, OffsetReset::Latest).await;
    assert!(
        matches!(error, Err(SubscribeError::Bus(BusError::UnknownTopic { .. }))),
        "a topic that nobody created was read: {error:?}"
    );
    let error = setup.bus.append("nobody-btc", &[record(3, 5)]).await.unwrap_err();
    assert!(matches!(error, BusError::UnknownTopic { .. }), "{error}");
    let error = setup.bus.read("nobody-btc", Start::Earliest).await.err().unwrap();
    assert!(matches!(error, BusError::UnknownTopic { .. }), "{error}");
}

contract!(offset_reset);
