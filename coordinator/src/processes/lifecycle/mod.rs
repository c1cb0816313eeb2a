//! Processors as supervised children (DESIGN D12).
//!
//! # Owns
//! The child processes, their pipes, their logs in `{data_dir}/processors/{coin}.log`, and the
//! folders `{data_dir}/processors/{coin}` that they are told to use.
//!
//! # Promises
//! At most one live processor per coin: a child that hangs is killed, with its process group, and
//! reaped before the next one starts, and one that outlived an earlier life of this program is waited
//! for. A child that ends is started again after a pause that doubles
//! from `backoff_min` to `backoff_max` and begins anew once a child has shown a heartbeat. Children
//! are stopped in reverse order of coins: standard input closed and SIGTERM, then, after
//! `stop_timeout`, SIGKILL. If this program dies, the closed pipe tells them.
//!
//! # Limits
//! Silence counts only while the coin's topic is read ([`Mailbox::set_listening`]): a bus that is
//! away must not get processors killed in the middle of a ceremony. A processor that is not managed
//! is watched, but neither started nor stopped.

mod actor;
mod child;
mod log_file;
mod mailbox;
mod plan;
mod supervisor;
mod vacancy;

pub use actor::{Actor, LifecycleError, new};
pub use mailbox::{Mailbox, ProcessorState, ProcessorStatus};
pub use plan::{Plan, plans};
