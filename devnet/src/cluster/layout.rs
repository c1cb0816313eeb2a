//! The data folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serai_messages::{Coin, Name};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Ports, Settings, ports};

/// What `cluster.json` holds: all that a second run needs to be the same network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    settings: Settings,
    rpc: u16,
    ports: BTreeMap<Name, Ports>,
    #[serde(default)]
    external: BTreeMap<Coin, u16>,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The file system said no.
    #[error("cannot {act} {path}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which path.
        path: PathBuf,
        /// What was said.
        source: std::io::Error,
    },
    /// Another devnet runs on the folder.
    #[error("another devnet runs on {0}; stop it, or choose another folder with --data")]
    InUse(PathBuf),
    /// `--fresh` on a folder that is none of ours.
    #[error(
        "{0} is not empty and holds no cluster.json, so it is not a devnet's and is not deleted; \
         choose another folder with --data"
    )]
    NotOurs(PathBuf),
    /// The file is damaged or of another version.
    #[error("{path} cannot be read ({reason}); start anew with --fresh")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// All ports are in use.
    #[error("no free port was found on the loopback interface")]
    NoPort,
}

impl LayoutError {
    fn io(act: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| LayoutError::Io { act, path, source }
    }
}

/// The data folder: paths and ports of everything. While it lives it holds the folder's lock.
///
/// ```text
///  DIR/cluster.json            settings and ports
///  DIR/validators.json         public keys
///  DIR/lock
///  DIR/chain/                  genesis.json and the chain's data
///  DIR/external/btc/           a simulated network's data
///  DIR/logs/                   output of the chains and the coordinators
///  DIR/alice/config/           development.toml
///  DIR/alice/keys/             secret keys, mode 0600
///  DIR/alice/data/             state.sqlite, admin.sock
///  DIR/alice/data/processors/  per coin a folder, and its output in COIN.log
///  DIR/alice/backup/
///  DIR/alice/bus.sqlite        the embedded bus
/// ```
#[derive(Debug)]
pub struct Layout {
    root: PathBuf,
    stored: Stored,
    resumed: bool,
    fresh: bool,
    _lock: File,
}

impl Layout {
    /// Opens `root`: takes its lock, empties it when `fresh`, and reads or writes its
    /// `cluster.json`. `settings` are used for a new network only; see [`Layout::settings`].
    ///
    /// # Errors
    /// [`LayoutError`], each with what to do.
    pub fn open(root: &Path, fresh: bool, settings: Settings) -> Result<Self, LayoutError> {
        std::fs::create_dir_all(root).map_err(LayoutError::io("create", root))?;
        let root = root.canonicalize().map_err(LayoutError::io("find", root))?;
        let lock = lock(&root)?;
        if fresh {
            empty(&root)?;
        }
        let path = root.join("cluster.json");
        let (stored, resumed) = match read(&path)? {
            Some(stored) => {
                let Stored { settings, external, .. } = &stored;
                if settings.coins.iter().any(|coin| !external.contains_key(coin)) {
                    return Err(LayoutError::Damaged {
                        path,
                        reason: "it is of a version without external chains".to_owned(),
                    });
                }
                (stored, true)
            }
            None => {
                let stored = allot(settings)?;
                store(&path, &stored)?;
                (stored, false)
            }
        };
        let layout = Self { root, stored, resumed, fresh, _lock: lock };
        for folder in layout.folders() {
            std::fs::create_dir_all(&folder).map_err(LayoutError::io("create", &folder))?;
        }
        Ok(layout)
    }

    /// Whether the folder held a network already.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether it was asked to start anew.
    pub fn fresh(&self) -> bool {
        self.fresh
    }

    /// The folder, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The network's settings.
    pub fn settings(&self) -> &Settings {
        &self.stored.settings
    }

    /// The chain's RPC port.
    pub fn rpc_port(&self) -> u16 {
        self.stored.rpc
    }

