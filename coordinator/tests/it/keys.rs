//! The coordinator's keys: made and kept outside production, never in it.

use std::os::unix::fs::PermissionsExt;

use serai_coordinator::processes::core::config::{Config, Mode};
use serai_coordinator::processes::core::keys::{KeyError, KeyName, Keys};
use serai_messages::{Coin, Name};

fn config(dir: &std::path::Path, mode: Mode, keys: &str) -> Config {
    let text = format!(
        "[chains]\nenabled = [\"btc\", \"xmr\"]\n\
         [kafka]\nbus = \"embedded\"\nallow_embedded_in_production = true\n\
         [observation]\nprofile = \"development\"\n\
         [processors.btc]\npinned_key = \"{0}\"\n[processors.xmr]\npinned_key = \"{0}\"\n\
         [keys]\n{keys}\n",
        "ab".repeat(32)
    );
    std::fs::write(dir.join(format!("{mode}.toml")), text).unwrap();
    Config::load_with(dir, mode, None, Vec::new()).unwrap()
}

#[test]
fn missing_keys_are_made_once_outside_production() {
    let folder = tempfile::tempdir().unwrap();
    let name: Name = "alice".parse().unwrap();
    let test = config(folder.path(), Mode::Test, "");
    let first = Keys::load(&test, &name).unwrap();
    let all = [
        KeyName::Validator,
        KeyName::Network,
        KeyName::Processor(Coin::Btc),
        KeyName::Processor(Coin::Xmr),
    ];
    assert_eq!(first.generated, all);
    for key in all {
        let mode = std::fs::metadata(key.file(&test.keys.dir, &name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = Keys::load(&test, &name).unwrap();
    assert_eq!(again.generated, []);
    assert_eq!(again.keys.public(), first.keys.public());
    assert_eq!(*again.keys.identity, *first.keys.identity);
    let public = |keys: &Keys| keys.processors[&Coin::Btc].public();
    assert_eq!(public(&again.keys), public(&first.keys));
    assert_ne!(public(&again.keys), again.keys.processors[&Coin::Xmr].public());

    let bob = Keys::load(&test, &"bob".parse().unwrap()).unwrap();
    assert_ne!(bob.keys.public(), first.keys.public());
    let printed = format!("{:?}", bob.keys);
    assert!(!printed.contains(&hex::encode(*bob.keys.identity)), "{printed}");
}

#[test]
fn production_makes_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let name: Name = "alice".parse().unwrap();
    let production = config(folder.path(), Mode::Production, "");
    let error = Keys::load(&production, &name).unwrap_err();
    assert!(matches!(error, KeyError::Missing { key: KeyName::Validator, .. }), "{error}");
    assert!(error.to_string().contains("ALICE_VALIDATOR_PRIV"), "{error}");
    assert!(matches!(Keys::generate(&production, &name), Err(KeyError::Production)));
    assert!(!production.keys.dir.exists());

    // The same keys, made elsewhere and handed over, are used.
    let test = config(folder.path(), Mode::Test, "");
    let made = Keys::generate(&test, &name).unwrap();
    assert_eq!(made.len(), 4);
    assert_eq!(Keys::generate(&test, &name).unwrap(), []);
    Keys::load(&production, &name).unwrap();
}

#[test]
fn keys_come_from_the_environment_or_a_command_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let name: Name = "alice".parse().unwrap();
    let source = "source = \"environment\"\nenv_prefix = \"NOT_SET_\"";
    let error = Keys::load(&config(folder.path(), Mode::Production, source), &name).unwrap_err();
    assert!(error.to_string().contains("NOT_SET_ALICE_VALIDATOR_PRIV"), "{error}");

    let command = "source = \"command\"\ncommand = [\"sh\", \"-c\", \"printf '%064d' 7\"]";
    let loaded = Keys::load(&config(folder.path(), Mode::Production, command), &name).unwrap();
    assert_eq!(loaded.keys.identity[31], 7);
    let failing = "source = \"command\"\ncommand = [\"false\"]";
    let error = Keys::load(&config(folder.path(), Mode::Test, failing), &name).unwrap_err();
    assert!(error.to_string().contains("exit status"), "{error}");
}
