//! `state_*`: storage and runtime calls.

use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, core::RegisterMethodError,
    types::ErrorObjectOwned,
};
use serde_json::{Value, json};
use sp_core::H256;

use super::encoding::{HexBytes, bad_params, failed};
use crate::{
    chain::Chain,
    runtime::{VERSION, metadata},
};

/// The most keys of one page, as in Substrate.
const MAX_PAGE: u32 = 1000;

/// Adds the methods of this file.
pub fn register(module: &mut RpcModule<Chain>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("state_getStorage", |params, chain, _| {
        let mut params = params.sequence();
        let key: HexBytes = params.next()?;
        let at: Option<H256> = params.optional_next()?;
        let value = chain.storage(at, &key.0).map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(value.map(HexBytes))
    })?;
    module.register_blocking_method("state_getKeysPaged", |params, chain, _| {
        let mut params = params.sequence();
        let prefix: HexBytes = params.next()?;
        let count: u32 = params.next()?;
        let start: Option<HexBytes> = params.optional_next()?;
        let at: Option<H256> = params.optional_next()?;
        if count > MAX_PAGE {
            return Err(bad_params(format!("count {count} is over {MAX_PAGE}")));
        }
        let start = start.as_ref().map(|start| start.0.as_slice());
        let keys = chain
            .storage_keys(at, &prefix.0, start, count as usize)
            .map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(keys.into_iter().map(HexBytes).collect::<Vec<_>>())
    })?;
    module.register_blocking_method("state_queryStorageAt", |params, chain, _| {
        let mut params = params.sequence();
        let keys: Vec<HexBytes> = params.next()?;
        let at: Option<H256> = params.optional_next()?;
        if keys.len() > MAX_PAGE as usize {
            return Err(bad_params(format!("{} keys are over {MAX_PAGE}", keys.len())));
        }
        let block = at.or_else(|| chain.block_hash(None));
        let changes = keys
            .into_iter()
            .map(|key| {
                let value = chain.storage(block, &key.0)?.map(HexBytes);
                Ok((key, value))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(json!([{ "block": block, "changes": changes }]))
    })?;
    module.register_blocking_method("state_call", |params, chain, _| {
        let mut params = params.sequence();
        let method: String = params.next()?;
        let input: HexBytes = params.next()?;
        let at: Option<H256> = params.optional_next()?;
        let answer = chain.call(at, &method, &input.0).map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(HexBytes(answer))
    })?;
    module.register_blocking_method("state_getMetadata", |_, _, _| metadata(14).map(HexBytes))?;
    module.register_method("state_getRuntimeVersion", |_, _, _| version())?;
    module.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, _, _| runtime_version(pending),
    )?;
    Ok(())
}

fn version() -> Value {
    json!({
        "specName": VERSION.spec_name,
        "implName": VERSION.impl_name,
        "authoringVersion": VERSION.authoring_version,
        "specVersion": VERSION.spec_version,
        "implVersion": VERSION.impl_version,
        "transactionVersion": VERSION.transaction_version,
        "stateVersion": VERSION.system_version,
        "apis": VERSION
            .apis
            .iter()
            .map(|(id, version)| (HexBytes(id.to_vec()), version))
            .collect::<Vec<_>>(),
    })
}

/// Tells the version once: the runtime never changes.
async fn runtime_version(pending: PendingSubscriptionSink) {
    let Ok(sink) = pending.accept().await else { return };
    let Ok(message) = serde_json::value::to_raw_value(&version()) else { return };
    if sink.send(SubscriptionMessage::from(message)).await.is_ok() {
        sink.closed().await;
    }
}
