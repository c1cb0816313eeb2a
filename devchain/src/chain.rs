//! The chain: authoring, finality, and reading.
//!
//! # Owns
//! The ledger (state, history, log, pool) behind one lock, and the numbers of the best and the last
//! finalized block that others wait on.
//!
//! # Promises
//! A block is on disk before anyone hears of it. Finality only moves forward. Opening the folder
//! again gives the same chain, checked against the last header's state root.
//!
//! # Limits
//! One author, no forks, no consensus: finality is a number that follows the best block.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sp_core::H256;
use sp_runtime::ApplyExtrinsicResult;
use tokio::sync::{mpsc, watch};

use crate::{
    error::ChainError,
    genesis::Genesis,
    ledger::Ledger,
    log::{Record, StoredBlock},
    pool::{Refusal, Status},
    runtime::{ValidatorSets, types::Session, validator_sets::Rotation},
};

/// Rotations that wait for the next block at most.
const MAX_ROTATIONS: usize = 16;

/// Runtime functions that answer the same after each block. Clients ask for the version at each block
/// that they read.
const STATELESS: [&str; 3] =
    ["Core_version", "Metadata_metadata_at_version", "Metadata_metadata_versions"];

/// The numbers that others wait on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The latest block.
    pub best: u64,
    /// The last finalized block.
    pub finalized: u64,
}

/// How finality follows the latest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// A block is final once so many blocks follow it.
    Lag(u64),
    /// Only [`Chain::finalize`] makes blocks final.
    ByHand,
}

/// A block that was just made.
#[derive(Clone, Debug)]
pub struct Authored {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: H256,
    /// What became of the extrinsics given by hand, in their order. Those refused
    /// (`Err`) are not in the block.
    pub results: Vec<ApplyExtrinsicResult>,
}

/// A handle to the chain; clones share it.
#[derive(Clone)]
pub struct Chain {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    progress: watch::Sender<Progress>,
    paused: AtomicBool,
    genesis: H256,
    name: String,
    /// Held as long as the chain is open.
    _lock: File,
}

impl Chain {
    /// Opens the chain in `folder`, or begins it there with `genesis`.
    ///
    /// # Errors
    /// When the folder is in use, holds another chain or is damaged, or the genesis is wrong.
    pub fn open(folder: &Path, genesis: &Genesis, finality: Finality) -> Result<Self, ChainError> {
        let lock = lock_folder(folder)?;
        let ledger = Ledger::open(folder, genesis, finality)?;
        let genesis_hash = ledger.history.hash(0).unwrap_or_default();
        let progress = watch::Sender::new(ledger.progress());
        Ok(Self {
            shared: Arc::new(Shared {
                ledger: Mutex::new(ledger),
                progress,
                paused: AtomicBool::new(false),
                genesis: genesis_hash,
                name: genesis.name.clone(),
                _lock: lock,
            }),
        })
    }

    /// The hash of block 0.
    #[must_use]
    pub fn genesis_hash(&self) -> H256 {
        self.shared.genesis
    }

