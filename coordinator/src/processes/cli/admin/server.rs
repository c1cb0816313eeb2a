//! The socket's server.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::answers::{AnswerError, Answers};
use super::request::{Request, answer};

/// Longest question, in bytes, with its line end.
pub const MAX_REQUEST_BYTES: u64 = 16 * 1024;

/// Connections at once; one more is told so and closed.
pub const MAX_CONNECTIONS: usize = 16;

/// A connection that asks nothing, or does not read its answer, for this long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// Longest path of a socket that systems take.
const MAX_SOCKET_PATH_BYTES: usize = 100;

/// Path of the socket in a data folder.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

/// The bound socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket for this user alone, replacing what a crash left behind: the lock of the
    /// data folder keeps a second coordinator away.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(path: &Path) -> std::io::Result<Self> {
        // Under another name until its mode is right, so that nobody connects before.
        let new = path.with_extension("new");
        for old in [path, &new] {
            match std::fs::remove_file(old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let (short, _folder) = short_path(&new)?;
        let listener = UnixListener::bind(short)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&new, path)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until `shutdown`; questions under way then are still answered.
    pub async fn run(self, answers: Arc<dyn Answers>, shutdown: CancellationToken) {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let tasks = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the admin socket cannot accept a connection");
                        // Out of file descriptors, most likely: do not spin.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let permit = connections.clone().try_acquire_owned().ok();
            let (answers, shutdown) = (answers.clone(), shutdown.clone());
            tasks.spawn(async move {
                let served = match &permit {
                    Some(_) => serve(stream, answers.as_ref(), shutdown).await,
                    None => refuse(stream).await,
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection to the admin socket broke");
                }
            });
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A file that is gone already is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A path to the same socket that is short enough for a socket address; the folder is to be kept
/// open while it is used.
pub(super) fn short_path(path: &Path) -> std::io::Result<(PathBuf, Option<File>)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if path.as_os_str().len() > MAX_SOCKET_PATH_BYTES => {
            let folder = File::open(parent)?;
            let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
            Ok((short, Some(folder)))
        }
        _ => Ok((path.to_owned(), None)),
    }
}

async fn serve(
    stream: UnixStream,
    answers: &dyn Answers,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut read).take(MAX_REQUEST_BYTES);
        let length = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            length = tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)) => match length {
                Ok(length) => length?,
                Err(_) => return Ok(()),
            },
        };
        if length == 0 {
            return Ok(());
        }
        let complete = line.ends_with(b"\n") || (length as u64) < MAX_REQUEST_BYTES;
        let reply = if complete {
            respond(answers, &line).await
        } else {
            Err(AnswerError(format!("the question is longer than {MAX_REQUEST_BYTES} bytes")))
        };
        send(&mut write, reply).await?;
        if !complete {
            return Ok(());
        }
    }
}

async fn respond(answers: &dyn Answers, line: &[u8]) -> Result<Value, AnswerError> {
    let request: Request = serde_json::from_slice(line)
        .map_err(|error| AnswerError(format!("the question is not understood: {error}")))?;
    answer(answers, &request).await
}

async fn refuse(stream: UnixStream) -> std::io::Result<()> {
    let (_, mut write) = stream.into_split();
    let busy = format!("{MAX_CONNECTIONS} questions are under way already; ask again");
    send(&mut write, Err(AnswerError(busy))).await
}

async fn send(
    write: &mut (impl AsyncWriteExt + Unpin),
    reply: Result<Value, AnswerError>,
) -> std::io::Result<()> {
    let reply = match reply {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"error": error.to_string()}),
    };
    let mut line = reply.to_string();
    line.push('\n');
    tokio::time::timeout(IDLE, write.write_all(line.as_bytes()))
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}
