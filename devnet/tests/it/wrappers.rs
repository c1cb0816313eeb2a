//! What makes something last, or lets it go, goes through its wrapper, where the crash points are.

use std::path::{Path, PathBuf};

/// A call that lasts, and the only files that may make it, each with its reason.
struct Rule {
    call: &'static str,
    files: &'static [&'static str],
}

const STORE: &str = "bus/src/database.rs";
const LOG: &[&str] = &[
    STORE,
    // The embedded bus' own file, behind `Bus::append`.
    "bus/src/embedded/file.rs",
    "bus/src/embedded/log.rs",
];

const RULES: [Rule; 17] = [
    Rule {
        call: ".transaction_with_behavior(",
        files: &[
            STORE,
            "bus/src/embedded/file.rs",
            "bus/src/embedded/log.rs",
            // Reads one instant.
            "bus/src/snapshot.rs",
        ],
    },
    // Reads one instant.
    Rule { call: "unchecked_transaction(", files: &["bus/src/embedded/reader.rs"] },
    Rule { call: "savepoint(", files: &[] },
    Rule { call: "transaction.commit()", files: LOG },
    Rule {
        call: "Connection::open(",
        files: &[
            STORE,
            "bus/src/embedded/file.rs",
            // Files that nobody else has: copies, before they count.
            "bus/src/snapshot.rs",
            "coordinator/src/processes/core/backup/archive.rs",
            // A connection with a Serai node.
            "coordinator/src/processes/observation/follower.rs",
        ],
    },
    Rule {
        call: "Connection::open_with_flags(",
        files: &[
            // Read only.
            "bus/src/database.rs",
        ],
    },
    Rule { call: ".append(&", files: &["bus/src/publisher.rs"] },
    Rule { call: ".append(topic", files: &["bus/src/crashing.rs", "bus/src/kafka/log.rs"] },
    Rule {
        call: "submit_and_watch(",
        files: &["coordinator/src/processes/observation/submission/submitter.rs"],
    },
    Rule { call: "chain.publish(", files: &["processor/src/watcher/publishing.rs"] },
    Rule { call: "write(&mut writer", files: &["coordinator/src/processes/network/link.rs"] },
    Rule {
        call: "sync_all(",
        files: &[
            "bus/src/durable_file.rs",
            // Copies, before they count.
            "coordinator/src/processes/core/backup/archive.rs",
            "coordinator/src/processes/core/backup/create.rs",
            "coordinator/src/processes/core/backup/restore.rs",
        ],
    },
    // Where tests shift it.
    Rule { call: "SystemTime::now(", files: &["bus/src/wall_clock.rs"] },
    Rule { call: "Timestamp::now(", files: &[] },
    Rule { call: "fs::write(", files: &[] },
    Rule { call: "File::create(", files: &[] },
    Rule {
        call: "fs::rename(",
        files: &[
            "bus/src/durable_file.rs",
            // Backups and restored states, once they are complete.
            "coordinator/src/processes/core/backup/create.rs",
            "coordinator/src/processes/core/backup/restore.rs",
            // A socket, and a log file.
            "coordinator/src/processes/cli/admin/server.rs",
            "coordinator/src/processes/lifecycle/log_file.rs",
            // The copy before an upgrade.
            "coordinator/src/processes/core/store.rs",
        ],
    },
];

#[test]
fn nothing_lasts_around_its_wrapper() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut read, mut used) = (0, [0; RULES.len()]);
    for member in ["bus", "coordinator", "processor"] {
        for path in sources(&root.join(member).join("src")) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            read += 1;
            for (rule, used) in RULES.iter().zip(&mut used) {
                let found = without_tests(&text).matches(rule.call).count();
                *used += found;
                let allowed = found == 0 || rule.files.contains(&name.as_str());
                assert!(allowed, "{name} calls {} around its wrapper", rule.call);
            }
        }
    }
    assert!(read > 150, "only {read} files were read");
    for (rule, used) in RULES.iter().zip(used) {
        assert!(used > 0 || rule.files.is_empty(), "nobody calls {} any more", rule.call);
    }
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\n#[allow").next().unwrap()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}
