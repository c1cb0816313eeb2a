//! Blocks, the pool, finality and reorganisation.
//!
//! # Owns
//! The one lock under which everything happens, and the order: verify, write to disk, change memory.
//!
//! # Promises
//! What a call answered survives the program being killed. A finalized block is never replaced. A
//! block takes the whole pool, in the order in which transactions were taken.
//!
//! # Limits
//! All blocks are held in memory. Each network has one producer and no peers.

mod inner;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use self::inner::{Inner, random};
use crate::network::{Account, Coin, Effects, Refusal, check_data};

/// The most transactions in the pool.
pub const MAX_POOL: usize = 10_000;

/// The most bytes of transactions in the pool, and so in a block.
pub const MAX_POOL_BYTES: usize = 4 << 20;

/// The most bytes of a transaction.
pub const MAX_TRANSACTION_BYTES: usize = 100_000;

/// The most blocks that are made, or replaced, at once.
pub const MAX_MINED: u64 = 10_000;

/// Why a chain could not be opened or did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The data folder cannot be used.
    #[error("{path}: {error}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        error: std::io::Error,
    },
    /// Another process has the data folder.
    #[error("{0}: another process uses this data folder; stop it or choose another folder")]
    Locked(PathBuf),
    /// The folder holds another coin's network.
    #[error("{0}: holds another coin's network; choose another folder")]
    OtherCoin(PathBuf),
    /// The file does not hold what was written.
    #[error("{0}: the data is damaged; start with a new folder")]
    Damaged(PathBuf),
    /// The database said no.
    #[error("storage: {0}")]
    Store(#[from] rusqlite::Error),
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
    /// It was stopped.
    #[error("this network was stopped")]
    Stopped,
    /// There is no such block.
    #[error("there is no block {0}")]
    NoBlock(u64),
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) height: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) parent: [u8; 32],
    pub(crate) fee: u64,
    /// Milliseconds since 1970, rising.
    pub(crate) time: u64,
    pub(crate) transactions: Vec<[u8; 32]>,
}

/// A theft that no rule of the network allows.
#[derive(Clone, Debug)]
pub(crate) struct Seizure {
    pub(crate) account: Account,
    /// From this height on.
    pub(crate) height: u64,
    pub(crate) amount: u64,
}

/// A transaction that was taken.
#[derive(Clone)]
pub(crate) struct Taken {
    pub(crate) raw: Vec<u8>,
    /// Inputs whose signatures were verified.
    pub(crate) verified: u32,
    /// The block that it is in; none in the pool.
    height: Option<u64>,
    effects: Effects,
}

/// Where a transaction is.
pub(crate) struct Included {
    pub(crate) height: u64,
    pub(crate) block: [u8; 32],
    pub(crate) finalized: bool,
}

/// Where a chain stands.
pub(crate) struct Info {
    pub(crate) height: u64,
    pub(crate) finalized: Option<u64>,
    pub(crate) genesis: [u8; 32],
    pub(crate) fee: u64,
}

/// One simulated network.
pub(crate) struct Chain {
    coin: Coin,
    inner: Mutex<Inner>,
}

