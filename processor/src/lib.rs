//! Reference processor: holds a validator's shares of one coin's vault keys.
//!
//! ```text
//!  coordinator ◀── `{name}-{coin}` ──▶ actor ── inbox ──▶ keygen ──▶ crypto (PedPoP, FROST)
//!                  (sealed records)      │                  │
//!                                     outbox             keystore ──▶ backup files
//!                                        └── one transaction ──┘
//! ```
//!
//! # Owns
//! The vault's key shares: no other program sees one. Its data folder, locked: database, sealing
//! key, keystore key, backups.
//!
//! # Promises
//! A record is handled once: position, accepted sequence, state and answers are one transaction, and
//! answers are sent again byte for byte until they are on the bus. A nonce signs once. What cannot be
//! handled goes to `{name}-dead-letter` with the reason and blocks nothing. An older instance stops
//! when a newer one speaks; it exits when its parent's pipe closes.
//!
//! # Limits
//! Key generation and its proving signatures. External chains are not observed, payments and batches
//! not signed.

mod actor;
pub mod chain;
pub mod cli;
mod conversation;
pub mod crypto;
#[cfg(feature = "faults")]
pub mod faults;
mod folder;
mod handlers;
mod inbox;
pub mod keygen;
pub mod keystore;
mod outbox;
pub mod program;
mod restore;
pub mod state;
mod vaults;

pub use actor::{Actor, Error, Settings};
pub use folder::{Folder, FolderError, KEY_VARIABLE, KEYSTORE_KEY_VARIABLE};
pub use restore::{RestoreError, restore};
pub use vaults::{UnreadableFolder, VaultReport, vaults};
