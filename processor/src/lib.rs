//! Reference processor: holds a validator's shares of one coin's vault keys, and works out what its
//! vaults sign.
//!
//! ```text
//!  coordinator ◀── `{name}-{coin}` ──▶ actor ── inbox ──▶ keygen, signing ──▶ crypto (PedPoP, FROST)
//!                  (sealed records)      │                  │       ▲
//!                                     outbox             keystore   │ due
//!                                        │                        ledger ◀── watcher ◀──▶ external node
//!                                        └── one transaction ────────┘
//! ```
//!
//! # Owns
//! The vault's key shares: no other program sees one. Its data folder, locked: database, sealing
//! key, keystore key, backups.
//!
//! # Promises
//! A record is handled once: position, accepted sequence, state and answers are one transaction, and
//! answers are sent again byte for byte until they are on the bus. A nonce signs once. Only what its
//! own ledger finds due is signed. What cannot be
//! handled goes to `{name}-dead-letter` with the reason and blocks nothing. An older instance stops
//! when a newer one speaks; it exits when its parent's pipe closes.
//!
//! # Limits
//! The external chain is believed as its node tells it. See `ledger` and `chain` for those of batches
//! and payments.

mod actor;
pub mod chain;
pub mod cli;
mod conversation;
pub mod crypto;
pub mod driven;
mod external;
#[cfg(feature = "faults")]
pub mod faults;
mod folder;
mod handlers;
mod inbox;
pub mod keygen;
pub mod keystore;
pub mod ledger;
mod outbox;
pub mod program;
mod restore;
mod settings;
pub mod signing;
mod signings;
pub mod state;
mod vaults;
pub mod watcher;

pub use actor::Actor;
pub use external::External;
pub use folder::{Folder, FolderError, KEY_VARIABLE, KEYSTORE_KEY_VARIABLE};
pub use restore::{RestoreError, restore};
pub use settings::{Error, Settings};
pub use signings::{SigningsReport, signings};
pub use vaults::{UnreadableFolder, VaultReport, vaults};
