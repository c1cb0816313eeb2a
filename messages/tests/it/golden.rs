//! Golden bytes: an encoding that has been released does not change under a version number.

use std::fmt::Write;
use std::path::Path;

use serai_messages::control::KeyAnnouncement;
use serai_messages::keygen::{PeerMessage, ProcessorMessage};
use serai_messages::{
    Body, Coin, Enclosed, Incarnation, ProcessorKey, SignedStatement, VERSION, Versions, decode,
    encode,
};

use crate::samples;

/// `UPDATE_FIXTURES=1` writes the file anew, for a version that has not been released.
#[test]
fn encodings_equal_the_golden_bytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.txt");
    let mut found = String::new();
    for (name, bytes) in samples::all() {
        writeln!(found, "{name}: {}", hex::encode(bytes)).unwrap();
    }
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "this encoding has changed");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "fixtures and samples differ");
}

#[test]
fn statements_survive_a_round_trip() {
    for message in samples::peer_messages() {
        let statement = samples::signed(message);
        let bytes = serai_messages::encode(&statement);
        assert_eq!(decode::<SignedStatement>(&bytes).unwrap(), statement);
    }
}

#[test]
fn trailing_bytes_and_oversize_are_refused() {
    let statement = samples::signed(samples::peer_messages().remove(0));
    let mut bytes = serai_messages::encode(&statement);
    bytes.push(0);
    assert!(decode::<SignedStatement>(&bytes).is_err());
    let large = vec![0; serai_messages::MAX_BODY_BYTES + 1];
    let error = decode::<ProcessorMessage>(&large).unwrap_err().to_string();
    assert!(error.contains("1048577") && error.contains("1048576"), "{error}");
}

#[test]
fn an_announcement_says_which_versions_are_spoken_unless_it_is_the_first_alone() {
    let mut announcement = KeyAnnouncement {
        coin: Coin::Eth,
        key: ProcessorKey([0xbb; 32]),
        incarnation: Incarnation(1),
        speaks: Versions::FIRST,
    };
    let first = encode(&announcement);
    assert_eq!(first.len(), 1 + 32 + 8);
    assert_eq!(decode::<KeyAnnouncement>(&first).unwrap(), announcement);
    announcement.speaks = Versions { oldest: 1, newest: 2 };
    let both = encode(&announcement);
    assert_eq!(both, [first.as_slice(), &[1, 0, 2, 0]].concat());
    assert_eq!(decode::<KeyAnnouncement>(&both).unwrap(), announcement);
    for rest in [&[1, 0, 1, 0][..], &[1, 0, 2], &[1, 0, 2, 0, 0]] {
        assert!(decode::<KeyAnnouncement>(&[first.as_slice(), rest].concat()).is_err());
    }
}

#[test]
fn an_unknown_version_is_named_and_known_as_such_when_it_is_enclosed() {
    let mut statement = samples::signed(samples::peer_messages().remove(0));
    statement.statement.version = 99;
    let error = decode::<SignedStatement>(&encode(&statement)).unwrap_err().to_string();
    assert!(error.contains("version 99"), "{error}");
    let enclosed = Enclosed::new(&statement);
    assert!(enclosed.is_unknown() && enclosed.open().is_err());
    let PeerMessage::Disclosure { id, .. } = samples::peer_messages().remove(4) else {
        panic!("a disclosure")
    };
    let shown = |enclosed| Body::Keygen(PeerMessage::Disclosure { id, statement: enclosed });
    assert!(!shown(enclosed.clone()).is_readable());
    let Body::Keygen(outer) = shown(enclosed) else { panic!("a disclosure") };
    let twice = Enclosed::new(&samples::signed(outer));
    assert!(!twice.is_unknown() && !shown(twice).is_readable(), "in what is shown");
    statement.statement.version = VERSION;
    assert!(shown(Enclosed::new(&statement)).is_readable());
}

#[test]
fn two_statements_of_one_slot_differ_only_by_what_is_said() {
    let mut slots = std::collections::BTreeMap::new();
    for message in samples::peer_messages() {
        let free = matches!(
            message,
            PeerMessage::Disclosure { .. }
                | PeerMessage::Evidence { .. }
                | PeerMessage::Accusation { .. }
                | PeerMessage::Proof { .. }
        );
        assert_eq!(message.slot().is_none(), free, "{}", message.kind());
        if let Some(slot) = message.slot() {
            assert!(slots.insert(slot.clone(), message).is_none(), "slot {slot} is used twice");
        }
    }
}
