//! Things are signed, whoever starts again, is late, lies or is short of money.

use serai_messages::observation::{Event, SetMember};
use serai_messages::signing::{Content, CoordinatorMessage, PaymentId, SigningId, Thing};
use serai_messages::{BlockNumber, Session, ValidatorSet};

use super::super::{answers, tables};
use super::world::{REFERENCE, SET, SIGNATURE, Told, Validator, World, batch};
use crate::processes::core::public::testing::assert_follows_schema;

fn payment() -> SigningId {
    SigningId { set: SET, thing: Thing::Payment(PaymentId { block: BlockNumber(7), index: 1 }) }
}

fn accused(explained: &serde_json::Value) -> Vec<String> {
    let faults = explained["faults"].as_array().unwrap();
    faults.iter().map(|fault| fault["accused"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_batch_is_signed_once_by_all_and_submitted() {
    for restarts in [false, true] {
        let mut world = World::new().await;
        world.restarts = restarts;
        let id = batch(3);
        for index in 0..4 {
            world.validators[index].ready(id).await;
        }
        world.run().await;
        world.ring().await;
        assert_eq!(world.done(id), 4, "{:?}", world.validators[0].explain(id));
        for validator in &world.validators {
            let event = Event::Batch {
                set: SET,
                id: 3,
                batch: 3_u32.to_le_bytes().to_vec(),
                signature: SIGNATURE,
            };
            assert_eq!(validator.recorded(), [event]);
            let published = validator.published();
            assert_eq!(published.len(), 1);
            assert_follows_schema(&published[0]);
            // A thing that is done leaves nothing but its row.
            assert_eq!(validator.inputs(), 0);
            let asked =
                |told: &&Told| matches!(told, Told::Signing(CoordinatorMessage::Sign { .. }));
            assert!(validator.told.iter().filter(asked).count() <= 1, "{:?}", validator.told);
        }
        let made: Vec<_> = world.validators.iter().map(|v| v.published().remove(0)).collect();
        let knows = |event: &&serde_json::Value| event["data"]["party"].is_array();
        assert_eq!(made.iter().filter(knows).count(), 1, "{made:?}");
    }
}

#[tokio::test]
async fn who_is_late_hears_what_was_said_before_and_is_given_the_signatures() {
    let mut world = World::new().await;
    let id = batch(0);
    for index in 0..3 {
        world.validators[index].ready(id).await;
    }
    world.run().await;
    world.ring().await;
    assert_eq!(world.done(id), 3);
    // Nothing lingers in the others' memory.
    for index in 0..3 {
        world.validators[index].restart().await;
    }
    let unknown = world.validators[3].explain(id).unwrap_err();
    assert!(unknown.contains("statements of other validators wait"), "{unknown}");
    world.validators[3].ready(id).await;
    world.run().await;
    assert!(world.validators[3].is_done(id), "{:?}", world.validators[3].explain(id));

    // A processor that has lost what it knew is given them again.
    world.validators[3].told.clear();
    world.validators[3].ready(id).await;
    world.run().await;
    let sender = world.validators[3].key;
    let given = CoordinatorMessage::Signature { id, sender, signatures: vec![SIGNATURE] };
    assert_eq!(world.validators[3].told, [Told::Signing(given)]);
    assert_eq!(world.validators[3].recorded().len(), 1);
}

#[tokio::test]
async fn who_asks_after_the_end_is_answered_from_the_table() {
    let mut world = World::new().await;
    let id = batch(0);
    // The fourth is ready, and neither speaks nor hears until the others are done and forgotten.
    world.validators[3].ready(id).await;
    let late = world.validators.pop().unwrap();
    for validator in &mut world.validators {
        validator.ready(id).await;
    }
    world.run().await;
    world.ring().await;
    assert_eq!(world.done(id), 3);
    for validator in &mut world.validators {
        validator.restart().await;
    }
    // What it was told by the others is lost.
    late.database
        .transaction(|t| tables::forget_parked(t, id).map_err(|e| late.database.error(e)))
        .unwrap();
    world.validators.push(late);
    world.ring().await;
    assert_eq!(world.done(id), 4);
}

#[tokio::test]
async fn culprits_are_named_with_evidence_by_all() {
    let mut world = World::new().await;
    // One whom the draw names first, beside the opener.
    let drawn = serai_protocol::party::order(REFERENCE.hash, 4).unwrap();
    let liar = world.validators[usize::from(drawn[1]) - 1].key;
    world.bad.insert(liar);
    let id = batch(0);
    for index in 0..4 {
        world.validators[index].ready(id).await;
    }
    world.run().await;
    world.ring().await;
    for validator in world.validators.iter().filter(|validator| validator.key != liar) {
        let explained = validator.explain(id).unwrap();
        assert_eq!(explained["done"], true, "{explained}");
        assert_eq!(accused(&explained), [liar.to_string()], "{explained}");
        assert!(!explained["faults"][0]["evidence"].as_array().unwrap().is_empty());
        let all = answers::explain(&validator.database, None).unwrap().unwrap();
        assert_eq!(all.as_array().unwrap().len(), 1, "ended and at fault: {all}");
    }
}

#[tokio::test]
async fn other_content_is_named_and_nothing_is_signed_with_it() {
    let mut world = World::new().await;
    let id = batch(0);
    let other = Content::Batch { batch: vec![0xff; 9] };
    world.validators[2].ready_for(id, other.clone()).await;
    for index in [0, 1, 3] {
        world.validators[index].ready(id).await;
    }
    world.run().await;
    world.ring().await;
    world.ring().await;
    let liar = world.validators[2].key;
    for index in [0, 1, 3] {
        let explained = world.validators[index].explain(id).unwrap();
        assert_eq!(explained["done"], true, "{explained}");
        assert_eq!(accused(&explained), [liar.to_string()], "{explained}");
    }
    assert!(!world.validators[2].is_done(id));
    // Its own processor cannot change its mind either.
    world.validators[2].ready(id).await;
    assert_eq!(world.validators[2].dead_letters(), 1);
}

#[tokio::test]
async fn payments_of_a_coin_that_is_short_are_held() {
    let mut world = World::new().await;
    let short = |world: &World, short: bool| {
        for validator in &world.validators {
            let set = |c: &rusqlite::Connection| {
                c.execute(
                    "INSERT OR REPLACE INTO solvency (coin, short, body) VALUES ('btc', ?1, x'')",
                    [short],
                )
            };
            let database = &validator.database;
            database.transaction(|t| set(t).map_err(|source| database.error(source))).unwrap();
        }
    };
    short(&world, true);
    for index in 0..4 {
        world.validators[index].ready(payment()).await;
        world.validators[index].ready(batch(0)).await;
    }
    world.run().await;
    world.ring().await;
    assert_eq!((world.done(batch(0)), world.done(payment())), (4, 0));
    for validator in &mut world.validators {
        validator.restart().await;
        validator.running.release_held().await.unwrap();
    }
    let explained = world.validators[0].explain(payment()).unwrap();
    assert_eq!(explained["stage"], "held", "{explained}");

    short(&world, false);
    for validator in &mut world.validators {
        validator.running.release_held().await.unwrap();
    }
    world.run().await;
    world.ring().await;
    assert_eq!(world.done(payment()), 4);
    let recorded = world.validators[0].recorded();
    assert!(recorded.iter().all(|event| matches!(event, Event::Batch { .. })), "{recorded:?}");
}

#[tokio::test]
async fn whom_the_set_removed_holds_no_share() {
    let mut world = World::new().await;
    let removed = world.validators[0].key;
    for validator in &mut world.validators {
        validator.event(Event::ParticipantRemoved { block: REFERENCE, set: SET, removed }).await;
        validator.ready(batch(0)).await;
    }
    world.run().await;
    world.ring().await;
    assert_eq!(world.done(batch(0)), 3);
    assert_eq!(world.validators[0].dead_letters(), 1);
    for validator in &world.validators[1..] {
        let explained = validator.explain(batch(0)).unwrap();
        assert_eq!(explained["order"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn what_one_peer_says_of_things_unknown_is_bounded() {
    let mut world = World::new().await;
    // Not the first opener, who asks nobody.
    let drawn = serai_protocol::party::order(REFERENCE.hash, 4).unwrap();
    let [speaking, hearing] = [1, 2].map(|place| usize::from(drawn[place]) - 1);
    for number in 0..300 {
        world.validators[speaking].ready(batch(number)).await;
    }
    world.ring().await;
    let hearing = &world.validators[hearing];
    let parked = |id| hearing.database.read(|c| tables::parked(c, id)).unwrap();
    let all: u64 = (0..300).map(|number| parked(batch(number))).sum();
    assert_eq!(all, 256);
    assert_eq!((parked(batch(0)), parked(batch(299)) > 0), (0, true));
}

/// A new coordinator beside an old processor reads the processor's topic before Serai's.
#[tokio::test]
async fn what_is_ready_before_its_set_is_read_is_begun_then() {
    let mut world = World::new().await;
    let set = ValidatorSet { session: Session(1), ..SET };
    let id = SigningId { set, ..batch(0) };
    let member = |v: &Validator| SetMember { validator: v.key, shares: 1, addresses: Vec::new() };
    let members: Vec<_> = world.validators.iter().map(member).collect();
    let validator = &mut world.validators[0];
    validator.ready(id).await;
    assert!(validator.explain(id).is_err());
    validator.restart().await;
    validator.event(Event::NewSet { block: REFERENCE, set, members }).await;
    let begun = validator.explain(id).unwrap();
    assert_eq!(begun["done"], false, "{begun}");
}
