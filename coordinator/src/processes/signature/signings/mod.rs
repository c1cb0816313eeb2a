//! Signings by thing: runs the machines of `serai_protocol::signing`.
//!
//! ```text
//! Ready ─▶ running ─ signatures verified ─▶ done ─▶ who asks is answered from the table
//!   └────▶ held (the coin is short, on_shortfall = "pause") ─ that ends ─▶ running
//! ```
//!
//! # Owns
//! The machines that run, the logs that they are made from, the signatures of those that have ended.
//!
//! # Promises
//! What peers say of a thing before the own processor is ready for it is kept, within bounds, and heard
//! then. A thing is signed once here: a processor that is ready for it again is given the signatures.
//!
//! # Limits
//! Machines that have ended stay in memory for accusations that come late, the last
//! [`LINGERING`](ended::LINGERING) of them and not over a restart; all other state of an ended signing
//! is one row.

mod ended;
mod registry;
mod session;

pub use registry::{Late, Ready, Signings};
