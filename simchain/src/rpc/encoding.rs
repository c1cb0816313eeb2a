//! Hex and errors.

use jsonrpsee::types::{
    ErrorObjectOwned,
    error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
};

use crate::chain::ChainError;

/// Error code: the network refuses; the message says why.
pub const REFUSED: i32 = -32001;

/// Error code: there is no block at this height.
pub const HEIGHT_NOT_THERE: i32 = -32002;

/// What a method answers when the chain does not do it.
pub(super) fn failed(error: ChainError) -> ErrorObjectOwned {
    let code = match &error {
        ChainError::Refused(_) => REFUSED,
        ChainError::NoBlock(_) => HEIGHT_NOT_THERE,
        _ => INTERNAL_ERROR_CODE,
    };
    ErrorObjectOwned::owned(code, error.to_string(), None::<()>)
}

pub(super) fn bad_params(reason: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_PARAMS_CODE, reason, None::<()>)
}

pub(super) fn bytes(text: &str) -> Result<Vec<u8>, ErrorObjectOwned> {
    hex::decode(text).map_err(|error| bad_params(format!("not hex: {error}")))
}

pub(super) fn hash(text: &str) -> Result<[u8; 32], ErrorObjectOwned> {
    bytes(text)?.try_into().map_err(|_| bad_params("a hash has 32 bytes"))
}
