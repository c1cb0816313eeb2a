//! A state that was restored from a backup (DESIGN D4, ADR 0017).

use serai_bus::{DatabaseError, exchange};
use serai_messages::observation::{Event, SeraiBlock, SetMember};
use serai_messages::{
    BlockHash, BlockNumber, Incarnation, KeyPair, Session, SignedStatement, Topic, ValidatorSet,
    decode,
};

use super::world::{COIN, Validator, World};
use crate::processes::core::store;

/// Serai's newest block at the first look.
const FIRST_LOOK: u64 = 20;

fn block(number: u64) -> SeraiBlock {
    SeraiBlock { number: BlockNumber(number), hash: BlockHash([number as u8; 32]) }
}

fn set(session: u32) -> ValidatorSet {
    ValidatorSet { coin: COIN, session: Session(session) }
}

fn new_set(world: &World, session: u32, number: u64) -> Event {
    let members = world.validators.iter().map(|validator| SetMember {
        validator: validator.key,
        shares: 1,
        addresses: Vec::new(),
    });
    Event::NewSet { block: block(number), set: set(session), members: members.collect() }
}

/// The state lives on as a restored one.
async fn restore(validator: &mut Validator) {
    let database = &validator.database;
    let restored = database.transaction(|transaction| {
        store::begin_anew(transaction, 1_000, Incarnation(1))
            .and_then(|_| store::set_restored_block(transaction, BlockNumber(FIRST_LOOK)))
            .map_err(|source| database.error(source))
    });
    restored.unwrap();
    validator.restart().await;
}

/// Statements that wait for peers.
fn said(validator: &Validator) -> Vec<SignedStatement> {
    let rows = validator.database.read(|c| {
        c.prepare("SELECT body FROM peer_outbox ORDER BY receiver, sequence")?
            .query_map((), |row| row.get::<_, Vec<u8>>(0))?
            .collect::<Result<Vec<_>, _>>()
    });
    rows.unwrap().iter().map(|body| decode(body).unwrap()).collect()
}

/// Types of what its processor is told of key generation.
fn told(validator: &Validator) -> Vec<String> {
    let topic = Topic::Chain(COIN).full_name(&validator.name);
    let pending = validator.database.read(|c| exchange::pending(c, &topic, 1_000)).unwrap();
    let kinds = pending.into_iter().map(|outgoing| outgoing.record.kind);
    kinds.filter(|kind| kind.starts_with("keygen.")).collect()
}

fn key_pair(number: u8) -> KeyPair {
    KeyPair { ristretto: [number; 32], external: vec![number; 33] }
}

#[tokio::test]
async fn it_says_nothing_in_key_generations_of_before_and_waits_for_their_keys() {
    let mut world = World::new().await;
    // One that was under way when the backup was made, and one that comes to light afterwards.
    let (under_way, unknown) = (new_set(&world, 1, 10), new_set(&world, 2, FIRST_LOOK));
    let restored = &mut world.validators[0];
    restored.event(under_way).await;
    let before = said(restored).len();
    assert!(before > 0, "it has announced its processor");
    restore(restored).await;
    restored.event(unknown).await;
    for number in 10..200 {
        restored.event(Event::SeraiFinalized { block: block(number) }).await;
    }
    assert_eq!(said(restored).len(), before);
    assert_eq!(told(restored), Vec::<String>::new());

    for session in [1, 2] {
        let (set, key_pair) = (set(session), key_pair(session as u8));
        restored.event(Event::KeyGen { block: block(200), set, key_pair }).await;
    }
    assert_eq!(told(restored), ["keygen.confirmed", "keygen.confirmed"]);
    restored.restart().await;
    assert_eq!(said(restored).len(), before);
}

#[tokio::test]
async fn it_takes_part_in_those_that_came_after() {
    let mut world = World::new().await;
    let after = new_set(&world, 1, FIRST_LOOK + 1);
    let restored = &mut world.validators[0];
    restore(restored).await;
    restored.event(after).await;
    assert_eq!(said(restored).len(), 3, "its announcement to each of the others");
}

/// Events come again where the bus was lost, for a processor that has lost what it knew.
#[tokio::test]
async fn keys_that_are_seen_again_are_confirmed_again() {
    let mut world = World::new().await;
    let validator = &mut world.validators[0];
    // Reads that this key generation is done.
    validator.restart().await;
    let confirmed = Event::KeyGen { block: block(4), set: set(0), key_pair: key_pair(7) };
    validator.event(confirmed.clone()).await;
    validator.event(confirmed).await;
    assert_eq!(told(validator), ["keygen.confirmed", "keygen.confirmed"]);
    let database = &validator.database;
    let vaults = database
        .read(|c| c.query_row("SELECT count(*) FROM vaults", (), |row| row.get::<_, i64>(0)));
    assert_eq!(vaults.map_err(|error: DatabaseError| error.to_string()), Ok(1));
}
