//! JSON-RPC over HTTP, parameters by position.
//!
//! # Owns
//! The methods' shapes and error codes.
//!
//! # Promises
//! Hashes and bytes are lower-case hex without a prefix, amounts integers in base units.
//!
//! # Limits
//! No authentication: the server listens on the loopback interface only.

mod chain;
mod dev;
mod encoding;

use std::sync::Arc;

use jsonrpsee::{RpcModule, core::RegisterMethodError};

use crate::chain::Chain;

pub use encoding::{HEIGHT_NOT_THERE, REFUSED};

/// All methods of a network.
pub(crate) fn methods(chain: Arc<Chain>) -> Result<RpcModule<Arc<Chain>>, RegisterMethodError> {
    let mut module = RpcModule::new(chain);
    chain::register(&mut module)?;
    dev::register(&mut module)?;
    Ok(module)
}
