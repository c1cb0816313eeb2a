//! The watcher against a chain in memory that can be away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serai_messages::signing::{PaymentId, SigningId, Thing};
use serai_messages::{BlockNumber, Coin, Session, ValidatorSet};
use tokio::sync::{mpsc, watch};

use super::{LOOK_AHEAD, Orders, Report, Settings, Want, Watcher};
use crate::chain::{Block, ChainError, ExternalChain, Info, TransactionStatus};
use crate::ledger::{HoldingsAt, Publication};

const GENESIS: [u8; 32] = [0; 32];

#[derive(Default)]
struct State {
    away: bool,
    genesis: [u8; 32],
    height: u64,
    publications: Vec<Vec<u8>>,
    refuses: bool,
    status: Option<TransactionStatus>,
    asked: Vec<u64>,
    attempts: usize,
}

#[derive(Default)]
struct Chain(Mutex<State>);

impl Chain {
    fn ask(&self) -> Result<std::sync::MutexGuard<'_, State>, ChainError> {
        let mut state = self.0.lock().unwrap();
        state.attempts += 1;
        let away = state.away;
        let reason = "away".to_owned();
        let error = ChainError::Unavailable { url: String::new(), method: "any", reason };
        if away { Err(error) } else { Ok(state) }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }
}

fn hash(height: u64) -> [u8; 32] {
    let mut hash = [1; 32];
    hash[..8].copy_from_slice(&height.to_le_bytes());
    hash
}

#[async_trait]
impl ExternalChain for Chain {
    async fn info(&self) -> Result<Info, ChainError> {
        let state = self.ask()?;
        let finalized = Some(state.height);
        Ok(Info { height: state.height, finalized, genesis: state.genesis, fee: 1 })
    }

    async fn block(&self, height: u64) -> Result<Option<Block>, ChainError> {
        let mut state = self.ask()?;
        state.asked.push(height);
        let parent = height.checked_sub(1).map_or([0; 32], hash);
        let block = Block { height, hash: hash(height), parent, fee: 1, transactions: Vec::new() };
        Ok((height <= state.height).then_some(block))
    }

    async fn publish(&self, raw: &[u8]) -> Result<[u8; 32], ChainError> {
        let mut state = self.ask()?;
        state.publications.push(raw.to_vec());
        if state.refuses {
            return Err(ChainError::Refused("not yet".to_owned()));
        }
        state.status = Some(TransactionStatus::Pending);
        Ok([8; 32])
    }

    async fn transaction(&self, _: [u8; 32]) -> Result<TransactionStatus, ChainError> {
        Ok(self.ask()?.status.unwrap_or(TransactionStatus::Unknown))
    }

    async fn holdings(&self, addresses: &[String], height: u64) -> Result<u64, ChainError> {
        drop(self.ask()?);
        Ok(height * 10 + u64::try_from(addresses.len()).unwrap())
    }
}

struct Test {
    chain: Arc<Chain>,
    orders: watch::Sender<Orders>,
    reports: mpsc::Receiver<Report>,
}

fn start(height: u64) -> Test {
    let chain = Arc::new(Chain::default());
    chain.set(|state| state.height = height);
    let settings = Settings { poll: Duration::from_millis(2), check: Duration::from_millis(4) };
    let (watcher, orders, reports) = Watcher::new(chain.clone(), settings);
    tokio::spawn(watcher.run());
    Test { chain, orders, reports }
}

