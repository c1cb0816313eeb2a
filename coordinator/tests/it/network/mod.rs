//! Network processes on loopback: each on its own thread with its own database, as in production.

mod delivery;
mod gate;
mod mesh;
mod replaced;
mod versions;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serai_bus::{Database, DatabaseError};
use serai_coordinator::processes::network::{
    self, Error, Inbound, Mailbox, Multiaddr, Peer, PeerId, PeerStatus, Settings, Status, Timing,
    tables::{self, Acceptance},
};
use serai_messages::{
    Attempt, BlockHash, Body, Coin, Incarnation, ProcessorKey, STATEMENT_CONTEXT, Sequence,
    Session, SignatureBytes, SignedStatement, Statement, VERSION, ValidatorKey, ValidatorSet,
    Versions,
    keygen::{KeygenId, PeerMessage, PerKey},
};
use serai_sr25519::Signer;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const GENESIS: BlockHash = BlockHash([7; 32]);
const DEADLINE: Duration = Duration::from_secs(30);

/// A validator: its keys, and the folder that outlives its processes.
struct Validator {
    number: u8,
    identity: Zeroizing<[u8; 32]>,
    folder: TempDir,
    incarnation: Incarnation,
    listen: Vec<Multiaddr>,
    timing: Timing,
    speaks: Versions,
}

impl Validator {
    fn new(number: u8) -> Self {
        Self {
            number,
            identity: Zeroizing::new([number; 32]),
            folder: tempfile::tempdir().unwrap(),
            incarnation: Incarnation(1),
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
            timing: Timing::default(),
            speaks: Versions::SPOKEN,
        }
    }

    fn quic(number: u8) -> Self {
        let listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
        Self { listen, ..Self::new(number) }
    }

    fn signer(&self) -> Signer {
        Signer::from_seed(&[self.number; 32]).unwrap()
    }

    fn key(&self) -> ValidatorKey {
        ValidatorKey(self.signer().public())
    }

    fn peer_id(&self) -> PeerId {
        network::peer_id(&self.identity).unwrap()
    }

    fn database_path(&self) -> PathBuf {
        self.folder.path().join("state.sqlite")
    }

    fn statement(&self, number: u32) -> SignedStatement {
        self.sign(PeerMessage::Announcement { id: id(number), processor: ProcessorKey([1; 32]) })
    }

    /// A statement of about `bytes`.
    fn large_statement(&self, number: u32, bytes: usize) -> SignedStatement {
        let commitments = PerKey { ristretto: vec![1; bytes], external: Vec::new() };
        self.sign(PeerMessage::Commitments { id: id(number), commitments })
    }

    fn sign(&self, message: PeerMessage) -> SignedStatement {
        let statement =
            Statement { version: VERSION, genesis: GENESIS, body: Body::Keygen(message) };
        let signature = self.signer().sign(
            STATEMENT_CONTEXT,
            &statement.signing_bytes(),
            &mut rand_core::OsRng,
        );
        SignedStatement { signer: self.key(), statement, signature: SignatureBytes(signature) }
    }

    /// Starts the process and waits until it listens; later starts use the same port.
    async fn start(&mut self) -> Node {
        let signer = self.signer();
        self.start_as(signer).await
    }

    async fn start_as(&mut self, signer: Signer) -> Node {
        let key = ValidatorKey(signer.public());
        let database = Database::open(&self.database_path(), &[tables::MIGRATION]).unwrap();
        let settings = Settings {
            listen: self.listen.clone(),
            timing: self.timing,
            first_life: false,
            reads: self.speaks,
            announces: self.speaks,
        };
        let (actor, mailbox, inbound) = network::new(
            settings,
            &self.identity,
            Arc::new(signer),
            self.incarnation,
            database.clone(),
        )
        .unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(actor.run(GENESIS, stop))
        });
        let wanted = self.listen.len();
        let listening = eventually("the process listens", async || {
            let status = mailbox.status().await?;
            (status.listening.len() >= wanted).then_some(status.listening)
        })
        .await;
        let addresses: Vec<Multiaddr> =
            listening.iter().map(|address| address.parse().unwrap()).collect();
        self.listen = addresses
            .iter()
            .cloned()
            .map(|mut address| {
                address.pop();
                address
            })
            .collect();
        Node {
            key,
            incarnation: self.incarnation,
            addresses,
            mailbox,
            inbound,
            database,
            shutdown,
            thread: Some(thread),
        }
    }
}

fn id(number: u32) -> KeygenId {
    KeygenId {
        set: ValidatorSet { coin: Coin::Btc, session: Session(0) },
        attempt: Attempt(number),
    }
}

