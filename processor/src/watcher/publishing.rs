//! Signed transactions, until they are final.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serai_bus::crash_point;
use serai_messages::signing::SigningId;
use tokio::time::Instant;

use super::task::{Report, Reports, Stop};
use crate::chain::{ChainError, ExternalChain, TransactionStatus};
use crate::ledger::Publication;

struct Tracked {
    next: Instant,
    published: bool,
    refused: bool,
    last: bool,
}

/// What became of each.
pub(super) struct Publishing {
    chain: Arc<dyn ExternalChain>,
    check: Duration,
    tracked: BTreeMap<SigningId, Tracked>,
}

impl Publishing {
    pub fn new(chain: Arc<dyn ExternalChain>, check: Duration) -> Self {
        Self { chain, check, tracked: BTreeMap::new() }
    }

    /// Looks after each; one that the chain gives a wrong answer about holds up no other.
    ///
    /// # Errors
    /// At once where the chain does not answer; otherwise the first wrong answer, once all were looked
    /// after.
    pub async fn turn(
        &mut self,
        publications: &[Publication],
        reports: &Reports,
    ) -> Result<(), Stop> {
        self.tracked.retain(|id, _| publications.iter().any(|publication| publication.id == *id));
        let mut failed = None;
        for publication in publications {
            match self.look_after(publication, reports).await {
                Ok(()) => {}
                Err(stop @ Stop::Chain(ChainError::Invalid { .. })) => {
                    failed = failed.or(Some(stop))
                }
                Err(stop) => return Err(stop),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn look_after(
        &mut self,
        publication: &Publication,
        reports: &Reports,
    ) -> Result<(), Stop> {
        let now = Instant::now();
        let tracked = self.tracked.entry(publication.id).or_insert(Tracked {
            next: now,
            published: publication.published,
            refused: false,
            last: false,
        });
        if tracked.last || tracked.next > now {
            return Ok(());
        }
        let known = match self.chain.transaction(publication.hash).await? {
            TransactionStatus::Unknown => match publish(self.chain.as_ref(), publication).await {
                Ok(_) => true,
                Err(ChainError::Refused(reason)) => {
                    if !tracked.refused {
                        tracing::warn!(id = %publication.id, reason, "transaction refused");
                    }
                    tracked.refused = true;
                    false
                }
                Err(error) => return Err(error.into()),
            },
            TransactionStatus::Pending => true,
            TransactionStatus::Included { finalized, .. } => {
                tracked.last = finalized;
                true
            }
        };
        tracked.next = Instant::now().checked_add(self.check).unwrap_or(now);
        let id = publication.id;
        if known && !tracked.published {
            tracing::info!(%id, transaction = hex::encode(publication.hash), "published");
            reports.send(Report::Published { id, transaction: publication.hash }).await?;
            tracked.published = true;
        }
        if tracked.last {
            reports.send(Report::Final { id }).await?;
        }
        Ok(())
    }
}

async fn publish(
    chain: &dyn ExternalChain,
    publication: &Publication,
) -> Result<[u8; 32], ChainError> {
    crash_point::pass(|| "submission before a transaction is handed over".to_owned());
    let published = chain.publish(&publication.raw).await;
    crash_point::pass(|| "submission after a transaction is handed over".to_owned());
    published
}
