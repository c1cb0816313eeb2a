//! The server.

use std::net::SocketAddr;

use jsonrpsee::{
    RpcModule,
    core::RegisterMethodError,
    server::{Server, ServerConfig, ServerHandle},
};

use super::{author, blocks, dev, state};
use crate::chain::Chain;

/// The most connections at once; further ones are refused.
pub const MAX_CONNECTIONS: u32 = 512;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Two methods of one name.
    #[error(transparent)]
    Methods(#[from] RegisterMethodError),
}

/// A running server; it stops when dropped.
pub struct RpcServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl RpcServer {
    /// Serves `chain` on `listen`; port 0 lets the system choose.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(chain: Chain, listen: SocketAddr) -> Result<Self, ServeError> {
        let config = ServerConfig::builder()
            .max_connections(MAX_CONNECTIONS)
            .max_request_body_size(4 << 20)
            .max_response_body_size(64 << 20)
            .max_subscriptions_per_connection(1024)
            .set_tcp_no_delay(true)
            .build();
        let refused = |error| ServeError::Listen(listen, error);
        let server = Server::builder().set_config(config).build(listen).await.map_err(refused)?;
        let address = server.local_addr().map_err(refused)?;
        Ok(Self { address, handle: server.start(methods(chain)?) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client connects to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Stops the server and waits until its connections are closed.
    pub async fn stop(self) {
        if self.handle.stop().is_ok() {
            self.handle.stopped().await;
        }
    }
}

fn methods(chain: Chain) -> Result<RpcModule<Chain>, RegisterMethodError> {
    let mut module = RpcModule::new(chain);
    blocks::register(&mut module)?;
    state::register(&mut module)?;
    author::register(&mut module)?;
    dev::register(&mut module)?;
    let names: Vec<&'static str> = module.method_names().collect();
    module.register_method(
        "rpc_methods",
        move |_, _, _| serde_json::json!({ "methods": names.clone() }),
    )?;
    Ok(module)
}