    /// What the genesis file calls the chain.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The best and the last finalized block now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.shared.progress.borrow()
    }

    /// Lets the caller wait for blocks and finality.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Stops the timer's block production; blocks authored by hand still come.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::Release);
    }

    /// Lets the timer's block production go on.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Release);
    }

    /// Whether the timer's block production is stopped.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.paused.load(Ordering::Acquire)
    }

    /// Makes the next block: `by_hand` first (encoded with length prefix), then what waits in the
    /// pool.
    ///
    /// # Errors
    /// When the block cannot be made or written; then nothing has changed.
    pub fn author(&self, by_hand: Vec<Vec<u8>>) -> Result<Authored, ChainError> {
        let mut ledger = self.ledger();
        let authored = ledger.author(by_hand)?;
        self.announce(&ledger);
        Ok(authored)
    }

    /// Makes all blocks up to `number` final. What is final already stays so.
    ///
    /// # Errors
    /// When there is no such block, or the log cannot be written.
    pub fn finalize(&self, number: u64) -> Result<(), ChainError> {
        let mut ledger = self.ledger();
        if number > ledger.best.number {
            return Err(ChainError::NoBlock(number.to_string()));
        }
        if number > ledger.finalized {
            ledger.log.append(&Record::Finalized(number))?;
            ledger.finalized = number;
            ledger.pool.finalize(number);
        }
        self.announce(&ledger);
        Ok(())
    }

    /// Changes how finality follows the latest block, from the next block on.
    pub fn set_finality(&self, finality: Finality) {
        self.ledger().finality = finality;
    }

    /// Commands the end of a session: the next block decides the network's next set. Returns the
    /// session that begins.
    ///
    /// # Errors
    /// When the set cannot be followed by another one now.
    pub fn rotate(&self, rotation: Rotation) -> Result<Session, ChainError> {
        let mut ledger = self.ledger();
        let name = rotation.network.name();
        if ledger.rotations.len() >= MAX_ROTATIONS
            || ledger.rotations.iter().any(|waiting| waiting.network == rotation.network)
        {
            return Err(ChainError::RotationWaits(name));
        }
        let check = || ValidatorSets::check_rotation(&rotation);
        let session = ledger.state.query(Vec::new(), "check_rotation", check)??;
        ledger.rotations.push(rotation);
        Ok(session)
    }

    /// Puts a transaction (encoded with length prefix) in the pool; the receiver hears what becomes
    /// of it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn submit(&self, bytes: Vec<u8>) -> Result<(H256, mpsc::Receiver<Status>), Refusal> {
        self.ledger().submit(bytes)
    }

    /// The transactions in the pool, in their order.
    #[must_use]
    pub fn pending_extrinsics(&self) -> Vec<Vec<u8>> {
        self.ledger().pool.iter().map(|waiting| waiting.bytes.clone()).collect()
    }

    /// The hash of a block; of the latest without a number.
    #[must_use]
    pub fn block_hash(&self, number: Option<u64>) -> Option<H256> {
        let ledger = self.ledger();
        ledger.history.hash(number.unwrap_or(ledger.best.number))
    }

    /// The number of a block.
    #[must_use]
    pub fn block_number(&self, hash: H256) -> Option<u64> {
        self.ledger().history.number(hash)
    }

    /// A block; the latest without a hash.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn block(&self, at: Option<H256>) -> Result<Option<Arc<StoredBlock>>, ChainError> {
        let ledger = self.ledger();
        let number = match at {
            None => ledger.best.number,
            Some(hash) => match ledger.history.number(hash) {
                Some(number) => number,
                None => return Ok(None),
            },
        };
        Ok(ledger.history.block(&ledger.log, number)?)
    }

    /// The value under a storage key after a block; after the latest without a hash.
    ///
    /// # Errors
    /// When there is no such block, or the log cannot be read.
    pub fn storage(&self, at: Option<H256>, key: &[u8]) -> Result<Option<Vec<u8>>, ChainError> {
        let ledger = self.ledger();
        let number = ledger.resolve(at)?;
        Ok(ledger.history.value(&ledger.log, number, key)?)
    }

    /// At most `count` storage keys with `prefix` after a block, from the first after `start`.
    ///
    /// # Errors
    /// When there is no such block.
    pub fn storage_keys(
        &self,
        at: Option<H256>,
        prefix: &[u8],
        start: Option<&[u8]>,
        count: usize,
    ) -> Result<Vec<Vec<u8>>, ChainError> {
        let ledger = self.ledger();
        let number = ledger.resolve(at)?;
        Ok(ledger.history.keys(number, prefix, start, count))
    }

    /// Calls a runtime function in the state after a block; its writes are discarded.
    ///
    /// # Errors
    /// When there is no such block or function, or the input does not decode.
    pub fn call(
        &self,
        at: Option<H256>,
        method: &str,
        input: &[u8],
    ) -> Result<Vec<u8>, ChainError> {
        let ledger = self.ledger();
        let past = if STATELESS.contains(&method) {
            ledger.resolve(at)?;
            Vec::new()
        } else {
            ledger.past(at)?
        };
        Ok(ledger.state.call(past, method, input)?)
    }

    /// Reads the runtime's storage by its own types, in the state after a block.
    ///
    /// # Errors
    /// When there is no such block, or `read` panics.
    pub fn query<R>(&self, at: Option<H256>, read: impl FnOnce() -> R) -> Result<R, ChainError> {
        let ledger = self.ledger();
        let past = ledger.past(at)?;
        Ok(ledger.state.query(past, "query", read)?)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Panics of the runtime are caught below the lock; what it guards is whole at all times.
        self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called with the lock held, so that progress is never announced out of order.
    fn announce(&self, ledger: &Ledger) {
        self.shared.progress.send_replace(ledger.progress());
    }
}

fn lock_folder(folder: &Path) -> Result<File, ChainError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| ChainError::Folder { path, error }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ChainError::Locked(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}
