//! `dev_*`: what a real chain has no command for.

use jsonrpsee::{RpcModule, core::RegisterMethodError, types::ErrorObjectOwned};
use serde::Deserialize;
use serde_json::json;

use super::encoding::{bad_params, failed};
use crate::{
    chain::{Chain, Finality},
    genesis::parse_key,
    runtime::{types::NetworkId, validator_sets::Rotation},
};

/// Parameters of `dev_rotate`, by position or by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateParams {
    network: String,
    #[serde(default)]
    participants: Option<Vec<String>>,
}

/// Parameters of `dev_finality_lag`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LagParams {
    blocks: u64,
}

/// Adds the methods of this file.
pub fn register(module: &mut RpcModule<Chain>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("dev_rotate", |params, chain, _| {
        let RotateParams { network, participants } = params.parse()?;
        let network = NetworkId::from_name(&network)
            .ok_or_else(|| bad_params(format!("unknown network {network:?}")))?;
        let participants = participants
            .map(|keys| keys.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>())
            .transpose()
            .map_err(|error| bad_params(error.to_string()))?;
        let session =
            chain.rotate(Rotation { network, participants }).map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(json!({ "network": network.name(), "session": session.0 }))
    })?;
    module.register_method("dev_pause", |_, chain, _| chain.pause())?;
    module.register_method("dev_resume", |_, chain, _| chain.resume())?;
    module.register_blocking_method("dev_finality_lag", |params, chain, _| {
        let LagParams { blocks } = params.parse()?;
        chain.set_finality(Finality::Lag(blocks));
        Ok::<_, ErrorObjectOwned>(())
    })?;
    module.register_blocking_method("dev_author", |_, chain, _| {
        let authored = chain.author(Vec::new()).map_err(|error| failed(&error))?;
        Ok::<_, ErrorObjectOwned>(json!({ "number": authored.number, "hash": authored.hash }))
    })?;
    Ok(())
}
