//! What is under the lock: disk first, then memory.
//!
//! # Owns
//! The blocks, the pool and the ledger, and how they change together.
//!
//! # Promises
//! Each change is on disk before it is in memory; a change that fails on disk is none.
//!
//! # Limits
//! Replacing blocks, and starting, applies all transactions anew.

use std::{
    collections::HashMap,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use bitcoin::secp256k1::rand::{RngCore as _, rngs::OsRng};
use sha2::{Digest as _, Sha256};

use super::{Block, ChainError, MAX_POOL, MAX_POOL_BYTES, Seizure, Taken};
use crate::{
    network::{Coin, Effects, Refusal, Rules},
    state::State,
    store::Store,
};

/// The chain.
pub(super) struct Inner {
    pub(super) coin: Coin,
    pub(super) rules: Box<dyn Rules>,
    /// None when stopped.
    pub(super) store: Option<Store>,
    pub(super) confirmations: u64,
    pub(super) finalized: Option<u64>,
    pub(super) fee: u64,
    pub(super) paused: bool,
    pub(super) genesis: Block,
    /// Above block 0.
    pub(super) blocks: Vec<Block>,
    pub(super) taken: HashMap<[u8; 32], Taken>,
    pub(super) pool: Vec<[u8; 32]>,
    pub(super) pool_bytes: usize,
    pub(super) state: State,
    pub(super) seizures: Vec<Seizure>,
}

impl Inner {
    pub(super) fn open(coin: Coin, folder: &Path, confirmations: u64) -> Result<Self, ChainError> {
        let file = folder.join("simchain.sqlite");
        let mut store = Store::open(&file)?;
        match store.fact("coin")? {
            Some([byte]) if byte != coin.byte() => return Err(ChainError::OtherCoin(file)),
            Some(_) => {}
            None => store.set_fact("coin", &[coin.byte()])?,
        }
        let fee = store.fact("fee")?.map_or(coin.default_fee(), u64::from_le_bytes);
        let stored = store.blocks()?;
        let mut stored = stored.into_iter();
        let genesis = match stored.next() {
            Some(genesis) => genesis,
            None => {
                // The salt makes each folder's network another one.
                let genesis = block(coin, 0, [0; 32], fee, now(), &[&random()?]);
                store.add_block(&genesis, None)?;
                genesis
            }
        };
        let mut inner = Self {
            coin,
            rules: coin.rules(),
            finalized: store.fact("finalized")?.map(u64::from_le_bytes),
            seizures: store.seizures()?,
            confirmations,
            fee,
            paused: false,
            genesis,
            blocks: stored.collect(),
            taken: HashMap::new(),
            pool: Vec::new(),
            pool_bytes: 0,
            state: State::default(),
            store: None,
        };
        inner.replay(&store).map_err(|error| match error {
            ChainError::Refused(_) => ChainError::Damaged(file),
            error => error,
        })?;
        inner.store = Some(store);
        Ok(inner)
    }

    /// Rebuilds what is in memory only. Signatures were verified when transactions were taken.
    fn replay(&mut self, store: &Store) -> Result<(), ChainError> {
        let next = self.tip().height.saturating_add(1);
        for stored in store.transactions()? {
            let effects = self.rules.effects(&stored.raw)?;
            let hash = effects.hash;
            self.state.apply(&effects, stored.height.unwrap_or(next))?;
            match stored.height.and_then(index) {
                Some(at) => {
                    if let Some(block) = self.blocks.get_mut(at) {
                        block.transactions.push(hash);
                    }
                }
                None => {
                    self.pool.push(hash);
                    self.pool_bytes = self.pool_bytes.saturating_add(stored.raw.len());
                }
            }
            let (raw, verified, height) = (stored.raw, stored.verified, stored.height);
            self.taken.insert(hash, Taken { raw, verified, height, effects });
        }
        Ok(())
    }

    pub(super) fn store(&mut self) -> Result<&mut Store, ChainError> {
        self.store.as_mut().ok_or(ChainError::Stopped)
    }

    pub(super) fn tip(&self) -> &Block {
        self.blocks.last().unwrap_or(&self.genesis)
    }

    pub(super) fn block(&self, height: u64) -> Option<&Block> {
        if height == 0 { Some(&self.genesis) } else { self.blocks.get(index(height)?) }
    }

    pub(super) fn held(&self, account: &[u8], height: u64) -> u64 {
        let seized = self
            .seizures
            .iter()
            .filter(|seizure| seizure.height <= height && seizure.account == account)
            .fold(0u64, |sum, seizure| sum.saturating_add(seizure.amount));
        self.state.balance_at(account, height).saturating_sub(seized)
    }

    pub(super) fn take(
        &mut self,
        raw: Vec<u8>,
        effects: Effects,
        verified: u32,
    ) -> Result<[u8; 32], ChainError> {
        let bytes = self.pool_bytes.saturating_add(raw.len());
        if self.pool.len() >= MAX_POOL || bytes > MAX_POOL_BYTES {
            return Err(Refusal::PoolFull.into());
        }
        self.state.check(&effects)?;
        let hash = effects.hash;
        self.store()?.add_transaction(&hash, &raw, verified)?;
        let next = self.tip().height.saturating_add(1);
        self.state.apply(&effects, next)?;
        self.pool.push(hash);
        self.pool_bytes = bytes;
        self.taken.insert(hash, Taken { raw, verified, height: None, effects });
        Ok(hash)
    }

    fn finalized_at(&self, height: u64) -> Option<u64> {
        // Never back, also when the program is started with more confirmations than before.
        self.finalized.max(height.checked_sub(self.confirmations))
    }

    pub(super) fn mine(&mut self) -> Result<(), ChainError> {
        let tip = self.tip();
        let (height, time) = (tip.height.saturating_add(1), now().max(tip.time.saturating_add(1)));
        let bytes = |hash| self.taken.get(hash).map(|taken| taken.raw.as_slice());
        let raw: Vec<&[u8]> = self.pool.iter().filter_map(bytes).collect();
        let mut block = block(self.coin, height, tip.hash, self.fee, time, &raw);
        let finalized = self.finalized_at(height);
        self.store()?.add_block(&block, finalized)?;
        block.transactions = std::mem::take(&mut self.pool);
        self.pool_bytes = 0;
        for hash in &block.transactions {
            if let Some(taken) = self.taken.get_mut(hash) {
                taken.height = Some(height);
            }
        }
        self.blocks.push(block);
        self.finalized = finalized;
        Ok(())
    }

    pub(super) fn reorganise(&mut self, depth: u64, drop: bool) -> Result<u64, ChainError> {
        let tip = self.tip();
        let most = tip.height.saturating_sub(self.finalized.unwrap_or(0));
        if depth == 0 || depth > most {
            return Err(Refusal::Depth { depth, most }.into());
        }
        let base = tip.height.saturating_sub(depth);
        let mut parent = self.block(base).unwrap_or(&self.genesis);
        // Later than all that is replaced, so that no hash is the same.
        let mut time = now().max(tip.time.saturating_add(1));
        let mut blocks: Vec<Block> = Vec::new();
        for _ in 0..=depth {
            let height = parent.height.saturating_add(1);
            blocks.push(block(self.coin, height, parent.hash, self.fee, time, &[]));
            time = time.saturating_add(1);
            parent = blocks.last().unwrap_or(&self.genesis);
        }
        let height = parent.height;

        let mut state = State::default();
        let kept = self.blocks.iter().take_while(|block| block.height <= base);
        for (block, hash) in
            kept.flat_map(|block| block.transactions.iter().map(move |h| (block, h)))
        {
            if let Some(taken) = self.taken.get(hash) {
                state.apply(&taken.effects, block.height)?;
            }
        }
        let replaced = self.blocks.iter().skip_while(|block| block.height <= base);
        let replaced: Vec<[u8; 32]> = replaced.flat_map(|b| b.transactions.clone()).collect();
        let (mut forgotten, again) = if drop { (replaced, vec![]) } else { (vec![], replaced) };
        let (mut pool, mut pool_bytes) = (Vec::new(), 0usize);
        for hash in again.iter().chain(&self.pool) {
            let Some(taken) = self.taken.get(hash) else { continue };
            // What spends something forgotten is forgotten too.
            match state.apply(&taken.effects, height.saturating_add(1)) {
                Ok(()) => {
                    pool.push(*hash);
                    pool_bytes = pool_bytes.saturating_add(taken.raw.len());
                }
                Err(_) => forgotten.push(*hash),
            }
        }

        let finalized = self.finalized_at(height);
        self.store()?.replace(base, &blocks, &forgotten, finalized)?;
        self.blocks.retain(|block| block.height <= base);
        self.blocks.extend(blocks);
        for hash in &forgotten {
            self.taken.remove(hash);
        }
        for hash in &pool {
            if let Some(taken) = self.taken.get_mut(hash) {
                taken.height = None;
            }
        }
        (self.pool, self.pool_bytes, self.state) = (pool, pool_bytes, state);
        self.finalized = finalized;
        Ok(height)
    }
}

/// Where a block stands in [`Inner::blocks`]; block 0 does not.
fn index(height: u64) -> Option<usize> {
    usize::try_from(height.checked_sub(1)?).ok()
}

fn block(
    coin: Coin,
    height: u64,
    parent: [u8; 32],
    fee: u64,
    time: u64,
    transactions: &[&[u8]],
) -> Block {
    let mut hash = Sha256::new()
        .chain_update([coin.byte()])
        .chain_update(height.to_le_bytes())
        .chain_update(parent)
        .chain_update(fee.to_le_bytes())
        .chain_update(time.to_le_bytes());
    for raw in transactions {
        hash.update(u64::try_from(raw.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(raw);
    }
    let hash = hash.finalize().into();
    Block { height, hash, parent, fee, time, transactions: Vec::new() }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn random() -> Result<[u8; 32], ChainError> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| ChainError::Random(error.to_string()))?;
    Ok(bytes)
}