    /// The chain's RPC address.
    pub fn rpc_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.stored.rpc)
    }

    /// The RPC port of a coin's simulated network; `None` for coins that this network has not.
    pub fn external_port(&self, coin: Coin) -> Option<u16> {
        self.stored.external.get(&coin).copied()
    }

    /// The RPC address of a coin's simulated network.
    pub fn external_url(&self, coin: Coin) -> Option<String> {
        self.external_port(coin).map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// The folder of a coin's simulated network.
    pub fn external(&self, coin: Coin) -> PathBuf {
        self.root.join("external").join(coin.name())
    }

    /// A validator's ports; `None` for names that are no validator's.
    pub fn ports(&self, name: &Name) -> Option<Ports> {
        self.stored.ports.get(name).copied()
    }

    /// Address of a coordinator's pages.
    pub fn http_url(&self, name: &Name) -> Option<String> {
        self.ports(name).map(|ports| format!("http://127.0.0.1:{}/", ports.http))
    }

    /// Ports of this network that something uses now.
    pub fn busy_ports(&self) -> Vec<u16> {
        let validators = self.stored.ports.values().flat_map(|ports| [ports.peers, ports.http]);
        std::iter::once(self.stored.rpc)
            .chain(self.stored.external.values().copied())
            .chain(validators)
            .filter(|port| !ports::is_free(*port))
            .collect()
    }

    /// The chain's folder.
    pub fn chain(&self) -> PathBuf {
        self.root.join("chain")
    }

    /// The chain's genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.chain().join("genesis.json")
    }

    /// The validators' public keys.
    pub fn identities(&self) -> PathBuf {
        self.root.join("validators.json")
    }

    /// The log file of a program.
    pub fn log(&self, program: &str) -> PathBuf {
        self.root.join("logs").join(format!("{program}.log"))
    }

    /// A validator's folder.
    pub fn validator(&self, name: &Name) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// A coordinator's configuration folder.
    pub fn config(&self, name: &Name) -> PathBuf {
        self.validator(name).join("config")
    }

    /// A validator's key files.
    pub fn keys(&self, name: &Name) -> PathBuf {
        self.validator(name).join("keys")
    }

    /// A coordinator's state.
    pub fn data(&self, name: &Name) -> PathBuf {
        self.validator(name).join("data")
    }

    /// A processor's folder, as its coordinator makes it.
    pub fn processor(&self, name: &Name, coin: Coin) -> PathBuf {
        self.data(name).join("processors").join(coin.name())
    }

    /// A validator's embedded bus.
    pub fn bus(&self, name: &Name) -> PathBuf {
        self.validator(name).join("bus.sqlite")
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.chain(), self.root.join("logs")];
        folders.extend(self.stored.settings.coins.iter().map(|coin| self.external(*coin)));
        for name in &self.stored.settings.validators {
            let backup = self.validator(name).join("backup");
            folders.extend([self.config(name), self.keys(name), self.data(name), backup]);
        }
        folders
    }
}

/// Writes a file of the folder, whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), LayoutError> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, bytes).map_err(LayoutError::io("write", &unfinished))?;
    std::fs::rename(&unfinished, path).map_err(LayoutError::io("write", path))
}

/// Reads a JSON file of the folder; `None` where it is not there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LayoutError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LayoutError::io("read", path)(error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| LayoutError::Damaged { path: path.to_owned(), reason: error.to_string() })
}

/// Writes a JSON file of the folder.
pub(super) fn store<T: Serialize>(path: &Path, value: &T) -> Result<(), LayoutError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| LayoutError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    write(path, &text)
}

fn lock(root: &Path) -> Result<File, LayoutError> {
    let path = root.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(LayoutError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LayoutError::InUse(root.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(LayoutError::io("lock", &path)(error)),
    }
}

/// Deletes everything but the lock, if the folder is a devnet's.
fn empty(root: &Path) -> Result<(), LayoutError> {
    let entries: Vec<PathBuf> = std::fs::read_dir(root)
        .map_err(LayoutError::io("read", root))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name != "lock"))
        .collect();
    if !entries.is_empty() && !root.join("cluster.json").is_file() {
        return Err(LayoutError::NotOurs(root.to_owned()));
    }
    // The mark that the folder is ours goes last: a deletion that was cut short can be repeated.
    let (mark, others): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|path| path.ends_with("cluster.json"));
    for path in others.iter().chain(&mark) {
        let deleted =
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        deleted.map_err(LayoutError::io("delete", path))?;
    }
    Ok(())
}

fn allot(settings: Settings) -> Result<Stored, LayoutError> {
    let next = || ports::free().ok_or(LayoutError::NoPort);
    let rpc = next()?;
    let mut external = BTreeMap::new();
    for coin in &settings.coins {
        external.insert(*coin, next()?);
    }
    let mut ports = BTreeMap::new();
    for name in &settings.validators {
        ports.insert(name.clone(), Ports { peers: next()?, http: next()? });
    }
    Ok(Stored { settings, rpc, ports, external })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    fn settings(count: usize) -> Settings {
        Settings::new(count, &[Coin::Btc])
    }

    #[test]
    fn a_second_run_is_the_same_network() {
        let folder = tempfile::tempdir().unwrap();
        let first = Layout::open(folder.path(), false, settings(4)).unwrap();
        assert!(!first.resumed());
        let stored = first.stored.clone();
        drop(first);
        let second = Layout::open(folder.path(), false, settings(7)).unwrap();
        assert!(second.resumed());
        assert_eq!(second.stored, stored);
        drop(second);
        let third = Layout::open(folder.path(), true, settings(7)).unwrap();
        assert!(!third.resumed());
        assert_eq!(third.settings().validators.len(), 7);
    }

    #[test]
    fn one_devnet_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Layout::open(folder.path(), false, settings(4)).unwrap();
        let error = Layout::open(folder.path(), true, settings(4)).unwrap_err();
        assert!(matches!(error, LayoutError::InUse(_)), "{error}");
    }

    #[test]
    fn somebody_elses_folder_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
        let error = Layout::open(folder.path(), true, settings(4)).unwrap_err();
        assert!(matches!(error, LayoutError::NotOurs(_)), "{error}");
        assert!(folder.path().join("thesis.tex").exists());
    }
}
