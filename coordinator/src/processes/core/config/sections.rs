//! The sections, key by key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol as Part;
use serai_bus::{Kind, Settings};
use serai_messages::{Coin, InvalidId, Name};

use super::load::Loader;
use super::parse_duration;
use super::types::{
    Chains, General, Http, KeySource, Keys, LogFormat, Member, Network, Observation, Processor,
    Profile, Protocol, SensitiveUrl, ShortfallAction, Solvency,
};

impl Loader {
    pub(super) fn general(&mut self) -> Option<General> {
        let log_level: String = self.reader.or("general.log_level", "info".to_owned());
        if let Err(error) = super::super::logging::filter(&log_level) {
            self.reader.fault("general.log_level", error);
        }
        let general = General {
            log_level,
            log_format: self.reader.or("general.log_format", LogFormat::default()),
            data_dir: self.path("general.data_dir", "data"),
            backup_dir: self.path("general.backup_dir", "backups"),
            backup_interval: self.duration("general.backup_interval", "1h", Duration::from_secs(1)),
        };
        Some(general)
    }

    pub(super) fn chains(&mut self) -> Option<Chains> {
        let mut rpc = BTreeMap::new();
        for coin in Coin::ALL {
            if let Some(url) = self.reader.optional::<SensitiveUrl>(&format!("chains.rpc.{coin}")) {
                rpc.insert(coin, url);
            }
        }
        self.reader.required::<figment::value::Value>("chains.enabled")?;
        let mut enabled: Vec<Coin> = self.reader.list("chains.enabled")?;
        let count = enabled.len();
        enabled.sort_unstable();
        enabled.dedup();
        if count == 0 {
            self.reader.fault("chains.enabled", "is empty; list at least one of btc, eth, xmr");
        } else if enabled.len() < count {
            self.reader.fault("chains.enabled", "names a coin twice");
        }
        Some(Chains { enabled, rpc })
    }

    pub(super) fn kafka(&mut self) -> Option<Settings> {
        let defaults = Settings::default();
        let mut settings = Settings {
            bus: self.reader.or("kafka.bus", defaults.bus),
            kafka_host: self.reader.or("kafka.kafka_host", defaults.kafka_host),
            kafka_port: self.reader.or("kafka.kafka_port", defaults.kafka_port),
            offset_reset: self.reader.or("kafka.offset_reset", defaults.offset_reset),
            consumer_group: self.reader.or("kafka.consumer_group", defaults.consumer_group),
            embedded_path: self.optional_path("kafka.embedded_path"),
            allow_embedded_in_production: self
                .reader
                .or("kafka.allow_embedded_in_production", defaults.allow_embedded_in_production),
            security_protocol: self
                .reader
                .or("kafka.security_protocol", defaults.security_protocol),
            sasl_mechanism: self.reader.or("kafka.sasl_mechanism", defaults.sasl_mechanism),
            sasl_username: self.reader.optional("kafka.sasl_username"),
            sasl_password_file: self.optional_path("kafka.sasl_password_file"),
            ssl_ca_location: self.optional_path("kafka.ssl_ca_location"),
        };
        match settings.bus {
            Kind::Kafka => {
                for key in ["kafka.kafka_host", "kafka.kafka_port"] {
                    if !self.reader.has(key) {
                        self.reader.fault(key, "missing; bus = \"kafka\" needs a broker's address");
                    }
                }
            }
            Kind::Embedded => {
                let data_dir = self.path("general.data_dir", "data");
                settings.embedded_path.get_or_insert_with(|| data_dir.join("bus.sqlite"));
            }
        }
        if settings.security_protocol.uses_sasl() {
            for key in ["kafka.sasl_username", "kafka.sasl_password_file"] {
                if !self.reader.has(key) {
                    self.reader.fault(key, "missing; kafka.security_protocol asks for SASL");
                }
            }
        }
        Some(settings)
    }

    pub(super) fn observation(&mut self) -> Option<Observation> {
        let hosts: Vec<String> =
            self.reader.list("observation.rpc_host").unwrap_or_else(|| vec!["127.0.0.1".into()]);
        let ports: Vec<u16> =
            self.reader.list("observation.rpc_port").unwrap_or_else(|| vec![9944]);
        let count = hosts.len().max(ports.len());
        if hosts.is_empty() || hosts.iter().any(String::is_empty) {
            self.reader.fault("observation.rpc_host", "must not be empty");
        }
        if [hosts.len(), ports.len()].iter().any(|len| *len != 1 && *len != count) {
            self.reader.fault(
                "observation.rpc_port",
                format!(
                    "lists {} ports for {} hosts; give as many of both, or one of either",
                    ports.len(),
                    hosts.len()
                ),
            );
        }
        let endpoints = (0..count)
            .filter_map(|i| {
                let host = hosts.get(i).or(hosts.first())?;
                let port = ports.get(i).or(ports.first())?;
                Some(if host.contains("://") {
                    format!("{host}:{port}")
                } else if host.contains(':') {
                    format!("ws://[{host}]:{port}")
                } else {
                    format!("ws://{host}:{port}")
                })
            })
            .collect();
        let profile = self.reader.required::<Profile>("observation.profile");
        Some(Observation { endpoints, profile: profile? })
    }

