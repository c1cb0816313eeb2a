//! The configuration: `DIR/default.toml` (may be absent), then `DIR/{mode}.toml`, then the
//! environment, `SERAI_COORDINATOR__SECTION__KEY`; each replaces single keys of the one before.
//!
//! # Owns
//! The names, types, defaults and bounds of all keys (DESIGN section 4).
//!
//! # Promises
//! [`Config::load`] lists every fault at once, each with its key and the file or variable that it
//! came from; unknown keys are faults. Relative paths are relative to DIR. `{name}` in a path
//! stands for the validator's name.
//!
//! # Limits
//! A file is at most [`MAX_FILE_BYTES`].

mod duration;
mod load;
mod reader;
mod sections;
mod types;

pub use duration::{InvalidDuration, parse_duration};
pub use reader::{ConfigError, ENV_PREFIX, Fault, MAX_FILE_BYTES};
pub use types::{
    Chains, Config, General, Http, KeySource, Keys, LogFormat, Member, Mode, Network, Observation,
    Processor, Profile, Protocol, SensitiveUrl, ShortfallAction, Solvency,
};
