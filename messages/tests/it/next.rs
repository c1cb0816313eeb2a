//! Two versions side by side: what is said is the same, the bytes are not.

use proptest::prelude::*;
use serai_messages::control::Heartbeat;
use serai_messages::keygen::{CoordinatorMessage, KeygenId, PeerMessage};
use serai_messages::{
    Attempt, Body, Coin, Enclosed, Session, SignedStatement, ValidatorSet, Versions, decode,
    decode_in, encode, encode_in,
};

use crate::{samples, signing_samples};

fn statements() -> Vec<SignedStatement> {
    let keygen = samples::peer_messages().into_iter().map(samples::signed);
    keygen.chain(signing_samples::statements()).collect()
}

fn in_version(statement: &SignedStatement, version: u16) -> SignedStatement {
    let mut other = statement.clone();
    other.statement.version = version;
    other
}

#[test]
fn the_second_encodings_bytes_are_golden_too() {
    let one = in_version(&samples::signed(samples::peer_messages().remove(0)), 2);
    let signer = "99".repeat(32);
    let set_and_attempt = "00".to_owned() + "07000000" + "02000000";
    let (genesis, processor, signature) = ("44".repeat(32), "bb".repeat(32), "aa".repeat(64));
    let expected =
        format!("{signer}0200 00{set_and_attempt}00{processor} {genesis} 00000000 {signature}");
    assert_eq!(hex::encode(encode(&one)), expected.replace(' ', ""));

    let heartbeat = Heartbeat { at_ms: 1, pid: 2, program: "x".to_owned() };
    let expected = "0000 00000000000000 02000000 01000000 78 01";
    assert_eq!(hex::encode(encode_in(2, &heartbeat)), expected.replace(' ', ""));
}

#[test]
fn every_statement_is_read_in_both_versions_and_says_the_same() {
    for first in statements() {
        let second = in_version(&first, 2);
        for one in [&first, &second] {
            assert_eq!(decode::<SignedStatement>(&encode(one)).unwrap(), *one);
            assert_eq!(Enclosed::new(one).open().unwrap(), *one);
            assert!(!Enclosed::new(one).is_unknown());
        }
        assert_ne!(encode(&first), encode(&second));
        assert_ne!(first.statement.signing_bytes(), second.statement.signing_bytes());
        assert_eq!((first.digest(), first.intent()), (second.digest(), second.intent()));
    }
}

#[test]
fn a_statement_of_one_version_is_none_of_the_other() {
    for first in statements() {
        for (from, to) in [(1u16, 2u16), (2, 1)] {
            let mut bytes = encode(&in_version(&first, from));
            bytes[32..34].copy_from_slice(&to.to_le_bytes());
            // Whatever else the bytes say by chance, they do not say the same.
            if let Ok(read) = decode::<SignedStatement>(&bytes) {
                assert_ne!(read.statement.body, first.statement.body);
                assert_ne!(read.digest(), first.digest());
            }
        }
    }
}

#[test]
fn statements_within_a_record_stay_in_their_version() {
    let commitments = samples::signed(samples::peer_messages().remove(2));
    let statements = vec![commitments.clone(), in_version(&commitments, 2)];
    let Body::Keygen(message) = &commitments.statement.body else { panic!("of key generation") };
    let record = CoordinatorMessage::Commitments { id: message.id(), statements };
    for version in [1, 2] {
        let bytes = encode_in(version, &record);
        assert_eq!(decode_in::<CoordinatorMessage>(version, &bytes).unwrap(), record);
    }
    assert_ne!(encode_in(1, &record), encode_in(2, &record));
    assert!(decode_in::<CoordinatorMessage>(1, &encode_in(2, &record)).is_err());
}

#[test]
fn what_the_second_version_adds_must_be_the_default() {
    let heartbeat = Heartbeat { at_ms: 1, pid: 2, program: "x".to_owned() };
    let mut bytes = encode_in(2, &heartbeat);
    bytes[0] = 1;
    let error = decode_in::<Heartbeat>(2, &bytes).unwrap_err().to_string();
    assert!(error.contains("not the default"), "{error}");
    let statement = in_version(&samples::signed(samples::peer_messages().remove(0)), 2);
    let mut bytes = encode(&statement);
    let extension = bytes.len() - 64 - 4;
    bytes[extension] = 1;
    assert!(decode::<SignedStatement>(&bytes).is_err());
}

#[test]
fn a_third_version_is_named() {
    let mut bytes = encode(&samples::signed(samples::peer_messages().remove(0)));
    bytes[32] = 3;
    let error = decode::<SignedStatement>(&bytes).unwrap_err().to_string();
    assert!(error.contains("version 3") && error.contains("1 to 2"), "{error}");
    let error = decode_in::<Heartbeat>(3, &[]).unwrap_err().to_string();
    assert!(error.contains("version 3"), "{error}");
    assert_eq!("1..2".parse::<Versions>().unwrap(), Versions { oldest: 1, newest: 2 });
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_what_is_read_is_written_the_same(
        version in 1u16..4, body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [&[0; 32][..], &version.to_le_bytes(), &body].concat();
        if let Ok(read) = decode::<SignedStatement>(&bytes) {
            prop_assert_eq!(read.statement.version, version);
            prop_assert_eq!(encode(&read), bytes);
        }
        if let Ok(read) = decode_in::<CoordinatorMessage>(version, &body) {
            prop_assert_eq!(encode_in(version, &read), body);
        }
    }

    #[test]
    fn both_versions_survive_a_round_trip(
        coin in 0usize..3, session: u32, attempt: u32, version in 1u16..3,
        processor: [u8; 32], share in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let set = ValidatorSet { coin: Coin::ALL[coin], session: Session(session) };
        let id = KeygenId { set, attempt: Attempt(attempt) };
        for message in [
            PeerMessage::Announcement { id, processor: serai_messages::ProcessorKey(processor) },
            PeerMessage::MusigPreprocess { id, preprocess: share.clone() },
        ] {
            let statement = in_version(&samples::signed(message), version);
            prop_assert_eq!(&decode::<SignedStatement>(&encode(&statement)).unwrap(), &statement);
        }
    }
}
