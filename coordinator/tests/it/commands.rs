//! The program's arguments, answers and exit codes, as main runs them.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use serai_coordinator::processes::cli::{Invocation, execute, parse};
use serai_coordinator::processes::core::config::Mode;
use serai_coordinator::processes::core::{keys, store};
use serai_messages::{Coin, ProcessorKey};

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("serai-coordinator").chain(line.split_whitespace()).map(Into::into).collect()
}

/// What main does.
fn run(line: &str) -> ExitCode {
    match parse(words(line)) {
        Ok(Invocation::Command(command)) => execute(command),
        Ok(Invocation::Run(run)) => panic!("{run:?} would run"),
        Err(code) => code,
    }
}

const OK: ExitCode = ExitCode::SUCCESS;

fn usage() -> ExitCode {
    ExitCode::from(64)
}

fn failed() -> ExitCode {
    ExitCode::from(1)
}

fn write_config(dir: &Path, extra: &str) {
    let text = format!(
        "[chains]\nenabled = [\"btc\"]\n[kafka]\nbus = \"embedded\"\n\
         [observation]\nprofile = \"development\"\n{extra}"
    );
    std::fs::write(dir.join("test.toml"), text).unwrap();
}

fn in_folder(dir: &Path, line: &str) -> String {
    format!("{line} --config_dir {} --mode test --name alice", dir.display())
}

#[test]
fn runtime_arguments_are_the_seeds() {
    for spelling in ["--config_dir", "--config-dir"] {
        let line = format!("{spelling} /etc/serai --mode production --name alice");
        match parse(words(&line)) {
            Ok(Invocation::Run(run)) => {
                assert_eq!(run.config_dir, Path::new("/etc/serai"));
                assert_eq!(run.mode, Mode::Production);
                assert_eq!(run.name.as_str(), "alice");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn wrong_usage_ends_with_64_and_help_with_0() {
    for line in [
        "",
        "--mode test --name alice",
        "--config_dir . --name alice",
        "--config_dir . --mode test",
        "--config_dir . --mode staging --name alice",
        "--config_dir . --mode test --name Alice!",
        "--config_dir . --mode test --name alice dance",
        "status",
        "party --block-hash 00 --validators 4 --threshold 3",
        "keys",
        "--frobnicate",
    ] {
        assert_eq!(run(line), usage(), "{line}");
    }
    let hash = "ab".repeat(32);
    for numbers in ["--validators 3 --threshold 4", "--validators 0 --threshold 0"] {
        assert_eq!(run(&format!("party --block-hash {hash} {numbers}")), usage(), "{numbers}");
    }
    assert_eq!(run("--help"), OK);
    assert_eq!(run("--version"), OK);
    assert_eq!(run("keys accept --help"), OK);
}

#[test]
fn commands_end_with_0_64_or_1() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert_eq!(run(&in_folder(dir, "config check")), usage(), "no file");
    write_config(dir, "[nonsense]\nkey = 1\n");
    assert_eq!(run(&in_folder(dir, "config check --json")), usage());
    assert_eq!(run(&in_folder(dir, "status")), usage());
    write_config(dir, "");
    assert_eq!(run(&in_folder(dir, "config check")), OK);
    assert_eq!(run(&format!("config check --config_dir {} --mode test", dir.display())), OK);
    assert_eq!(run(&in_folder(dir, "keys show")), failed(), "none made yet");
    assert_eq!(run(&in_folder(dir, "keys generate")), OK);
    assert_eq!(run(&in_folder(dir, "keys generate --json")), OK);
    assert_eq!(run(&in_folder(dir, "keys show")), OK);
    assert_eq!(run(&in_folder(dir, "status --json")), failed(), "not running");
    for verb in ["create", "list", "verify", "restore"] {
        assert_eq!(run(&format!("backup {verb}")), failed(), "{verb}");
    }
    let hash = "ab".repeat(32);
    assert_eq!(run(&format!("party --block-hash {hash} --validators 4 --threshold 3")), OK);
}

#[test]
fn an_offered_key_is_accepted_while_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write_config(dir, "");
    assert_eq!(run(&in_folder(dir, "keys accept btc")), failed(), "nothing known");
    let data = dir.join("data");
    store::make_folder(&data).unwrap();
    let database = store::open(&data, &[]).unwrap();
    let (old, new) = (ProcessorKey([1; 32]), ProcessorKey([2; 32]));
    for key in [old, new] {
        database
            .transaction(|tx| {
                keys::observe(tx, Coin::Btc, key, None).map_err(|source| database.error(source))
            })
            .unwrap();
    }
    let trusted = || database.read(|c| keys::trusted(c, Coin::Btc)).unwrap();
    assert_eq!(run(&in_folder(dir, &format!("keys accept btc --key {old}"))), failed());
    assert_eq!(trusted(), Some(old));
    assert_eq!(run(&in_folder(dir, &format!("keys accept btc --key {new}"))), OK);
    assert_eq!(trusted(), Some(new));
    assert_eq!(run(&in_folder(dir, "keys accept btc")), failed(), "nothing offered");
}
