//! The program itself: the reference configurations are fed to it, and its words and exit codes are
//! read back.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

fn program(line: &str, environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_serai-coordinator"))
        .args(line.split_whitespace())
        .envs(environment.iter().map(|(key, value)| (format!("SERAI_COORDINATOR__{key}"), value)))
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_reference_configurations_pass_its_check() {
    let pinned = "ab".repeat(32);
    for (mode, environment) in [
        ("development", vec![]),
        ("test", vec![]),
        (
            "production",
            vec![
                ("PROCESSORS__BTC__PINNED_KEY", pinned.as_str()),
                ("PROCESSORS__ETH__PINNED_KEY", pinned.as_str()),
                ("PROCESSORS__XMR__PINNED_KEY", pinned.as_str()),
            ],
        ),
    ] {
        let line = format!(
            "--config_dir {} --mode {mode} --name alice config check",
            reference().display()
        );
        let plain = program(&line, &environment);
        assert_eq!(plain.status.code(), Some(0), "{mode}: {plain:?}");
        let said = text(&plain.stdout);
        assert!(said.starts_with("The configuration is sound."), "{said}");
        let answer = json(&program(&format!("{line} --json"), &environment));
        assert_eq!((&answer["ok"], &answer["mode"]), (&true.into(), &mode.into()), "{answer}");
    }
}

#[test]
fn every_fault_of_a_configuration_is_told() {
    let line =
        format!("config check --json --config-dir {} --mode production", reference().display());
    let output = program(&line, &[("KAFKA__KAFKA_PORT", "high")]);
    assert_eq!(output.status.code(), Some(64));
    let answer = json(&output);
    let faults = answer["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 4, "{answer}");
    assert_eq!(faults[0]["key"], "kafka.kafka_port");
    assert_eq!(faults[0]["file"], "environment SERAI_COORDINATOR__KAFKA__KAFKA_PORT");
    let said = text(&output.stderr);
    for coin in ["btc", "eth", "xmr"] {
        let key = format!("production.toml: processors.{coin}.pinned_key: missing");
        assert!(said.contains(&key), "{said}");
    }
    // A start is refused in the same words.
    let start = format!("--config_dir {} --mode production --name alice", reference().display());
    let output = program(&start, &[]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(text(&output.stderr).contains("processors.btc.pinned_key"), "{output:?}");
}

#[test]
fn the_party_is_the_vectors() {
    let vectors = include_str!("../../../protocol/tests/vectors/party.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let line = format!(
            "party --json --block-hash {} --validators {} --threshold {}",
            vector["block_hash"].as_str().unwrap(),
            vector["validator_count"],
            vector["threshold"]
        );
        let output = program(&line, &[]);
        let drawn: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(drawn, vector["selected"], "{line}");
    }
}

#[test]
fn a_party_is_a_list_of_numbers() {
    let line = format!("party --block-hash {} --validators 4 --threshold 3", "00".repeat(32));
    let members = json(&program(&format!("{line} --json"), &[]));
    let members: Vec<u64> = serde_json::from_value(members).unwrap();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|member| (1..=4).contains(member)), "{members:?}");
    let words: Vec<_> = members.iter().map(u64::to_string).collect();
    assert_eq!(text(&program(&line, &[]).stdout), format!("{}\n", words.join(" ")));
    assert_eq!(
        program("party --block-hash 00 --validators 4 --threshold 3", &[]).status.code(),
        Some(64)
    );
}

#[test]
fn what_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::copy(reference().join("test.toml"), dir.join("test.toml")).unwrap();
    let line = format!("--config_dir {} --mode test --name alice", dir.display());
    let output = program(&format!("backup create --json {line}"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["error"].as_str().unwrap().contains("no state"), "{output:?}");
    let output = program(&format!("vaults {line}"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no coordinator is running"), "{output:?}");
    let output = program("status", &[]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn keys_that_it_makes_are_shown_by_their_public_halves() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::copy(reference().join("test.toml"), dir.join("test.toml")).unwrap();
    let line = format!("--config_dir {} --mode test --name alice --json", dir.display());
    let made = json(&program(&format!("keys generate {line}"), &[]));
    assert_eq!(made["generated"].as_array().unwrap().len(), 3, "{made}");
    let output = program(&format!("keys show {line}"), &[]);
    let shown = json(&output);
    assert_eq!(shown["validator"].as_str().unwrap().len(), 64);
    assert!(shown["peer_id"].as_str().unwrap().starts_with("12D3KooW"), "{shown}");
    assert_eq!(shown["coordinator"]["btc"].as_str().unwrap().len(), 64);
    for file in std::fs::read_dir(dir.join("keys")).unwrap() {
        let secret = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text(&output.stdout).contains(secret.trim()), "a secret is shown");
    }
}

#[test]
fn nothing_is_started_from_half_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::write(data_dir.join("restoring"), "").unwrap();
    let backups = folder.path().join("backups");
    let environment = [
        ("GENERAL__DATA_DIR", data_dir.to_str().unwrap()),
        ("GENERAL__BACKUP_DIR", backups.to_str().unwrap()),
    ];
    let line = format!("--config_dir {} --mode development --name alice", reference().display());
    let refused = program(&line, &environment);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = text(&refused.stderr);
    assert!(said.contains("run `backup restore` again"), "{said}");

    // Nor is anything made up where there is no backup.
    let listed = program(&format!("{line} backup list --json"), &environment);
    assert_eq!(json(&listed), serde_json::json!([]));
    for (verb, sentence) in [
        ("create", "holds no state of a coordinator"),
        ("verify", "holds no backup of alice"),
        ("restore", "holds no backup of alice"),
        ("restore ../data", "holds no backup \"../data\""),
    ] {
        let failed = program(&format!("{line} backup {verb}"), &environment);
        assert_eq!(failed.status.code(), Some(1), "{failed:?}");
        assert!(text(&failed.stderr).contains(sentence), "{failed:?}");
    }
    assert!(!data_dir.join("state.sqlite").exists());
}
