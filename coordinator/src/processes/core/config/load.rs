//! Loading and the checks that span sections.

use std::path::{Path, PathBuf};

use serai_bus::{Kind, SecurityProtocol};
use serai_messages::Name;

use super::reader::{ConfigError, Reader};
use super::types::{Config, Mode};

impl Config {
    /// Reads and checks the configuration in `dir` with this process' environment. Without a
    /// `name`, `{name}` in paths stays as it is and the party is not searched for it.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn load(dir: &Path, mode: Mode, name: Option<&Name>) -> Result<Self, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::load_with(dir, mode, name, environment)
    }

    /// As [`Config::load`], with the environment given.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn load_with(
        dir: &Path,
        mode: Mode,
        name: Option<&Name>,
        environment: Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let reader = Reader::open(
            &dir.join("default.toml"),
            &dir.join(format!("{mode}.toml")),
            environment,
        )?;
        let mut loader = Loader { reader, dir, mode, name: name.cloned(), notices: Vec::new() };
        let config = loader.config();
        if let Some(config) = &config {
            loader.check(config);
        }
        let notices = std::mem::take(&mut loader.notices);
        let faults = loader.reader.finish();
        match config {
            Some(config) if faults.is_empty() => Ok(Self { notices, ..config }),
            _ => Err(ConfigError { faults }),
        }
    }
}

/// What sections are read with.
pub(super) struct Loader {
    pub(super) reader: Reader,
    pub(super) dir: PathBuf,
    pub(super) mode: Mode,
    pub(super) name: Option<Name>,
    pub(super) notices: Vec<String>,
}

impl Loader {
    /// Every section is read before any is given up, so that all faults are found.
    fn config(&mut self) -> Option<Config> {
        let general = self.general();
        let chains = self.chains();
        let kafka = self.kafka();
        let observation = self.observation();
        let network = self.network();
        let processors = self.processors(chains.as_ref().map(|chains| chains.enabled.as_slice()));
        let keys = self.keys();
        let protocol = self.protocol();
        let http = self.http();
        let solvency = self.solvency();
        Some(Config {
            mode: self.mode,
            general: general?,
            chains: chains?,
            kafka: kafka?,
            observation: observation?,
            network: network?,
            processors: processors?,
            keys: keys?,
            protocol: protocol?,
            http: http?,
            solvency: solvency?,
            notices: Vec::new(),
        })
    }

    fn check(&mut self, config: &Config) {
        if self.mode != Mode::Production {
            return;
        }
        let kafka = &config.kafka;
        if kafka.bus == Kind::Embedded && !kafka.allow_embedded_in_production {
            self.reader.fault(
                "kafka.bus",
                "the embedded bus is refused in production; use \"kafka\", or set \
                 kafka.allow_embedded_in_production = true",
            );
        }
        if kafka.bus == Kind::Kafka && kafka.security_protocol == SecurityProtocol::Plaintext {
            self.notices.push(
                "kafka.security_protocol is \"plaintext\": whoever is on the path to the brokers \
                 can drop and reorder records, though not read or forge sealed ones"
                    .to_owned(),
            );
        }
        for (coin, processor) in &config.processors {
            if processor.pinned_key.is_none() {
                self.reader.fault(
                    &format!("processors.{coin}.pinned_key"),
                    "missing; in production each processor's public key is pinned (the processor \
                     prints it at its start)",
                );
            }
        }
    }

    /// Puts the name in and makes the path absolute.
    pub(super) fn path(&mut self, key: &str, default: &str) -> PathBuf {
        let text: String = self.reader.or(key, default.to_owned());
        if text.is_empty() {
            self.reader.fault(key, "must not be empty");
        }
        let text = match &self.name {
            Some(name) => text.replace("{name}", name.as_str()),
            None => text,
        };
        self.dir.join(text)
    }

    /// As [`Loader::path`], for a key without a default.
    pub(super) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        if self.reader.has(key) {
            return Some(self.path(key, ""));
        }
        self.reader.declare(key);
        None
    }
}
