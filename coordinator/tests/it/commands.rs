//! The program's arguments, answers and exit codes, from the program itself.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serai_coordinator::processes::cli::{Invocation, parse};
use serai_coordinator::processes::core::config::Mode;
use serai_coordinator::processes::core::{keys, store};
use serai_messages::{Coin, ProcessorKey};

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("serai-coordinator").chain(line.split_whitespace()).map(Into::into).collect()
}

/// The program's exit code.
fn run(line: &str) -> i32 {
    let mut program = Command::new(env!("CARGO_BIN_EXE_serai-coordinator"));
    program.args(line.split_whitespace()).output().unwrap().status.code().unwrap()
}

const OK: i32 = 0;
const USAGE: i32 = 64;
const FAILED: i32 = 1;

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
        assert_eq!(run(line), USAGE, "{line}");
    }
    let hash = "ab".repeat(32);
    for numbers in ["--validators 3 --threshold 4", "--validators 0 --threshold 0"] {
        assert_eq!(run(&format!("party --block-hash {hash} {numbers}")), USAGE, "{numbers}");
    }
    assert_eq!(run("--help"), OK);
    assert_eq!(run("--version"), OK);
    assert_eq!(run("keys accept --help"), OK);
}

#[test]
fn commands_end_with_0_64_or_1() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert_eq!(run(&in_folder(dir, "config check")), USAGE, "no file");
    write_config(dir, "[nonsense]\nkey = 1\n");
    assert_eq!(run(&in_folder(dir, "config check --json")), USAGE);
    assert_eq!(run(&in_folder(dir, "status")), USAGE);
    write_config(dir, "");
    assert_eq!(run(&in_folder(dir, "config check")), OK);
    assert_eq!(run(&format!("config check --config_dir {} --mode test", dir.display())), OK);
    assert_eq!(run(&in_folder(dir, "keys show")), FAILED, "none made yet");
    assert_eq!(run(&in_folder(dir, "keys generate")), OK);
    assert_eq!(run(&in_folder(dir, "keys generate --json")), OK);
    assert_eq!(run(&in_folder(dir, "keys show")), OK);
    assert_eq!(run(&in_folder(dir, "status --json")), FAILED, "not running");
    assert_eq!(run("backup list"), USAGE);
    assert_eq!(run(&in_folder(dir, "backup list")), OK);
    for verb in ["create", "verify", "restore"] {
        assert_eq!(run(&in_folder(dir, &format!("backup {verb}"))), FAILED, "{verb}");
    }
    let hash = "ab".repeat(32);
    assert_eq!(run(&format!("party --block-hash {hash} --validators 4 --threshold 3")), OK);
}

#[test]
fn an_offered_key_is_accepted_while_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write_config(dir, "");
    assert_eq!(run(&in_folder(dir, "keys accept btc")), FAILED, "nothing known");
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
    assert_eq!(run(&in_folder(dir, &format!("keys accept btc --key {old}"))), FAILED);
    assert_eq!(trusted(), Some(old));
    assert_eq!(run(&in_folder(dir, &format!("keys accept btc --key {new}"))), OK);
    assert_eq!(trusted(), Some(new));
    assert_eq!(run(&in_folder(dir, "keys accept btc")), FAILED, "nothing offered");
}
