//! The one encoding of bodies.

use borsh::{BorshDeserialize, BorshSerialize};

/// Version of the encoding that this build writes, as carried in the `version` header and in
/// every signed statement.
pub const VERSION: u16 = 1;

/// The largest body that any part of the system accepts, in bytes. Commitments of 150 validators
/// with both keys stay below 1 MiB; the rest is room for headers and sealing.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than [`MAX_BODY_BYTES`].
    #[error("body of {actual} bytes is over the cap of {cap} bytes")]
    TooLarge {
        /// Length found.
        actual: usize,
        /// Length allowed.
        cap: usize,
    },
    /// Not this type, or bytes are left over.
    #[error("body does not decode as {expected}: {reason}")]
    Malformed {
        /// Rust name of the expected type.
        expected: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

/// The bytes of `value`; the same value always has the same bytes.
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a vector fails only on a collection longer than u32::MAX, which no type here holds.
    if value.serialize(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// Reads one value that fills `bytes` to the end.
///
/// # Errors
/// [`DecodeError`] when `bytes` is over the cap, malformed, or longer than the value.
pub fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_BODY_BYTES {
        return Err(DecodeError::TooLarge { actual: bytes.len(), cap: MAX_BODY_BYTES });
    }
    T::try_from_slice(bytes).map_err(|error| DecodeError::Malformed {
        expected: std::any::type_name::<T>(),
        reason: error.to_string(),
    })
}
