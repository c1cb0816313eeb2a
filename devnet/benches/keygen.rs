//! Key generation of a whole set on this machine, from the set's block to the last processor's key
//! pair, beside the same cryptography in a loop on the same cores (DESIGN section 6: at most 2 s more
//! at n = 16, 6 s at n = 50).
//!
//! `cargo bench -p serai-devnet --bench keygen -- [N...]`, on a machine that does nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serai_devnet::cluster::Settings;
use serai_messages::keygen::KeyKind;
use serai_messages::{Coin, Participant, Session, SessionId, ValidatorSet, threshold};
use serai_processor::crypto::{Ceremony, Committed, Messages, Seed, Shared, engine};
use subxt::rpcs::{RpcClient, rpc_params};

use support::{DEADLINE, Network, p50, row};

const COIN: Coin = Coin::Btc;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut sizes: Vec<u16> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![16, 50];
    }
    for n in sizes {
        let rounds = if n <= 16 { 3 } else { 1 };
        let floor = p50((0..rounds).map(|_| cryptography(n)).collect());
        let ours = p50((0..rounds).map(|_| runtime.block_on(rotation(n))).collect());
        let allowed = Duration::from_secs(if n <= 16 { 2 } else { 6 });
        row(
            &format!("key generation of {n} validators, {rounds} rounds"),
            floor,
            ours,
            &format!("floor + {} s", allowed.as_secs()),
            ours <= floor + allowed,
        );
    }
}

/// A network whose first set has its keys elects the same members again; measured from the sight of
/// the new set's block to that of the last processor's key pair.
async fn rotation(n: u16) -> Duration {
    let mut settings = Settings::new(n.into(), &[COIN]).with_block_ms(300);
    // No batch is signed meanwhile.
    settings.external_ms = 600_000;
    let network = Network::start(settings).await;
    network.keys(ValidatorSet { coin: COIN, session: Session(0) }).await;
    let members: Vec<String> = network
        .names()
        .iter()
        .map(|name| network.cluster.identity(name).unwrap().validator.to_string())
        .collect();
    let mut records = network.watch(COIN).await;
    let rpc = RpcClient::from_insecure_url(network.cluster.layout().rpc_url()).await.unwrap();
    let _: serde_json::Value =
        rpc.request("dev_rotate", rpc_params!["Bitcoin", members]).await.unwrap();
    let chain = network.cluster.chain().await.unwrap();
    let begun = loop {
        if chain.session(COIN).await.unwrap() == Some(Session(1)) {
            break Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let session = SessionId::Keygen(ValidatorSet { coin: COIN, session: Session(1) }).to_string();
    let mut made = BTreeSet::new();
    let mut last = begun;
    while made.len() < usize::from(n) {
        let (name, seen, record) =
            tokio::time::timeout(DEADLINE, records.recv()).await.unwrap().unwrap();
        if record.kind == "keygen.key-pair" && record.session == session {
            made.insert(name);
            last = seen;
        }
    }
    network.cluster.stop().await;
    last - begun
}

/// All members' part in both keys, on all cores.
fn cryptography(n: u16) -> Duration {
    let cores = std::thread::available_parallelism().unwrap().get();
    let begun = Instant::now();
    for key in [KeyKind::Ristretto, KeyKind::External] {
        let engine = engine(COIN, key);
        let ceremony = |own: u16| Ceremony {
            context: [7; 32],
            key,
            threshold: threshold(n),
            members: n,
            own: Participant(own),
        };
        let committed: BTreeMap<Participant, (Box<dyn Committed>, Vec<u8>)> =
            spread(cores, (1..=n).map(|own| (own, ())), |own, ()| {
                let seed = Seed::generate(&mut rand_core::OsRng);
                engine.commit(&ceremony(own), &seed).unwrap()
            });
        let commitments: Messages =
            committed.iter().map(|(own, (_, bytes))| (*own, bytes.clone())).collect();
        let machines = committed.into_iter().map(|(own, (machine, _))| (own.0, machine));
        let shared: BTreeMap<Participant, (Box<dyn Shared>, Messages)> =
            spread(cores, machines, |_, machine| machine.share(&commitments).unwrap());
        let mut inboxes: BTreeMap<Participant, Messages> = BTreeMap::new();
        for (from, (_, shares)) in &shared {
            for (to, share) in shares {
                inboxes.entry(*to).or_default().insert(*from, share.clone());
            }
        }
        let machines = shared.into_iter().map(|(own, (machine, _))| (own.0, machine));
        spread(cores, machines, |own, machine| {
            machine.complete(&inboxes[&Participant(own)]).unwrap()
        });
    }
    begun.elapsed()
}

/// Each member's step, the members dealt out to `cores` threads.
fn spread<I: Send, O: Send>(
    cores: usize,
    members: impl Iterator<Item = (u16, I)>,
    step: impl Fn(u16, I) -> O + Sync,
) -> BTreeMap<Participant, O> {
    let mut hands: Vec<Vec<(u16, I)>> = (0..cores).map(|_| Vec::new()).collect();
    for (dealt, member) in members.enumerate() {
        hands[dealt % cores].push(member);
    }
    std::thread::scope(|scope| {
        let step = &step;
        let threads: Vec<_> = hands
            .into_iter()
            .map(|hand| {
                scope.spawn(move || {
                    let done =
                        hand.into_iter().map(|(own, given)| (Participant(own), step(own, given)));
                    done.collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}
