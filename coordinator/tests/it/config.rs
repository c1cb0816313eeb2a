//! Configurations as files: the reference ones are accepted, faulty ones are refused with each
//! fault's key and file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serai_bus::Kind;
use serai_coordinator::processes::core::config::{Config, ConfigError, Fault, LogFormat, Mode};
use serai_messages::{Coin, Name};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn load(dir: &Path, mode: Mode, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = environment
        .iter()
        .map(|(key, value)| (format!("SERAI_COORDINATOR__{key}"), (*value).to_owned()))
        .collect();
    Config::load_with(dir, mode, Some(&"alice".parse::<Name>().unwrap()), environment)
}

fn faults(dir: &Path, mode: Mode, environment: &[(&str, &str)]) -> Vec<Fault> {
    load(dir, mode, environment).unwrap_err().faults
}

fn fault<'a>(faults: &'a [Fault], key: &str) -> &'a Fault {
    faults.iter().find(|fault| fault.key == key).unwrap_or_else(|| panic!("{key}: {faults:#?}"))
}

const SMALL: &str = "[chains]\nenabled = [\"btc\"]\n[kafka]\nbus = \"embedded\"\n\
                     [observation]\nprofile = \"development\"\n";

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

const PINNED: [(&str, &str); 3] = [
    (
        "PROCESSORS__BTC__PINNED_KEY",
        "1111111111111111111111111111111111111111111111111111111111111111",
    ),
    (
        "PROCESSORS__ETH__PINNED_KEY",
        "22222222222222222222222222222222222222222222222222222222222222aa",
    ),
    (
        "PROCESSORS__XMR__PINNED_KEY",
        "33333333333333333333333333333333333333333333333333333333333333bb",
    ),
];

#[test]
fn the_reference_configurations_are_accepted() {
    let development = load(&reference(), Mode::Development, &[]).unwrap();
    assert_eq!(development.kafka.bus, Kind::Embedded);
    let data = std::path::absolute(reference()).unwrap().join("data/alice");
    assert_eq!(development.general.data_dir, data);
    assert_eq!(development.kafka.embedded_path, Some(data.join("bus.sqlite")));
    assert_eq!(development.observation.endpoints, ["ws://127.0.0.1:9944"]);

    let test = load(&reference(), Mode::Test, &[]).unwrap();
    assert_eq!(test.processors.keys().copied().collect::<Vec<_>>(), [Coin::Btc]);
    assert_eq!(test.processors[&Coin::Btc].heartbeat_timeout, Duration::from_secs(10));

    let production = load(&reference(), Mode::Production, &PINNED).unwrap();
    assert_eq!(production.general.log_format, LogFormat::Json);
    assert_eq!(production.processors[&Coin::Btc].pinned_key.unwrap().0, [0x11; 32]);
}

#[test]
fn production_asks_for_what_only_its_operator_knows() {
    let faults = faults(&reference(), Mode::Production, &[]);
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        ["btc", "eth", "xmr"].map(|coin| format!("processors.{coin}.pinned_key")),
        "{faults:#?}"
    );
    assert!(faults.iter().all(|fault| fault.source.ends_with("production.toml")), "{faults:#?}");
}

#[test]
fn production_refuses_the_embedded_bus_unless_told() {
    let folder = folder(&[("production.toml", SMALL)]);
    let pinned = PINNED[0];
    let found = faults(folder.path(), Mode::Production, &[pinned]);
    assert!(fault(&found, "kafka.bus").problem.contains("allow_embedded_in_production"));
    assert_eq!(found.len(), 1, "{found:#?}");
    let allowed = ("KAFKA__ALLOW_EMBEDDED_IN_PRODUCTION", "true");
    assert!(load(folder.path(), Mode::Production, &[pinned, allowed]).is_ok());
}

