//! The workspace keeps to `deny.toml`: which crate alone may use a dependency.

use std::collections::BTreeMap;
use std::path::Path;

fn read(path: &Path) -> toml::Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn dependencies_are_used_by_their_wrappers_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let deny = read(&root.join("deny.toml"));
    let rules: BTreeMap<String, Vec<String>> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let wrappers = rule["wrappers"].as_array().unwrap().iter();
            let wrappers = wrappers.map(|one| one.as_str().unwrap().to_owned()).collect();
            (rule["crate"].as_str().unwrap().to_owned(), wrappers)
        })
        .collect();
    assert!(rules.contains_key("rdkafka") && rules.contains_key("dkg-pedpop"));

    let workspace = read(&root.join("Cargo.toml"));
    let mut used = 0;
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let manifest = read(&root.join(member.as_str().unwrap()).join("Cargo.toml"));
        let package = manifest["package"]["name"].as_str().unwrap();
        let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
        let tables = sections.iter().filter_map(|section| manifest.get(*section)?.as_table());
        for dependency in tables.flat_map(|table| table.keys()) {
            let Some(wrappers) = rules.get(dependency) else { continue };
            assert!(wrappers.iter().any(|one| one == package), "{package} uses {dependency}");
            used += 1;
        }
    }
    assert!(used >= rules.len(), "each rule is about something that is used");
}
