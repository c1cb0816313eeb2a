//! One signature of a network of four on this machine (DESIGN section 6): from the moment when all of
//! the drawn party's processors have said that they are ready, to the signature at one of them, beside
//! the cryptography of one signature (at most 50 ms more at p50).
//!
//! `cargo bench -p serai-devnet --bench signing -- [BATCHES]`, on a machine that does nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serai_bus::{Settings as BusSettings, Start};
use serai_devnet::cluster::Settings;
use serai_devnet::payee;
use serai_messages::keygen::KeyKind;
use serai_messages::observation::Event;
use serai_messages::{
    BlockHash, Coin, Name, Participant, Session, Topic, ValidatorKey, ValidatorSet, decode,
};
use serai_processor::crypto::{Ceremony, Messages, Seed, engine};
use serai_protocol::party;

use support::{DEADLINE, Network, p50, row};

const COIN: Coin = Coin::Btc;
const VALIDATORS: u16 = 4;
const THRESHOLD: u16 = 3;

fn main() {
    let batches = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cryptography = p50((0..20).map(|_| cryptography()).collect());
    let measured = runtime.block_on(measure(batches));
    row(
        &format!("one signature of {VALIDATORS} validators, {} batches", measured.len()),
        cryptography,
        p50(measured.clone()),
        "floor + 50 ms",
        p50(measured) <= cryptography + Duration::from_millis(50),
    );
}

/// When who was ready to sign a batch, as seen on the topics.
#[derive(Default)]
struct Trace {
    ready: BTreeMap<Name, Instant>,
}

