//! Ids and names.

use proptest::prelude::*;
use serai_messages::{Coin, Endpoint, IntentId, Name, Topic, threshold};

#[test]
fn topics_are_the_seeds() {
    let name: Name = "alice".parse().unwrap();
    assert_eq!(Topic::Chain(Coin::Btc).full_name(&name), "alice-btc");
    assert_eq!(Topic::Serai.full_name(&name), "alice-serai");
    assert_eq!(Topic::Public.full_name(&name), "alice-public");
    assert_eq!(Topic::DeadLetter.full_name(&name), "alice-dead-letter");
}

#[test]
fn names_that_could_break_topics_are_refused() {
    for bad in ["", "Alice", "1a", "a b", "a/b", "a.b", &"a".repeat(65)] {
        assert!(bad.parse::<Name>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_threshold_is_two_thirds_and_one() {
    for (validators, expected) in [(1, 1), (3, 3), (4, 3), (7, 5), (100, 67), (150, 101)] {
        assert_eq!(threshold(validators), expected);
    }
}

proptest! {
    #[test]
    fn endpoints_survive_text(coin in 0usize..3, processor: bool) {
        let coin = Coin::ALL[coin];
        let endpoint =
            if processor { Endpoint::Processor(coin) } else { Endpoint::Coordinator };
        prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
        prop_assert_eq!(Coin::from_network_id(coin.network_id()), Some(coin));
    }

    #[test]
    fn intent_ids_are_printable(text: String) {
        let valid = (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        prop_assert_eq!(IntentId::new(text).is_ok(), valid);
    }
}
