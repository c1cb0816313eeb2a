//! The files that the programs read.

use std::collections::BTreeMap;

use serai_coordinator::processes::core::config::{Config, Mode};
use serai_coordinator::processes::core::keys::Keys;
use serai_messages::{Name, ValidatorKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::{Table, Value};

use super::layout::write;
use super::{BusChoice, ClusterError, Layout, LayoutError};
use crate::binaries::Binaries;

/// A validator's public keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// sr25519: its account on Serai.
    pub validator: ValidatorKey,
    /// libp2p: its peer id.
    pub peer_id: String,
}

/// Makes what keys a validator does not have yet, by its configuration, and returns the public ones.
pub(super) fn make_keys(layout: &Layout, name: &Name) -> Result<Identity, ClusterError> {
    let fault = |reason: String| ClusterError::Keys { name: name.clone(), reason };
    let config = Config::load(&layout.config(name), Mode::Development, Some(name))
        .map_err(|error| fault(error.to_string()))?;
    let keys = Keys::load(&config, name).map_err(|error| fault(error.to_string()))?.keys;
    let identity = libp2p::identity::Keypair::ed25519_from_bytes(*keys.identity)
        .map_err(|error| fault(error.to_string()))?;
    Ok(Identity { validator: keys.public(), peer_id: identity.public().to_peer_id().to_string() })
}

/// The stake behind one key share, in units of 10⁻⁸ SRI: a million SRI.
const KEY_SHARE: u64 = 1_000_000 * 100_000_000;

/// Substrate's development accounts that hold SRI from the start.
const DEVELOPMENT_ACCOUNTS: [&str; 6] =
    ["//Alice", "//Bob", "//Charlie", "//Dave", "//Eve", "//Ferdie"];

/// Writes block 0. Each validator has a little more stake than the next: enough that the set's order
/// is theirs and the first are elected, not enough for a second key share.
pub(super) fn write_genesis(
    layout: &Layout,
    identities: &BTreeMap<Name, Identity>,
) -> Result<(), LayoutError> {
    let settings = layout.settings();
    let networks = || settings.coins.iter().map(|coin| coin.network_name());
    let network =
        json!({ "allocation_per_key_share": KEY_SHARE, "participants": settings.set_size });
    let validators: Vec<_> = settings
        .validators
        .iter()
        .enumerate()
        .filter_map(|(index, name)| {
            let identity = identities.get(name)?;
            let stake = KEY_SHARE + (settings.validators.len() - index) as u64;
            Some(json!({
                "key": identity.validator.to_string(),
                "stake": networks().map(|name| (name, stake)).collect::<BTreeMap<_, _>>(),
                "addresses": addresses(layout, name, identity),
            }))
        })
        .collect();
    let genesis = json!({
        "name": format!("serai-devnet-{}", layout.rpc_port()),
        "networks": networks().map(|name| (name, &network)).collect::<BTreeMap<_, _>>(),
        "validators": validators,
        // Whoever moves money in and out of this network pays fees on Serai.
        "balances": DEVELOPMENT_ACCOUNTS
            .map(|account| json!({ "account": account, "coin": "Serai", "amount": KEY_SHARE })),
    });
    write(&layout.genesis(), format!("{genesis:#}\n").as_bytes())
}

/// Where a coordinator listens, as other coordinators are told.
fn addresses(layout: &Layout, name: &Name, identity: &Identity) -> Vec<String> {
    let peer = &identity.peer_id;
    listen(layout, name).into_iter().map(|address| format!("{address}/p2p/{peer}")).collect()
}

fn listen(layout: &Layout, name: &Name) -> Vec<String> {
    let Some(ports) = layout.ports(name) else { return Vec::new() };
    let port = ports.peers;
    vec![format!("/ip4/127.0.0.1/udp/{port}/quic-v1"), format!("/ip4/127.0.0.1/tcp/{port}")]
}

/// Writes a coordinator's `development.toml`.
pub(super) fn write_configuration(
    layout: &Layout,
    binaries: &Binaries,
    name: &Name,
    log_level: &str,
) -> Result<(), LayoutError> {
    let settings = layout.settings();
    let path = |path: std::path::PathBuf| Value::from(path.to_string_lossy().into_owned());
    let list = |texts: Vec<String>| Value::from(texts);

    let usual = || vec![binaries.processor.to_string_lossy().into_owned()];
    let processor = settings.odd_processors.get(name).cloned().unwrap_or_else(usual);
    let processors = settings.coins.iter().map(|coin| {
        (coin.name().to_owned(), {
            // Whoever develops waits for it.
            let backoff = ("backoff_max", Value::from("1s"));
            table([("command", list(processor.clone())), backoff])
        })
    });
    let kafka = match &settings.bus {
        BusChoice::Embedded => {
            table([("bus", Value::from("embedded")), ("embedded_path", path(layout.bus(name)))])
        }
        BusChoice::Kafka { host, port } => table([
            ("bus", Value::from("kafka")),
            ("kafka_host", Value::from(host.as_str())),
            ("kafka_port", Value::from(i64::from(*port))),
        ]),
    };
    let http = layout.ports(name).map(|ports| format!("127.0.0.1:{}", ports.http));
    let coins = settings.coins.iter().map(|coin| coin.name().to_owned()).collect();
    let rpc = settings
        .coins
        .iter()
        .filter_map(|coin| Some((coin.name().to_owned(), layout.external_url(*coin)?.into())));
    let names = settings.validators.iter().map(|name| name.to_string()).collect();
    let configuration = table([
        (
            "general",
            table([
                ("log_level", Value::from(log_level)),
                ("data_dir", path(layout.data(name))),
                ("backup_dir", path(layout.validator(name).join("backup"))),
            ]),
        ),
        ("chains", table([("enabled", list(coins)), ("rpc", Value::Table(rpc.collect()))])),
        ("kafka", kafka),
        (
            "observation",
            table([
                ("rpc_host", Value::from("127.0.0.1")),
                ("rpc_port", Value::from(i64::from(layout.rpc_port()))),
                ("profile", Value::from("development")),
            ]),
        ),
        ("network", table([("party", list(names)), ("listen", list(listen(layout, name)))])),
        ("processors", Value::Table(processors.collect())),
        ("keys", table([("source", Value::from("files")), ("dir", path(layout.keys(name)))])),
        ("protocol", table([("attempt_blocks", Value::from(i64::from(settings.attempt_blocks)))])),
        ("http", table([("listen", Value::from(http.unwrap_or_default()))])),
    ]);
    let file = layout.config(name).join("development.toml");
    let text = toml::to_string(&configuration).map_err(|error| LayoutError::Io {
        act: "write",
        path: file.clone(),
        source: std::io::Error::other(error),
    })?;
    write(&file, format!("# Written by serai-devnet at each start.\n\n{text}").as_bytes())
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
    Value::Table(entries.collect::<Table>())
}
