//! Vault key shares at rest.
//!
//! # Owns
//! The keystore key, the encrypted rows of the processor's database that hold key shares and seeds,
//! and the backup files.
//!
//! # Promises
//! Nothing secret is on disk in the clear: rows and backups are XChaCha20-Poly1305 under the keystore
//! key, each bound to a label that says what it is. A vault is on disk and in its backup before
//! anything is said about it. Backups hold key shares, never nonces: a nonce that came back from a
//! backup could sign twice.
//!
//! # Limits
//! The keystore key itself is a file beside the database unless the environment gives it: the
//! encryption protects backups and copies of the database, not a folder that is taken whole.

mod backup;
mod cipher;
mod tables;

pub use backup::{Backup, BackupError};
pub use cipher::{Cipher, DamagedSecret};
pub use tables::{
    MIGRATION, Vault, confirm, confirmed, delete_nonce, insert, keys, list, nonce, vault,
    vault_label,
};