impl Chain {
    /// Opens or makes the network in `folder`.
    pub(crate) fn open(coin: Coin, folder: &Path, confirmations: u64) -> Result<Self, ChainError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| ChainError::Folder { path: folder.to_owned(), error })?;
        let inner = Inner::open(coin, folder, confirmations)?;
        Ok(Self { coin, inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Memory is changed after the disk and by calls that cannot fail.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn coin(&self) -> Coin {
        self.coin
    }

    pub(crate) fn info(&self) -> Info {
        let inner = self.lock();
        Info {
            height: inner.tip().height,
            finalized: inner.finalized,
            genesis: inner.genesis.hash,
            fee: inner.fee,
        }
    }

    /// A block and its transactions' bytes.
    pub(crate) fn block(&self, height: u64) -> Option<(Block, Vec<Vec<u8>>)> {
        let inner = self.lock();
        let block = inner.block(height)?;
        let bytes = |hash| inner.taken.get(hash).map(|taken| taken.raw.clone());
        Some((block.clone(), block.transactions.iter().filter_map(bytes).collect()))
    }

    /// A transaction, and where it is unless it waits.
    pub(crate) fn transaction(&self, hash: &[u8; 32]) -> Option<(Taken, Option<Included>)> {
        let inner = self.lock();
        let taken = inner.taken.get(hash)?;
        let included = taken.height.and_then(|height| {
            let finalized = inner.finalized.is_some_and(|newest| height <= newest);
            inner.block(height).map(|block| Included { height, block: block.hash, finalized })
        });
        Some((taken.clone(), included))
    }

    pub(crate) fn library(&self) -> &'static str {
        self.lock().rules.library()
    }

    /// What these addresses held after the block at this height; at the newest without one.
    pub(crate) fn holdings(
        &self,
        addresses: &[String],
        height: Option<u64>,
    ) -> Result<u64, ChainError> {
        let inner = self.lock();
        let height = height.unwrap_or(inner.tip().height);
        if height > inner.tip().height {
            return Err(ChainError::NoBlock(height));
        }
        let accounts = addresses
            .iter()
            .map(|address| inner.rules.account(address))
            .collect::<Result<HashSet<_>, _>>()?;
        let held = accounts.iter().map(|account| inner.held(account, height));
        Ok(held.fold(0, u64::saturating_add))
    }

    /// Takes a signed transaction.
    pub(crate) fn publish(&self, raw: Vec<u8>) -> Result<[u8; 32], ChainError> {
        let mut inner = self.lock();
        if raw.len() > MAX_TRANSACTION_BYTES {
            let (size, most) = (raw.len(), MAX_TRANSACTION_BYTES);
            return Err(Refusal::TooLarge { size, most }.into());
        }
        let effects = inner.rules.effects(&raw)?;
        if inner.taken.contains_key(&effects.hash) {
            return Ok(effects.hash);
        }
        if effects.deposit {
            return Err(Refusal::FromOutside.into());
        }
        let verified = inner.rules.verify(&raw, &inner.state, inner.fee)?;
        inner.take(raw, effects, verified)
    }

    /// Brings money from outside.
    pub(crate) fn deposit(
        &self,
        address: &str,
        amount: u64,
        data: Option<Vec<u8>>,
    ) -> Result<[u8; 32], ChainError> {
        let mut inner = self.lock();
        check_data(data.as_deref())?;
        if amount == 0 {
            return Err(Refusal::Nothing.into());
        }
        let raw = inner.rules.deposit(address, amount, data, random()?)?;
        let effects = inner.rules.effects(&raw)?;
        inner.take(raw, effects, 0)
    }

    /// Makes blocks, also while paused; gives the new height.
    pub(crate) fn mine(&self, count: u64) -> Result<u64, ChainError> {
        if count > MAX_MINED {
            return Err(Refusal::ManyBlocks(MAX_MINED).into());
        }
        let mut inner = self.lock();
        for _ in 0..count {
            inner.mine()?;
        }
        Ok(inner.tip().height)
    }

    /// Makes a block unless paused.
    pub(crate) fn tick(&self) -> Result<(), ChainError> {
        let mut inner = self.lock();
        if inner.paused { Ok(()) } else { inner.mine() }
    }

    /// From when it returns, blocks come by command only (or again).
    pub(crate) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
    }

    /// Replaces the newest blocks by as many empty ones and one more; gives the new height.
    pub(crate) fn reorganise(&self, depth: u64, drop: bool) -> Result<u64, ChainError> {
        self.lock().reorganise(depth, drop)
    }

    pub(crate) fn set_fee(&self, fee: u64) -> Result<(), ChainError> {
        let mut inner = self.lock();
        inner.store()?.set_fact("fee", &fee.to_le_bytes())?;
        inner.fee = fee;
        Ok(())
    }

    pub(crate) fn seize(&self, address: &str, amount: u64) -> Result<(), ChainError> {
        let mut inner = self.lock();
        let account = inner.rules.account(address)?;
        let height = inner.tip().height.saturating_add(1);
        let seizure = Seizure { account, height, amount };
        inner.store()?.add_seizure(&seizure)?;
        inner.seizures.push(seizure);
        Ok(())
    }

    /// Closes the file: nothing changes any more.
    pub(crate) fn stop(&self) {
        self.lock().store = None;
    }
}
