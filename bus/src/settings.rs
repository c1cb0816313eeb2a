//! Which bus, and how to reach it: the `[kafka]` section of the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::embedded::EmbeddedBus;
use crate::kafka::KafkaBus;
use crate::{Bus, BusError, Start};

/// Which implementation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An Apache Kafka cluster.
    #[default]
    Kafka,
    /// A log in one SQLite file, for one machine.
    Embedded,
}

/// Where a reader without a stored position begins (DESIGN D1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OffsetReset {
    /// At the oldest record still held.
    #[default]
    Earliest,
    /// After the newest record.
    Latest,
}

impl From<OffsetReset> for Start {
    fn from(reset: OffsetReset) -> Start {
        match reset {
            OffsetReset::Earliest => Start::Earliest,
            OffsetReset::Latest => Start::Latest,
        }
    }
}

/// How the connection to Kafka is protected, by Kafka's names in lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without TLS.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// The name as Kafka's clients spell it.
    pub const fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "plaintext",
            SecurityProtocol::Ssl => "ssl",
            SecurityProtocol::SaslPlaintext => "sasl_plaintext",
            SecurityProtocol::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether the connection is encrypted.
    pub const fn uses_tls(self) -> bool {
        matches!(self, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// Whether a user name and a password are needed.
    pub const fn uses_sasl(self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }
}

/// SASL mechanism, by its registered name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// SCRAM with SHA-256 (RFC 7677).
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// The password itself (RFC 4616); for use over TLS.
    #[serde(rename = "PLAIN")]
    Plain,
}

impl SaslMechanism {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
            SaslMechanism::Plain => "PLAIN",
        }
    }
}

/// The `[kafka]` section. It holds no secret (the password stays in its file), so it may be printed
/// and handed to child processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Kafka or the embedded log.
    pub bus: Kind,
    /// Host of a Kafka broker. Several may be given, separated by commas, each with its own
    /// `:port` where it differs from `kafka_port`.
    pub kafka_host: String,
    /// Port of the Kafka brokers.
    pub kafka_port: u16,
    /// Where a reader without a stored position begins.
    pub offset_reset: OffsetReset,
    /// Prefix of the consumer groups under which progress is reported to lag monitors.
    pub consumer_group: String,
    /// File of the embedded log, one per validator; required when `bus = "embedded"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded_path: Option<PathBuf>,
    /// Lets production mode use the embedded log: a validator then stands on one disk.
    pub allow_embedded_in_production: bool,
    /// How the connection to Kafka is protected.
    pub security_protocol: SecurityProtocol,
    /// SASL mechanism, used with the two `sasl_*` protocols.
    pub sasl_mechanism: SaslMechanism,
    /// SASL user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_username: Option<String>,
    /// File that holds the SASL password; a line end after it is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_password_file: Option<PathBuf>,
    /// PEM file of the authority that signed the brokers' certificates; the system's authorities
    /// where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_ca_location: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bus: Kind::default(),
            kafka_host: "127.0.0.1".to_owned(),
            kafka_port: 9092,
            offset_reset: OffsetReset::default(),
            consumer_group: "serai".to_owned(),
            embedded_path: None,
            allow_embedded_in_production: false,
            security_protocol: SecurityProtocol::default(),
            sasl_mechanism: SaslMechanism::default(),
            sasl_username: None,
            sasl_password_file: None,
            ssl_ca_location: None,
        }
    }
}

impl Settings {
    /// The embedded log in the file `path`.
    pub fn embedded(path: impl Into<PathBuf>) -> Self {
        Self { bus: Kind::Embedded, embedded_path: Some(path.into()), ..Self::default() }
    }

    /// Kafka at `host` and `port`, unprotected.
    pub fn kafka(host: impl Into<String>, port: u16) -> Self {
        Self { kafka_host: host.into(), kafka_port: port, ..Self::default() }
    }

