//! What all kinds of submissions have in common.

use rusqlite::Connection as Sqlite;
use serai_bus::Database;
use serai_messages::observation::SeraiBlock;
use serai_messages::{KeyPair, ValidatorSet};
use subxt::metadata::Metadata;

use super::super::client::{AtBlock, Connection};
use super::super::error::EndpointError;
use super::super::{chain, tables};

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The chain shows the effect.
    Done(String),
    /// The chain will never show the effect.
    Failed(String),
    /// Not yet.
    Retry(String),
}

/// What a look at the chain tells.
#[derive(Debug)]
pub(super) enum Look {
    /// There is nothing to submit, now or for good.
    Settled(Outcome),
    /// This call is to be submitted.
    Submit(Vec<u8>),
}

impl Look {
    pub(super) fn done(detail: impl Into<String>) -> Self {
        Self::Settled(Outcome::Done(detail.into()))
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Settled(Outcome::Failed(reason.into()))
    }

    pub(super) fn retry(reason: impl Into<String>) -> Self {
        Self::Settled(Outcome::Retry(reason.into()))
    }
}

/// The chain as of a finalized block, and what was observed up to the cursor.
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    pub(super) block: SeraiBlock,
    pub(super) at: AtBlock,
    pub(super) database: &'a Database,
}

impl View<'_> {
    /// Reads what was observed.
    pub(super) fn observed<T>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Sqlite) -> rusqlite::Result<T>,
    ) -> Result<T, EndpointError> {
        self.database
            .read(read)
            .map_err(|error| EndpointError::Request { what, reason: error.to_string() })
    }

    /// The keys that the chain gave a set and may have forgotten since.
    pub(super) fn observed_keys(
        &self,
        set: ValidatorSet,
    ) -> Result<Option<KeyPair>, EndpointError> {
        self.observed("observed keys", |connection| tables::keys(connection, set))
    }

    /// The keys that the chain has for a set.
    pub(super) async fn keys(&self, set: ValidatorSet) -> Result<Option<KeyPair>, EndpointError> {
        chain::keys(self.connection, &self.at, set).await
    }
}

/// The index of a call by its names, once its fields are the known ones.
///
/// # Errors
/// How the chain differs.
pub(super) fn index(
    metadata: &Metadata,
    pallet: &str,
    call: &str,
    fields: &[&str],
) -> Result<[u8; 2], String> {
    let found = metadata
        .pallet_by_name(pallet)
        .ok_or_else(|| format!("the chain has no pallet {pallet}"))?;
    let variant = found
        .call_variant_by_name(call)
        .ok_or_else(|| format!("the chain has no call {pallet}.{call}"))?;
    let names: Vec<_> = variant.fields.iter().filter_map(|field| field.name.as_deref()).collect();
    if names != fields {
        return Err(format!("{pallet}.{call} has the fields {names:?}"));
    }
    Ok([found.call_index(), variant.index])
}
