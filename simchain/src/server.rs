//! A running network.
//!
//! # Owns
//! The server and the timer of blocks.
//!
//! # Promises
//! When it was stopped or dropped, its data folder is free and nothing changes any more.
//!
//! # Limits
//! It listens on the loopback interface only. After a delay missed blocks are not made up for.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jsonrpsee::{
    core::RegisterMethodError,
    server::{Server as RpcServer, ServerConfig, ServerHandle},
};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::{
    chain::{Chain, ChainError},
    network::Coin,
    rpc,
};

/// The most connections at once; further ones are refused.
const MAX_CONNECTIONS: u32 = 512;

/// What a network is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which network.
    pub coin: Coin,
    /// Folder that holds it; created if it is not there.
    pub data: PathBuf,
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Time between blocks; zero: blocks come by `dev_mine` only.
    pub block_time: Duration,
    /// How many blocks follow a block before it is finalized.
    pub confirmations: u64,
}

impl Options {
    /// A network in this folder, on a port that the system chooses, with a block each half second
    /// and three confirmations.
    #[must_use]
    pub fn new(coin: Coin, data: impl Into<PathBuf>) -> Self {
        Self {
            coin,
            data: data.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            block_time: Duration::from_millis(500),
            confirmations: 3,
        }
    }
}

/// Why a network does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not on the loopback interface.
    #[error("{0}: only loopback addresses are listened on, since there is no authentication")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The chain cannot be opened.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Two methods of one name.
    #[error(transparent)]
    Methods(#[from] RegisterMethodError),
}

/// A running network; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    genesis: [u8; 32],
    chain: Arc<Chain>,
    handle: ServerHandle,
    producer: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens or makes the network and serves it.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { coin, data, listen, block_time, confirmations } = options;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        let chain = Arc::new(Chain::open(coin, &data, confirmations)?);
        let config = ServerConfig::builder()
            .max_connections(MAX_CONNECTIONS)
            .max_request_body_size(4 << 20)
            .max_response_body_size(64 << 20)
            .http_only()
            .set_tcp_no_delay(true)
            .build();
        let refused = |error| StartError::Listen(listen, error);
        let server =
            RpcServer::builder().set_config(config).build(listen).await.map_err(refused)?;
        let address = server.local_addr().map_err(refused)?;
        let genesis = chain.info().genesis;
        let handle = server.start(rpc::methods(chain.clone())?);
        let producer =
            (!block_time.is_zero()).then(|| tokio::spawn(produce(chain.clone(), block_time)));
        Ok(Self { address, genesis, chain, handle, producer })
    }

    /// Where a client connects to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Hash of block 0.
    #[must_use]
    pub fn genesis(&self) -> [u8; 32] {
        self.genesis
    }

    /// Stops and waits until its connections are closed.
    pub async fn stop(self) {
        self.halt();
        self.handle.clone().stopped().await;
    }

    fn halt(&self) {
        if let Some(producer) = &self.producer {
            producer.abort();
        }
        let _ = self.handle.stop();
        self.chain.stop();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.halt();
    }
}

async fn produce(chain: Arc<Chain>, interval: Duration) {
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.tick().await;
    loop {
        timer.tick().await;
        let chain = chain.clone();
        match tokio::task::spawn_blocking(move || chain.tick()).await {
            Ok(Ok(())) => {}
            Ok(Err(ChainError::Stopped)) => return,
            Ok(Err(error)) => tracing::error!(%error, "no block was made"),
            Err(error) => tracing::error!(%error, "block production was interrupted"),
        }
    }
}
