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
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parity_scale_codec::{DecodeAll as _, Encode as _};
use sp_core::H256;
use sp_runtime::{
    ApplyExtrinsicResult, Digest, DigestItem, transaction_validity::TransactionValidity,
};
use tokio::sync::{mpsc, watch};

use crate::{
    executor::{BlockBuilder, ExecutionError, State},
    genesis::{Genesis, InvalidGenesis},
    history::History,
    log::{Log, LogError, Record, StoredBlock},
    pool::{Pool, Refusal, Status, Verdict, Waiting, validation_input, verdict_of},
    runtime::{
        Header, Runtime, RuntimeCall, UncheckedExtrinsic, ValidatorSets,
        types::Session,
        validator_sets::{InvalidRotation, ROTATION_ENGINE, Rotation},
    },
};

/// Rotations that wait for the next block at most.
const MAX_ROTATIONS: usize = 16;

/// Why the chain could not be opened or did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The data folder cannot be used.
    #[error("{path}: {error}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        error: std::io::Error,
    },
    /// Another process has the data folder.
    #[error("{0}: another process uses this data folder; stop it or choose another folder")]
    Locked(PathBuf),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The genesis is wrong.
    #[error(transparent)]
    Genesis(#[from] InvalidGenesis),
    /// The folder holds another chain.
    #[error(
        "{path}: holds the chain with genesis {found:?}, but the genesis file gives {expected:?}; use its own genesis file or another folder"
    )]
    OtherChain {
        /// The data folder.
        path: PathBuf,
        /// The genesis in the folder.
        found: H256,
        /// The genesis of the file.
        expected: H256,
    },
    /// The rebuilt state is not that of the last header.
    #[error(
        "state of block {number} has root {found:?}, its header says {expected:?}: the log is damaged"
    )]
    WrongState {
        /// The last block.
        number: u64,
        /// The rebuilt root.
        found: H256,
        /// The header's root.
        expected: H256,
    },
    /// A block's parent is not the block before it.
    #[error("block {0} in the log does not follow the one before it: the log is damaged")]
    Disconnected(u64),
    /// The runtime failed.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// No such block.
    #[error("there is no block {0}")]
    NoBlock(String),
    /// A rotation that cannot be.
    #[error(transparent)]
    Rotation(#[from] InvalidRotation),
    /// Too many, or a second one of the same network.
    #[error("a rotation of {0} waits for the next block already")]
    RotationWaits(&'static str),
}

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

struct Ledger {
    state: State,
    history: History,
    log: Log,
    pool: Pool,
    best: Header,
    finalized: u64,
    finality: Finality,
    rotations: Vec<Rotation>,
}

impl Chain {
    /// Opens the chain in `folder`, or begins it there with `genesis`.
    ///
    /// # Errors
    /// When the folder is in use, holds another chain or is damaged, or the genesis is wrong.
    pub fn open(folder: &Path, genesis: &Genesis, finality: Finality) -> Result<Self, ChainError> {
        let lock = lock_folder(folder)?;
        let block_zero = genesis.build()?;
        let genesis_hash = block_zero.header.hash();

        let mut history = History::default();
        let mut finalized = 0;
        let mut best: Option<Header> = None;
        let mut log = Log::open(&folder.join("chain.log"), |offset, record| {
            match record {
                Record::Finalized(number) => finalized = number,
                Record::Block(block, number) => {
                    check_follows(best.as_ref(), &block, history.len())?;
                    finalized = number;
                    best = Some(block.header.clone());
                    history.push(offset, Arc::new(block));
                }
            }
            Ok::<_, ChainError>(())
        })?;
        let (best, state) = match best {
            Some(best) => (best, State::new(history.latest(&log)?)),
            None => {
                let offset = log.append(&Record::Block(block_zero.clone(), 0))?;
                let header = block_zero.header.clone();
                history.push(offset, Arc::new(block_zero));
                (header, State::new(history.latest(&log)?))
            }
        };
        let found = history.hash(0).unwrap_or_default();
        if found != genesis_hash {
            let path = folder.to_owned();
            return Err(ChainError::OtherChain { path, found, expected: genesis_hash });
        }
        if state.root() != best.state_root {
            return Err(ChainError::WrongState {
                number: best.number,
                found: state.root(),
                expected: best.state_root,
            });
        }

        let progress = watch::Sender::new(Progress { best: best.number, finalized });
        let ledger = Ledger {
            state,
            history,
            log,
            pool: Pool::default(),
            best,
            finalized,
            finality,
            rotations: Vec::new(),
        };
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
        let past = ledger.past(at)?;
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
        let progress = Progress { best: ledger.best.number, finalized: ledger.finalized };
        self.shared.progress.send_replace(progress);
    }
}

impl Ledger {
    fn resolve(&self, at: Option<H256>) -> Result<u64, ChainError> {
        match at {
            None => Ok(self.best.number),
            Some(hash) => {
                self.history.number(hash).ok_or_else(|| ChainError::NoBlock(format!("{hash:?}")))
            }
        }
    }

    fn past(&self, at: Option<H256>) -> Result<crate::executor::Changes, ChainError> {
        Ok(self.history.back_to(&self.log, self.resolve(at)?)?)
    }

    fn submit(&mut self, bytes: Vec<u8>) -> Result<(H256, mpsc::Receiver<Status>), Refusal> {
        UncheckedExtrinsic::decode_all(&mut &bytes[..]).map_err(|_| Refusal::BadFormat)?;
        self.pool.check_room(&bytes)?;
        let input = validation_input(&bytes, self.best.hash());
        let answer = self
            .state
            .call(Vec::new(), "TaggedTransactionQueue_validate_transaction", &input)
            .map_err(|_| Refusal::BadFormat)?;
        let valid = TransactionValidity::decode_all(&mut &answer[..])
            .map_err(|_| Refusal::BadFormat)?
            .map_err(Refusal::Invalid)?;
        self.pool.add(bytes, valid, self.best.number)
    }

    fn author(&mut self, by_hand: Vec<Vec<u8>>) -> Result<Authored, ChainError> {
        let mut waiting: Vec<(Waiting, Verdict)> =
            self.pool.take().into_iter().map(|waiting| (waiting, Verdict::Later)).collect();
        match self.make_block(by_hand, &mut waiting) {
            Ok(authored) => {
                self.pool.settle(authored.number, authored.hash, waiting);
                self.pool.finalize(self.finalized);
                self.rotations.clear();
                Ok(authored)
            }
            Err(error) => {
                self.pool.put_back(waiting.into_iter().map(|(waiting, _)| waiting).collect());
                Err(error)
            }
        }
    }

    fn make_block(
        &mut self,
        by_hand: Vec<Vec<u8>>,
        waiting: &mut [(Waiting, Verdict)],
    ) -> Result<Authored, ChainError> {
        let number = self.best.number + 1;
        let last = self
            .state
            .query(Vec::new(), "Timestamp", || pallet_timestamp::Now::<Runtime>::get())?;
        let header = Header {
            parent_hash: self.best.hash(),
            number,
            state_root: H256::zero(),
            extrinsics_root: H256::zero(),
            digest: self.digest(),
        };

        let mut builder = BlockBuilder::new(&self.state, &header)?;
        builder.push(timestamp(last))?.map_err(refused_timestamp)?.map_err(failed_timestamp)?;
        let mut results = Vec::with_capacity(by_hand.len());
        for extrinsic in by_hand {
            results.push(builder.push(extrinsic)?);
        }
        // Again as long as something was included: it may be what an earlier one waited for.
        let mut more = true;
        while std::mem::take(&mut more) {
            for (waiting, verdict) in waiting.iter_mut() {
                if !matches!(verdict, Verdict::Later) {
                    continue;
                }
                *verdict = match builder.push(waiting.bytes.clone())? {
                    Ok(_) => {
                        more = true;
                        Verdict::Included
                    }
                    Err(error) => verdict_of(error),
                };
            }
        }
        let mut built = builder.finish()?;
        built.changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));

        let finalized = match self.finality {
            Finality::Lag(lag) => self.finalized.max(number.saturating_sub(lag)),
            Finality::ByHand => self.finalized,
        };
        let block = StoredBlock {
            header: built.header,
            extrinsics: built.extrinsics,
            changes: built.changes,
        };
        let record = Record::Block(block, finalized);
        let offset = self.log.append(&record)?;
        // On disk: from here on nothing fails.
        if let Record::Block(block, _) = record {
            self.state.apply(block.header.state_root, built.transaction);
            self.best = block.header.clone();
            self.history.push(offset, Arc::new(block));
        }
        self.finalized = finalized;
        Ok(Authored { number, hash: self.best.hash(), results })
    }

    fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        if !self.rotations.is_empty() {
            digest.push(DigestItem::PreRuntime(ROTATION_ENGINE, self.rotations.encode()));
        }
        digest
    }
}

/// The inherent that sets the block's time: now, but later than the last block's.
fn timestamp(last: u64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX).max(last.saturating_add(1));
    let call = RuntimeCall::Timestamp(pallet_timestamp::Call::set { now });
    UncheckedExtrinsic::new_bare(call).encode()
}

fn refused_timestamp(
    error: sp_runtime::transaction_validity::TransactionValidityError,
) -> ExecutionError {
    ExecutionError::Trie(format!("timestamp refused: {error:?}"))
}

fn failed_timestamp(error: sp_runtime::DispatchError) -> ExecutionError {
    ExecutionError::Trie(format!("timestamp failed: {error:?}"))
}

fn check_follows(
    best: Option<&Header>,
    block: &StoredBlock,
    number: u64,
) -> Result<(), ChainError> {
    let parent = best.map(Header::hash).unwrap_or_default();
    if block.header.number != number || block.header.parent_hash != parent {
        return Err(ChainError::Disconnected(number));
    }
    Ok(())
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