#[test]
fn every_fault_is_listed_with_its_key_and_file() {
    let folder = folder(&[
        ("default.toml", "[general]\nlog_level = \"loud\"\n[kafka]\nkafka_prot = 1\n"),
        (
            "test.toml",
            "[chains]\nenabled = [\"btc\", \"doge\"]\n\
             [chains.rpc]\nbtc = \"nowhere\"\n\
             [kafka]\nbus = \"embedded\"\nkafka_port = 70000\n\
             [general]\nbackup_interval = \"soon\"\n\
             [observation]\nrpc_host = [\"a\", \"b\"]\nrpc_port = [1, 2, 3]\n\
             [network]\nparty = [\"bob\"]\n\
             [network.members.bob]\nvalidator = \"xyz\"\naddresses = [\"/ip4/127.0.0.1/tcp/1\"]\n\
             [processors.btc]\nbackoff_min = \"2s\"\nbackoff_max = \"1s\"\npinned_key = \"00\"\n\
             [processors.doge]\nmanaged = true\n\
             [http]\nlisten = \"0.0.0.0:80\"\n\
             [extra]\nkey = 1\n",
        ),
    ]);
    let environment = [("PROTOCOL__ATTEMPT_BLOCKS", "many")];
    let found = faults(folder.path(), Mode::Test, &environment);
    for (key, file, words) in [
        ("general.log_level", "default.toml", "loud"),
        ("kafka.kafka_prot", "default.toml", "did you mean kafka.kafka_port?"),
        ("chains.enabled", "test.toml", "doge"),
        ("chains.rpc.btc", "test.toml", "scheme://host:port"),
        ("kafka.kafka_port", "test.toml", "70000"),
        ("general.backup_interval", "test.toml", "soon"),
        ("observation.rpc_port", "test.toml", "3 ports for 2 hosts"),
        ("observation.profile", "test.toml", "SERAI_COORDINATOR__OBSERVATION__PROFILE"),
        ("network.party", "test.toml", "alice"),
        ("network.members.bob.validator", "test.toml", "xyz"),
        ("network.members.bob.addresses", "test.toml", "/p2p/PEER-ID"),
        ("processors.btc.backoff_max", "test.toml", "less than backoff_min"),
        ("processors.btc.pinned_key", "test.toml", "32 bytes"),
        ("processors.doge.managed", "test.toml", "unknown key"),
        ("http.listen", "test.toml", "allow_remote"),
        ("extra.key", "test.toml", "unknown key"),
        (
            "protocol.attempt_blocks",
            "environment SERAI_COORDINATOR__PROTOCOL__ATTEMPT_BLOCKS",
            "many",
        ),
    ] {
        let fault = fault(&found, key);
        assert!(fault.source.ends_with(file), "{key}: {fault}");
        assert!(fault.problem.contains(words), "{key}: {fault}");
    }
    assert_eq!(found.len(), 17, "{found:#?}");
}

#[test]
fn the_environment_outranks_the_mode_and_the_mode_the_default() {
    let folder = folder(&[
        ("default.toml", "[kafka]\nkafka_host = \"a\"\nkafka_port = 1\nconsumer_group = \"a\"\n"),
        ("test.toml", &format!("{SMALL}kafka_host_is_elsewhere = 1\n")),
    ]);
    // A key of the wrong section is unknown there, whichever file it stands in.
    let found = faults(folder.path(), Mode::Test, &[]);
    assert_eq!(found[0].key, "observation.kafka_host_is_elsewhere");

    std::fs::write(folder.path().join("test.toml"), format!("{SMALL}[general]\n")).unwrap();
    let text = SMALL.replace("[kafka]", "[kafka]\nkafka_port = 2\nconsumer_group = \"b\"");
    std::fs::write(folder.path().join("test.toml"), text).unwrap();
    let environment = [
        ("KAFKA__CONSUMER_GROUP", "c"),
        ("CHAINS__ENABLED", "[\"eth\", \"btc\"]"),
        ("OBSERVATION__RPC_PORT", "[1, 2]"),
    ];
    let config = load(folder.path(), Mode::Test, &environment).unwrap();
    assert_eq!(config.kafka.kafka_host, "a");
    assert_eq!(config.kafka.kafka_port, 2);
    assert_eq!(config.kafka.consumer_group, "c");
    assert_eq!(config.chains.enabled, [Coin::Btc, Coin::Eth]);
    assert_eq!(config.observation.endpoints, ["ws://127.0.0.1:1", "ws://127.0.0.1:2"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let none = folder(&[]);
    let found = faults(none.path(), Mode::Test, &[]);
    assert!(found[0].source.ends_with("test.toml"), "{found:#?}");
    assert!(found[0].problem.contains("does not exist"), "{found:#?}");

    let broken = folder(&[("default.toml", "a = 1\nb = = 2\n"), ("test.toml", "[")]);
    let found = faults(broken.path(), Mode::Test, &[]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].to_string().contains("default.toml: line 2"), "{found:#?}");
}

#[test]
fn sasl_needs_its_keys() {
    let text = SMALL.replace("[kafka]", "[kafka]\nsecurity_protocol = \"sasl_ssl\"");
    let folder = folder(&[("test.toml", &text)]);
    let found = faults(folder.path(), Mode::Test, &[]);
    fault(&found, "kafka.sasl_username");
    fault(&found, "kafka.sasl_password_file");
}
