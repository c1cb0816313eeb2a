//! Keys: the validator's own, and what is known of its processors'.
//!
//! # Owns
//! The validator's sr25519 key, the libp2p identity, one X25519 key per processor, and the table of
//! processors' public keys. Names, with the prefix of `keys.env_prefix` before them:
//! `{NAME}_VALIDATOR_PRIV`, `{NAME}_NETWORK_PRIV`, `{NAME}_{COIN}_PRIV`, where NAME and COIN are in
//! upper case and `-` is `_`. A key is hex: 32 bytes; the validator's may have 64.
//!
//! # Promises
//! Keys are made and kept (mode 0600) only outside production. A file that others may read is
//! refused. Secrets are wiped from memory when dropped, and print redacted.
//!
//! # Limits
//! A variable of the environment stays readable in `/proc` to this user for as long as the program
//! runs; files and commands do not have this weakness.

mod known;
mod loading;
mod source;

pub use known::{AcceptError, Known, Trust, accept, list, observe, trusted};
pub use loading::{Keys, Loaded};
pub use source::{KeyError, KeyName};
