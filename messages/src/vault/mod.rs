//! What a processor must know of Serai to keep its coin's vaults, and what it tells of them.
//!
//! Every processor of a coin receives the same [`CoordinatorMessage`]s in the same order, that of
//! Serai's finalized events, from the first on. With the finalized blocks of the external chain they
//! are all that batches, plans and forwardings are made from, so that all processors make the same.

mod coordinator;
mod processor;

pub use coordinator::CoordinatorMessage;
pub use processor::{Holdings, KeptReason, ProcessorMessage};
