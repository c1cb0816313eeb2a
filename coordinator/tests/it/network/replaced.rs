//! The highest incarnation of a validator is obeyed, and an older instance stops by proof alone.

use super::*;

#[tokio::test]
async fn an_older_instance_is_shown_the_proof_and_stops() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.send(bob.key, &[a.statement(1), a.statement(2)]);
    assert_eq!(bob.take(2).await[&alice.key], [1, 2]);
    alice.until("all is acknowledged", bob.key, |status| status.queued == 0).await;

    // The same keys on another machine, as a new incarnation, with sequences from 1.
    let mut restored = Validator { incarnation: Incarnation(2), ..Validator::new(1) };
    let new_alice = restored.start().await;
    new_alice.connect(&[&bob]).await;
    new_alice.send(bob.key, &[restored.statement(3)]);
    assert_eq!(bob.take(1).await[&alice.key], [3], "sequences start anew");

    let failure = alice.failure().await;
    let Error::Replaced { own, newest, by, .. } = &failure else { panic!("{failure}") };
    assert_eq!((*own, *newest, *by), (Incarnation(1), Incarnation(2), bob.key));
    let status = bob.status_of(new_alice.key).await;
    assert!(status.proven && status.incarnation == Some(Incarnation(2)), "{status:#?}");
    assert!(status.counts.replaced >= 1, "{status:#?}");
}

#[tokio::test]
async fn a_new_incarnation_does_not_repeat_what_waited_in_the_old_one() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let alice = a.start().await;
    alice.send(b.key(), &[a.statement(1)]);
    alice.stop();
    a.incarnation = Incarnation(2);
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.send(bob.key, &[a.statement(2)]);
    assert_eq!(bob.take(1).await[&alice.key], [2]);
}
