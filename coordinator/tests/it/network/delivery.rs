//! What is enqueued arrives once and in order, whoever is stopped at which point.

use super::*;

#[tokio::test]
async fn statements_arrive_in_order_in_both_directions() {
    for (mut a, mut b) in
        [(Validator::new(1), Validator::new(2)), (Validator::quic(1), Validator::quic(2))]
    {
        let (mut alice, mut bob) = pair(&mut a, &mut b).await;
        let from_alice: Vec<_> = (1..=600).map(|n| a.statement(n)).collect();
        let from_bob: Vec<_> = (1..=300).map(|n| b.statement(n)).collect();
        alice.send(bob.key, &from_alice);
        bob.send(alice.key, &from_bob);
        let (at_bob, at_alice) = tokio::join!(bob.take(600), alice.take(300));
        assert_eq!(at_bob[&alice.key], (1..=600).collect::<Vec<_>>());
        assert_eq!(at_alice[&bob.key], (1..=300).collect::<Vec<_>>());
        let status = alice.until("all is acknowledged", bob.key, |status| status.queued == 0).await;
        assert_eq!((status.counts.sent, status.queued_bytes), (600, 0));
        assert!(status.connected && status.proven && status.last_error.is_none(), "{status:#?}");
        let status = bob.status_of(alice.key).await;
        assert_eq!((status.counts.received, status.counts.repeats), (600, 0));
    }
}

#[tokio::test]
async fn the_largest_statements_pass_in_both_directions_at_once() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (mut alice, mut bob) = pair(&mut a, &mut b).await;
    let size = serai_messages::MAX_BODY_BYTES - 1024;
    alice.send(bob.key, &[a.large_statement(1, size), a.large_statement(2, size)]);
    bob.send(alice.key, &[b.large_statement(1, size), b.large_statement(2, size)]);
    let (at_bob, at_alice) = tokio::join!(bob.take(2), alice.take(2));
    assert_eq!(at_bob[&alice.key], [1, 2]);
    assert_eq!(at_alice[&bob.key], [1, 2]);
}

#[tokio::test]
async fn a_receiver_killed_between_commit_and_acknowledgement_takes_nothing_twice() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.send(bob.key, &(1..=3).map(|n| a.statement(n)).collect::<Vec<_>>());
    let inbound = bob.next_inbound().await;
    let (fresh, _) = bob.commit(&inbound);
    bob.stop();
    drop(inbound);
    assert_eq!(alice.status_of(b.key()).await.counts.sent, 0, "nothing was acknowledged");

    let mut bob = b.start().await;
    bob.connect(&[&alice]).await;
    alice.send(bob.key, &[a.statement(4), a.statement(5)]);
    let mut taken = fresh.clone();
    taken.extend(bob.take(5 - fresh.len()).await.remove(&alice.key).unwrap());
    assert_eq!(taken, [1, 2, 3, 4, 5]);
    alice.until("all is acknowledged", bob.key, |status| status.queued == 0).await;
    let repeats = bob.status_of(alice.key).await.counts.repeats;
    assert_eq!(repeats, fresh.len() as u64, "what was committed came again");
}

#[tokio::test]
async fn a_sender_killed_before_the_acknowledgement_sends_again() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.send(bob.key, &[a.statement(1), a.statement(2)]);
    let inbound = bob.next_inbound().await;
    let (mut taken, last) = bob.commit(&inbound);
    alice.stop();
    let _ = inbound.accepted.send(last);

    let alice = a.start().await;
    alice.connect(&[&bob]).await;
    alice.send(bob.key, &[a.statement(3)]);
    while taken.len() < 3 {
        taken.extend(bob.take(1).await.remove(&alice.key).unwrap());
    }
    assert_eq!(taken, [1, 2, 3]);
    alice.until("all is acknowledged", bob.key, |status| status.queued == 0).await;
}

#[tokio::test]
async fn a_peer_that_was_away_gets_everything_once_and_in_order() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.send(bob.key, &[a.statement(1)]);
    assert_eq!(bob.take(1).await[&alice.key], [1]);
    bob.stop();
    let away = b.key();
    alice.until("the peer is away", away, |status| !status.connected).await;
    for n in 2..=50 {
        alice.send(away, &[a.statement(n)]);
    }
    let status = alice.status_of(away).await;
    assert!(status.queued >= 49, "{status:#?}");

    let mut bob = b.start().await;
    // The peer that stayed dials: its back-off is at most seconds.
    bob.mailbox
        .connect(vec![Peer {
            addresses: vec![Multiaddr::empty().with_p2p(a.peer_id()).unwrap()],
            ..alice.peer()
        }])
        .await
        .unwrap();
    assert_eq!(bob.take(49).await[&alice.key], (2..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_receiver_that_cannot_commit_is_sent_the_same_again() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.send(bob.key, &[a.statement(1)]);
    for _ in 0..2 {
        drop(bob.next_inbound().await);
    }
    assert_eq!(bob.take(1).await[&alice.key], [1]);
}

#[tokio::test]
async fn a_slow_peer_does_not_hold_up_another() {
    let (mut a, mut b, mut c) = (Validator::new(1), Validator::new(2), Validator::new(3));
    let (alice, mut bob, mut carol) = (a.start().await, b.start().await, c.start().await);
    alice.connect(&[&bob, &carol]).await;
    bob.connect(&[&alice]).await;
    carol.connect(&[&alice]).await;
    alice.send(bob.key, &[a.statement(1), a.statement(2)]);
    // Bob takes the first batch and sits on it.
    let held = bob.next_inbound().await;
    for n in 1..=100 {
        alice.send(carol.key, &[a.statement(n)]);
    }
    assert_eq!(carol.take(100).await[&alice.key], (1..=100).collect::<Vec<_>>());
    assert!(alice.status_of(bob.key).await.queued >= 1);
    drop(held);
    assert_eq!(bob.take(2).await[&alice.key], [1, 2]);
}

#[tokio::test]
async fn a_refused_statement_is_put_aside_and_blocks_nothing() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    let mut forged = a.statement(2);
    forged.signature.0[5] ^= 1;
    let of_another = Validator::new(3).statement(4);
    alice.send(
        bob.key,
        &[a.statement(1), forged, a.statement(3), of_another, Validator::new(4).statement(5)],
    );
    assert_eq!(bob.take(2).await[&alice.key], [1, 3]);
    alice.until("all is acknowledged", bob.key, |status| status.queued == 0).await;
    assert_eq!(bob.status_of(alice.key).await.counts.refused_statements, 3);
    let aside = bob.database.read(|connection| tables::refused(connection, alice.key)).unwrap();
    let sequences: Vec<_> = aside.iter().map(|statement| statement.sequence.0).collect();
    assert_eq!(sequences, [2, 4, 5]);
    assert!(aside[0].reason.contains("signature"), "{}", aside[0].reason);
    assert!(aside[1].reason.contains("signer"), "{}", aside[1].reason);
    // A batch of nothing but refused ones as well.
    let mut forged = a.statement(6);
    forged.signature.0[5] ^= 1;
    alice.send(bob.key, &[forged]);
    alice.until("it is acknowledged", bob.key, |status| status.queued == 0).await;
    alice.send(bob.key, &[a.statement(7)]);
    assert_eq!(bob.take(1).await[&alice.key], [7]);
}
