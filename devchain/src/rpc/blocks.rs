//! `chain_*` and `system_*`: blocks and heads.

use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, core::RegisterMethodError,
    types::ErrorObjectOwned,
};
use serde_json::{Value, json};
use sp_core::H256;

use super::encoding::{HexBytes, Number, failed};
use crate::{
    chain::{Chain, Progress},
    runtime::Header,
};

/// Adds the methods of this file.
pub fn register(module: &mut RpcModule<Chain>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("chain_getBlockHash", |params, chain, _| {
        let number: Option<Number> = params.sequence().optional_next()?;
        Ok::<_, ErrorObjectOwned>(chain.block_hash(number.map(|number| number.0)))
    })?;
    module.register_blocking_method("chain_getHeader", |params, chain, _| {
        let at: Option<H256> = params.sequence().optional_next()?;
        let block = chain.block(at).map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(block.map(|block| block.header.clone()))
    })?;
    module.register_blocking_method("chain_getBlock", |params, chain, _| {
        let at: Option<H256> = params.sequence().optional_next()?;
        let block = chain.block(at).map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(block.map(|block| {
            let extrinsics: Vec<HexBytes> =
                block.extrinsics.iter().cloned().map(HexBytes).collect();
            json!({
                "block": { "header": block.header, "extrinsics": extrinsics },
                "justifications": Value::Null,
            })
        }))
    })?;
    module.register_blocking_method("chain_getFinalizedHead", |_, chain, _| {
        chain.block_hash(Some(chain.progress().finalized))
    })?;
    for (subscribe, notify, unsubscribe, follow) in [
        (
            "chain_subscribeFinalizedHeads",
            "chain_finalizedHead",
            "chain_unsubscribeFinalizedHeads",
            (|progress: &Progress| progress.finalized) as fn(&Progress) -> u64,
        ),
        ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads", |p| p.best),
        ("chain_subscribeAllHeads", "chain_allHead", "chain_unsubscribeAllHeads", |p| p.best),
    ] {
        module.register_subscription(
            subscribe,
            notify,
            unsubscribe,
            move |_, pending, chain, _| heads(pending, Chain::clone(&chain), follow),
        )?;
    }

    module.register_method("system_chain", |_, chain, _| chain.name().to_owned())?;
    module.register_method("system_name", |_, _, _| "serai-devchain")?;
    module.register_method("system_version", |_, _, _| env!("CARGO_PKG_VERSION"))?;
    module.register_method("system_chainType", |_, _, _| "Development")?;
    module.register_method(
        "system_properties",
        |_, _, _| json!({ "ss58Format": 42, "tokenDecimals": 8, "tokenSymbol": "SRI" }),
    )?;
    module.register_method(
        "system_health",
        |_, _, _| json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false }),
    )?;
    Ok(())
}

/// Tells the present head and then every one after it. What is still to be told is a number, so
/// that a slow reader costs no memory.
async fn heads(pending: PendingSubscriptionSink, chain: Chain, follow: fn(&Progress) -> u64) {
    let mut progress = chain.subscribe();
    let mut next = follow(&progress.borrow_and_update());
    let Ok(sink) = pending.accept().await else { return };
    loop {
        let head = follow(&progress.borrow_and_update());
        while next <= head {
            let Some(header) = header(&chain, next).await else { return };
            let Ok(message) = serde_json::value::to_raw_value(&header) else { return };
            if sink.send(SubscriptionMessage::from(message)).await.is_err() {
                return;
            }
            next += 1;
        }
        tokio::select! {
            () = sink.closed() => return,
            changed = progress.changed() => if changed.is_err() { return },
        }
    }
}

/// A block's header, read where blocking is allowed.
async fn header(chain: &Chain, number: u64) -> Option<Header> {
    let chain = chain.clone();
    let read = move || {
        let hash = chain.block_hash(Some(number))?;
        match chain.block(Some(hash)) {
            Ok(block) => block.map(|block| block.header.clone()),
            Err(error) => {
                tracing::error!(%error, number, "cannot read a block for a subscription");
                None
            }
        }
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}
