//! The frames of a proven connection.
//!
//! ```text
//! frame  = length (u32, little endian, 1 to MAX_FRAME_BYTES) kind (u8) fields
//! alive  = kind 0
//! batch  = kind 1, incarnation (u64) first sequence (u64) count (u16) { length (u32) bytes } × count
//! ack    = kind 2, incarnation (u64) last committed sequence (u64)
//! ```
//!
//! # Limits
//! A length over [`MAX_FRAME_BYTES`] ends the connection before anything is allocated for it.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use serai_messages::{Incarnation, MAX_BODY_BYTES, Sequence};

/// Most statements in a batch.
pub const MAX_BATCH_STATEMENTS: usize = 256;

/// Most bytes of statements in a batch. Never less than one statement.
pub const MAX_BATCH_BYTES: usize = MAX_BODY_BYTES;

/// Largest frame, without its length.
pub const MAX_FRAME_BYTES: usize = 1 + 8 + 8 + 2 + 4 * MAX_BATCH_STATEMENTS + MAX_BATCH_BYTES;

/// What travels.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// Nothing to say, but here.
    Alive,
    /// Statements in order and without gaps.
    Batch(Batch),
    /// How far the receiver has committed.
    Ack(Ack),
}

impl Frame {
    /// What it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Frame::Alive => "sign of life",
            Frame::Batch(_) => "batch",
            Frame::Ack(_) => "acknowledgement",
        }
    }
}

/// Statements in order and without gaps.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The sender's life.
    pub(super) incarnation: Incarnation,
    /// Sequence of the first statement.
    pub(super) first: Sequence,
    /// Encoded signed statements; at least one.
    pub(super) bodies: Vec<Vec<u8>>,
}

impl Batch {
    /// Sequence of the last statement.
    pub(super) fn last(&self) -> Sequence {
        Sequence(self.first.0.saturating_add(self.bodies.len() as u64).saturating_sub(1))
    }
}

/// How far the receiver has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// The incarnation that sent.
    pub(super) incarnation: Incarnation,
    /// Its last committed sequence.
    pub(super) sequence: Sequence,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Frame::Alive => f.write_str("Alive"),
            Frame::Batch(batch) => batch.fmt(f),
            Frame::Ack(ack) => ack.fmt(f),
        }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({}: {} to {})", self.incarnation, self.first, self.last())
    }
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The length is over the cap, or zero.
    #[error("frame of {0} bytes; allowed are 1 to {MAX_FRAME_BYTES}")]
    Length(u32),
    /// The fields do not fit the kind.
    #[error("malformed frame: {0}")]
    Malformed(&'static str),
}

impl Frame {
    /// The frame with its length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        match self {
            Frame::Alive => bytes.push(0),
            Frame::Batch(batch) => {
                bytes.push(1);
                bytes.extend(batch.incarnation.0.to_le_bytes());
                bytes.extend(batch.first.0.to_le_bytes());
                bytes.extend((batch.bodies.len() as u16).to_le_bytes());
                for body in &batch.bodies {
                    bytes.extend((body.len() as u32).to_le_bytes());
                    bytes.extend(body);
                }
            }
            Frame::Ack(ack) => {
                bytes.push(2);
                bytes.extend(ack.incarnation.0.to_le_bytes());
                bytes.extend(ack.sequence.0.to_le_bytes());
            }
        }
        let length = ((bytes.len() - 4) as u32).to_le_bytes();
        bytes[..4].copy_from_slice(&length);
        bytes
    }

    /// Reads a frame that follows its length.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut rest = bytes;
        let frame = match take::<1>(&mut rest)? {
            [0] => Frame::Alive,
            [1] => {
                let incarnation = Incarnation(u64::from_le_bytes(take(&mut rest)?));
                let first = Sequence(u64::from_le_bytes(take(&mut rest)?));
                let count = usize::from(u16::from_le_bytes(take(&mut rest)?));
                if count == 0 || count > MAX_BATCH_STATEMENTS {
                    return Err(WireError::Malformed("number of statements in a batch"));
                }
                if first.0 == 0 || first.0.checked_add(count as u64).is_none() {
                    return Err(WireError::Malformed("first sequence of a batch"));
                }
                let mut bodies = Vec::with_capacity(count);
                for _ in 0..count {
                    let length = u32::from_le_bytes(take(&mut rest)?) as usize;
                    let (body, after) = rest
                        .split_at_checked(length)
                        .ok_or(WireError::Malformed("length of a statement"))?;
                    bodies.push(body.to_vec());
                    rest = after;
                }
                Frame::Batch(Batch { incarnation, first, bodies })
            }
            [2] => Frame::Ack(Ack {
                incarnation: Incarnation(u64::from_le_bytes(take(&mut rest)?)),
                sequence: Sequence(u64::from_le_bytes(take(&mut rest)?)),
            }),
            _ => return Err(WireError::Malformed("unknown kind")),
        };
        if !rest.is_empty() {
            return Err(WireError::Malformed("trailing bytes"));
        }
        Ok(frame)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], WireError> {
    let (head, tail) =
        rest.split_first_chunk::<N>().ok_or(WireError::Malformed("ends too early"))?;
    *rest = tail;
    Ok(*head)
}

/// Writes one frame and flushes it.
///
/// # Errors
/// The stream's.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    frame: &Frame,
) -> std::io::Result<()> {
    writer.write_all(&frame.encode()).await?;
    writer.flush().await
}

/// Reads the length of the next frame.
///
/// # Errors
/// The stream's, or [`WireError::Length`] as `InvalidData`.
pub(super) async fn read_length<R: AsyncRead + Unpin>(reader: &mut R) -> Result<usize, ReadError> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length);
    match length as usize {
        1..=MAX_FRAME_BYTES => Ok(length as usize),
        _ => Err(WireError::Length(length).into()),
    }
}

/// Reads a frame of `length` bytes, as [`read_length`] returned it.
///
/// # Errors
/// The stream's, or [`WireError::Malformed`].
pub(super) async fn read_frame<R: AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
) -> Result<Frame, ReadError> {
    let mut bytes = vec![0; length.min(MAX_FRAME_BYTES)];
    reader.read_exact(&mut bytes).await?;
    Ok(Frame::decode(&bytes)?)
}

/// Why no frame was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The stream's error.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The bytes are no frame.
    #[error(transparent)]
    Wire(#[from] WireError),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = Frame> {
        prop_oneof![
            Just(Frame::Alive),
            (any::<u64>(), any::<u64>()).prop_map(|(incarnation, sequence)| Frame::Ack(Ack {
                incarnation: Incarnation(incarnation),
                sequence: Sequence(sequence),
            })),
            (
                any::<u64>(),
                1..u64::MAX / 2,
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..20)
            )
                .prop_map(|(incarnation, first, bodies)| Frame::Batch(Batch {
                    incarnation: Incarnation(incarnation),
                    first: Sequence(first),
                    bodies,
                })),
        ]
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes(frame in frames()) {
            let bytes = frame.encode();
            prop_assert_eq!(Frame::decode(&bytes[4..]).unwrap(), frame);
        }

        #[test]
        fn never_panics_and_has_one_encoding(
            bytes in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            if let Ok(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(&frame.encode()[4..], &bytes[..]);
            }
        }
    }

    #[tokio::test]
    async fn refuses_a_length_before_it_allocates() {
        for length in [0_u32, MAX_FRAME_BYTES as u32 + 1, u32::MAX] {
            let error = read_length(&mut futures::io::Cursor::new(length.to_le_bytes())).await;
            assert!(
                matches!(error, Err(ReadError::Wire(WireError::Length(found))) if found == length)
            );
        }
    }
}
