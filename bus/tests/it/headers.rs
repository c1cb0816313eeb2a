//! Records as headers and bodies: what is written is what is read, and no two records share their
//! associated data.

use proptest::prelude::*;
use serai_messages::{Coin, Endpoint, Incarnation, IntentId, Record, Sequence};

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        Just(Endpoint::Coordinator),
        Just(Endpoint::Anyone),
        proptest::sample::select(Coin::ALL.to_vec()).prop_map(Endpoint::Processor),
    ]
}

prop_compose! {
    fn any_record()(
        id in "[!-~]{1,20}",
        kind in "[a-z.:]{0,8}",
        session in "[a-z0-9/:]{0,8}",
        (from, to) in (endpoint(), endpoint()),
        (incarnation, sequence, version) in (0u64..20, 0u64..20, 0u16..3),
        sealed in any::<bool>(),
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) -> Record {
        Record {
            id: IntentId::new(id).unwrap(),
            kind,
            from,
            to,
            session,
            incarnation: Incarnation(incarnation),
            sequence: Sequence(sequence),
            version,
            sealed,
            body,
        }
    }
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(record in any_record()) {
        let headers = record.headers();
        let find = |name: &str| {
            headers.iter().find(|(header, _)| header.name() == name).map(|(_, v)| v.as_bytes())
        };
        prop_assert_eq!(Record::from_parts(find, record.body.clone()), Ok(record));
    }

    #[test]
    fn associated_data_is_unambiguous(a in any_record(), b in any_record()) {
        prop_assert_eq!(a.associated_data() == b.associated_data(), a.headers() == b.headers());
    }

    /// A character that moves from one header to its neighbour changes the associated data.
    #[test]
    fn associated_data_keeps_headers_apart(
        record in any_record(),
        kind in "[a-z]{1,6}",
        at in 0usize..6,
    ) {
        let (mut one, mut other) = (record.clone(), record);
        one.kind = kind.clone();
        let (head, tail) = kind.split_at(at.min(kind.len() - 1));
        other.kind = head.to_owned();
        other.session = format!("{tail}{}", one.session);
        prop_assert_ne!(one.associated_data(), other.associated_data());
    }

    #[test]
    fn garbage_is_an_error_or_a_record_never_a_panic(
        values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 9),
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let find = |name: &str| {
            let at = serai_messages::Header::ALL.iter().position(|h| h.name() == name)?;
            values.get(at).map(Vec::as_slice)
        };
        let _ = Record::from_parts(find, body);
    }
}
