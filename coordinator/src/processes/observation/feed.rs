//! This process' part of the public feed: what `{name}-serai` tells, as CloudEvents.
//!
//! # Promises
//! Each record is told once, in the transaction that moves the reader's position. Ids are those of
//! the records: stable, so that whoever reads can drop repeats.
//!
//! Amounts are decimal text: a JSON number would lose digits of the larger ones in many readers.

use serai_messages::ValidatorSet;
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::signing::{SigningId, Thing};
use serde_json::{Value, json};

use super::instructions::network_of;
use super::wire;
use crate::processes::core::public;

/// What the public may know of a record; `None` where it is told elsewhere (vaults' states by the
/// signature process, submissions by the submitter, holdings by their verdict).
pub(super) fn told(event: &Event) -> Option<public::Event> {
    let (kind, subject, data) = match event {
        Event::SeraiFinalized { block } => {
            let data = json!({"number": block.number, "hash": block.hash});
            ("serai.block.finalized", "serai".to_owned(), data)
        }
        Event::NewSet { block, set, members } => {
            let members: Vec<Value> = members
                .iter()
                .map(|member| json!({"validator": member.validator, "shares": member.shares}))
                .collect();
            let data = of_set(*set, *block, json!({"members": members}));
            ("serai.set.new", set.to_string(), data)
        }
        Event::ParticipantRemoved { block, set, removed } => {
            let data = of_set(*set, *block, json!({"validator": removed}));
            ("serai.set.removed", set.to_string(), data)
        }
        Event::BatchExecuted { block, coin, id, external_block, instructions_hash, failed } => {
            let data = json!({
                "coin": coin,
                "id": id,
                "external_block": hex::encode(external_block),
                "instructions_hash": hex::encode(instructions_hash),
                "failed": failed,
                "serai_block": block.number,
                "serai_block_hash": block.hash,
            });
            ("serai.batch.executed", format!("{coin}/{id}"), data)
        }
        Event::Burn { block, index, from, external_coin, amount, address, data } => {
            let payment = format!("{}-{index}", block.number);
            let data = json!({
                "coin": network_of(*external_coin)?,
                "payment": payment,
                "external_coin": external_coin,
                "from": from,
                "amount": amount.to_string(),
                "address": hex::encode(address),
                "data": data.as_ref().map(hex::encode),
                "serai_block": block.number,
                "serai_block_hash": block.hash,
            });
            ("serai.burn.finalized", payment, data)
        }
        Event::ExternalFinalized { coin, height, hash } => {
            let data = json!({"coin": coin, "height": height, "hash": hex::encode(hash)});
            ("serai.external.finalized", coin.to_string(), data)
        }
        Event::Published { id, transaction } => {
            let more = json!({"transaction": hex::encode(transaction)});
            let (kind, subject, data) = of_transaction(id, &more)?;
            (kind.0, subject, data)
        }
        Event::Completed { id, transaction, height } => {
            let more = json!({"transaction": hex::encode(transaction), "height": height});
            let (kind, subject, data) = of_transaction(id, &more)?;
            (kind.1, subject, data)
        }
        Event::Kept { coin, transaction, index, amount, reason } => {
            let transaction = hex::encode(transaction);
            let subject = format!("{coin}/{transaction}/{index}");
            let data = json!({
                "coin": coin,
                "transaction": transaction,
                "index": index,
                "amount": amount.to_string(),
                "reason": reason.to_string(),
            });
            ("serai.deposit.kept", subject, data)
        }
        Event::Unpayable { coin, payment, amount, reason } => {
            let data = json!({
                "coin": coin,
                "payment": payment.to_string(),
                "amount": amount.to_string(),
                "reason": reason,
            });
            ("serai.payment.unpayable", payment.to_string(), data)
        }
        Event::KeyGen { .. }
        | Event::AcceptedHandover { .. }
        | Event::SetRetired { .. }
        | Event::SetKeys { .. }
        | Event::Batch { .. }
        | Event::SlashReport { .. }
        | Event::Holdings(_) => return None,
    };
    Some(public::Event { kind, id: event.intent(), subject, data })
}

fn of_set(set: ValidatorSet, block: SeraiBlock, mut data: Value) -> Value {
    data["coin"] = json!(set.coin);
    data["session"] = json!(set.session);
    data["serai_block"] = json!(block.number);
    data
}

/// A transaction's types (published, completed), subject and data; `None` where the id is no
/// transaction's.
fn of_transaction(
    id: &SigningId,
    more: &Value,
) -> Option<((&'static str, &'static str), String, Value)> {
    let mut data = more.clone();
    data["coin"] = json!(id.set.coin);
    data["session"] = json!(id.set.session);
    match id.thing {
        Thing::Payment(payment) => {
            let payment = payment.to_string();
            data["payment"] = json!(payment);
            Some((("serai.payment.published", "serai.payment.completed"), payment, data))
        }
        Thing::Forward(batch) => {
            data["batch"] = json!(batch);
            let subject = id.set.to_string();
            Some((("serai.forward.published", "serai.forward.completed"), subject, data))
        }
        Thing::Batch(_) | Thing::Slashes => None,
    }
}

