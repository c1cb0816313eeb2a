//! A node that passes on what another one says, but is silent about new blocks and, where told to,
//! changes answers.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::server::{Server, ServerHandle};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use subxt::rpcs::RpcClient;

/// Changes the answer to a method with these parameters.
pub type Tamper = dyn Fn(&str, &Value, &mut Value) + Send + Sync;

const METHODS: [&str; 7] = [
    "rpc_methods",
    "chain_getBlockHash",
    "chain_getHeader",
    "chain_getFinalizedHead",
    "state_call",
    "state_getStorage",
    "state_queryStorageAt",
];

pub struct Proxy {
    url: String,
    handle: ServerHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Already stopped is as good.
        let _ = self.handle.stop();
    }
}

impl Proxy {
    pub async fn start(upstream: &str) -> Self {
        Self::tampering(upstream, |_, _, _| {}).await
    }

    pub async fn tampering(
        upstream: &str,
        tamper: impl Fn(&str, &Value, &mut Value) + Send + Sync + 'static,
    ) -> Self {
        let client = RpcClient::from_insecure_url(upstream).await.unwrap();
        let tamper: Arc<Tamper> = Arc::new(tamper);
        let mut module = RpcModule::new((client, tamper));
        for method in METHODS {
            module
                .register_async_method(method, move |params, context, _| async move {
                    let (client, tamper) = &*context;
                    let params: Value = params.parse().unwrap_or(Value::Null);
                    let raw = RawValue::from_string(params.to_string()).unwrap();
                    let answer = client.request_raw(method, Some(raw)).await;
                    let answer = answer.map_err(|error| {
                        ErrorObjectOwned::owned(1, error.to_string(), None::<()>)
                    })?;
                    let mut answer: Value = serde_json::from_str(answer.get()).unwrap();
                    tamper(method, &params, &mut answer);
                    Ok::<_, ErrorObjectOwned>(answer)
                })
                .unwrap();
        }
        module
            .register_subscription(
                "chain_subscribeFinalizedHeads",
                "chain_finalizedHead",
                "chain_unsubscribeFinalizedHeads",
                |_, pending, _, _| async move {
                    let sink = pending.accept().await?;
                    sink.closed().await;
                    Ok(())
                },
            )
            .unwrap();
        let server = Server::builder().build("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", server.local_addr().unwrap());
        Self { url, handle: server.start(module) }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }
}
