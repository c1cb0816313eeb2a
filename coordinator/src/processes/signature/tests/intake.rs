//! A new set waits for the node; nothing else does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serai_bus::{Bus, OffsetReset, Settings as BusSettings, connect};
use serai_messages::observation::Event;
use serai_messages::{
    Endpoint, Incarnation, IntentId, Name, Record, Sequence, Topic, VERSION, encode,
};

use super::super::check::SetCheck;
use super::super::intake::Intake;
use super::world::{COIN, REFERENCE, SET};
use crate::processes::core::status::{Board, State, Step};
use crate::processes::core::store;
use crate::processes::observation;

fn record(id: &str, kind: &str, body: Vec<u8>) -> Record {
    Record {
        id: IntentId::new(id).unwrap(),
        kind: kind.to_owned(),
        from: Endpoint::Coordinator,
        to: Endpoint::Anyone,
        session: String::new(),
        incarnation: Incarnation(1),
        sequence: Sequence(1),
        version: VERSION,
        sealed: false,
        body,
    }
}

#[tokio::test]
async fn a_new_set_waits_for_the_node_and_nothing_else_does() {
    let name: Name = "alice".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let migrations = [observation::tables::MIGRATION, super::super::MIGRATION];
    let database = store::open(folder.path(), &migrations).unwrap();
    let bus: Arc<dyn Bus> =
        connect(&BusSettings::embedded(folder.path().join("bus.sqlite")), false).unwrap();
    let [serai, chain] = [Topic::Serai, Topic::Chain(COIN)].map(|topic| topic.full_name(&name));
    bus.create_topics(&[serai.clone(), chain.clone()]).await.unwrap();
    let board = Board::default();
    // Nobody answers there.
    let settings = observation::Settings::new(
        vec!["ws://127.0.0.1:1".to_owned()],
        observation::Profile::Development,
        vec![COIN],
        Incarnation(1),
    );
    let wakers = observation::Wakers { serai: Default::default(), public: Default::default() };
    let (actor, mailbox) =
        observation::new(settings, &name, Arc::clone(&bus), database.clone(), wakers).unwrap();
    tokio::spawn(actor.run(tokio_util::sync::CancellationToken::new()));
    let check = SetCheck {
        observation: mailbox,
        board: board.clone(),
        coins: BTreeSet::from([COIN]),
        topic: serai.clone(),
    };
    let event = Event::NewSet { block: REFERENCE, set: SET, members: Vec::new() };
    bus.append(&serai, &[record("set", event.kind(), encode(&event))]).await.unwrap();

    let topics = [serai, chain.clone()].into_iter();
    let (reader, reset) = ("signature", OffsetReset::Earliest);
    let mut intake = Intake::new(Arc::clone(&bus), database, topics, reader, reset, &check);
    let waits = async {
        while !matches!(board.get(Step::ReadValidators(COIN)), Some(State::Waiting(_))) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let deadline = Duration::from_secs(30);
    tokio::time::timeout(deadline, waits).await.expect("the set was not compared with the node");
    bus.append(&chain, &[record("word", "control.heartbeat", vec![1])]).await.unwrap();
    let read = tokio::time::timeout(deadline, intake.next()).await.expect("nothing was read");
    assert_eq!(read.unwrap().topic, chain);
}
