//! The append-only log that the chain is rebuilt from.
//!
//! # Owns
//! One file: frames of length, checksum and a SCALE record.
//!
//! # Promises
//! A record that [`Log::append`] returned for is on disk and survives a crash. A frame torn by one
//! is cut off when the log is opened, with a warning. Damage before the last frame is an error:
//! blocks that others have seen are never dropped in silence.
//!
//! # Limits
//! It only grows: about 1.1 KiB per idle block.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use parity_scale_codec::{Decode, DecodeAll as _, Encode};
use sp_io::hashing::twox_64;

use crate::{executor::Changes, runtime::Header};

/// Bytes before a record: its length and its checksum.
const FRAME_HEADER: usize = 4 + 8;

/// The most bytes of a record: a full block with room to spare.
const MAX_RECORD: usize = 64 << 20;

/// One block as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StoredBlock {
    /// Its header.
    pub header: Header,
    /// Its extrinsics, each with its length prefix.
    pub extrinsics: Vec<Vec<u8>>,
    /// What it changed in storage, sorted by key; of block 0, all of it.
    pub changes: Changes,
}

impl StoredBlock {
    /// What this block wrote under `key`: `None` when it did not touch it.
    pub fn change(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let at = self.changes.binary_search_by(|(k, _)| k.as_slice().cmp(key)).ok()?;
        self.changes.get(at).map(|(_, value)| value.as_deref())
    }
}

/// What the log holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Record {
    /// A block, and the number of the last finalized block once it is there.
    #[codec(index = 0)]
    Block(StoredBlock, u64),
    /// Blocks up to this one are final.
    #[codec(index = 1)]
    Finalized(u64),
}

/// Why the log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A frame that is not the last one does not match its checksum, or does not decode.
    #[error("{path}: damaged at byte {offset}; restore the file or start with a new data folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
    },
    /// A record is larger than a frame may be.
    #[error("record of {0} bytes is over {MAX_RECORD}")]
    TooLarge(usize),
}

/// The open log.
pub struct Log {
    path: PathBuf,
    file: File,
    /// Where the next frame goes.
    end: u64,
}

impl Log {
    /// Opens or creates the log at `path` and hands each record with its offset to `replay`.
    ///
    /// # Errors
    /// On I/O errors, on damage, and those of `replay`.
    pub fn open<E: From<LogError>>(
        path: &Path,
        mut replay: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Self, E> {
        let io = |error| LogError::Io { path: path.to_owned(), error };
        let damaged = |offset| LogError::Damaged { path: path.to_owned(), offset };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        let length = file.metadata().map_err(io)?.len();

        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut end = 0;
        while end < length {
            let left = length - end;
            let Some((record, size)) = read_frame(&mut reader, left).map_err(io)? else {
                if is_torn(&file, end, length).map_err(io)? {
                    tracing::warn!(path = %path.display(), offset = end, bytes = left, "log ends in a torn record: cut off");
                    file.set_len(end).map_err(io)?;
                    file.sync_all().map_err(io)?;
                    break;
                }
                return Err(damaged(end).into());
            };
            let record = Record::decode_all(&mut &record[..]).map_err(|_| damaged(end))?;
            replay(end, record)?;
            end += size;
        }
        drop(reader);
        if length == 0 {
            // The new name itself must survive a crash, not only what is written under it.
            let folder = path.parent().unwrap_or(Path::new("."));
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Ok(Self { path: path.to_owned(), file, end })
    }

    /// Writes a record to disk and returns its offset.
    ///
    /// # Errors
    /// On I/O errors; then the log is as it was.
    pub fn append(&mut self, record: &Record) -> Result<u64, LogError> {
        let payload = record.encode();
        if payload.len() > MAX_RECORD {
            return Err(LogError::TooLarge(payload.len()));
        }
        let length = u32::try_from(payload.len()).map_err(|_| LogError::TooLarge(payload.len()))?;
        let mut frame = Vec::with_capacity(FRAME_HEADER + payload.len());
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&checksum(length, &payload));
        frame.extend_from_slice(&payload);

        let offset = self.end;
        let written = self.file.write_all_at(&frame, offset).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was written of the frame is overwritten by the next one.
            let _ = self.file.set_len(offset);
            return Err(self.io(error));
        }
        self.end += frame.len() as u64;
        Ok(offset)
    }

    /// Reads the record at an offset that [`Log::append`] or [`Log::open`] gave.
    ///
    /// # Errors
    /// On I/O errors and on damage.
    pub fn read(&self, offset: u64) -> Result<Record, LogError> {
        let damaged = || LogError::Damaged { path: self.path.clone(), offset };
        let mut header = [0; FRAME_HEADER];
        self.file.read_exact_at(&mut header, offset).map_err(|error| self.io(error))?;
        let (length, expected) = parse_header(header);
        if length as usize > MAX_RECORD {
            return Err(damaged());
        }
        let mut payload = vec![0; length as usize];
        self.file
            .read_exact_at(&mut payload, offset + FRAME_HEADER as u64)
            .map_err(|error| self.io(error))?;
        if checksum(length, &payload) != expected {
            return Err(damaged());
        }
        Record::decode_all(&mut &payload[..]).map_err(|_| damaged())
    }

    fn io(&self, error: io::Error) -> LogError {
        LogError::Io { path: self.path.clone(), error }
    }
}

fn checksum(length: u32, payload: &[u8]) -> [u8; 8] {
    twox_64(&[&length.to_le_bytes(), payload].concat())
}

fn parse_header(header: [u8; FRAME_HEADER]) -> (u32, [u8; 8]) {
    let [a, b, c, d, checksum @ ..] = header;
    (u32::from_le_bytes([a, b, c, d]), checksum)
}

/// The next frame's payload and the frame's size; `None` when it is incomplete or does not match.
fn read_frame(reader: &mut impl io::Read, left: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut header = [0; FRAME_HEADER];
    if left < FRAME_HEADER as u64 {
        return Ok(None);
    }
    reader.read_exact(&mut header)?;
    let (length, expected) = parse_header(header);
    let size = FRAME_HEADER as u64 + u64::from(length);
    if length as usize > MAX_RECORD || size > left {
        return Ok(None);
    }
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload)?;
    Ok((checksum(length, &payload) == expected).then_some((payload, size)))
}

/// Whether the bad frame at `offset` is what a crash leaves: it reaches the end of the file, or
/// nothing but zeros follows its beginning.
fn is_torn(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    let left = length - offset;
    let mut header = [0; FRAME_HEADER];
    if left < FRAME_HEADER as u64 {
        return Ok(true);
    }
    file.read_exact_at(&mut header, offset)?;
    let (declared, _) = parse_header(header);
    let reaches_end = FRAME_HEADER as u64 + u64::from(declared) >= left;
    if reaches_end && declared as usize <= MAX_RECORD {
        return Ok(true);
    }
    let mut rest = vec![0; usize::try_from(left.min(MAX_RECORD as u64)).unwrap_or(MAX_RECORD)];
    file.read_exact_at(&mut rest, offset)?;
    Ok(rest.iter().all(|byte| *byte == 0))
}
