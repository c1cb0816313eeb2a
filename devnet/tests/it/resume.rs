//! A second run without `--fresh` is the same network; with it, another.

use crate::setup::{Folder, devnet, read, sessions};

#[test]
fn a_second_run_resumes_and_a_fresh_one_does_not() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let run = |arguments: &str| {
        let file = folder.path().join("report.json");
        let output =
            devnet(&data, &format!("{arguments} --until vaults --report {}", file.display()));
        assert!(output.status.success(), "{}", output.status);
        read(&file)
    };
    let first = run("--coins btc");
    let second = run("");
    assert_eq!(second["genesis"], first["genesis"]);
    assert_eq!(second["vaults"], first["vaults"]);
    assert_eq!(sessions(&second, "keygen"), sessions(&first, "keygen"), "no further attempt");
    assert!(second["finalized"].as_u64() >= first["finalized"].as_u64());

    let output = devnet(&data, "--coins eth --until vaults");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("holds a network with --coins btc"), "{said}");

    let third = run("--fresh --coins btc");
    assert_ne!(third["genesis"], first["genesis"]);
    assert_ne!(third["vaults"][0]["external_key"], first["vaults"][0]["external_key"]);
}
