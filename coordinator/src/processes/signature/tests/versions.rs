//! Coordinators of two versions sign together, while they are upgraded one by one, and nobody who says
//! the same again in another version is taken for one who says two things.

use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, BlockNumber, KeyPair, Versions};

use super::super::versions::Spoken;
use super::world::{COIN, SET, Told, World};
use crate::processes::network;

fn range(oldest: u16, newest: u16) -> Versions {
    Versions { oldest, newest }
}

#[tokio::test]
async fn a_processor_that_shares_no_version_is_named_and_told_nothing_until_it_does() {
    let mut world = World::unannounced().await;
    let one = &mut world.validators[0];
    let block = SeraiBlock { number: BlockNumber(4), hash: BlockHash([4; 32]) };
    let key_pair = KeyPair { ristretto: [1; 32], external: vec![2; 33] };
    one.announces(range(2, 2)).await;
    one.event(Event::KeyGen { block, set: SET, key_pair }).await;
    let named = |causes: &[String]| {
        causes.iter().filter(|cause| cause.ends_with("upgrade this coordinator")).count()
    };
    assert_eq!(
        (named(&one.board.causes()), one.dead_letters()),
        (1, 1),
        "{:?}",
        one.board.causes()
    );
    one.restart().await;
    assert_eq!(named(&one.board.causes()), 1, "{:?}", one.board.causes());
    world.run().await;
    assert!(world.validators[0].told.is_empty());

    let one = &mut world.validators[0];
    one.announces(range(1, 2)).await;
    assert_eq!(named(&one.board.causes()), 0, "{:?}", one.board.causes());
    world.run().await;
    assert_eq!(world.validators[0].told.len(), 1);
    // It was heard before, and is not any more.
    let one = &mut world.validators[0];
    one.announces(range(2, 2)).await;
    one.event(Event::AcceptedHandover { block, set: SET }).await;
    world.run().await;
    assert_eq!(world.validators[0].told.len(), 1);
    world.validators[0].announces(range(1, 1)).await;
    world.run().await;
    let told = &world.validators[0].told;
    assert!(matches!(told.as_slice(), [_, Told::Vault(_)]), "{told:?}");
}

#[tokio::test]
async fn a_set_is_spoken_to_in_the_newest_version_that_is_known_of_all() {
    let world = World::unannounced().await;
    let [own, others @ ..] = world.validators.as_slice() else { panic!("nobody is there") };
    let spoken = Spoken { program: range(1, 2), coins: vec![COIN] };
    let know = |peer: serai_messages::ValidatorKey, speaks| {
        own.database
            .transaction(|t| {
                network::tables::set_versions(t, peer, speaks).map_err(|e| own.database.error(e))
            })
            .unwrap();
    };
    let version = || own.database.read(|c| Ok(spoken.with(c, own.key, SET))).unwrap().unwrap();
    let shown = || own.database.read(|c| Ok(spoken.show(c, own.key))).unwrap().unwrap();
    let announced = || own.database.read(|c| spoken.announced(c)).unwrap();

    assert_eq!((version(), announced()), (1, range(1, 1)), "nobody is known");
    others.iter().for_each(|other| know(other.key, range(1, 2)));
    assert_eq!(version(), 1, "the own processor is not known");
    own.database
        .transaction(|t| {
            super::super::versions::hear(t, COIN, range(1, 2)).map_err(|e| own.database.error(e))
        })
        .unwrap();
    assert_eq!((version(), announced()), (2, range(1, 2)));
    know(others[0].key, range(1, 1));
    assert_eq!(version(), 1);
    let held_back = shown()["sets"][0]["held_back_by"].clone();
    assert_eq!(held_back, serde_json::json!([others[0].key]));
    know(others[0].key, range(3, 3));
    assert_eq!(version(), 2, "who speaks nothing in common holds nobody back");
    assert_eq!(shown()["sets"][0]["left_out"], serde_json::json!([others[0].key]));
    let none = Spoken { program: range(1, 1), coins: vec![COIN] };
    assert_eq!(own.database.read(|c| Ok(none.with(c, own.key, SET))).unwrap().unwrap(), 1);
}