/// A node has taken a signed batch.
pub(super) fn submitted(set: ValidatorSet, batch: &wire::Batch) -> public::Event {
    let data = json!({
        "coin": set.coin,
        "session": set.session,
        "id": batch.id,
        "external_block": hex::encode(batch.external_block),
        "instructions": batch.instructions,
        "instructions_hash": hex::encode(batch.instructions_hash),
    });
    public::Event {
        kind: "serai.batch.submitted",
        id: format!("batch/{}/{}/submitted", set, batch.id),
        subject: format!("{}/{}", set.coin, batch.id),
        data,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::observation::SetMember;
    use serai_messages::signing::PaymentId;
    use serai_messages::vault::KeptReason;
    use serai_messages::{
        BlockHash, BlockNumber, Coin, KeyPair, Session, SignatureBytes, ValidatorKey,
    };

    use super::*;

    const SET: ValidatorSet = ValidatorSet { coin: Coin::Xmr, session: Session(2) };
    const BLOCK: SeraiBlock = SeraiBlock { number: BlockNumber(9), hash: BlockHash([9; 32]) };
    const PAYMENT: PaymentId = PaymentId { block: BlockNumber(9), index: 4 };

    fn events() -> Vec<Event> {
        let validator = ValidatorKey([7; 32]);
        let members = vec![SetMember { validator, shares: 1, addresses: vec!["secret".into()] }];
        let id = |thing| SigningId { set: SET, thing };
        vec![
            Event::SeraiFinalized { block: BLOCK },
            Event::NewSet { block: BLOCK, set: SET, members },
            Event::ParticipantRemoved { block: BLOCK, set: SET, removed: validator },
            Event::BatchExecuted {
                block: BLOCK,
                coin: Coin::Xmr,
                id: 3,
                external_block: [1; 32],
                instructions_hash: [2; 32],
                failed: vec![0, 5],
            },
            Event::Burn {
                block: BLOCK,
                index: 4,
                from: validator,
                external_coin: 7,
                amount: u64::MAX,
                address: vec![1, 2],
                data: Some(vec![3]),
            },
            Event::ExternalFinalized { coin: Coin::Eth, height: 12, hash: [3; 32] },
            Event::Published { id: id(Thing::Payment(PAYMENT)), transaction: [4; 32] },
            Event::Published { id: id(Thing::Forward(3)), transaction: [4; 32] },
            Event::Completed { id: id(Thing::Payment(PAYMENT)), transaction: [4; 32], height: 8 },
            Event::Completed { id: id(Thing::Forward(3)), transaction: [4; 32], height: 8 },
            Event::Kept {
                coin: Coin::Btc,
                transaction: [5; 32],
                index: 1,
                amount: 546,
                reason: KeptReason::TooSmall,
            },
            Event::Unpayable {
                coin: Coin::Btc,
                payment: PAYMENT,
                amount: 1,
                reason: "the address is none of Bitcoin".into(),
            },
        ]
    }

    #[test]
    fn what_is_told_follows_its_schema() {
        let mut told: Vec<_> = events().iter().map(|event| told(event).unwrap()).collect();
        let batch = wire::Batch {
            coin: Coin::Xmr,
            id: 3,
            external_block: [1; 32],
            instructions: 2,
            instructions_hash: [2; 32],
        };
        told.push(submitted(SET, &batch));
        let events = public::testing::published(|feed, transaction| {
            told.iter().try_for_each(|event| feed.publish(transaction, event))
        });
        let mut kinds = Vec::new();
        let mut ids = Vec::new();
        for event in &events {
            public::testing::assert_follows_schema(event);
            kinds.push(event["type"].as_str().unwrap());
            ids.push(event["id"].as_str().unwrap());
        }
        for list in [&mut kinds, &mut ids] {
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), events.len(), "{list:#?}");
        }
        assert_eq!(events[4]["data"]["amount"], u64::MAX.to_string());
        assert!(!events[1].to_string().contains("secret"), "addresses are not for the public");
    }

    #[test]
    fn what_is_told_elsewhere_is_not_told_here() {
        let key_pair = KeyPair { ristretto: [1; 32], external: vec![2; 33] };
        let signature = SignatureBytes([1; 64]);
        for event in [
            Event::KeyGen { block: BLOCK, set: SET, key_pair },
            Event::SetRetired { block: BLOCK, set: SET },
            Event::Batch { set: SET, id: 1, batch: vec![1], signature },
            // Nothing that a vault publishes.
            Event::Published {
                id: SigningId { set: SET, thing: Thing::Slashes },
                transaction: [0; 32],
            },
        ] {
            assert_eq!(told(&event), None, "{event:?}");
        }
    }
}
