//! `chain_*`: what a node of the network is asked.

use std::sync::Arc;

use jsonrpsee::{RpcModule, core::RegisterMethodError, types::ErrorObjectOwned};
use serde_json::json;

use super::encoding::{bad_params, bytes, failed, hash};
use crate::chain::Chain;

/// The most addresses in one question.
const MAX_ADDRESSES: usize = 10_000;

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Arc<Chain>>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("chain_info", |_, chain, _| {
        let info = chain.info();
        json!({
            "coin": chain.coin().name(),
            "height": info.height,
            "finalized": info.finalized,
            "genesis": hex::encode(info.genesis),
            "fee": info.fee,
        })
    })?;
    module.register_blocking_method("chain_block", |params, chain, _| {
        let (height,): (u64,) = params.parse()?;
        let answer = chain.block(height).map(|(block, transactions)| {
            json!({
                "height": block.height,
                "hash": hex::encode(block.hash),
                "parent": hex::encode(block.parent),
                "fee": block.fee,
                "transactions": transactions.iter().map(hex::encode).collect::<Vec<_>>(),
            })
        });
        Ok::<_, ErrorObjectOwned>(answer)
    })?;
    module.register_blocking_method("chain_publish", |params, chain, _| {
        let (raw,): (String,) = params.parse()?;
        let published = chain.publish(bytes(&raw)?).map_err(failed)?;
        Ok::<_, ErrorObjectOwned>(hex::encode(published))
    })?;
    module.register_blocking_method("chain_transaction", |params, chain, _| {
        let (text,): (String,) = params.parse()?;
        let answer = match chain.transaction(&hash(&text)?) {
            None => json!({ "status": "unknown" }),
            Some((_, None)) => json!({ "status": "pending" }),
            Some((_, Some(included))) => json!({
                "status": "included",
                "height": included.height,
                "block": hex::encode(included.block),
                "finalized": included.finalized,
            }),
        };
        Ok::<_, ErrorObjectOwned>(answer)
    })?;
    module.register_blocking_method("chain_holdings", |params, chain, _| {
        let (addresses, height): (Vec<String>, u64) = params.parse()?;
        if addresses.len() > MAX_ADDRESSES {
            return Err(bad_params(format!("at most {MAX_ADDRESSES} addresses")));
        }
        chain.holdings(&addresses, Some(height)).map_err(failed)
    })?;
    Ok(())
}
