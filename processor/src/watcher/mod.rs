//! The one that speaks to the external chain.
//!
//! ```text
//!            ◀── Orders: block wanted, transactions to publish, holdings to ask for ── actor
//!  watcher ──┤                                                                        (ledger)
//!            ──▶ Report: Finalized, Blocks, Published, Final, Holdings ──────────────▶
//! ```
//!
//! # Owns
//! When the chain is asked what, and how often again. Nothing else: after a restart, all that it does
//! follows from the orders, which are made from the processor's database.
//!
//! # Promises
//! A wanted block is sent once it is finalized. A signed transaction is given to the chain, and again
//! whenever the chain does not know it, until it is in a finalized block. A chain that does not answer
//! is asked again, ever more seldom, and stops nothing else. Another chain than the one known is not
//! used.
//!
//! # Limits
//! A transaction that the chain refuses is tried again, since what it spends may come later; one that
//! pays too little waits. Questions are asked one after the other.

mod publishing;
mod task;

#[cfg(test)]
mod tests;

pub use task::{LOOK_AHEAD, Orders, Report, Settings, Want, Watcher};
