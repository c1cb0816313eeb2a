//! `dev_*`: what a real network has no command for.

use std::sync::Arc;

use jsonrpsee::{RpcModule, core::RegisterMethodError, types::ErrorObjectOwned};
use serde_json::json;

use super::encoding::{bytes, failed, hash};
use crate::chain::Chain;

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Arc<Chain>>) -> Result<(), RegisterMethodError> {
    money(module)?;
    blocks(module)?;
    module.register_blocking_method("dev_transaction", |params, chain, _| {
        let (text,): (String,) = params.parse()?;
        let answer = chain.transaction(&hash(&text)?).map(|(taken, _)| {
            json!({
                "raw": hex::encode(&taken.raw),
                "verified_by": chain.library(),
                "inputs_verified": taken.verified,
            })
        });
        Ok::<_, ErrorObjectOwned>(answer)
    })?;
    Ok(())
}

fn money(module: &mut RpcModule<Arc<Chain>>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("dev_deposit", |params, chain, _| {
        let mut params = params.sequence();
        let (address, amount): (String, u64) = (params.next()?, params.next()?);
        let data: Option<String> = params.optional_next()?;
        let data = data.map(|data| bytes(&data)).transpose()?;
        let deposited = chain.deposit(&address, amount, data).map_err(failed)?;
        Ok::<_, ErrorObjectOwned>(hex::encode(deposited))
    })?;
    module.register_blocking_method("dev_balance", |params, chain, _| {
        let (address,): (String,) = params.parse()?;
        chain.holdings(&[address], None).map_err(failed)
    })?;
    module.register_blocking_method("dev_seize", |params, chain, _| {
        let (address, amount): (String, u64) = params.parse()?;
        chain.seize(&address, amount).map_err(failed)
    })?;
    module.register_blocking_method("dev_set_fee", |params, chain, _| {
        let (fee,): (u64,) = params.parse()?;
        chain.set_fee(fee).map_err(failed)
    })?;
    Ok(())
}

fn blocks(module: &mut RpcModule<Arc<Chain>>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("dev_mine", |params, chain, _| {
        let (count,): (u64,) = params.parse()?;
        chain.mine(count).map_err(failed)
    })?;
    module.register_blocking_method("dev_pause", |_, chain, _| chain.pause(true))?;
    module.register_blocking_method("dev_resume", |_, chain, _| chain.pause(false))?;
    module.register_blocking_method("dev_reorg", |params, chain, _| {
        let mut params = params.sequence();
        let depth = params.next()?;
        let drop: Option<bool> = params.optional_next()?;
        chain.reorganise(depth, drop.unwrap_or(false)).map_err(failed)
    })?;
    Ok(())
}