/// With the second encoding.
#[cfg(feature = "faults")]
mod two_encodings {
    use std::collections::BTreeSet;

    use serai_messages::signing::SigningId;

    use super::super::world::batch;
    use super::*;

    impl World {
        /// One's programs are replaced by those of the next version.
        async fn upgrade(&mut self, index: usize) {
            let both = range(1, 2);
            let one = &mut self.validators[index];
            one.speaks = both;
            one.restart().await;
            one.announces(both).await;
            one.version = 2;
            let key = one.key;
            for other in self.validators.iter().filter(|other| other.key != key) {
                other
                    .database
                    .transaction(|t| {
                        network::tables::set_versions(t, key, both)
                            .map_err(|e| other.database.error(e))
                    })
                    .unwrap();
            }
            // It has proven itself to the others, and they to it.
            for other in 0..self.validators.len() {
                let (peer, speaks) = (self.validators[other].key, self.validators[other].speaks);
                let one = &self.validators[index];
                one.database
                    .transaction(|t| {
                        network::tables::set_versions(t, peer, speaks)
                            .map_err(|e| one.database.error(e))
                    })
                    .unwrap();
            }
        }

        fn nobody_is_accused(&self, id: SigningId) {
            for validator in &self.validators {
                let explained = validator.explain(id).unwrap();
                assert!(explained["faults"].as_array().unwrap().is_empty(), "{explained}");
                assert_eq!(validator.dead_letters(), 0);
            }
        }

        fn take_versions(&mut self) -> BTreeSet<u16> {
            std::mem::take(&mut self.versions)
        }
    }

    #[tokio::test]
    async fn two_of_each_version_sign_and_all_speak_the_newer_once_all_are_upgraded() {
        for restarts in [false, true] {
            let mut world = World::new().await;
            world.restarts = restarts;
            for index in [2, 3] {
                world.upgrade(index).await;
            }
            let first = batch(1);
            for index in 0..4 {
                world.validators[index].ready(first).await;
            }
            world.run().await;
            world.ring().await;
            assert_eq!(world.done(first), 4, "{:?}", world.validators[0].explain(first));
            assert_eq!(world.take_versions(), BTreeSet::from([1]));
            world.nobody_is_accused(first);

            for index in [0, 1] {
                world.upgrade(index).await;
            }
            let second = batch(2);
            for index in 0..4 {
                world.validators[index].ready(second).await;
            }
            world.run().await;
            world.ring().await;
            assert_eq!(world.done(second), 4, "{:?}", world.validators[0].explain(second));
            assert_eq!(world.take_versions(), BTreeSet::from([2]));
            world.nobody_is_accused(second);
        }
    }

    /// Sessions stand open while everybody is upgraded: what was said in the first version is said
    /// again in the second, in the same place.
    #[tokio::test]
    async fn an_upgrade_in_the_middle_of_a_session_is_no_equivocation() {
        for upgraded_after in 0..6 {
            let mut world = World::new().await;
            let id = batch(7);
            world.validators[3].mute = true;
            world.validators[2].mute = true;
            for index in 0..4 {
                world.validators[index].ready(id).await;
            }
            world.run().await;
            for _ in 0..upgraded_after {
                world.ring().await;
            }
            assert_eq!(world.done(id), 0, "two of four do not sign");
            assert_eq!(world.take_versions(), BTreeSet::from([1]));
            for index in 0..4 {
                world.upgrade(index).await;
                world.ring().await;
                world.nobody_is_accused(id);
            }
            let said = world.take_versions();
            assert!(said.contains(&2), "{said:?}");
            for index in [2, 3] {
                world.validators[index].mute = false;
            }
            for _ in 0..6 {
                world.ring().await;
            }
            assert!(world.done(id) >= 3, "{:?}", world.validators[0].explain(id));
            world.nobody_is_accused(id);
        }
    }
}
