//! Ids and intents of threshold signing.

use serai_messages::IntentId;
use serai_messages::signing::SigningId;

use crate::signing_samples as samples;

#[test]
fn ids_survive_text() {
    for id in samples::ids() {
        assert_eq!(id.to_string().parse::<SigningId>().unwrap(), id);
    }
    for bad in ["", "sign/btc-0", "sign/btc-0/batch", "sign/btc-0/batch/1/2", "sign/btc/slashes"] {
        assert!(bad.parse::<SigningId>().is_err(), "{bad:?}");
    }
}

#[test]
fn every_intent_is_an_id_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    let processor = samples::processor_messages();
    let intents = processor
        .iter()
        .skip(samples::contents().len() - 1)
        .map(|message| message.intent())
        .chain(samples::vault_processor_messages().into_iter().map(|message| message.intent()))
        .chain(samples::vault_coordinator_messages().into_iter().map(|message| message.intent()))
        .chain(samples::statements().into_iter().map(|s| s.intent().unwrap().to_string()));
    for intent in intents {
        assert!(IntentId::new(intent.clone()).is_ok(), "{intent}");
        assert!(seen.insert(intent.clone()), "{intent} is used twice");
    }
}

#[test]
fn a_digest_covers_thing_reference_and_content() {
    let reference = serai_messages::observation::SeraiBlock {
        number: serai_messages::BlockNumber(5),
        hash: serai_messages::BlockHash([0x33; 32]),
    };
    let other = serai_messages::observation::SeraiBlock {
        hash: serai_messages::BlockHash([0x34; 32]),
        ..reference
    };
    let mut seen = std::collections::BTreeSet::new();
    for id in samples::ids() {
        for content in samples::contents() {
            for block in [reference, other] {
                assert!(seen.insert(content.digest(&id, &block)));
            }
        }
    }
}
