//! The Serai coordinator: carries a validator's key generations and signings between its
//! processors, its Serai node and the other validators' coordinators.
//!
//! ```text
//!  processor ⇄ `{name}-{chain}` ⇄ ┌ signature ┐ ⇄ network ⇄ other coordinators
//!                                 │     ▲     │
//!                `{name}-serai` ⇄ └ observation ┘ ⇄ Serai node
//!       core: configuration, keys, state, log · lifecycle: the processors · cli: whoever asks
//! ```
//!
//! [`coordinator`] is the one place that wires the [`processes`].

mod answers;
pub mod coordinator;
pub mod processes;
mod program;
mod publishing;

pub use program::run;
