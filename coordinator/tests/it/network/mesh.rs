//! A whole set, and changes to the list of peers.

use super::*;

#[tokio::test]
async fn every_validator_reaches_every_other() {
    let mut validators: Vec<_> = (1..=5)
        .map(|number| {
            let mut validator = Validator::new(number);
            validator.listen.extend(Validator::quic(number).listen);
            validator
        })
        .collect();
    let mut nodes = Vec::new();
    for validator in &mut validators {
        nodes.push(validator.start().await);
    }
    let everyone: Vec<_> = nodes.iter().map(Node::peer).collect();
    for (node, validator) in nodes.iter().zip(&validators) {
        // The own entry is skipped.
        node.mailbox.connect(everyone.clone()).await.unwrap();
        let statements: Vec<_> = (1..=20).map(|n| validator.statement(n)).collect();
        for other in &everyone {
            if other.validator != node.key {
                node.send(other.validator, &statements);
            }
        }
    }
    let expected: Vec<u32> = (1..=20).collect();
    let taken = futures::future::join_all(nodes.iter_mut().map(|node| node.take(80))).await;
    for taken in taken {
        assert_eq!(taken.len(), 4);
        assert!(taken.values().all(|numbers| *numbers == expected), "{taken:?}");
    }
    for node in &nodes {
        for other in everyone.iter().filter(|other| other.validator != node.key) {
            let done = |status: &PeerStatus| status.proven && status.queued == 0;
            node.until("all is acknowledged", other.validator, done).await;
        }
    }
}

#[tokio::test]
async fn a_disconnected_peer_is_let_in_no_more_until_it_is_connected_again() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    alice.until("proven", bob.key, |status| status.proven).await;
    alice.mailbox.disconnect(vec![bob.key]).await;
    assert!(alice.mailbox.peers().await.is_empty());
    bob.until("cut off", alice.key, |status| !status.proven).await;
    eventually("the peer is denied as a stranger", async || {
        (alice.status().await.denied.strangers >= 1).then_some(())
    })
    .await;
    alice.send(bob.key, &[a.statement(1)]);
    alice.connect(&[&bob]).await;
    assert_eq!(bob.take(1).await[&alice.key], [1]);
}

#[tokio::test]
async fn a_peer_that_moves_is_reached_at_its_new_address_and_peer_id() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, bob) = pair(&mut a, &mut b).await;
    alice.until("proven", bob.key, |status| status.proven).await;
    bob.stop();
    b.identity = Zeroizing::new([42; 32]);
    b.listen = Validator::quic(2).listen;
    let mut bob = b.start().await;
    alice.send(bob.key, &[a.statement(1)]);
    bob.connect(&[&alice]).await;
    alice.connect(&[&bob]).await;
    assert_eq!(bob.take(1).await[&alice.key], [1]);
    let status = alice.status_of(bob.key).await;
    assert_eq!(status.peer_id, b.peer_id().to_string());
}
