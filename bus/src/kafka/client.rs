//! What all clients of the cluster have in common: settings, what they last complained of, and
//! their errors in the bus' words.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::{BusError, Settings};

/// The only partition of each topic.
pub(super) const PARTITION: i32 = 0;

/// Largest message asked of the brokers, in bytes: a record's largest body and its headers, with
/// room for Kafka's framing. Kafka's own default is just below what a record may have.
pub(super) const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// How long one question to the cluster may take.
pub(super) const REQUEST: Duration = Duration::from_secs(10);

/// How long a complaint of a client explains a failure.
const COMPLAINT_HOLDS: Duration = Duration::from_secs(60);

/// The cluster, and how to make clients of it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) brokers: String,
    pub(super) group: String,
    pub(super) production: bool,
    pub(super) admin: AdminClient<Context>,
    context: Context,
    // Holds the SASL password; its `Debug` hides it.
    base: ClientConfig,
}

impl Cluster {
    pub(super) fn new(settings: &Settings, production: bool) -> Result<Self, BusError> {
        let brokers = settings.brokers();
        let unfit = |reason: String| BusError::Unfit { bus: brokers.clone(), reason };
        let mut base = ClientConfig::new();
        base.set("bootstrap.servers", &brokers)
            .set("client.id", &settings.consumer_group)
            .set("security.protocol", settings.security_protocol.name())
            .set("allow.auto.create.topics", "false")
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            // A broker that comes back is noticed within a second.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set_log_level(RDKafkaLogLevel::Debug);
        if settings.security_protocol.uses_sasl() {
            let user = settings
                .sasl_username
                .as_deref()
                .ok_or_else(|| unfit("SASL needs sasl_username; set it in [kafka]".to_owned()))?;
            base.set("sasl.mechanism", settings.sasl_mechanism.name())
                .set("sasl.username", user)
                .set("sasl.password", password(settings).map_err(unfit)?);
        }
        if settings.security_protocol.uses_tls() {
            match &settings.ssl_ca_location {
                Some(path) => base.set("ssl.ca.location", path.to_string_lossy()),
                // OpenSSL is part of this program and knows no system paths by itself.
                None => base.set("ssl.ca.location", "probe"),
            };
        }
        let context = Context::default();
        let admin = AdminClient::from_config_and_context(&base, context.clone())
            .map_err(|error| unfit(error.to_string()))?;
        let group = settings.consumer_group.clone();
        Ok(Self { brokers, group, production, admin, context, base })
    }

    /// A client of another kind, with further settings.
    pub(super) fn client<T: FromClientConfigAndContext<Context>>(
        &self,
        further: &[(&str, &str)],
    ) -> Result<T, BusError> {
        let mut config = self.base.clone();
        for (key, value) in further {
            config.set(*key, *value);
        }
        T::from_config_and_context(&config, self.context.another())
            .map_err(|error| self.unfit(error.to_string()))
    }

    pub(super) fn unfit(&self, reason: String) -> BusError {
        BusError::Unfit { bus: self.brokers.clone(), reason }
    }

    /// A passing fault, with the last complaint of a client where `reason` alone says little.
    pub(super) fn unavailable(&self, reason: &str) -> BusError {
        let reason = match self.context.complaint() {
            Some(complaint) => format!("{reason} ({complaint})"),
            None => reason.to_owned(),
        };
        BusError::Unavailable { bus: self.brokers.clone(), reason }
    }

    /// A client's error about `topic` in the bus' words. What an operator must change is unfit;
    /// the rest may pass.
    pub(super) fn wrap(&self, topic: &str, error: &KafkaError) -> BusError {
        use RDKafkaErrorCode as Code;
        match code(error) {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                BusError::UnknownTopic { topic: topic.to_owned() }
            }
            Some(
                code @ (Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::GroupAuthorizationFailed),
            ) => self.unfit(format!(
                "{code} for topic {topic:?}; grant this user the access that the operating \
                 manual lists"
            )),
            Some(code @ (Code::MessageSizeTooLarge | Code::InvalidMessageSize)) => {
                self.unfit(format!(
                    "{code} for topic {topic:?}; set its max.message.bytes to at least \
                     {MAX_MESSAGE_BYTES}"
                ))
            }
            Some(
                code @ (Code::InvalidTopic
                | Code::InvalidReplicationFactor
                | Code::PolicyViolation
                | Code::InvalidConfig
                | Code::UnsupportedVersion),
            ) => self.unfit(format!("{code} for topic {topic:?}")),
            _ => self.unavailable(&error.to_string()),
        }
    }
}

