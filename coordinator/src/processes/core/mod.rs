//! The core process: what every other process stands on.
//!
//! # Owns
//! The configuration, the log, the validator's keys and what is known of the processors' keys, the
//! one database and its backups, the threads that processes run on, and the board on which they
//! report.
//!
//! # Promises
//! A configuration is accepted whole or refused with every fault listed. In production no key is
//! ever generated and no processor key is trusted that was not pinned. The first process that
//! ends with an error, or panics, stops the service with its reason.
//!
//! # Limits
//! One coordinator per data folder, held by a lock on `{data_dir}/lock`.

pub mod backup;
pub mod config;
pub mod keys;
pub mod logging;
pub mod public;
pub mod status;
pub mod store;
pub mod task;
