//! The encodings of bodies.
//!
//! # Promises
//! [`encode`] is the first version's form. It is also the form in which programs store what they know
//! and make digests of it, whatever version carried it: a digest says *what* was said.

use borsh::{BorshDeserialize, BorshSerialize};

#[cfg(feature = "next-version")]
use crate::next;

/// Newest version of the encoding that programs speak, as carried in the `version` header and in
/// every signed statement.
pub const VERSION: u16 = 1;

/// Oldest version that programs speak: that of the release before, so that validators upgrade one by
/// one.
pub const OLDEST_VERSION: u16 = 1;

/// Newest version that this build can read and write: [`VERSION`], and where tests are compiled in one
/// more.
pub(crate) const NEWEST_KNOWN: u16 = if cfg!(feature = "next-version") { 2 } else { VERSION };

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
    /// In a version that this build does not know.
    #[error("{0}")]
    Version(UnknownVersion),
}

/// A version that this build does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "message version {0} is not known here (this program knows {OLDEST_VERSION} to {NEWEST_KNOWN}); \
     run a program that speaks it"
)]
pub struct UnknownVersion(pub u16);

impl UnknownVersion {
    /// Nothing, if this build knows the version.
    ///
    /// # Errors
    /// [`UnknownVersion`].
    pub fn check(version: u16) -> Result<(), Self> {
        if (OLDEST_VERSION..=NEWEST_KNOWN).contains(&version) { Ok(()) } else { Err(Self(version)) }
    }
}

/// The bytes of `value`, in the first version's form; the same value always has the same bytes.
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a vector fails only on a collection longer than u32::MAX, which no type here holds.
    if value.serialize(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// Reads one value that fills `bytes` to the end, in the first version's form.
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

/// The bytes of a record's body in `version`, one that this build speaks. Signed statements inside of
/// it stay in the version that they were signed in.
pub fn encode_in<T: BorshSerialize>(version: u16, value: &T) -> Vec<u8> {
    #[cfg(feature = "next-version")]
    if version == next::VERSION {
        return next::body(encode(value));
    }
    let _ = version;
    encode(value)
}

/// Reads a record's body in `version`.
///
/// # Errors
/// [`DecodeError`], also of a version that this build does not know.
pub fn decode_in<T: BorshDeserialize>(version: u16, bytes: &[u8]) -> Result<T, DecodeError> {
    UnknownVersion::check(version).map_err(DecodeError::Version)?;
    #[cfg(feature = "next-version")]
    if version == next::VERSION {
        let first = next::first_form(bytes).ok_or_else(|| DecodeError::Malformed {
            expected: std::any::type_name::<T>(),
            reason: "the field that this version adds is not the default".to_owned(),
        })?;
        return decode(&first);
    }
    decode(bytes)
}
