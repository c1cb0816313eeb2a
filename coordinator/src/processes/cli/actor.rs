//! The cli process: admin socket, HTTP and prompt on one thread.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serai_messages::{Coin, Name, ProcessorKey};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::core::status::Board;
use super::admin::{Server, socket_path};
use super::answers::{AnswerError, Answers};
use super::telemetry::Telemetry;
use super::{http, prompt};

/// Time between two foldings of metrics.
const UPKEEP: Duration = Duration::from_secs(5);

/// Time that answers under way get when the process stops.
const DRAIN: Duration = Duration::from_secs(3);

/// What the cli process needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The validator.
    pub name: Name,
    /// Folder of the admin socket.
    pub data_dir: PathBuf,
    /// Where to serve HTTP; `None` for nowhere.
    pub http: Option<SocketAddr>,
    /// Whether to offer a prompt, where standard input and output are a terminal.
    pub prompt: bool,
    /// Cancelled when a person at the prompt asks the coordinator to stop.
    pub stop: CancellationToken,
}

/// Why the cli process can't start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The admin socket.
    #[error("cannot open the admin socket {path}: {source}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The HTTP address.
    #[error("cannot serve HTTP on {address}: {source}; is the port taken? see http.listen")]
    Http {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The cli process.
pub struct Actor {
    settings: Settings,
    socket: Server,
    http: Option<TcpListener>,
    shared: Arc<Shared>,
}

/// Handle to the cli process.
#[derive(Clone, Debug)]
pub struct Mailbox {
    http: Option<SocketAddr>,
}

impl Mailbox {
    /// Where HTTP is served, with the port that the system chose.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }
}

/// What socket, prompt and pages answer from.
pub(super) struct Shared {
    pub(super) name: Name,
    pub(super) answers: Arc<dyn Answers>,
    pub(super) board: Board,
    pub(super) telemetry: Telemetry,
    pub(super) http: Option<SocketAddr>,
}

/// Binds the socket and the address and makes the process. To be called on the thread that runs it,
/// within its runtime.
///
/// # Errors
/// [`CliError`].
pub fn new(
    settings: Settings,
    answers: Arc<dyn Answers>,
    board: Board,
    telemetry: Telemetry,
) -> Result<(Actor, Mailbox), CliError> {
    let path = socket_path(&settings.data_dir);
    let socket = Server::bind(&path).map_err(|source| CliError::Socket { path, source })?;
    let mut http = None;
    if let Some(address) = settings.http {
        let error = |source| CliError::Http { address, source };
        let listener = TcpListener::bind(address).map_err(error)?;
        listener.set_nonblocking(true).map_err(error)?;
        http = Some((listener.local_addr().map_err(error)?, listener));
    }
    let (address, http) = http.unzip();
    let name = settings.name.clone();
    let shared = Arc::new(Shared { name, answers, board, telemetry, http: address });
    Ok((Actor { settings, socket, http, shared }, Mailbox { http: address }))
}

impl Actor {
    /// Answers until `shutdown`.
    ///
    /// # Errors
    /// [`CliError::Http`] when serving fails.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), CliError> {
        let Self { settings, socket, http, shared } = self;
        if let Some(address) = shared.http {
            tracing::info!("status page on http://{address}/");
        }
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let prompt = (settings.prompt && terminal)
            .then(|| prompt::start(&settings.name, &settings.data_dir, settings.stop.clone()));
        let ended = {
            let admin = socket.run(shared.clone(), shutdown.clone());
            let pages = http::serve(http, shared.clone(), shutdown.clone());
            let upkeep = upkeep(shared.telemetry.clone(), shutdown.clone());
            let late = async {
                shutdown.cancelled().await;
                tokio::time::sleep(DRAIN).await;
            };
            tokio::select! {
                ((), pages, ()) = async { tokio::join!(admin, pages, upkeep) } => pages,
                () = late => Ok(()),
            }
        };
        drop(prompt);
        let address = shared.http.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        ended.map_err(|source| CliError::Http { address, source })
    }
}

async fn upkeep(telemetry: Telemetry, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => telemetry.upkeep(),
        }
    }
}

#[async_trait]
impl Answers for Shared {
    async fn status(&self) -> Result<Value, AnswerError> {
        let mut status = self.answers.status().await?;
        if let Value::Object(fields) = &mut status {
            let causes = self.board.causes();
            fields.insert("well".to_owned(), causes.is_empty().into());
            fields.insert("causes".to_owned(), causes.into());
            fields.insert("http".to_owned(), json!(self.http));
        }
        Ok(status)
    }

    async fn vaults(&self) -> Result<Value, AnswerError> {
        self.answers.vaults().await
    }

    async fn sessions(&self) -> Result<Value, AnswerError> {
        self.answers.sessions().await
    }

    async fn explain(&self, id: Option<&str>) -> Result<Value, AnswerError> {
        self.answers.explain(id).await
    }

    async fn peers(&self) -> Result<Value, AnswerError> {
        self.answers.peers().await
    }

    async fn batches(&self) -> Result<Value, AnswerError> {
        self.answers.batches().await
    }

    async fn payments(&self) -> Result<Value, AnswerError> {
        self.answers.payments().await
    }

    async fn solvency(&self) -> Result<Value, AnswerError> {
        self.answers.solvency().await
    }

    async fn topics(&self) -> Result<Value, AnswerError> {
        self.answers.topics().await
    }

    async fn resume_topic(&self, topic: &str) -> Result<Value, AnswerError> {
        self.answers.resume_topic(topic).await
    }

    async fn accept_key(
        &self,
        coin: Coin,
        expected: Option<ProcessorKey>,
    ) -> Result<Value, AnswerError> {
        self.answers.accept_key(coin, expected).await
    }
}