/// A deposit in every external block, so that batch follows batch.
async fn measure(batches: usize) -> Vec<Duration> {
    let settings = Settings::new(VALIDATORS.into(), &[COIN]).with_block_ms(300);
    let network = Network::start(settings).await;
    let set = ValidatorSet { coin: COIN, session: Session(0) };
    let keys = network.keys(set).await;
    let members = members(&network).await;
    let mut records = network.watch(COIN).await;
    let mut executed = executions(&network).await;
    let external = network.cluster.external(COIN).unwrap();
    let address = serai_devnet::address::of(COIN, &keys.external).unwrap().text;
    let data = payee::transfer_to(ValidatorKey([7; 32]));

    let mut references: BTreeMap<u32, BlockHash> = BTreeMap::new();
    let mut traces: BTreeMap<u32, Trace> = BTreeMap::new();
    let mut measured = Vec::new();
    let mut deposits = tokio::time::interval(Duration::from_millis(200));
    let begun = Instant::now();
    while measured.len() < batches {
        assert!(begun.elapsed() < DEADLINE, "{} of {batches} batches", measured.len());
        tokio::select! {
            _ = deposits.tick() => {
                external.deposit(&address, 100_000, Some(&data)).await.unwrap();
            }
            Some((id, block)) = executed.recv() => {
                references.insert(id + 1, block);
            }
            Some((name, at, record)) = records.recv() => {
                let batch = record.session.strip_prefix(&format!("sign/{set}/batch/"));
                let Some(batch) = batch.and_then(|id| id.parse::<u32>().ok()) else { continue };
                let trace = traces.entry(batch).or_default();
                match record.kind.as_str() {
                    "signing.ready" => drop(trace.ready.insert(name, at)),
                    "signing.signed" => {
                        if let Some(reference) = references.get(&batch) {
                            let trace = traces.remove(&batch).unwrap();
                            let party = drawn(*reference, &members);
                            let ready = party.iter().map(|name| trace.ready.get(name));
                            if let Some(ready) = ready.collect::<Option<Vec<_>>>() {
                                let begun = **ready.iter().max().unwrap();
                                measured.push(at.saturating_duration_since(begun));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    network.cluster.stop().await;
    measured
}

fn drawn(reference: BlockHash, members: &[Name]) -> Vec<Name> {
    let drawn = party::draw(reference, VALIDATORS, THRESHOLD).unwrap();
    drawn.into_iter().map(|number| members[usize::from(number) - 1].clone()).collect()
}

/// Names of the set's members in the order of Serai's storage.
async fn members(network: &Network) -> Vec<Name> {
    let chain = network.cluster.chain().await.unwrap();
    let at = chain.finalized().await.unwrap();
    let keys = chain.participants(COIN, at).await.unwrap();
    let name_of = |key: &ValidatorKey| {
        let mut names = network.names().into_iter();
        names.find(|name| network.cluster.identity(name).unwrap().validator == *key).unwrap()
    };
    keys.iter().map(name_of).collect()
}

/// Number and Serai block of each batch executed from now on, as one coordinator read them.
async fn executions(network: &Network) -> tokio::sync::mpsc::UnboundedReceiver<(u32, BlockHash)> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let name = network.names().remove(0);
    let path = network.cluster.layout().bus(&name);
    let bus = serai_bus::connect(&BusSettings::embedded(path), false).unwrap();
    let mut reader = bus.read(&Topic::Serai.full_name(&name), Start::Earliest).await.unwrap();
    tokio::spawn(async move {
        let _bus = bus;
        while let Ok(delivered) = reader.next().await {
            let Ok(record) = delivered.record else { continue };
            if let Ok(Event::BatchExecuted { coin: COIN, id, block, .. }) = decode(&record.body)
                && sender.send((id, block.hash)).is_err()
            {
                return;
            }
        }
    });
    receiver
}

/// The signers' parts in one signature by the Ristretto key, one after the other.
fn cryptography() -> Duration {
    let engine = engine(COIN, KeyKind::Ristretto);
    let keys = keys();
    let message = [5; 100];
    let begun = Instant::now();
    let signers: Vec<_> = keys
        .iter()
        .take(THRESHOLD.into())
        .map(|(own, keys)| {
            let nonce = Seed::generate(&mut rand_core::OsRng);
            let preprocess = engine.preprocess(keys, &nonce).unwrap();
            (*own, keys, nonce, preprocess)
        })
        .collect();
    let preprocesses: Messages =
        signers.iter().map(|(own, _, _, preprocess)| (*own, preprocess.clone())).collect();
    let mut shares = Messages::new();
    let mut machines = Vec::new();
    for (own, keys, nonce, _) in signers {
        let (machine, share) = engine.sign(keys, nonce, &preprocesses, &message).unwrap();
        shares.insert(own, share);
        machines.push(machine);
    }
    machines.remove(0).complete(&shares).unwrap();
    begun.elapsed()
}

/// Key shares of a set of this size.
fn keys() -> BTreeMap<Participant, Vec<u8>> {
    let engine = engine(COIN, KeyKind::Ristretto);
    let ceremony = |own| Ceremony {
        context: [7; 32],
        key: KeyKind::Ristretto,
        threshold: THRESHOLD,
        members: VALIDATORS,
        own,
    };
    let members = || (1..=VALIDATORS).map(Participant);
    let committed: Vec<_> = members()
        .map(|own| {
            let seed = Seed::generate(&mut rand_core::OsRng);
            (own, engine.commit(&ceremony(own), &seed).unwrap())
        })
        .collect();
    let commitments: Messages =
        committed.iter().map(|(own, (_, bytes))| (*own, bytes.clone())).collect();
    let mut inboxes: BTreeMap<Participant, Messages> = BTreeMap::new();
    let mut machines = Vec::new();
    for (own, (machine, _)) in committed {
        let (machine, shares) = machine.share(&commitments).unwrap();
        for (to, share) in shares {
            inboxes.entry(to).or_default().insert(own, share);
        }
        machines.push((own, machine));
    }
    machines
        .into_iter()
        .map(|(own, machine)| (own, machine.complete(&inboxes[&own]).unwrap().to_vec()))
        .collect()
}
