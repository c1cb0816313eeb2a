//! What a backup says of itself.

use std::collections::BTreeMap;

use serai_messages::{BlockHash, BlockNumber, Name};
use serde::{Deserialize, Serialize};

use super::content::Content;

/// Version of this form. Others are refused.
pub const FORMAT: u32 = 1;

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form; a program reads its own alone.
    pub format: u32,
    /// The validator.
    pub name: Name,
    /// When it was made; where the clock had gone back, a moment after the one before. Backups are
    /// ordered by it.
    pub made: jiff::Timestamp,
    /// What the clock said then.
    pub clock: jiff::Timestamp,
    /// Version of the program that made it.
    pub program: String,
    /// Incarnation of the state.
    pub incarnation: u64,
    /// Hash of the Serai chain's block 0; none where no node had been reached.
    pub chain: Option<BlockHash>,
    /// Last block of it that was handled.
    pub cursor: Option<Cursor>,
    /// Version of each component's tables.
    pub schema: BTreeMap<String, u32>,
    /// What the database holds.
    pub content: Content,
    /// Its files by their paths.
    pub files: BTreeMap<String, FileSum>,
}

/// A block of Serai.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its number.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: BlockHash,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}
