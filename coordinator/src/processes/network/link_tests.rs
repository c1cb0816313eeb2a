//! Links over a pipe: against each other, and against a remote that is written out here byte by
//! byte, from the module's words alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use serai_messages::Sequence;
use serai_sr25519::Signer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::*;
use crate::processes::network::proof::PROOF_CONTEXT;
use crate::processes::network::wire::MAX_FRAME_BYTES;

const GENESIS: BlockHash = BlockHash([7; 32]);

fn signer(number: u8) -> Signer {
    Signer::from_seed(&[number; 32]).unwrap()
}

fn peer(number: u8) -> PeerId {
    crate::processes::network::peer_id(&[number; 32]).unwrap()
}

fn own(number: u8, incarnation: u64) -> Arc<Own> {
    let timing = Timing { silence: Duration::from_millis(300), ..Timing::default() };
    Arc::new(Own {
        genesis: GENESIS,
        validator: ValidatorKey(signer(number).public()),
        peer: peer(number),
        signer: Arc::new(signer(number)),
        incarnation: Incarnation(incarnation),
        first_life: false,
        announces: Versions::SPOKEN,
        timing,
    })
}

fn remote(number: u8) -> Remote {
    Remote { validator: ValidatorKey(signer(number).public()), peer: peer(number), newest: None }
}

struct Running {
    frames: mpsc::Sender<Frame>,
    events: mpsc::Receiver<(ConnectionId, Event)>,
    end: tokio::task::JoinHandle<LinkEnd>,
}

fn start(stream: DuplexStream, own: Arc<Own>, remote: Remote) -> Running {
    let (frames, receiver) = mpsc::channel(4);
    let (sender, events) = mpsc::channel(4);
    let connection = ConnectionId::new_unchecked(1);
    let end = tokio::spawn(run(stream.compat(), own, remote, receiver, sender, connection));
    Running { frames, events, end }
}

/// Plays validator 2 towards a link of validator 1, up to its verdict on us.
async fn prove_as(stream: &mut DuplexStream, incarnation: u64, key: u8) -> u8 {
    let mut theirs = [0; 32];
    stream.read_exact(&mut theirs).await.unwrap();
    let challenge = [5; 32];
    stream.write_all(&challenge).await.unwrap();
    let mut proof = [0; 76];
    stream.read_exact(&mut proof).await.unwrap();
    let end = |number: u8, challenge: [u8; 32]| {
        let mut bytes = signer(number).public().to_vec();
        let hash: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            peer(number).to_bytes(),
        ))
        .into();
        bytes.extend(hash);
        bytes.extend(challenge);
        bytes
    };
    let claim = |prover: Vec<u8>, verifier: Vec<u8>, said: &[u8]| {
        [GENESIS.0.to_vec(), prover, verifier, said.to_vec()].concat()
    };
    let (said, signature) = proof.split_at(12);
    serai_sr25519::verify(
        &signer(1).public(),
        PROOF_CONTEXT,
        &claim(end(1, theirs), end(2, challenge), said),
        signature.try_into().unwrap(),
    )
    .unwrap();
    let said = [&incarnation.to_le_bytes()[..], &[1, 0, 1, 0]].concat();
    let message = claim(end(2, challenge), end(1, theirs), &said);
    let signature = signer(key).sign(PROOF_CONTEXT, &message, &mut rand_core::OsRng);
    stream.write_all(&[&said[..], &signature].concat()).await.unwrap();
    stream.read_u8().await.unwrap()
}

#[tokio::test]
async fn two_links_prove_and_exchange_frames() {
    let (left, right) = tokio::io::duplex(4096);
    let mut left = start(left, own(1, 3), remote(2));
    let mut right = start(right, own(2, 4), remote(1));
    for (running, incarnation) in [(&mut left, 4), (&mut right, 3)] {
        let (_, event) = running.events.recv().await.unwrap();
        let Event::Proven(proof) = event else { panic!("a proof comes first") };
        assert_eq!(proof.claim.incarnation, Incarnation(incarnation));
    }
    let ack = Ack { incarnation: Incarnation(1), sequence: Sequence(9) };
    left.frames.send(Frame::Ack(ack)).await.unwrap();
    let (_, event) = right.events.recv().await.unwrap();
    assert!(matches!(event, Event::Ack(found) if found == ack));
    drop(left.frames);
    assert!(matches!(left.end.await.unwrap(), LinkEnd::Closed));
    assert!(matches!(right.end.await.unwrap(), LinkEnd::Lost(_)));
}

