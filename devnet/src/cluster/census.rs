//! Which processors live, by the operating system's word.

use std::path::Path;

use serai_messages::{Coin, Name};

/// A living processor of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Processor {
    /// Its validator.
    pub name: Name,
    /// Its coin.
    pub coin: Coin,
    /// Its process id.
    pub pid: u32,
}

/// The living processors whose data is under `root`, sorted. Programs that have ended but are not
/// yet collected by their parent have no command line any more and do not count.
pub fn processors(root: &Path) -> Vec<Processor> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<Processor> = entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let arguments: Vec<&str> = line
                .split(|byte| *byte == 0)
                .filter_map(|part| std::str::from_utf8(part).ok())
                .collect();
            let (name, coin) = identify(&arguments, root)?;
            Some(Processor { name, coin, pid })
        })
        .collect();
    found.sort();
    found
}

fn identify(arguments: &[&str], root: &Path) -> Option<(Name, Coin)> {
    let program = Path::new(arguments.first()?).file_name()?.to_str()?;
    let after = |flag: &str| {
        let position = arguments.iter().position(|argument| *argument == flag)?;
        arguments.get(position + 1).copied()
    };
    (program.starts_with("serai-processor") && Path::new(after("--data")?).starts_with(root))
        .then_some(())?;
    Some((after("--name")?.parse().ok()?, after("--coin")?.parse().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn only_processors_of_this_folder_count() {
        let root = Path::new("/devnet/one");
        let line = |program, data| [program, "--name", "bob", "--coin", "eth", "--data", data];
        let of = |program, data| identify(&line(program, data), root);
        let bob = Some(("bob".parse().unwrap(), Coin::Eth));
        assert_eq!(of("/bin/serai-processor", "/devnet/one/bob/data"), bob);
        assert_eq!(of("/bin/serai-processor", "/devnet/onetwo/bob/data"), None);
        assert_eq!(of("/bin/serai-coordinator", "/devnet/one/bob/data"), None);
        assert_eq!(identify(&[""], root), None);
    }
}