/// The number of a statement made by [`Validator::statement`].
fn number(statement: &SignedStatement) -> u32 {
    match &statement.statement.body {
        Body::Keygen(message) => message.id().attempt.0,
        Body::Signing(message) => panic!("no statement of this test: {}", message.kind()),
    }
}

/// A running process, with the test in the place of the signature process.
struct Node {
    key: ValidatorKey,
    incarnation: Incarnation,
    addresses: Vec<Multiaddr>,
    mailbox: Mailbox,
    inbound: mpsc::Receiver<Inbound>,
    database: Database,
    shutdown: CancellationToken,
    thread: Option<std::thread::JoinHandle<Result<(), Error>>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Node {
    fn peer(&self) -> Peer {
        Peer { validator: self.key, name: None, addresses: self.addresses.clone() }
    }

    /// Ends the process, wherever it stands.
    fn stop(mut self) {
        self.shutdown.cancel();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }

    /// The error that the process ends with of itself.
    async fn failure(mut self) -> Error {
        let thread = self.thread.take().unwrap();
        eventually("the process ends", async || thread.is_finished().then_some(())).await;
        thread.join().unwrap().expect_err("the process should fail")
    }

    async fn connect(&self, peers: &[&Node]) {
        let peers = peers.iter().map(|node| node.peer()).collect();
        self.mailbox.connect(peers).await.unwrap();
    }

    fn send(&self, to: ValidatorKey, statements: &[SignedStatement]) {
        self.database
            .transaction(|transaction| {
                for statement in statements {
                    tables::enqueue(transaction, self.incarnation, to, statement)
                        .map_err(|source| self.database.error(source))?;
                }
                Ok::<(), DatabaseError>(())
            })
            .unwrap();
        self.mailbox.wake();
    }

    async fn next_inbound(&mut self) -> Inbound {
        tokio::time::timeout(DEADLINE, self.inbound.recv())
            .await
            .expect("statements arrive within the deadline")
            .expect("the process runs")
    }

    /// Commits as the signature process does; returns what was new, and the last sequence.
    fn commit(&self, inbound: &Inbound) -> (Vec<u32>, Sequence) {
        let mut fresh = Vec::new();
        let mut last = Sequence(0);
        self.database
            .transaction(|transaction| {
                for (sequence, statement) in &inbound.statements {
                    let accepted =
                        tables::accept(transaction, inbound.from, inbound.incarnation, *sequence)
                            .map_err(|source| self.database.error(source))?;
                    if accepted == Acceptance::New {
                        fresh.push(number(statement));
                    }
                    last = *sequence;
                }
                Ok::<(), DatabaseError>(())
            })
            .unwrap();
        (fresh, last)
    }

    /// Commits and answers until `count` new statements were taken, by sender.
    async fn take(&mut self, count: usize) -> BTreeMap<ValidatorKey, Vec<u32>> {
        let mut taken: BTreeMap<ValidatorKey, Vec<u32>> = BTreeMap::new();
        while taken.values().map(Vec::len).sum::<usize>() < count {
            let inbound = self.next_inbound().await;
            let (fresh, last) = self.commit(&inbound);
            taken.entry(inbound.from).or_default().extend(fresh);
            // The process may have ended meanwhile.
            let _ = inbound.accepted.send(last);
        }
        taken
    }

    async fn status(&self) -> Status {
        self.mailbox.status().await.expect("the process runs")
    }

    async fn status_of(&self, peer: ValidatorKey) -> PeerStatus {
        let peers = self.status().await.peers;
        peers.into_iter().find(|status| status.validator == peer).expect("a known peer")
    }

    /// Waits until the peer's status is as wanted.
    async fn until(
        &self,
        what: &str,
        peer: ValidatorKey,
        wanted: impl Fn(&PeerStatus) -> bool,
    ) -> PeerStatus {
        let mut seen = None;
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while tokio::time::Instant::now() < deadline {
            let status = self.status_of(peer).await;
            if wanted(&status) {
                return status;
            }
            seen = Some(status);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{what}: not within {DEADLINE:?}; the peer is {seen:#?}");
    }
}

/// Asks until there is an answer.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while tokio::time::Instant::now() < deadline {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within {DEADLINE:?}");
}

/// Two processes that know each other.
async fn pair(a: &mut Validator, b: &mut Validator) -> (Node, Node) {
    let (alice, bob) = (a.start().await, b.start().await);
    alice.connect(&[&bob]).await;
    bob.connect(&[&alice]).await;
    (alice, bob)
}