#[tokio::test]
async fn two_sides_without_a_common_version_end_and_each_says_why() {
    let versions = |oldest, newest| Versions { oldest, newest };
    let speaking =
        |number, speaks| Arc::new(Own { announces: speaks, ..Own::clone(&own(number, 1)) });
    for (ours, theirs, meet) in [
        (versions(1, 1), versions(1, 2), true),
        (versions(1, 2), versions(2, 2), true),
        (versions(1, 1), versions(2, 2), false),
        (versions(1, 2), versions(3, 4), false),
        (versions(1, 2), versions(2, 1), false),
    ] {
        let (left, right) = tokio::io::duplex(4096);
        let left = start(left, speaking(1, ours), remote(2));
        let right = start(right, speaking(2, theirs), remote(1));
        for (mut running, own, other) in [(left, ours, theirs), (right, theirs, ours)] {
            match running.events.recv().await {
                Some((_, Event::Proven(proof))) => {
                    assert!(meet);
                    assert_eq!(proof.claim.speaks, other);
                }
                _ => {
                    let end = running.end.await.unwrap();
                    let expected = LinkEnd::Apart { own, theirs: other };
                    assert!(!meet, "{end}");
                    assert_eq!(end.to_string(), expected.to_string());
                }
            }
        }
    }
    let apart = LinkEnd::Apart { own: versions(1, 1), theirs: versions(2, 2) }.to_string();
    assert!(apart.contains("version 2") && apart.ends_with("upgrade this coordinator"), "{apart}");
    let apart = LinkEnd::Apart { own: versions(2, 2), theirs: versions(1, 1) }.to_string();
    assert!(apart.ends_with("upgrade the peer"), "{apart}");
}

#[tokio::test]
async fn an_oversize_frame_of_a_proven_peer_ends_the_link() {
    let (mut stream, other) = tokio::io::duplex(4096);
    let mut running = start(other, own(1, 1), remote(2));
    assert_eq!(prove_as(&mut stream, 1, 2).await, PROVEN);
    stream.write_all(&[PROVEN]).await.unwrap();
    assert!(matches!(running.events.recv().await, Some((_, Event::Proven(_)))));
    stream.write_u32_le(MAX_FRAME_BYTES as u32 + 1).await.unwrap();
    let end = running.end.await.unwrap();
    assert!(matches!(end, LinkEnd::Wire(WireError::Length(_))), "{end}");
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let (mut stream, other) = tokio::io::duplex(4096);
    let running = start(other, own(1, 1), remote(2));
    assert_eq!(prove_as(&mut stream, 1, 2).await, PROVEN);
    stream.write_all(&[PROVEN]).await.unwrap();
    let end = running.end.await.unwrap();
    assert!(matches!(end, LinkEnd::Silent(_)), "{end}");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_nothing_after_it_is_read() {
    let (mut stream, other) = tokio::io::duplex(4096);
    let mut running = start(other, own(1, 1), remote(2));
    assert_eq!(prove_as(&mut stream, 1, 3).await, REFUSED);
    let batch = Frame::Batch(Batch {
        incarnation: Incarnation(1),
        first: Sequence(1),
        bodies: vec![vec![1]],
    });
    stream.write_all(&[vec![PROVEN], batch.encode()].concat()).await.unwrap();
    drop(stream);
    assert!(matches!(running.end.await.unwrap(), LinkEnd::BadProof));
    assert!(running.events.recv().await.is_none(), "no event");
}

#[tokio::test]
async fn a_proof_is_worth_nothing_on_another_connection() {
    let (mut stream, other) = tokio::io::duplex(4096);
    let running = start(other, own(1, 1), remote(2));
    assert_eq!(prove_as(&mut stream, 1, 2).await, PROVEN);
    drop((stream, running));
    // The same bytes again, as one who recorded them would send them: the challenge differs.
    let (mut stream, other) = tokio::io::duplex(4096);
    let running = start(other, own(1, 1), remote(2));
    let mut theirs = [0; 32];
    stream.read_exact(&mut theirs).await.unwrap();
    let us = End::new(ValidatorKey(signer(2).public()), &peer(2), [5; 32]);
    let them = End::new(ValidatorKey(signer(1).public()), &peer(1), [0; 32]);
    let (incarnation, speaks) = (Incarnation(1), Versions::SPOKEN);
    let claim = Claim { genesis: GENESIS, prover: us, verifier: them, incarnation, speaks };
    let old = Proof::new(claim, &signer(2));
    stream.write_all(&[5; 32]).await.unwrap();
    stream.write_all(&1_u64.to_le_bytes()).await.unwrap();
    stream.write_all(&[1, 0, 1, 0]).await.unwrap();
    stream.write_all(&old.signature.0).await.unwrap();
    let mut proof = [0; 76];
    stream.read_exact(&mut proof).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), REFUSED);
    drop(stream);
    assert!(matches!(running.end.await.unwrap(), LinkEnd::BadProof));
}

