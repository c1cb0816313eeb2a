//! Who is not a validator with its key, or does not keep to the protocol, is refused before anything
//! that it says is read.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Codec, OutboundRequestId, ProtocolSupport};
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{StreamProtocol, SwarmBuilder, identity::Keypair, noise, tcp, yamux};

use super::*;

/// Writes what it is given on a stream of our protocol, and reads until the end.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> std::io::Result<Vec<u8>>
    where
        T: futures::AsyncRead + Unpin + Send,
    {
        Ok(Vec::new())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> std::io::Result<Vec<u8>>
    where
        T: futures::AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Vec<u8>,
    ) -> std::io::Result<()>
    where
        T: futures::AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        _: Vec<u8>,
    ) -> std::io::Result<()>
    where
        T: futures::AsyncWrite + Unpin + Send,
    {
        Ok(())
    }
}

type Client = Swarm<request_response::Behaviour<Raw>>;

fn client(identity: [u8; 32]) -> Client {
    let keypair = Keypair::ed25519_from_bytes(identity).unwrap();
    SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_behaviour(|_| {
            request_response::Behaviour::<Raw>::new(
                [(network::gate::PROTOCOL, ProtocolSupport::Outbound)],
                request_response::Config::default(),
            )
        })
        .unwrap()
        .build()
}

/// Sends `bytes` on our protocol; what came back, or that the connection was refused.
async fn speak(client: &mut Client, to: &Node, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let id: PeerId = to.status().await.peer_id.parse().unwrap();
    let sent: OutboundRequestId =
        client.behaviour_mut().send_request_with_addresses(&id, bytes, to.addresses.clone());
    let answer = async {
        loop {
            match client.select_next_some().await {
                SwarmEvent::Behaviour(request_response::Event::Message {
                    message: request_response::Message::Response { request_id, response },
                    ..
                }) if request_id == sent => return Ok(response),
                SwarmEvent::Behaviour(request_response::Event::OutboundFailure {
                    request_id,
                    error,
                    ..
                }) if request_id == sent => return Err(error.to_string()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, answer).await.expect("an answer or a refusal")
}

#[tokio::test]
async fn a_stranger_is_denied_before_a_stream_exists() {
    for mut a in [Validator::new(1), Validator::quic(1)] {
        let mut alice = a.start().await;
        let mut stranger = client([99; 32]);
        let refused = speak(&mut stranger, &alice, vec![1; 5000]).await;
        assert!(refused.is_err(), "{refused:?}");
        let denied = eventually("the stranger is counted", async || {
            let denied = alice.status().await.denied;
            (denied.strangers >= 1).then_some(denied)
        })
        .await;
        assert_eq!(denied.too_many_pending, 0);
        assert!(alice.inbound.try_recv().is_err());
        assert!(alice.status().await.peers.is_empty());
    }
}

#[tokio::test]
async fn a_known_peer_without_the_validators_key_is_refused() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let mut alice = a.start().await;
    let wrong = Signer::from_seed(&[77; 32]).unwrap();
    let bob = b.start_as(wrong).await;
    // Alice knows Bob's peer id with Bob's validator key; his process holds another one.
    let known = Peer { validator: b.key(), ..bob.peer() };
    alice.mailbox.connect(vec![known]).await.unwrap();
    bob.connect(&[&alice]).await;
    bob.send(alice.key, &[b.statement(1)]);
    let status = alice
        .until("the proof is refused", b.key(), |status| status.counts.refused_proofs >= 2)
        .await;
    assert!(!status.proven, "{status:#?}");
    assert!(status.last_error.is_some());
    let status = bob
        .until("the other side says so", alice.key, |status| {
            status.counts.refusals_of_us + status.counts.refused_proofs >= 1
        })
        .await;
    assert_eq!(status.counts.sent, 0);
    assert!(alice.inbound.try_recv().is_err());
}

#[tokio::test]
async fn a_known_peer_that_speaks_before_it_proves_is_refused() {
    let (mut a, b) = (Validator::new(1), Validator::new(2));
    let mut alice = a.start().await;
    let dial_only = Multiaddr::empty().with_p2p(b.peer_id()).unwrap();
    let bob = Peer { validator: b.key(), name: None, addresses: vec![dial_only] };
    alice.mailbox.connect(vec![bob]).await.unwrap();
    // A challenge and a proof that is none, and after them a batch as a proven peer would send it.
    let mut bytes = vec![3; 32 + 8 + 4 + 64];
    bytes.extend([5, 0, 0, 0, 1, 2, 3, 4, 5]);
    let answer = speak(&mut client(*b.identity), &alice, bytes).await;
    if let Ok(answer) = answer {
        assert_eq!(answer.len(), 32 + 8 + 4 + 64 + 1, "a challenge, a proof, a verdict");
        assert_eq!(answer.last(), Some(&0), "the verdict is no");
    }
    let status = alice
        .until("the proof is refused", b.key(), |status| status.counts.refused_proofs == 1)
        .await;
    assert!(!status.proven && status.last_seen_ms.is_none(), "{status:#?}");
    assert_eq!(status.counts.violations, 0, "the batch was never looked at");
    assert!(alice.inbound.try_recv().is_err());
}

#[tokio::test]
async fn a_peer_on_another_chain_is_refused_by_both() {
    let (mut a, mut b) = (Validator::new(1), Validator::new(2));
    let alice = a.start().await;
    let bob = b.start().await;
    bob.stop();
    let database = Database::open(&b.database_path(), &[tables::MIGRATION]).unwrap();
    let settings = Settings {
        listen: Vec::new(),
        timing: Timing::default(),
        first_life: false,
        reads: Versions::SPOKEN,
        announces: Versions::SPOKEN,
    };
    let (actor, mailbox, _inbound) =
        network::new(settings, &b.identity, Arc::new(b.signer()), Incarnation(1), database)
            .unwrap();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(actor.run(BlockHash([8; 32]), stop))
    });
    let dial_only = Multiaddr::empty().with_p2p(b.peer_id()).unwrap();
    let known = Peer { validator: b.key(), name: None, addresses: vec![dial_only] };
    alice.mailbox.connect(vec![known]).await.unwrap();
    mailbox.connect(vec![alice.peer()]).await.unwrap();
    alice.until("the proof is refused", b.key(), |status| status.counts.refused_proofs >= 1).await;
    shutdown.cancel();
    thread.join().unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_be_connected_is_said_and_changes_nothing() {
    let (mut a, b) = (Validator::new(1), Validator::new(2));
    let alice = a.start().await;
    let peer = |address: &str| Peer {
        validator: b.key(),
        name: None,
        addresses: vec![address.parse().unwrap()],
    };
    let error = alice.mailbox.connect(vec![peer("/ip4/127.0.0.1/tcp/9")]).await.unwrap_err();
    assert!(error.to_string().contains("/p2p/"), "{error}");
    let named = peer(&format!("/ip4/127.0.0.1/tcp/9/p2p/{}", b.peer_id()));
    let other = Peer { validator: ValidatorKey([5; 32]), ..named.clone() };
    let error = alice.mailbox.connect(vec![named, other]).await.unwrap_err();
    assert!(error.to_string().contains("same peer id"), "{error}");
    assert!(alice.status().await.peers.is_empty());
}
