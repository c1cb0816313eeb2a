//! The socket's client: blocking, for commands and the prompt.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::super::answers::{ANSWER_TIMEOUT, AnswerError};
use super::request::Request;
use super::server::short_path;

/// Longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// Why a running coordinator can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing listens.
    #[error("no coordinator is running on {socket} ({source}); start it, or check --name")]
    NotRunning {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the coordinator on {socket} did not answer: {source}")]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// What came back is no answer.
    #[error("the coordinator on {socket} gave no readable answer: {reason}")]
    Unreadable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
    /// It answered with an error.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Asks one question.
///
/// # Errors
/// [`AskError`].
pub fn ask(socket: &Path, request: &Request) -> Result<Value, AskError> {
    let broken = |source| AskError::Broken { socket: socket.to_owned(), source };
    let unreadable = |reason: String| AskError::Unreadable { socket: socket.to_owned(), reason };
    let connect = || {
        let (short, _folder) = short_path(socket)?;
        UnixStream::connect(short)
    };
    let mut stream =
        connect().map_err(|source| AskError::NotRunning { socket: socket.to_owned(), source })?;
    // The server itself gives up after its own time; this is for one that is stuck altogether.
    let patience = Some(ANSWER_TIMEOUT + Duration::from_secs(5));
    stream.set_read_timeout(patience).map_err(broken)?;
    stream.set_write_timeout(patience).map_err(broken)?;
    let mut line = serde_json::to_vec(request).map_err(|error| unreadable(error.to_string()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(broken)?;
    let mut answer = Vec::new();
    let mut reader = BufReader::new(stream).take(MAX_ANSWER_BYTES);
    reader.read_until(b'\n', &mut answer).map_err(broken)?;
    let answer: Value =
        serde_json::from_slice(&answer).map_err(|error| unreadable(error.to_string()))?;
    match answer {
        Value::Object(mut object) => match (object.remove("ok"), object.remove("error")) {
            (Some(value), None) => Ok(value),
            (None, Some(Value::String(error))) => Err(AnswerError(error).into()),
            _ => Err(unreadable("neither ok nor error".to_owned())),
        },
        _ => Err(unreadable("not an object".to_owned())),
    }
}
