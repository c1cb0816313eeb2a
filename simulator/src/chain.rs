//! A Serai that finalizes a block every few seconds and believes what it can verify.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::keygen::KeyKind;
use serai_messages::observation::{Event, SeraiBlock, SetMember};
use serai_messages::{
    BlockHash, BlockNumber, KeyPair, SignatureBytes, ValidatorKey, ValidatorSet, threshold,
};
use serai_processor::crypto::Engines;
use serai_protocol::musig;
use serai_sr25519::{SUBSTRATE_CONTEXT, verify};

/// Time between two blocks, in milliseconds.
pub const BLOCK_MS: u64 = 6_000;

/// The chain, and what was submitted to it.
pub struct Chain {
    /// Hash of block 0.
    pub genesis: BlockHash,
    /// Finalized, from block 0 on.
    pub blocks: Vec<(SeraiBlock, Vec<Event>)>,
    /// Keys of sets.
    pub keys: BTreeMap<ValidatorSet, KeyPair>,
    /// Batches that were executed.
    pub executed: BTreeSet<(ValidatorSet, u32)>,
    validators: Vec<ValidatorKey>,
    /// What each batch is signed as.
    pub batches: BTreeMap<(ValidatorSet, u32), (Vec<u8>, Vec<u8>)>,
    engines: Engines,
    pending: Vec<Event>,
}

impl Chain {
    /// With block 0 alone.
    pub fn new(seed: [u8; 32], validators: Vec<ValidatorKey>, engines: Engines) -> Self {
        let mut chain = Self {
            genesis: BlockHash(seed),
            blocks: Vec::new(),
            keys: BTreeMap::new(),
            executed: BTreeSet::new(),
            validators,
            batches: BTreeMap::new(),
            engines,
            pending: Vec::new(),
        };
        chain.finalize();
        chain
    }

    /// The block that comes next.
    pub fn next_block(&self) -> SeraiBlock {
        let number = self.blocks.len() as u64;
        let mut hash = self.genesis.0;
        for (byte, of_number) in hash.iter_mut().zip(number.to_le_bytes()) {
            *byte ^= of_number;
        }
        SeraiBlock { number: BlockNumber(number), hash: BlockHash(hash) }
    }

    /// The newest block.
    pub fn newest(&self) -> BlockNumber {
        BlockNumber((self.blocks.len() as u64).saturating_sub(1))
    }

    /// Whether it is a signature of one of a thing's messages by the vault's key.
    pub fn verifies(
        &self,
        set: ValidatorSet,
        key: KeyKind,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        self.keys.get(&set).is_some_and(|keys| {
            let public: &[u8] = match key {
                KeyKind::Ristretto => &keys.ristretto,
                KeyKind::External => &keys.external,
            };
            (self.engines)(set.coin, key).verify(public, message, signature)
        })
    }

    /// Finalizes what is pending.
    pub fn finalize(&mut self) {
        let block = self.next_block();
        let events = std::mem::take(&mut self.pending);
        self.blocks.push((block, events));
    }

    /// A new set of all validators, in the next block.
    pub fn announce(&mut self, set: ValidatorSet) {
        let member = |validator: &ValidatorKey| SetMember {
            validator: *validator,
            shares: 1,
            addresses: Vec::new(),
        };
        let members = self.validators.iter().map(member).collect();
        self.pending.push(Event::NewSet { block: self.next_block(), set, members });
    }

    /// What a validator submits. Nothing that does not verify has an effect, nor anything twice.
    ///
    /// # Errors
    /// When an honest validator should not have submitted this.
    pub fn submit(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::SetKeys { set, removed, key_pair, signature } => {
                self.set_keys(*set, removed, key_pair, signature)
            }
            Event::Batch { set, id, batch, signature } => self.batch(*set, *id, batch, signature),
            _ => Ok(()),
        }
    }

    fn set_keys(
        &mut self,
        set: ValidatorSet,
        removed: &[ValidatorKey],
        key_pair: &KeyPair,
        signature: &SignatureBytes,
    ) -> Result<(), String> {
        let place = |key: &ValidatorKey| self.validators.iter().position(|other| other == key);
        let places: Vec<_> = removed.iter().map(place).collect();
        let remain = self.validators.len().saturating_sub(removed.len());
        let least = usize::from(threshold(self.validators.len() as u16)).max(2 * removed.len() + 1);
        if places.contains(&None) || !places.is_sorted_by(|a, b| a < b) || remain < least {
            return Err(format!("keys of {set} were submitted without {removed:?}"));
        }
        let signers: Vec<_> =
            self.validators.iter().filter(|key| !removed.contains(key)).copied().collect();
        let key = musig::aggregate(set, &signers).map_err(|error| error.to_string())?;
        let message = musig::set_keys_message(set, removed, key_pair);
        verify(&key.0, SUBSTRATE_CONTEXT, &message, &signature.0)
            .map_err(|_| format!("keys of {set} were submitted with a signature that is none"))?;
        // Another attempt may have come to its end as well: the first one's keys are the vault's.
        if self.keys.contains_key(&set) {
            return Ok(());
        }
        self.keys.insert(set, key_pair.clone());
        let block = self.next_block();
        for removed in removed {
            self.pending.push(Event::ParticipantRemoved { block, set, removed: *removed });
        }
        self.pending.push(Event::KeyGen { block, set, key_pair: key_pair.clone() });
        Ok(())
    }

    fn batch(
        &mut self,
        set: ValidatorSet,
        id: u32,
        batch: &[u8],
        signature: &SignatureBytes,
    ) -> Result<(), String> {
        let Some((expected, message)) = self.batches.get(&(set, id)) else {
            return Err(format!("batch {id} of {set} was submitted, and nothing is to be signed"));
        };
        if batch != expected.as_slice() {
            return Err(format!("another batch {id} of {set} was submitted than is due"));
        }
        if !self.verifies(set, KeyKind::Ristretto, message, &signature.0) {
            return Err(format!("batch {id} of {set} was submitted with a signature that is none"));
        }
        self.executed.insert((set, id));
        Ok(())
    }
}
