//! A simulated network, read from its first block on.

use std::collections::BTreeMap;

use serai_messages::Coin;

use super::{External, ExternalError, Spent, Transfer};

/// A transaction in a finalized block.
#[derive(Clone, Debug)]
pub struct Found {
    /// Height of the block.
    pub height: u64,
    /// The transaction.
    pub transfer: Transfer,
    /// What it spends: from whom, how much.
    pub spent: Vec<Spent>,
    /// Its fee.
    pub fee: u64,
}

/// All finalized blocks of a network.
#[derive(Clone, Debug, Default)]
pub struct History {
    blocks: Vec<[u8; 32]>,
    outputs: BTreeMap<([u8; 32], u32), Spent>,
    found: Vec<Found>,
}

impl History {
    /// Reads the blocks finalized since the last call.
    ///
    /// # Errors
    /// When the network does not answer, a block does not follow the one before it, or a transaction
    /// does not decode.
    pub async fn advance(&mut self, external: &External) -> Result<(), ExternalError> {
        const METHOD: &str = "chain_block";
        let Some(finalized) = external.info().await?.finalized else { return Ok(()) };
        while self.blocks.len() as u64 <= finalized {
            let height = self.blocks.len() as u64;
            let wrong =
                |reason: &str| external.unreadable(METHOD, &format!("block {height}: {reason}"));
            let block = external
                .block(height)
                .await?
                .ok_or_else(|| wrong("is not there, though finalized"))?;
            if self.blocks.last().is_some_and(|last| *last != block.parent) {
                return Err(wrong("does not follow the block that was final before it"));
            }
            let mut found = Vec::new();
            for raw in &block.transactions {
                let raw = hex::decode(raw).map_err(|error| wrong(&error.to_string()))?;
                let transfer = Transfer::decode(external.coin(), &raw)
                    .map_err(|error| wrong(&error.to_string()))?;
                for (index, output) in (0u32..).zip(&transfer.outputs) {
                    self.outputs.insert((transfer.hash, index), output.clone());
                }
                let inputs = transfer.inputs.iter().map(|input| self.outputs.get(input).cloned());
                let inputs: Option<Vec<Spent>> = inputs.collect();
                let inputs = inputs.ok_or_else(|| wrong("spends what was never there"))?;
                let (spent, fee) = transfer.spends(inputs);
                found.push(Found { height, transfer, spent, fee });
            }
            self.found.extend(found);
            self.blocks.push(block.hash);
        }
        Ok(())
    }

    /// The newest block that was read.
    pub fn height(&self) -> Option<u64> {
        (self.blocks.len() as u64).checked_sub(1)
    }

    /// The height of the block with this hash.
    pub fn height_of(&self, hash: [u8; 32]) -> Option<u64> {
        self.blocks.iter().position(|block| *block == hash).map(|height| height as u64)
    }

    /// All transactions, oldest first.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// Transactions that pay this address.
    pub fn paying<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Found> {
        self.found.iter().filter(move |found| found.pays(address) > 0)
    }
}

impl Found {
    /// What it pays to an address.
    pub fn pays(&self, address: &str) -> u64 {
        let outputs = self.transfer.outputs.iter();
        outputs.filter(|output| output.address == address).map(|output| output.amount).sum()
    }

    /// Whether any of `addresses` spends in it.
    pub fn spends_of(&self, addresses: &[String]) -> bool {
        self.spent.iter().any(|one| addresses.contains(&one.address))
    }

    /// Whether all that it pays stays with `addresses`.
    pub fn stays_with(&self, addresses: &[String]) -> bool {
        let mut outputs = self.transfer.outputs.iter();
        outputs.all(|output| addresses.contains(&output.address))
    }
}

/// Names a coin's base unit in words for a person.
pub(crate) fn amount(coin: Coin, amount: u64) -> String {
    let decimals = if coin == Coin::Xmr { 12 } else { 8 };
    let unit = 10u64.pow(decimals);
    let digits = format!("{:0width$}", amount % unit, width = decimals as usize);
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{}{point}{digits} {coin}", amount / unit)
}
