//! What the chain consists of, and the step from one block to the next.
//!
//! # Owns
//! State, history, log, pool, finality and commanded rotations, as one value.
//!
//! # Promises
//! A block is written to the log before anything else changes; what fails before changes nothing.
//!
//! # Limits
//! Not shared: [`Chain`](crate::Chain) holds it behind a lock.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parity_scale_codec::{DecodeAll as _, Encode as _};
use sp_core::H256;
use sp_runtime::{
    Digest, DigestItem,
    transaction_validity::{TransactionValidity, TransactionValidityError},
};
use tokio::sync::mpsc;

use crate::{
    chain::{Authored, Finality, Progress},
    error::ChainError,
    executor::{BlockBuilder, Changes, ExecutionError, State},
    genesis::Genesis,
    history::History,
    log::{Log, Record, StoredBlock},
    pool::{Pool, Refusal, Status, Verdict, Waiting, validation_input, verdict_of},
    runtime::{
        Header, Runtime, RuntimeCall, UncheckedExtrinsic,
        validator_sets::{ROTATION_ENGINE, Rotation},
    },
};

/// How often the pool is gone through for one block; what is still waiting then comes later.
const POOL_PASSES: usize = 16;

/// Everything behind the chain's lock.
pub(crate) struct Ledger {
    pub(crate) state: State,
    pub(crate) history: History,
    pub(crate) log: Log,
    pub(crate) pool: Pool,
    pub(crate) best: Header,
    pub(crate) finalized: u64,
    pub(crate) finality: Finality,
    pub(crate) rotations: Vec<Rotation>,
}

impl Ledger {
    /// Rebuilds the ledger in `folder`, or begins it there with `genesis`.
    pub(crate) fn open(
        folder: &Path,
        genesis: &Genesis,
        finality: Finality,
    ) -> Result<Self, ChainError> {
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

        Ok(Self {
            state,
            history,
            log,
            pool: Pool::default(),
            best,
            finalized,
            finality,
            rotations: Vec::new(),
        })
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { best: self.best.number, finalized: self.finalized }
    }

    pub(crate) fn resolve(&self, at: Option<H256>) -> Result<u64, ChainError> {
        match at {
            None => Ok(self.best.number),
            Some(hash) => {
                self.history.number(hash).ok_or_else(|| ChainError::NoBlock(format!("{hash:?}")))
            }
        }
    }

    pub(crate) fn past(&self, at: Option<H256>) -> Result<Changes, ChainError> {
        Ok(self.history.back_to(&self.log, self.resolve(at)?)?)
    }

    pub(crate) fn submit(
        &mut self,
        bytes: Vec<u8>,
    ) -> Result<(H256, mpsc::Receiver<Status>), Refusal> {
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

    pub(crate) fn author(&mut self, by_hand: Vec<Vec<u8>>) -> Result<Authored, ChainError> {
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
        let last =
            self.state.query(Vec::new(), "Timestamp", pallet_timestamp::Now::<Runtime>::get)?;
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
        // Again while something was included: it may be what an earlier one waited for.
        for _ in 0..POOL_PASSES {
            let mut more = false;
            for (waiting, verdict) in waiting.iter_mut() {
                if matches!(verdict, Verdict::Later) {
                    *verdict = try_waiting(&mut builder, waiting);
                    more |= matches!(verdict, Verdict::Included);
                }
            }
            if !more {
                break;
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

/// Tries a transaction from the pool. One that makes the runtime panic must not stop the chain.
fn try_waiting(builder: &mut BlockBuilder<'_>, waiting: &Waiting) -> Verdict {
    match builder.push(waiting.bytes.clone()) {
        Ok(Ok(_)) => Verdict::Included,
        Ok(Err(error)) => verdict_of(error),
        Err(error) => {
            tracing::warn!(%error, "a transaction from the pool was dropped");
            Verdict::Invalid
        }
    }
}

/// The inherent that sets the block's time: now, but later than the last block's.
fn timestamp(last: u64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX).max(last.saturating_add(1));
    let call = RuntimeCall::Timestamp(pallet_timestamp::Call::set { now });
    UncheckedExtrinsic::new_bare(call).encode()
}

fn refused_timestamp(error: TransactionValidityError) -> ExecutionError {
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
