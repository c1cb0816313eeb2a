//! Relay of one processor's message to another validator's processor (DESIGN section 6), with four
//! real coordinators whose processors this program plays, so that nothing else uses the machine:
//!
//! - latency: from a signer's last share, given to its bus, to the request with all shares, read from
//!   the opener's bus; beside two bus hops, two fsynced commits and one round trip over loopback (at
//!   most 1.5 times that at p50);
//! - throughput: so many such shares given at once; beside the same hops, each station working on its
//!   own (at least half as many a second).
//!
//! `cargo bench -p serai-devnet --bench relay -- [MESSAGES]`, on a machine that does nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serai_bus::{Bus, Database, Reader, Start};
use serai_devnet::cluster::Settings;
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, CoordinatorMessage, ProcessorMessage, SigningId, Thing};
use serai_messages::{BlockHash, BlockNumber, Coin, Session, SignatureBytes, ValidatorSet};
use serai_protocol::party;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use support::played::Played;
use support::{DEADLINE, Network, bus, p50, record, row};

const COIN: Coin = Coin::Btc;
const VALIDATORS: u16 = 4;
const THRESHOLD: u16 = 3;
const SET: ValidatorSet = ValidatorSet { coin: COIN, session: Session(0) };
const REFERENCE: SeraiBlock = SeraiBlock { number: BlockNumber(1), hash: BlockHash([7; 32]) };

/// Bytes of a message in the floor: those of a sealed share.
const BYTES: usize = 400;

fn main() {
    let messages = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(200);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let floor = runtime.block_on(hops(messages));
    let floor_rate = runtime.block_on(pipeline(messages));
    let (latency, rate) = runtime.block_on(relay(messages));
    row(
        &format!("relay of a message, {messages} one by one"),
        floor,
        latency,
        "1.5 times the floor",
        latency <= floor.mul_f64(1.5),
    );
    println!(
        "relay of {messages} messages at once: floor {floor_rate:.0} a second, measured {rate:.0} a \
         second, ratio {:.2} (bound: 0.5): {}",
        rate / floor_rate,
        if rate >= floor_rate / 2.0 { "met" } else { "NOT MET" }
    );
}

/// The drawn party's processors: the first is the first opener.
struct Party {
    opener: Played,
    member: Played,
    last: Played,
}

/// p50 of the messages one by one, and messages a second of all at once.
async fn relay(messages: usize) -> (Duration, f64) {
    let mut settings = Settings::new(VALIDATORS.into(), &[COIN]);
    // Ends with the pipe, like a processor.
    let mute = ["sh", "-c", "cat", "processor"].map(str::to_owned).to_vec();
    settings.odd_processors =
        settings.validators.iter().map(|name| (name.clone(), mute.clone())).collect();
    let network = Network::start(settings).await;
    let chain = network.cluster.chain().await.unwrap();
    let keys = chain.participants(COIN, chain.finalized().await.unwrap()).await.unwrap();
    for name in network.names() {
        network.knows_validators(&name, COIN).await;
    }
    let drawn = party::draw(REFERENCE.hash, VALIDATORS, THRESHOLD).unwrap();
    let mut played = Vec::new();
    for number in drawn {
        played.push(Played::start(&network, keys[usize::from(number) - 1], COIN).await);
    }
    let [opener, member, last] = played.try_into().map_err(drop).unwrap();
    let mut party = Party { opener, member, last };

    let mut samples = Vec::new();
    for number in 0..messages {
        let id = thing(number);
        let open = party.prepare(id).await;
        let share = party.last.record(&share(id, open));
        let begun = Instant::now();
        party.last.append(&[share]).await;
        party.opener.until(id, aggregates).await;
        samples.push(begun.elapsed());
        party.finish(id).await;
    }

    let mut prepared = Vec::new();
    for number in messages..2 * messages {
        let id = thing(number);
        prepared.push(share(id, party.prepare(id).await));
    }
    // Sealed in the order in which they are given: a record takes its place by that.
    let shares: Vec<_> = prepared.iter().map(|share| party.last.record(share)).collect();
    let begun = Instant::now();
    for shares in shares.chunks(64) {
        party.last.append(shares).await;
    }
    for number in messages..2 * messages {
        party.opener.until(thing(number), aggregates).await;
    }
    let rate = messages as f64 / begun.elapsed().as_secs_f64();
    network.cluster.stop().await;
    (p50(samples), rate)
}

impl Party {
    /// Everything of a thing but the last member's share. Returns the session.
    async fn prepare(&mut self, id: SigningId) -> [u8; 32] {
        for played in [&mut self.opener, &mut self.member, &mut self.last] {
            let content = Content::Batch { batch: vec![7; 100] };
            let preprocess = vec![vec![3; 64]];
            let ready = ProcessorMessage::Ready { id, reference: REFERENCE, content, preprocess };
            played.say(&ready).await;
        }
        for played in [&mut self.opener, &mut self.member] {
            let open = played.until(id, signs).await;
            played.say(&share(id, open)).await;
        }
        self.last.until(id, signs).await
    }

