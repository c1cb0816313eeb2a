//! Which block changed what, so that the storage of any past block can be read.
//!
//! # Owns
//! For each block its hash and its place in the log; for each storage key the blocks that wrote it.
//!
//! # Promises
//! Storage, extrinsics and events of every block since genesis can be read.
//!
//! # Limits
//! Values stay on disk; memory grows by about 0.4 KiB per idle block (about 30 MiB in a day of
//! one block per second). The last [`RECENT`] blocks read are kept decoded.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use sp_core::H256;

use crate::{
    executor::{Changes, Pairs},
    log::{Log, LogError, Record, StoredBlock},
};

/// Decoded blocks kept in memory.
const RECENT: usize = 64;

/// A block that wrote a key.
struct Version {
    block: u32,
    /// Whether the key has a value since then.
    present: bool,
}

struct Entry {
    hash: H256,
    offset: u64,
}

/// The index over the log.
#[derive(Default)]
pub struct History {
    entries: Vec<Entry>,
    numbers: HashMap<H256, u32>,
    versions: BTreeMap<Vec<u8>, Vec<Version>>,
    recent: Mutex<VecDeque<(u32, Arc<StoredBlock>)>>,
}

impl History {
    /// The number of blocks, block 0 included.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Adds the block whose number is [`History::len`].
    pub fn push(&mut self, offset: u64, block: Arc<StoredBlock>) {
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let hash = block.header.hash();
        for (key, value) in &block.changes {
            let version = Version { block: number, present: value.is_some() };
            match self.versions.get_mut(key) {
                Some(versions) => versions.push(version),
                None => {
                    self.versions.insert(key.clone(), vec![version]);
                }
            }
        }
        self.entries.push(Entry { hash, offset });
        self.numbers.insert(hash, number);
        self.remember(number, block);
    }

    /// The hash of a block.
    pub fn hash(&self, number: u64) -> Option<H256> {
        self.entries.get(usize::try_from(number).ok()?).map(|entry| entry.hash)
    }

    /// The number of a block.
    pub fn number(&self, hash: H256) -> Option<u64> {
        self.numbers.get(&hash).copied().map(u64::from)
    }

    /// A block.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn block(&self, log: &Log, number: u64) -> Result<Option<Arc<StoredBlock>>, LogError> {
        let Ok(index) = u32::try_from(number) else { return Ok(None) };
        {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, block)) = recent.iter().find(|(cached, _)| *cached == index) {
                return Ok(Some(block.clone()));
            }
        }
        let Some(entry) = self.entries.get(index as usize) else { return Ok(None) };
        let Record::Block(block, _) = log.read(entry.offset)? else { return Ok(None) };
        let block = Arc::new(block);
        self.remember(index, block.clone());
        Ok(Some(block))
    }

    /// The value of `key` after block `at`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn value(&self, log: &Log, at: u64, key: &[u8]) -> Result<Option<Vec<u8>>, LogError> {
        let Some(versions) = self.versions.get(key) else { return Ok(None) };
        let Some(version) = version_at(versions, at).filter(|version| version.present) else {
            return Ok(None);
        };
        let block = self.block(log, version.block.into())?;
        Ok(block.and_then(|block| block.change(key).flatten().map(<[u8]>::to_vec)))
    }

    /// At most `count` keys with `prefix` that have a value after block `at`, in order, from the
    /// first after `start`.
    pub fn keys(&self, at: u64, prefix: &[u8], start: Option<&[u8]>, count: usize) -> Vec<Vec<u8>> {
        let from = start.map_or(prefix, |start| start.max(prefix));
        self.versions
            .range(from.to_vec()..)
            .skip_while(|(key, _)| start.is_some_and(|start| key.as_slice() <= start))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, versions)| version_at(versions, at).is_some_and(|v| v.present))
            .take(count)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// What makes the state after the last block into that after block `at`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn back_to(&self, log: &Log, at: u64) -> Result<Changes, LogError> {
        if at.saturating_add(1) >= self.len() {
            return Ok(Changes::new());
        }
        let changed =
            |versions: &[Version]| versions.last().is_some_and(|v| u64::from(v.block) > at);
        let keys = self.versions.iter().filter(|(_, versions)| changed(versions));
        keys.map(|(key, _)| Ok((key.clone(), self.value(log, at, key)?))).collect()
    }

    /// All keys and values after the last block.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn latest(&self, log: &Log) -> Result<Pairs, LogError> {
        let last = self.len().saturating_sub(1);
        let mut pairs = Vec::new();
        for key in self.keys(last, &[], None, usize::MAX) {
            if let Some(value) = self.value(log, last, &key)? {
                pairs.push((key, value));
            }
        }
        Ok(pairs)
    }

    fn remember(&self, number: u32, block: Arc<StoredBlock>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back((number, block));
    }
}

fn version_at(versions: &[Version], at: u64) -> Option<&Version> {
    let after = versions.partition_point(|version| u64::from(version.block) <= at);
    versions.get(after.checked_sub(1)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::runtime::Header;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Blocks of changes to few keys, so that they are written, removed and written again.
    fn blocks() -> impl Strategy<Value = Vec<Changes>> {
        let key = prop::collection::vec(0u8..3, 1..3);
        let changes = prop::collection::btree_map(key, prop::option::of(any::<[u8; 3]>()), 0..6);
        let changes = changes.prop_map(|changes| {
            changes.into_iter().map(|(key, value)| (key, value.map(Vec::from))).collect()
        });
        // More blocks than are kept decoded, so that the log is read.
        prop::collection::vec(changes, 1..RECENT + 20)
    }

    fn store(log: &mut Log, history: &mut History, number: u64, changes: Changes) {
        let header = Header {
            parent_hash: H256::zero(),
            number,
            state_root: H256::zero(),
            extrinsics_root: H256::zero(),
            digest: Default::default(),
        };
        let block = StoredBlock { header, extrinsics: Vec::new(), changes };
        let offset = log.append(&Record::Block(block.clone(), 0)).unwrap();
        history.push(offset, Arc::new(block));
    }

    fn apply(model: &mut Model, changes: &Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn every_past_state_is_that_of_a_map_at_that_time(blocks in blocks()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let mut log = Log::open(&path, |_, _| Ok::<_, LogError>(())).unwrap();
            let (mut history, mut model, mut states) = (History::default(), Model::new(), vec![]);
            for (number, changes) in (0u64..).zip(blocks) {
                apply(&mut model, &changes);
                states.push(model.clone());
                store(&mut log, &mut history, number, changes);
            }
            prop_assert_eq!(&history.latest(&log).unwrap(), &Vec::from_iter(model.clone()));
            for (at, state) in (0u64..).zip(&states) {
                let keys = history.keys(at, &[], None, usize::MAX);
                prop_assert_eq!(&keys, &Vec::from_iter(state.keys().cloned()));
                for key in &keys {
                    let value = history.value(&log, at, key).unwrap();
                    prop_assert_eq!(value.as_ref(), state.get(key));
                }
                let mut back = model.clone();
                apply(&mut back, &history.back_to(&log, at).unwrap());
                prop_assert_eq!(&back, state);
            }
        }
    }
}