#[tokio::test]
async fn being_replaced_is_believed_on_evidence_alone() {
    let claim = |number: u8, incarnation| Claim {
        genesis: GENESIS,
        prover: End::new(ValidatorKey(signer(number).public()), &peer(number), [1; 32]),
        verifier: End::new(ValidatorKey(signer(2).public()), &peer(2), [2; 32]),
        incarnation: Incarnation(incarnation),
        speaks: Versions::SPOKEN,
    };
    let cases = [
        (Proof::new(claim(1, 9), &signer(1)), true),
        (Proof::new(claim(1, 1), &signer(1)), false),
        (Proof::new(claim(1, 9), &signer(2)), false),
        (Proof::new(claim(2, 9), &signer(2)), false),
    ];
    for (proof, replaced) in cases {
        let (mut stream, other) = tokio::io::duplex(4096);
        let running = start(other, own(1, 1), remote(2));
        assert_eq!(prove_as(&mut stream, 1, 2).await, PROVEN);
        stream.write_all(&[vec![REPLACED], evidence(&proof)].concat()).await.unwrap();
        let end = running.end.await.unwrap();
        match replaced {
            true => assert!(matches!(end, LinkEnd::Replaced { newest: Incarnation(9) }), "{end}"),
            false => assert!(matches!(end, LinkEnd::RefusedByPeer), "{end}"),
        }
    }
}

#[tokio::test]
async fn a_former_life_is_believed_on_evidence_of_an_earlier_one_alone() {
    let claim = |number: u8, incarnation| Claim {
        genesis: GENESIS,
        prover: End::new(ValidatorKey(signer(number).public()), &peer(number), [1; 32]),
        verifier: End::new(ValidatorKey(signer(2).public()), &peer(2), [2; 32]),
        incarnation: Incarnation(incarnation),
        speaks: Versions::SPOKEN,
    };
    let cases = [
        (Proof::new(claim(1, 4), &signer(1)), true),
        (Proof::new(claim(1, 5), &signer(1)), false),
        (Proof::new(claim(1, 9), &signer(1)), false),
        (Proof::new(claim(1, 4), &signer(2)), false),
        (Proof::new(claim(2, 4), &signer(2)), false),
    ];
    for (proof, forgotten) in cases {
        let (mut stream, other) = tokio::io::duplex(4096);
        let first = Arc::new(Own { first_life: true, ..Own::clone(&own(1, 5)) });
        let running = start(other, first, remote(2));
        assert_eq!(prove_as(&mut stream, 1, 2).await, PROVEN);
        stream.write_all(&[vec![FORMER], evidence(&proof)].concat()).await.unwrap();
        let end = running.end.await.unwrap();
        match forgotten {
            true => assert!(matches!(end, LinkEnd::Forgotten { former: Incarnation(4) }), "{end}"),
            false => assert!(matches!(end, LinkEnd::RefusedByPeer), "{end}"),
        }
    }
}

#[tokio::test]
async fn an_older_instance_of_the_peer_is_shown_the_newer_ones_proof() {
    let claim = Claim {
        genesis: GENESIS,
        prover: End::new(ValidatorKey(signer(2).public()), &peer(2), [1; 32]),
        verifier: End::new(ValidatorKey(signer(1).public()), &peer(1), [2; 32]),
        incarnation: Incarnation(5),
        speaks: Versions::SPOKEN,
    };
    let newest = Some((Incarnation(5), Some(evidence(&Proof::new(claim, &signer(2))))));
    let (left, right) = tokio::io::duplex(4096);
    let left = start(left, own(1, 1), Remote { newest, ..remote(2) });
    let right = start(right, own(2, 4), remote(1));
    let end = left.end.await.unwrap();
    assert!(
        matches!(end, LinkEnd::PeerReplaced { proven: Incarnation(4), newest: Incarnation(5) }),
        "{end}"
    );
    let end = right.end.await.unwrap();
    assert!(matches!(end, LinkEnd::Replaced { newest: Incarnation(5) }), "{end}");
}