    /// The signatures are made and known to all.
    async fn finish(&mut self, id: SigningId) {
        let signatures = vec![SignatureBytes([5; 64])];
        let signed = ProcessorMessage::Signed { id, signatures };
        self.opener.say(&signed).await;
        for played in [&mut self.member, &mut self.last] {
            let verifies = |message: &CoordinatorMessage| {
                matches!(message, CoordinatorMessage::Signature { .. })
            };
            played.until(id, |message| verifies(message).then_some(())).await;
            played.say(&signed).await;
        }
    }
}

fn thing(number: usize) -> SigningId {
    SigningId { set: SET, thing: Thing::Batch(u32::try_from(number).unwrap()) }
}

fn share(id: SigningId, open: [u8; 32]) -> ProcessorMessage {
    ProcessorMessage::Share { id, open, share: vec![vec![4; 32]] }
}

fn signs(message: &CoordinatorMessage) -> Option<[u8; 32]> {
    match message {
        CoordinatorMessage::Sign { open, .. } => Some(*open),
        _ => None,
    }
}

fn aggregates(message: &CoordinatorMessage) -> Option<()> {
    matches!(message, CoordinatorMessage::Aggregate { .. }).then_some(())
}

/// What a relayed message passes: a bus as two programs see it, and the database of who reads it.
struct Station {
    topic: String,
    written: Arc<dyn Bus>,
    _read: Arc<dyn Bus>,
    reader: Box<dyn Reader>,
    database: Database,
}

impl Station {
    async fn new(folder: &std::path::Path, side: &str) -> Self {
        let path = folder.join(format!("{side}.bus"));
        let topic = format!("{side}-btc");
        let (written, read) = (bus(&path), bus(&path));
        written.create_topics(std::slice::from_ref(&topic)).await.unwrap();
        let reader = read.read(&topic, Start::Earliest).await.unwrap();
        let migration = serai_bus::Migration {
            component: "bench",
            steps: &["CREATE TABLE messages (body BLOB NOT NULL) STRICT;"],
        };
        let database =
            Database::open(&folder.join(format!("{side}.sqlite")), &[migration]).unwrap();
        Self { topic, written, _read: read, reader, database }
    }

    async fn append(&self, number: usize) {
        let record = record(&format!("bench/{number}"), vec![7; BYTES]);
        self.written.append(&self.topic, &[record]).await.unwrap();
    }

    async fn read(&mut self) -> Vec<u8> {
        self.reader.next().await.unwrap().record.unwrap().body
    }

    fn commit(&self, body: &[u8]) {
        self.database
            .transaction(|transaction| {
                transaction
                    .execute("INSERT INTO messages (body) VALUES (?1)", [body])
                    .map(drop)
                    .map_err(|source| self.database.error(source))
            })
            .unwrap();
    }
}

/// Two ends of a connection over loopback.
async fn loopback() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) =
        tokio::join!(tokio::net::TcpStream::connect(address), async { listener.accept().await });
    let (near, (far, _)) = (near.unwrap(), far.unwrap());
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// Messages through both stations, one after the other: p50.
async fn hops(messages: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut from = Station::new(folder.path(), "from").await;
    let mut to = Station::new(folder.path(), "to").await;
    let (mut near, mut far) = loopback().await;
    tokio::spawn(async move {
        let (mut read, mut write) = far.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let mut samples = Vec::new();
    for number in 0..messages {
        let begun = Instant::now();
        from.append(number).await;
        let body = from.read().await;
        from.commit(&body);
        near.write_all(&body).await.unwrap();
        let mut echo = vec![0; body.len()];
        near.read_exact(&mut echo).await.unwrap();
        to.commit(&echo);
        to.append(number).await;
        to.read().await;
        samples.push(begun.elapsed());
    }
    p50(samples)
}

/// Messages through both stations, each working as fast as it can: messages a second.
async fn pipeline(messages: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut from = Station::new(folder.path(), "from").await;
    let (written, topic) = (Arc::clone(&from.written), from.topic.clone());
    let mut to = Station::new(folder.path(), "to").await;
    let (mut near, mut far) = loopback().await;
    let begun = Instant::now();
    let records: Vec<_> =
        (0..messages).map(|number| record(&format!("bench/{number}"), vec![7; BYTES])).collect();
    for records in records.chunks(64) {
        written.append(&topic, records).await.unwrap();
    }
    let sending = tokio::spawn(async move {
        for _ in 0..messages {
            let body = from.read().await;
            from.commit(&body);
            near.write_all(&body).await.unwrap();
            let mut answer = [0; 1];
            near.read_exact(&mut answer).await.unwrap();
        }
    });
    for number in 0..messages {
        let mut body = vec![0; BYTES];
        far.read_exact(&mut body).await.unwrap();
        to.commit(&body);
        far.write_all(&[1]).await.unwrap();
        to.append(number).await;
        to.read().await;
    }
    tokio::time::timeout(DEADLINE, sending).await.unwrap().unwrap();
    messages as f64 / begun.elapsed().as_secs_f64()
}
