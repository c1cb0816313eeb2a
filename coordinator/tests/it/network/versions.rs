//! Peers tell each other which message versions they speak, and part where they share none.

use super::*;

fn range(oldest: u16, newest: u16) -> Versions {
    Versions { oldest, newest }
}

#[tokio::test]
async fn peers_that_share_no_version_part_and_say_what_to_upgrade() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    b.speaks = range(2, 2);
    let (alice, bob) = pair(&mut a, &mut b).await;
    for (node, peer, older) in
        [(&alice, bob.key, "upgrade this coordinator"), (&bob, alice.key, "upgrade the peer")]
    {
        let status = node.until("they part", peer, |status| status.counts.apart >= 1).await;
        assert!(!status.proven && status.counts.refused_proofs == 0, "{status:#?}");
        let sentence = status.last_error.unwrap();
        assert!(sentence.ends_with(older), "{sentence}");
        let reach = node.mailbox.reach().borrow().clone();
        assert_eq!((reach.apart.len(), reach.missing.len()), (1, 1), "{reach:?}");
    }
    assert_eq!(alice.status_of(bob.key).await.speaks, Some(range(2, 2)));

    // What was said meanwhile waits for the upgrade.
    alice.send(bob.key, &[a.statement(1)]);
    bob.stop();
    b.speaks = range(1, 2);
    let mut bob = b.start().await;
    bob.connect(&[&alice]).await;
    assert_eq!(bob.take(1).await[&alice.key], [1]);
    let status = alice.until("it is proven", bob.key, |status| status.proven).await;
    assert_eq!((status.speaks, status.last_error), (Some(range(1, 2)), None));
    assert!(alice.mailbox.reach().borrow().apart.is_empty());
}

#[tokio::test]
async fn what_is_announced_anew_is_proven_anew() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (mut alice, mut bob) = pair(&mut a, &mut b).await;
    alice.until("they are connected", bob.key, |status| status.proven).await;
    for announced in [range(1, 2), range(1, 1), range(1, 2)] {
        alice.mailbox.announce(announced).await;
        bob.until("it is told", alice.key, |status| status.speaks == Some(announced)).await;
    }
    assert_eq!(alice.status().await.announces, range(1, 2));
    alice.send(bob.key, &[a.statement(1)]);
    bob.send(alice.key, &[b.statement(2)]);
    assert_eq!(bob.take(1).await[&alice.key], [1]);
    assert_eq!(alice.take(1).await[&bob.key], [2]);
}

/// What cannot be read is put aside with the reason, and what follows it arrives.
#[tokio::test]
async fn a_statement_of_another_version_is_put_aside_and_blocks_nothing() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let (alice, mut bob) = pair(&mut a, &mut b).await;
    for version in [2, 99] {
        let mut other = a.statement(1);
        other.statement.version = version;
        alice.send(bob.key, &[other]);
    }
    alice.send(bob.key, &[a.statement(2)]);
    assert_eq!(bob.take(1).await[&alice.key], [2]);
    let put_aside = |status: &PeerStatus| status.counts.refused_statements == 2;
    bob.until("both are put aside", alice.key, put_aside).await;
    let refused = bob.database.read(|c| tables::refused(c, alice.key)).unwrap();
    for (refused, version) in refused.iter().zip(["version 2", "version 99"]) {
        assert!(refused.reason.contains(version), "{}", refused.reason);
    }
}