/// The error's code, where it has one. The library's own accessor leaves administration out.
pub(super) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

/// Drops a client on a thread of its own: it waits for its threads and for its last words to the
/// cluster, which must not hold up a caller's tasks.
pub(super) fn drop_apart<T: Send + 'static>(client: T) {
    // Where no thread can be had, the closure comes back and drops the client here.
    drop(std::thread::Builder::new().name("bus-drop".to_owned()).spawn(move || drop(client)));
}

fn password(settings: &Settings) -> Result<String, String> {
    let path = settings
        .sasl_password_file
        .as_ref()
        .ok_or("SASL needs sasl_password_file; set it in [kafka]")?;
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read sasl_password_file {}: {error}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Listens to one client. Outages are reported by the calls that they hit; what librdkafka logs
/// beside them is for debugging.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// The last complaint of any of the cluster's clients.
    complaint: Arc<Mutex<Option<(Instant, String)>>>,
    /// Whether this client saw a topic of its own replaced by another one of the same name.
    replaced: Arc<AtomicBool>,
}

impl Context {
    /// The context of a further client.
    fn another(&self) -> Self {
        Self { complaint: self.complaint.clone(), replaced: Arc::default() }
    }

    pub(super) fn saw_replaced_topic(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    fn note(&self, complaint: &str) {
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), complaint.to_owned()));
    }

    fn complaint(&self) -> Option<String> {
        let last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref()
            .filter(|(at, _)| at.elapsed() < COMPLAINT_HOLDS)
            .map(|(_, complaint)| complaint.clone())
    }
}

/// Whether a log line says that a topic has another id than before. librdkafka goes on reading at
/// the same offset then and tells nobody but its log; the contract's test of a recreated topic
/// fails should it ever say so in other words.
fn tells_replaced(message: &str) -> bool {
    // The zero id stands for a topic not met before.
    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    message
        .split_once(" changed id from ")
        .is_some_and(|(_, ids)| !ids.starts_with(ZERO) && ids.contains(" to "))
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(
            level,
            RDKafkaLogLevel::Emerg
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Error
        ) {
            self.note(message);
        }
        if tells_replaced(message) {
            self.replaced.store(true, Ordering::Release);
        }
        tracing::debug!(target: "librdkafka", ?level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(reason);
        tracing::debug!(target: "librdkafka", %error, reason);
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use crate::{BusError, SaslMechanism, SecurityProtocol};

    use super::*;

    /// librdkafka checks settings when a client is made, without a broker.
    #[test]
    fn each_protection_makes_a_client() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        for protocol in [
            SecurityProtocol::Plaintext,
            SecurityProtocol::Ssl,
            SecurityProtocol::SaslPlaintext,
            SecurityProtocol::SaslSsl,
        ] {
            for mechanism in
                [SaslMechanism::ScramSha256, SaslMechanism::ScramSha512, SaslMechanism::Plain]
            {
                let settings = Settings {
                    security_protocol: protocol,
                    sasl_mechanism: mechanism,
                    sasl_username: Some("alice".to_owned()),
                    sasl_password_file: Some(file.clone()),
                    ..Settings::kafka("127.0.0.1", 1)
                };
                let cluster = Cluster::new(&settings, true).unwrap();
                let text = format!("{cluster:?}");
                assert!(!text.contains("secret"), "{text}");
            }
        }
    }

    #[test]
    fn sasl_without_user_or_password_says_so() {
        let sasl = |user: Option<&str>, file: Option<&str>| {
            let settings = Settings {
                security_protocol: SecurityProtocol::SaslSsl,
                sasl_username: user.map(str::to_owned),
                sasl_password_file: file.map(Into::into),
                ..Settings::default()
            };
            match Cluster::new(&settings, true) {
                Err(error @ BusError::Unfit { .. }) => error.to_string(),
                other => panic!("{other:?}"),
            }
        };
        assert!(sasl(None, None).contains("sasl_username"));
        assert!(sasl(Some("alice"), None).contains("sasl_password_file"));
        assert!(sasl(Some("alice"), Some("/nowhere/password")).contains("/nowhere/password"));
    }

    #[test]
    fn a_topic_met_first_is_not_a_replaced_one() {
        let line = |from| format!("Topic a-btc changed id from {from} to hBNeYcb4TQ2sl7-RW_fLkw");
        assert!(!tells_replaced(&line("AAAAAAAAAAAAAAAAAAAAAA")));
        assert!(tells_replaced(&line("x0mbCLjdT2KZlVQZFyy1pQ")));
    }
}
