//! What is to be started: command line, environment and bounds of each processor.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serai_bus::{Kind, SecretKey};
use serai_messages::{Coin, Name};

use super::super::core::config::Config;

/// Variables of the environment that every processor gets; no key is among them.
const PASSED_ENV: [&str; 6] = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "RUST_BACKTRACE"];

/// Heartbeats within one `heartbeat_timeout`, so that one lost to a slow disk is no alarm.
const HEARTBEATS_PER_TIMEOUT: u32 = 4;

/// Longest time between two heartbeats.
const MAX_HEARTBEAT: Duration = Duration::from_secs(5);

/// How to run one coin's processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its coin.
    pub coin: Coin,
    /// Whether it is started and stopped here; otherwise only watched.
    pub managed: bool,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: BTreeMap<String, OsString>,
    /// Its folder, made before it starts.
    pub folder: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
    /// Silence after which it counts as hung.
    pub heartbeat_timeout: Duration,
    /// Time that it gets to stop before it is killed.
    pub stop_timeout: Duration,
    /// First pause before a restart.
    pub backoff_min: Duration,
    /// Longest pause before a restart.
    pub backoff_max: Duration,
}

/// The plans of all enabled coins. A processor is told the public half of the coordinator's key for
/// its coin, so that it trusts no other.
pub fn plans(config: &Config, name: &Name, keys: &BTreeMap<Coin, SecretKey>) -> Vec<Plan> {
    let data_dir = &config.general.data_dir;
    config
        .processors
        .iter()
        .map(|(coin, processor)| {
            let folder = data_dir.join("processors").join(coin.name());
            let mut command = processor.command.iter();
            let program = command.next().map(String::as_str).unwrap_or_default();
            let mut arguments: Vec<OsString> = command.map(OsString::from).collect();
            let mut add = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
            add("--name", name.as_str().into());
            add("--coin", coin.name().into());
            add("--data", folder.clone().into());
            match (config.kafka.bus, &config.kafka.embedded_path) {
                (Kind::Embedded, Some(path)) => {
                    let mut bus = OsString::from("embedded:");
                    bus.push(path);
                    add("--bus", bus);
                }
                _ => {
                    add("--bus", format!("kafka:{}", config.kafka.brokers()).into());
                    add("--bus-settings", bus_settings_path(data_dir).into());
                }
            }
            if let Some(key) = keys.get(coin) {
                add("--coordinator-key", key.public().to_string().into());
            }
            let heartbeat =
                (processor.heartbeat_timeout / HEARTBEATS_PER_TIMEOUT).min(MAX_HEARTBEAT);
            add("--heartbeat-ms", heartbeat.as_millis().to_string().into());
            add("--log-level", config.general.log_level.clone().into());
            if let Some(url) = config.chains.rpc.get(coin) {
                add("--chain-rpc", url.expose().into());
            }
            arguments.push("--exit-with-parent".into());
            let environment = PASSED_ENV
                .into_iter()
                .chain(processor.pass_env.iter().map(String::as_str))
                .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)))
                .collect();
            Plan {
                coin: *coin,
                managed: processor.managed,
                program: find(program),
                arguments,
                environment,
                log: folder.with_extension("log"),
                folder,
                heartbeat_timeout: processor.heartbeat_timeout,
                stop_timeout: processor.stop_timeout,
                backoff_min: processor.backoff_min,
                backoff_max: processor.backoff_max,
            }
        })
        .collect()
}

/// Where the `[kafka]` section is written for the processors; it holds no secret.
pub(super) fn bus_settings_path(data_dir: &Path) -> PathBuf {
    data_dir.join("processors").join("bus.toml")
}

/// A bare name means the program beside this one, which is of the same build, or else in PATH.
fn find(program: &str) -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(program)))
        .filter(|path| !program.contains('/') && path.is_file());
    beside.unwrap_or_else(|| PathBuf::from(program))
}
