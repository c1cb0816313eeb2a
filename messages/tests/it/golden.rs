//! Golden bytes: an encoding that has been released does not change under a version number.

use std::fmt::Write;
use std::path::Path;

use serai_messages::keygen::{PeerMessage, ProcessorMessage};
use serai_messages::{SignedStatement, decode};

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
