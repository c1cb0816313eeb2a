//! Records and their headers.

use proptest::prelude::*;
use serai_messages::{Coin, Endpoint, Header, Incarnation, IntentId, Record, Sequence};

fn record() -> Record {
    Record {
        id: IntentId::new("keygen/btc-0/0/start").unwrap(),
        kind: "keygen.start".to_owned(),
        from: Endpoint::Coordinator,
        to: Endpoint::Processor(Coin::Btc),
        session: "keygen/btc-0".to_owned(),
        incarnation: Incarnation(1),
        sequence: Sequence(2),
        version: 1,
        sealed: true,
        body: vec![1, 2, 3],
    }
}

fn read(record: &Record, without: Option<Header>) -> Result<Record, serai_messages::InvalidRecord> {
    let headers = record.headers();
    Record::from_parts(
        |name| {
            headers
                .iter()
                .find(|(header, _)| header.name() == name && Some(*header) != without)
                .map(|(_, value)| value.as_bytes())
        },
        record.body.clone(),
    )
}

#[test]
fn headers_survive_the_bus() {
    assert_eq!(read(&record(), None).unwrap(), record());
}

#[test]
fn each_missing_header_is_named() {
    for header in Header::ALL {
        let error = read(&record(), Some(header)).unwrap_err().to_string();
        assert!(error.contains(header.name()), "{error}");
    }
}

#[test]
fn a_body_over_the_cap_names_both_sizes() {
    let body = vec![0; Record::MAX_BODY_BYTES + 1];
    let error = read(&Record { body, ..record() }, None).unwrap_err().to_string();
    assert!(error.contains("1048833") && error.contains("1048832"), "{error}");
}

proptest! {
    #[test]
    fn no_two_header_lists_share_associated_data(
        kind in "[ -~]{0,20}", session in "[ -~]{0,20}", sequence: u64, sealed: bool,
    ) {
        let other = Record { kind, session, sequence: Sequence(sequence), sealed, ..record() };
        let same = other.headers() == record().headers();
        prop_assert_eq!(other.associated_data() == record().associated_data(), same);
    }
}
