//! Executing the runtime natively on a trie in memory.
//!
//! # Owns
//! The state of the latest block, and the making of the next one.
//!
//! # Promises
//! A call that panics changes nothing: the runtime refuses undecodable input by panicking, and
//! that is reported as an error. State roots are those of the trie after each block.
//!
//! # Limits
//! One state, no forks. Nothing is written to disk here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parity_scale_codec::{Decode, Encode};
use sp_core::{H256, storage::StateVersion};
use sp_runtime::{ApplyExtrinsicResult, traits::BlakeTwo256};
use sp_state_machine::{
    BackendTransaction, Ext, InMemoryBackend, OverlayedChanges, TrieBackendBuilder,
};

use crate::runtime::{Header, api};

/// Storage changes of a block: keys with their new value, or none where it was removed.
pub type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Storage as keys and values.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

type Backend = InMemoryBackend<BlakeTwo256>;
type Overlay = OverlayedChanges<BlakeTwo256>;

/// Why the runtime gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The runtime panicked: its input did not decode, or a block could not be made.
    #[error("runtime panicked in {method}: {message}")]
    Panicked {
        /// What was called.
        method: String,
        /// What the panic said.
        message: String,
    },
    /// There is no such runtime function.
    #[error("runtime has no function {0}")]
    NoSuchFunction(String),
    /// The runtime's answer did not decode.
    #[error("runtime's answer to {0} does not decode")]
    Undecodable(&'static str),
    /// The trie in memory is damaged.
    #[error("state trie: {0}")]
    Trie(String),
}

/// The state after the latest block.
pub struct State {
    backend: Backend,
}

impl State {
    /// The state that consists of these keys and values.
    pub fn new(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let mut backend = Backend::default();
        let changes = pairs.into_iter().map(|(key, value)| (key, Some(value))).collect();
        backend.insert([(None, changes)], StateVersion::V1);
        Self { backend }
    }

    /// The root of the trie.
    pub fn root(&self) -> H256 {
        *self.backend.root()
    }

    /// Runs `read` in the state that differs from this one by `past`; its writes are discarded.
    ///
    /// # Errors
    /// When `read` panics.
    pub fn query<R>(
        &self,
        past: Changes,
        method: &str,
        read: impl FnOnce() -> R,
    ) -> Result<R, ExecutionError> {
        let mut overlay = Overlay::default();
        for (key, value) in past {
            overlay.set_storage(key, value);
        }
        run(&mut overlay, &self.backend, method, read)
    }

    /// Calls a runtime function in the state that differs from this one by `past`.
    ///
    /// # Errors
    /// When there is no such function, or it panics on its input.
    pub fn call(
        &self,
        past: Changes,
        method: &str,
        input: &[u8],
    ) -> Result<Vec<u8>, ExecutionError> {
        self.query(past, method, || api::dispatch(method, input))?
            .ok_or_else(|| ExecutionError::NoSuchFunction(method.to_owned()))
    }

    /// Makes `block`, built on this state, the latest.
    pub fn apply(&mut self, root: H256, transaction: BackendTransaction<BlakeTwo256>) {
        let mut storage = std::mem::take(&mut self.backend).into_storage();
        storage.consolidate(transaction);
        // Nodes that nothing refers to any more; without this the trie grows with each block.
        storage.purge();
        self.backend = TrieBackendBuilder::new(storage, root).build();
    }
}

/// Runs `f` with the runtime's storage functions bound to `overlay` on `backend`.
fn run<R>(
    overlay: &mut Overlay,
    backend: &Backend,
    method: &str,
    f: impl FnOnce() -> R,
) -> Result<R, ExecutionError> {
    let mut ext = Ext::new(overlay, backend, None);
    let f = || sp_externalities::set_and_run_with_externalities(&mut ext, f);
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        ExecutionError::Panicked { method: method.to_owned(), message: message.to_owned() }
    })
}

/// A block in the making.
pub struct BlockBuilder<'a> {
    backend: &'a Backend,
    overlay: Overlay,
    extrinsics: Vec<Vec<u8>>,
}

/// A block that was made, and what makes it the latest.
pub struct Built {
    /// Its header.
    pub header: Header,
    /// Its extrinsics.
    pub extrinsics: Vec<Vec<u8>>,
    /// What it changed, by key.
    pub changes: Changes,
    /// What it changed in the trie.
    pub transaction: BackendTransaction<BlakeTwo256>,
}

impl<'a> BlockBuilder<'a> {
    /// Begins the block with this parent, number and digest.
    ///
    /// # Errors
    /// When the runtime cannot begin it.
    pub fn new(state: &'a State, header: &Header) -> Result<Self, ExecutionError> {
        let mut this =
            Self { backend: &state.backend, overlay: Overlay::default(), extrinsics: Vec::new() };
        this.call("Core_initialize_block", &header.encode())?;
        Ok(this)
    }

    /// Adds an extrinsic. One that is not valid leaves no trace; one whose call fails is included.
    ///
    /// # Errors
    /// When the runtime panics on it.
    pub fn push(&mut self, extrinsic: Vec<u8>) -> Result<ApplyExtrinsicResult, ExecutionError> {
        const METHOD: &str = "BlockBuilder_apply_extrinsic";
        let depth = self.overlay.transaction_depth();
        self.overlay.start_transaction();
        let result = self.call(METHOD, &extrinsic).and_then(|bytes| {
            ApplyExtrinsicResult::decode(&mut &bytes[..])
                .map_err(|_| ExecutionError::Undecodable(METHOD))
        });
        if matches!(result, Ok(Ok(_))) {
            self.overlay.commit_transaction().map_err(|_| unbalanced())?;
            self.extrinsics.push(extrinsic);
        } else {
            // A panic may have left the runtime's own layers open above this one.
            while self.overlay.transaction_depth() > depth {
                self.overlay.rollback_transaction().map_err(|_| unbalanced())?;
            }
        }
        result
    }

    /// Ends the block.
    ///
    /// # Errors
    /// When the runtime cannot end it.
    pub fn finish(mut self) -> Result<Built, ExecutionError> {
        const METHOD: &str = "BlockBuilder_finalize_block";
        let header = self.call(METHOD, &[])?;
        let header =
            Header::decode(&mut &header[..]).map_err(|_| ExecutionError::Undecodable(METHOD))?;
        let drained = self
            .overlay
            .drain_storage_changes(self.backend, StateVersion::V1)
            .map_err(|error| ExecutionError::Trie(error.to_string()))?;
        if drained.transaction_storage_root != header.state_root {
            return Err(ExecutionError::Trie("root differs from the header's".to_owned()));
        }
        Ok(Built {
            header,
            extrinsics: self.extrinsics,
            changes: drained.main_storage_changes,
            transaction: drained.transaction,
        })
    }

    fn call(&mut self, method: &str, input: &[u8]) -> Result<Vec<u8>, ExecutionError> {
        run(&mut self.overlay, self.backend, method, || api::dispatch(method, input))?
            .ok_or_else(|| ExecutionError::NoSuchFunction(method.to_owned()))
    }
}

fn unbalanced() -> ExecutionError {
    ExecutionError::Trie("storage layers do not match".to_owned())
}
