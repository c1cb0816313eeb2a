//! What a report is made from: the chain's events, the external chains and the topics, each read once.

use std::collections::{BTreeMap, BTreeSet};

use serai_bus::{Bus, Position};
use serai_messages::{BlockHash, BlockNumber, Coin, Name, Record, Topic as TopicName};

use super::batches::Submitted;
use super::collect::{ReportError, collect};
use super::topics::{Proof, PublicEvent, TopicsError, bus_settings, read_after};
use super::types::{Report, Topic};
use crate::chain::{Chain, ChainEvent, Money};
use crate::cluster::Cluster;
use crate::external::History;

/// Makes reports of one network. What it has read it keeps, since all of it is final: a further
/// report reads only what has come since.
#[derive(Default)]
pub struct Reader(Sources);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({} blocks)", self.0.hashes.len())
    }
}

impl Reader {
    /// Reads on, and checks everything.
    ///
    /// # Errors
    /// [`ReportError`]: [`ReportError::may_still_come`] tells what is unfinished from what is wrong.
    pub async fn report(&mut self, cluster: &Cluster) -> Result<Report, ReportError> {
        let chain = cluster.chain().await?;
        self.0.advance(cluster, &chain).await?;
        collect(cluster, &chain, &self.0).await
    }
}

/// All that was read.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) histories: BTreeMap<Coin, History>,
    /// Of each finalized Serai block, by height.
    pub(super) hashes: Vec<BlockHash>,
    pub(super) sets: Vec<ChainEvent>,
    pub(super) money: Vec<Money>,
    pub(super) topics: BTreeMap<Name, Read>,
}

impl Sources {
    /// The newest finalized Serai block that was read.
    pub(super) fn finalized(&self) -> BlockNumber {
        BlockNumber(self.next().0.saturating_sub(1))
    }

    /// The hash of a block that was read.
    pub(super) fn hash(&self, block: BlockNumber) -> Result<BlockHash, ReportError> {
        let hash = usize::try_from(block.0).ok().and_then(|height| self.hashes.get(height));
        hash.copied().ok_or_else(|| ReportError::Missing(format!("block {block} of Serai's chain")))
    }

    fn next(&self) -> BlockNumber {
        BlockNumber(u64::try_from(self.hashes.len()).unwrap_or(u64::MAX))
    }

    async fn advance(&mut self, cluster: &Cluster, chain: &Chain) -> Result<(), ReportError> {
        self.serai(chain, chain.finalized().await?).await?;
        let settings = cluster.layout().settings();
        // Before the last of Serai is read: whatever is there was asked for by then.
        for coin in &settings.coins {
            let external = cluster.external(*coin)?;
            self.histories.entry(*coin).or_default().advance(&external).await?;
        }
        self.serai(chain, chain.finalized().await?).await?;
        for name in &settings.validators {
            self.topics.entry(name.clone()).or_default().advance(cluster, name).await?;
        }
        Ok(())
    }

    async fn serai(&mut self, chain: &Chain, finalized: BlockNumber) -> Result<(), ReportError> {
        while self.next() <= finalized {
            let block = chain.block(self.next()).await?;
            self.sets.extend(block.sets);
            self.money.extend(block.money);
            self.hashes.push(block.hash);
        }
        Ok(())
    }
}

/// What one validator's topics hold.
#[derive(Default)]
pub(super) struct Read {
    pub(super) messages: BTreeMap<String, Topic>,
    /// The last record that was read of each topic.
    positions: BTreeMap<String, Position>,
    /// Attempts begun, by session id.
    pub(super) attempts: BTreeMap<String, BTreeSet<u32>>,
    pub(super) proofs: Vec<Proof>,
    /// Batches that it gave to Serai.
    pub(super) batches: Vec<Submitted>,
    /// What its public topic says of signings, payments and forwardings.
    pub(super) public: Vec<PublicEvent>,
}

impl Read {
    async fn advance(&mut self, cluster: &Cluster, name: &Name) -> Result<(), ReportError> {
        let layout = cluster.layout();
        let chains = layout.settings().coins.iter().map(|coin| TopicName::Chain(*coin));
        let others = [TopicName::Serai, TopicName::Public, TopicName::DeadLetter];
        let bus = serai_bus::connect(&bus_settings(layout, name), false)
            .map_err(|source| TopicsError::Bus { topic: format!("{name}-serai"), source })?;
        for topic in chains.chain(others) {
            self.topic(bus.as_ref(), name, topic).await?;
        }
        Ok(())
    }

    async fn topic(
        &mut self,
        bus: &dyn Bus,
        name: &Name,
        topic: TopicName,
    ) -> Result<(), ReportError> {
        let full = topic.full_name(name);
        let found = self.messages.entry(full.clone()).or_default();
        for delivered in read_after(bus, &full, self.positions.get(&full).cloned()).await? {
            self.positions.insert(full.clone(), delivered.position());
            found.records += 1;
            let Ok(record) = &delivered.record else {
                *found.types.entry("undecodable".to_owned()).or_default() += 1;
                continue;
            };
            found.sealed += u64::from(record.sealed);
            *found.types.entry(record.kind.clone()).or_default() += 1;
            if let Some(attempt) = attempt(record) {
                self.attempts.entry(record.session.clone()).or_default().insert(attempt);
            }
            if topic == TopicName::Serai {
                self.batches.extend(Submitted::of(record));
            }
            if topic == TopicName::Public {
                self.public.extend(PublicEvent::of(record));
            }
            if topic == TopicName::Public
                && let Some(proof) = Proof::of(&delivered)
            {
                self.proofs.push(proof.map_err(|reason| {
                    ReportError::Disagreement(format!("event {} on {full}: {reason}", record.id))
                })?);
            }
        }
        Ok(())
    }
}

/// The attempt that a coordinator's record begins, by its id `keygen/SET/ATTEMPT/start`.
fn attempt(record: &Record) -> Option<u32> {
    (record.kind == "keygen.start").then_some(())?;
    record.id.as_str().strip_prefix(&record.session)?.split('/').nth(1)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::{Endpoint, Incarnation, IntentId, Sequence, VERSION};

    use super::*;

    #[test]
    fn attempts_are_counted_by_their_start() {
        let mut record = Record {
            id: IntentId::new("keygen/btc-0/3/start").unwrap(),
            kind: "keygen.start".to_owned(),
            from: Endpoint::Coordinator,
            to: Endpoint::Processor(Coin::Btc),
            session: "keygen/btc-0".to_owned(),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            version: VERSION,
            sealed: true,
            body: Vec::new(),
        };
        assert_eq!(attempt(&record), Some(3));
        record.kind = "keygen.shares".to_owned();
        assert_eq!(attempt(&record), None);
    }
}
