//! The largest message passes, sealed; a larger one is refused before anything is sent.

use rand_core::OsRng;
use serai_bus::{BusError, SecretKey, Start, sealing};
use serai_messages::{MAX_BODY_BYTES, Record};

use crate::setup::{Setup, next_record, record};

async fn size(setup: Setup) {
    let (own, peer) = (SecretKey::generate(&mut OsRng), SecretKey::generate(&mut OsRng));
    let mut largest = record(0, MAX_BODY_BYTES);
    sealing::seal(&mut largest, &own, &peer.public(), &mut OsRng).unwrap();
    let mut reader = setup.bus.read(&setup.topic, Start::Earliest).await.unwrap();
    setup.bus.append(&setup.topic, std::slice::from_ref(&largest)).await.unwrap();
    // To the last byte that a record may have.
    let full = record(1, Record::MAX_BODY_BYTES);
    setup.bus.append(&setup.topic, std::slice::from_ref(&full)).await.unwrap();
    let read = next_record(&mut *reader).await;
    assert_eq!(read, largest);
    let opened = sealing::open(&read, &peer, &own.public()).unwrap();
    assert_eq!(*opened, record(0, MAX_BODY_BYTES).body);
    assert_eq!(next_record(&mut *reader).await, full);

    let before = setup.bus.info(&setup.topic).await.unwrap();
    let cap = Record::MAX_BODY_BYTES;
    let batch = [record(2, 10), record(3, cap + 1)];
    let error = setup.bus.append(&setup.topic, &batch).await.unwrap_err();
    assert!(matches!(error, BusError::TooLarge { .. }), "{error}");
    let sentence = error.to_string();
    for part in [&setup.topic, "test/3", &(cap + 1).to_string(), &cap.to_string()] {
        assert!(sentence.contains(part), "no {part:?} in: {sentence}");
    }
    assert_eq!(setup.bus.info(&setup.topic).await.unwrap(), before);
}

contract!(size);
