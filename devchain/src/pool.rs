//! Transactions that wait for a block.
//!
//! # Owns
//! The queue, and who watches each transaction.
//!
//! # Promises
//! Transactions go into blocks in the order in which they came, as far as their nonces let them.
//! A watcher hears of inclusion and of finality, or that its transaction was dropped.
//!
//! # Limits
//! At most [`MAX_TRANSACTIONS`] transactions and [`MAX_BYTES`] bytes; a full pool refuses. Two
//! transactions that provide the same thing (a nonce, a set's keys, a batch's number) do not wait
//! beside each other: the later is refused. The pool is in memory: a restart empties it.

use std::collections::{BTreeMap, HashSet};

use parity_scale_codec::Encode;
use sp_core::H256;
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _},
    transaction_validity::{
        InvalidTransaction, TransactionTag, TransactionValidityError, ValidTransaction,
    },
};
use tokio::sync::mpsc;

/// The most transactions that wait.
pub const MAX_TRANSACTIONS: usize = 4096;

/// The most bytes of waiting transactions.
pub const MAX_BYTES: usize = 32 << 20;

/// Statuses of one transaction are at most four.
const STATUS_QUEUE: usize = 8;

/// What became of a transaction, as `author_submitAndWatchExtrinsic` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It waits for an earlier one of the same signer.
    Future,
    /// It waits for the next block.
    Ready,
    /// It is in this block.
    InBlock(H256),
    /// The block it is in is final.
    Finalized(H256),
    /// Its time ran out.
    Dropped,
    /// It is not valid any more.
    Invalid,
}

/// Why a transaction was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its bytes are no extrinsic.
    #[error("extrinsic does not decode")]
    BadFormat,
    /// The runtime refused it.
    #[error("transaction is not valid: {0:?}")]
    Invalid(TransactionValidityError),
    /// It waits already.
    #[error("transaction {0:?} is already in the pool")]
    AlreadyThere(H256),
    /// Another one that provides the same waits already.
    #[error("another transaction with the same effect waits in the pool")]
    Replaced,
    /// No room.
    #[error("pool is full")]
    Full,
}

/// A waiting transaction.
pub struct Waiting {
    hash: H256,
    /// Its encoding, length prefix included.
    pub bytes: Vec<u8>,
    provides: Vec<TransactionTag>,
    /// The last block that may include it.
    last_block: u64,
    watchers: Vec<mpsc::Sender<Status>>,
}

/// What the block builder found out about a waiting transaction.
pub enum Verdict {
    /// It is in the block.
    Included,
    /// Not in this block, maybe in a later one.
    Later,
    /// In no block.
    Invalid,
}

/// The waiting transactions, and the watchers of those in blocks that are not final.
#[derive(Default)]
pub struct Pool {
    waiting: Vec<Waiting>,
    bytes: usize,
    included: BTreeMap<u64, (H256, Vec<mpsc::Sender<Status>>)>,
}

impl Pool {
    /// The waiting transactions, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Whether a transaction could be added.
    ///
    /// # Errors
    /// When it is there already, or there is no room.
    pub fn check_room(&self, bytes: &[u8]) -> Result<H256, Refusal> {
        let hash = BlakeTwo256::hash(bytes);
        if self.waiting.iter().any(|waiting| waiting.hash == hash) {
            return Err(Refusal::AlreadyThere(hash));
        }
        if self.waiting.len() >= MAX_TRANSACTIONS || self.bytes + bytes.len() > MAX_BYTES {
            return Err(Refusal::Full);
        }
        Ok(hash)
    }

    /// Adds a transaction that the runtime called valid after block `best`.
    ///
    /// # Errors
    /// As [`Pool::check_room`]; when another transaction provides the same.
    pub fn add(
        &mut self,
        bytes: Vec<u8>,
        valid: ValidTransaction,
        best: u64,
    ) -> Result<(H256, mpsc::Receiver<Status>), Refusal> {
        let hash = self.check_room(&bytes)?;
        let provided: HashSet<_> = self.waiting.iter().flat_map(|w| &w.provides).collect();
        if valid.provides.iter().any(|tag| provided.contains(tag)) {
            return Err(Refusal::Replaced);
        }
        let ready = valid.requires.iter().all(|tag| provided.contains(tag));
        let (sender, receiver) = mpsc::channel(STATUS_QUEUE);
        let _ = sender.try_send(if ready { Status::Ready } else { Status::Future });
        self.bytes += bytes.len();
        self.waiting.push(Waiting {
            hash,
            bytes,
            provides: valid.provides,
            last_block: best.saturating_add(valid.longevity),
            watchers: vec![sender],
        });
        Ok((hash, receiver))
    }

    /// Takes out all waiting transactions, to be tried in a block and handed to [`Pool::settle`].
    pub fn take(&mut self) -> Vec<Waiting> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Puts back transactions that were taken out for a block that was not made.
    pub fn put_back(&mut self, waiting: Vec<Waiting>) {
        self.bytes = waiting.iter().map(|waiting| waiting.bytes.len()).sum();
        self.waiting = waiting;
    }

    /// Tells the watchers what became of the transactions tried in this block, keeps what may
    /// still be included and drops what is too old.
    pub fn settle(&mut self, number: u64, block: H256, tried: Vec<(Waiting, Verdict)>) {
        let mut included = Vec::new();
        for (waiting, verdict) in tried {
            match verdict {
                Verdict::Included => {
                    tell(&waiting.watchers, Status::InBlock(block));
                    included.extend(waiting.watchers);
                }
                Verdict::Later if waiting.last_block > number => {
                    self.bytes += waiting.bytes.len();
                    self.waiting.push(waiting);
                }
                Verdict::Later => tell(&waiting.watchers, Status::Dropped),
                Verdict::Invalid => tell(&waiting.watchers, Status::Invalid),
            }
        }
        if !included.is_empty() {
            self.included.insert(number, (block, included));
        }
    }

    /// Tells the watchers of transactions in blocks up to `finalized`.
    pub fn finalize(&mut self, finalized: u64) {
        while let Some(entry) = self.included.first_entry() {
            if *entry.key() > finalized {
                break;
            }
            let (block, watchers) = entry.remove();
            tell(&watchers, Status::Finalized(block));
        }
    }
}

/// Whether the runtime's refusal of a waiting transaction may change with a later block.
pub fn verdict_of(error: TransactionValidityError) -> Verdict {
    match error {
        TransactionValidityError::Invalid(
            InvalidTransaction::Future | InvalidTransaction::ExhaustsResources,
        ) => Verdict::Later,
        _ => Verdict::Invalid,
    }
}

/// The input of the runtime's validation: source "external", the transaction, the latest block.
pub fn validation_input(bytes: &[u8], best: H256) -> Vec<u8> {
    let mut input = sp_runtime::transaction_validity::TransactionSource::External.encode();
    input.extend_from_slice(bytes);
    best.encode_to(&mut input);
    input
}

/// A watcher that is gone or does not read loses its updates; the chain does not wait for it.
fn tell(watchers: &[mpsc::Sender<Status>], status: Status) {
    for watcher in watchers {
        let _ = watcher.try_send(status);
    }
}
