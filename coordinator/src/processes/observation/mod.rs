//! What happens on Serai becomes records of `{name}-serai`; what is to be said to Serai is
//! submitted from there.
//!
//! ```text
//!  Serai node ──finalized blocks──▶ follower ──one transaction: cursor, records──▶ `{name}-serai`
//!      ▲                                                                              │
//!      └──────bare extrinsic── submitter ◀─"submission"─┬─"txin"─ instructions ◀──────┤
//!                                                                                     │
//!  `{name}-public` ◀──one transaction: position, solvency, event── feed, solvency ◀─"public"
//! ```
//!
//! # Owns
//! The connection to a Serai node, the cursor (number and hash of the last block that was
//! published), open submissions, executed batches, the count of instructions in and out, payments, and
//! whether the vaults are solvent. The only user of `subxt`.
//!
//! # Promises
//! - Every finalized block from block 0 on is read once and in order; its events and the cursor are
//!   committed together, so a stop at any moment leaves neither gap nor repeat.
//! - A block counts only when its header hashes to its hash and its parent is the block before it.
//! - A chain with another genesis block, or without the stored cursor, is refused.
//! - An event with an unknown name is counted; a known one that does not decode stops the cursor
//!   before its block, visible in [`Status`], until it decodes.
//! - The events of a block are published in one order, burns before batches (`arrange`); a batch with
//!   the positions of its instructions that failed.
//! - A submission is stored before its record counts as handled, and kept until the chain shows its
//!   effect or can never accept it (`submission`). A batch of ours that Serai has executed with other
//!   instructions is a failure in health.
//!
//! # Limits
//! - Only the enabled coins' events are published; those of a coin that is enabled later are made up
//!   for from block 0, after the others' (`late_coins`).
//! - The node is believed where a header can't prove it: which events a block has, and what is in
//!   storage. It is the validator's own.
//! - The instructions in a batch are compared with its `instructions_hash` where the own processor's
//!   vault has signed it; other batches are published by that hash alone.

mod actor;
mod arrange;
mod chain;
mod client;
mod clock;
mod consumer;
mod decode;
pub mod driven;
mod error;
mod feed;
mod follower;
mod instructions;
mod late_coins;
mod listing;
mod mailbox;
mod profile;
mod record;
mod settings;
mod solvency;
mod status;
mod submission;
pub mod tables;
mod wire;

pub use actor::{Actor, Wakers, new};
pub use error::{EndpointError, Error, ReadError};
pub use instructions::network_of;
pub use listing::{BatchRow, batches as list_batches, payments as list_payments};
pub use mailbox::Mailbox;
pub use profile::{Profile, ProfileError};
pub use record::enqueue;
pub use settings::Settings;
pub use solvency::{Machine, Numbers, SolvencyStatus, all as list_solvency};
pub use status::{BatchStatus, BlockStatus, BurnStatus, Status, SubmissionStatus};