    /// The brokers as `host:port`, separated by commas.
    pub fn brokers(&self) -> String {
        let address = |host: &str| match host.rsplit_once(':') {
            // A bare IPv6 address has colons too, and is not followed by a bracket and a port.
            Some((before, port))
                if port.parse::<u16>().is_ok()
                    && (!before.contains(':') || before.ends_with(']')) =>
            {
                host.to_owned()
            }
            _ if host.contains(':') && !host.starts_with('[') => {
                format!("[{host}]:{}", self.kafka_port)
            }
            _ => format!("{host}:{}", self.kafka_port),
        };
        let hosts = self.kafka_host.split(',').map(str::trim).filter(|host| !host.is_empty());
        hosts.map(address).collect::<Vec<_>>().join(",")
    }
}

/// Makes the bus that `settings` name. Kafka itself is first spoken to by the bus' methods, which
/// wait for it.
///
/// # Errors
/// [`BusError::Unfit`] when the settings contradict themselves, when `production` meets the
/// embedded log without leave, or when the embedded log's file is none;
/// [`BusError::Unavailable`] when that file cannot be opened.
pub fn connect(settings: &Settings, production: bool) -> Result<Arc<dyn Bus>, BusError> {
    let bus = bare(settings, production)?;
    #[cfg(feature = "faults")]
    let bus: Arc<dyn Bus> = Arc::new(crate::crashing::Crashing(bus));
    Ok(bus)
}

fn bare(settings: &Settings, production: bool) -> Result<Arc<dyn Bus>, BusError> {
    match settings.bus {
        Kind::Kafka => Ok(Arc::new(KafkaBus::new(settings, production)?)),
        Kind::Embedded => {
            let unfit = |reason: &str| BusError::Unfit {
                bus: "embedded".to_owned(),
                reason: reason.to_owned(),
            };
            let path = settings.embedded_path.as_deref().ok_or_else(|| {
                unfit("bus = \"embedded\" needs embedded_path, the log's file; set it in [kafka]")
            })?;
            if production && !settings.allow_embedded_in_production {
                return Err(unfit(
                    "production mode keeps messages on Kafka; to stand on one disk instead, set \
                     allow_embedded_in_production = true in [kafka]",
                ));
            }
            Ok(Arc::new(EmbeddedBus::open(path)?))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_section_and_refuses_unknown_keys() {
        let settings: Settings = serde_json::from_str(
            r#"{"bus": "kafka", "kafka_host": "broker", "kafka_port": 9093,
                "offset_reset": "latest", "security_protocol": "sasl_ssl",
                "sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "alice",
                "sasl_password_file": "/run/secrets/kafka"}"#,
        )
        .unwrap();
        assert_eq!(settings.brokers(), "broker:9093");
        assert_eq!(settings.security_protocol.name(), "sasl_ssl");
        assert_eq!(settings.sasl_mechanism.name(), "SCRAM-SHA-256");
        let again = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(settings, again);
        let error = serde_json::from_str::<Settings>(r#"{"kafka_hots": "x"}"#).unwrap_err();
        assert!(error.to_string().contains("kafka_hots"), "{error}");
    }

    #[test]
    fn names_each_broker_with_its_port() {
        let brokers = |host| Settings::kafka(host, 9092).brokers();
        assert_eq!(brokers("a, b:9093 ,"), "a:9092,b:9093");
        assert_eq!(brokers("::1"), "[::1]:9092");
        assert_eq!(brokers("[::1]:9"), "[::1]:9");
    }

    #[test]
    fn production_refuses_the_embedded_log_unless_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::embedded(folder.path().join("log.sqlite"));
        let error = connect(&settings, true).unwrap_err();
        assert!(error.to_string().contains("allow_embedded_in_production"), "{error}");
        settings.allow_embedded_in_production = true;
        connect(&settings, true).unwrap();
        settings.embedded_path = None;
        let error = connect(&settings, false).unwrap_err();
        assert!(error.to_string().contains("embedded_path"), "{error}");
    }
}