impl Test {
    async fn until(&self, condition: impl Fn(&State) -> bool) {
        let wait = async {
            while !condition(&self.chain.0.lock().unwrap()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("never so");
    }

    /// Until the chain was asked some more.
    async fn attempts(&self, more: usize) {
        let before = self.chain.0.lock().unwrap().attempts;
        self.until(|state| state.attempts >= before + more).await;
    }

    /// The next report that is meant, leaving out others.
    async fn next<T>(&mut self, mut meant: impl FnMut(&Report) -> Option<T>) -> T {
        let wait = async {
            loop {
                let report = self.reports.recv().await.expect("the watcher has ended");
                if let Some(found) = meant(&report) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("no such report")
    }

    async fn blocks(&mut self, height: u64, round: u64) -> Vec<u64> {
        self.orders.send_modify(|orders| orders.wants = Some(Want { height, round }));
        self.next(|report| match report {
            Report::Blocks { round: answered, blocks } if *answered == round => {
                Some(blocks.iter().map(|block| block.height).collect())
            }
            _ => None,
        })
        .await
    }
}

fn payment(published: bool) -> Publication {
    let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
    let id = PaymentId { block: BlockNumber(3), index: 1 };
    let id = SigningId { set, thing: Thing::Payment(id) };
    Publication { id, hash: [8; 32], raw: vec![1, 2, 3], published }
}

fn published(report: &Report) -> Option<()> {
    matches!(report, Report::Published { transaction: [8, ..], .. }).then_some(())
}

#[tokio::test]
async fn wanted_blocks_are_sent_in_order_and_again_when_asked() {
    let mut test = start(40);
    let first: Vec<u64> = (0..LOOK_AHEAD).collect();
    let mut got = test.blocks(0, 1).await;
    // What is there already is sent at once, perhaps not all of it.
    while got.len() < first.len() {
        let more = test.blocks(got.last().unwrap() + 1, 2 + got.last().unwrap()).await;
        got.extend(more);
    }
    assert_eq!(got[..first.len()], first);
    assert_eq!(test.blocks(7, 100).await[0], 7);
    assert_eq!(test.blocks(40, 101).await, [40]);
    assert_eq!(test.blocks(2, 102).await[0], 2);
    // None above the newest finalized one, until it is there.
    let chain = test.chain.clone();
    let later = async {
        tokio::task::yield_now().await;
        chain.set(|state| state.height = 41);
    };
    let (blocks, ()) = tokio::join!(test.blocks(41, 103), later);
    assert_eq!(blocks, [41]);
}

#[tokio::test]
async fn a_transaction_is_published_until_it_is_final() {
    let mut test = start(5);
    test.chain.set(|state| state.refuses = true);
    test.orders.send_modify(|orders| orders.publications = vec![payment(false)]);
    test.until(|state| state.publications.len() >= 3).await;
    test.chain.set(|state| state.refuses = false);
    test.next(published).await;
    // The chain has forgotten it.
    let before = test.chain.0.lock().unwrap().publications.len();
    test.chain.set(|state| state.status = None);
    test.until(|state| state.publications.len() > before).await;
    let included =
        |finalized| Some(TransactionStatus::Included { height: 5, block: hash(5), finalized });
    test.chain.set(|state| state.status = included(false));
    test.chain.set(|state| state.status = included(true));
    let mut again = 0;
    test.next(|report| {
        again += usize::from(published(report).is_some());
        matches!(report, Report::Final { .. }).then_some(())
    })
    .await;
    assert_eq!(again, 0, "it was said once already");
}

#[tokio::test]
async fn a_chain_that_comes_back_is_asked_on() {
    let mut test = start(5);
    test.chain.set(|state| state.away = true);
    test.orders.send_modify(|orders| {
        orders.publications = vec![payment(false)];
        let addresses = vec!["a".to_owned(), "b".to_owned()];
        let (hash, in_flight, retained, costs) = (hash(4), 0, 0, 0);
        orders.holdings =
            vec![HoldingsAt { batch: 1, height: 4, hash, in_flight, retained, costs, addresses }];
    });
    test.attempts(2).await;
    test.chain.set(|state| state.away = false);
    test.next(published).await;
    let held = test.next(|report| match report {
        Report::Holdings { batch: 1, holdings } => Some(*holdings),
        _ => None,
    });
    assert_eq!(held.await, 42);
}

#[tokio::test]
async fn another_chain_is_not_used() {
    let mut test = start(5);
    test.next(|report| matches!(report, Report::Chain { genesis: GENESIS }).then_some(())).await;
    test.orders.send_modify(|orders| orders.genesis = Some(GENESIS));
    test.chain.set(|state| state.genesis = [4; 32]);
    let reason = test.next(|report| match report {
        Report::WrongChain { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.await.contains("--chain-rpc"));
    test.chain.set(|state| state.asked.clear());
    test.orders.send_modify(|orders| orders.wants = Some(Want { height: 0, round: 1 }));
    test.orders.send_modify(|orders| orders.publications = vec![payment(false)]);
    test.attempts(5).await;
    let state = test.chain.0.lock().unwrap();
    assert!(state.publications.is_empty() && state.asked.is_empty());
}