    pub(super) fn network(&mut self) -> Option<Network> {
        let party: Vec<Name> = self.reader.list("network.party").unwrap_or_default();
        if let Some(name) = self.name.clone()
            && !party.is_empty()
            && !party.contains(&name)
        {
            let problem = format!("does not name {name}, which is this validator (--name)");
            self.reader.fault("network.party", problem);
        }
        let both = || {
            ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect()
        };
        let listen: Vec<Multiaddr> = self.reader.list("network.listen").unwrap_or_else(both);
        if listen.is_empty() {
            self.reader.fault("network.listen", "is empty; peers could not reach this validator");
        }
        let mut members = BTreeMap::new();
        for text in self.reader.names("network.members") {
            let key = format!("network.members.{text}");
            let name: Name = match text.parse() {
                Ok(name) => name,
                Err(error) => {
                    self.invalid(&key, &error);
                    continue;
                }
            };
            let validator = self.reader.optional(&format!("{key}.validator"));
            let addresses: Vec<Multiaddr> =
                self.reader.list(&format!("{key}.addresses")).unwrap_or_default();
            for address in &addresses {
                if !matches!(address.iter().last(), Some(Part::P2p(_))) {
                    let problem = format!("{address} must end in /p2p/PEER-ID");
                    self.reader.fault(&format!("{key}.addresses"), problem);
                }
            }
            members.insert(name, Member { validator, addresses });
        }
        Some(Network { party, listen, members })
    }

    pub(super) fn processors(
        &mut self,
        enabled: Option<&[Coin]>,
    ) -> Option<BTreeMap<Coin, Processor>> {
        let second = Duration::from_secs(1);
        let mut processors = BTreeMap::new();
        for coin in Coin::ALL {
            let key = |name: &str| format!("processors.{coin}.{name}");
            let mut command: Vec<String> = self
                .reader
                .list(&key("command"))
                .unwrap_or_else(|| vec!["serai-processor".to_owned()]);
            match command.first_mut() {
                Some(program) if !program.is_empty() => {
                    // A bare name is looked up in PATH; anything else is a path.
                    if program.contains('/') {
                        *program = self.dir.join(&program).display().to_string();
                    }
                }
                _ => self.reader.fault(&key("command"), "must name a program"),
            }
            let processor = Processor {
                managed: self.reader.or(&key("managed"), true),
                command,
                pass_env: self.reader.list(&key("pass_env")).unwrap_or_default(),
                heartbeat_timeout: self.duration(&key("heartbeat_timeout"), "30s", second),
                stop_timeout: self.duration(&key("stop_timeout"), "5s", second / 10),
                backoff_min: self.duration(&key("backoff_min"), "500ms", second / 100),
                backoff_max: self.duration(&key("backoff_max"), "30s", second / 100),
                pinned_key: self.reader.optional(&key("pinned_key")),
            };
            if processor.backoff_max < processor.backoff_min {
                self.reader.fault(&key("backoff_max"), "is less than backoff_min");
            }
            if enabled.is_some_and(|enabled| enabled.contains(&coin)) {
                processors.insert(coin, processor);
            }
        }
        Some(processors)
    }

    pub(super) fn keys(&mut self) -> Option<Keys> {
        let keys = Keys {
            source: self.reader.or("keys.source", KeySource::Files),
            dir: self.path("keys.dir", "keys"),
            env_prefix: self.reader.or("keys.env_prefix", String::new()),
            command: self.reader.list("keys.command").unwrap_or_default(),
        };
        if keys.source == KeySource::Command && keys.command.first().is_none_or(String::is_empty) {
            self.reader.fault("keys.command", "missing; keys.source = \"command\" needs a program");
        }
        Some(keys)
    }

    pub(super) fn protocol(&mut self) -> Option<Protocol> {
        let attempt_blocks = self.reader.or("protocol.attempt_blocks", 20);
        if attempt_blocks == 0 {
            self.reader.fault("protocol.attempt_blocks", "must be at least 1 block");
        }
        Some(Protocol { attempt_blocks })
    }

    pub(super) fn http(&mut self) -> Option<Http> {
        let enabled = self.reader.or("http.enabled", true);
        let allow_remote = self.reader.or("http.allow_remote", false);
        let listen = self.reader.or("http.listen", SocketAddr::from(([127, 0, 0, 1], 0)));
        if !listen.ip().is_loopback() && !allow_remote {
            self.reader.fault(
                "http.listen",
                format!(
                    "{listen} is not on loopback and the pages have no password; keep to \
                     127.0.0.1, or set http.allow_remote = true"
                ),
            );
        }
        Some(Http { listen: enabled.then_some(listen) })
    }

    pub(super) fn solvency(&mut self) -> Option<Solvency> {
        Some(Solvency {
            on_shortfall: self.reader.or("solvency.on_shortfall", ShortfallAction::Report),
        })
    }

    fn duration(&mut self, key: &str, default: &str, least: Duration) -> Duration {
        let text: String = self.reader.or(key, default.to_owned());
        match parse_duration(&text) {
            Ok(duration) if duration >= least => return duration,
            Ok(_) => self.reader.fault(key, format!("{text:?} is less than {least:?}")),
            Err(error) => self.reader.fault(key, error),
        }
        least
    }

    fn invalid(&mut self, key: &str, error: &InvalidId) {
        // The whole table is at fault, so that its keys are not reported as unknown as well.
        let _: Option<figment::value::Value> = self.reader.optional(key);
        self.reader.fault(key, error);
    }
}
