//! Where single keys are read from, and the one place that writes them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serai_bus::durable_file;
use serai_messages::{Coin, Name};
use zeroize::Zeroizing;

/// Longest text that is read as a key, in bytes.
const MAX_TEXT_BYTES: u64 = 1024;

/// Time that a secrets manager's client gets.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// One of the coordinator's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyName {
    /// The validator's sr25519 key: its account on Serai.
    Validator,
    /// The libp2p identity, ed25519.
    Network,
    /// The X25519 key towards a coin's processor.
    Processor(Coin),
}

impl KeyName {
    /// The variable's name for the validator `name`, for example `ALICE_BTC_PRIV`.
    pub fn variable(self, prefix: &str, name: &Name) -> String {
        let name = name.as_str().to_uppercase().replace('-', "_");
        let which = match self {
            KeyName::Validator => "VALIDATOR".to_owned(),
            KeyName::Network => "NETWORK".to_owned(),
            KeyName::Processor(coin) => coin.name().to_uppercase(),
        };
        format!("{prefix}{name}_{which}_PRIV")
    }

    /// The key's file in the folder of keys: its variable, without the prefix.
    pub fn file(self, dir: &Path, name: &Name) -> PathBuf {
        dir.join(self.variable("", name))
    }

    /// Whether `length` bytes can be this key.
    pub fn allows_bytes(self, length: usize) -> bool {
        length == 32 || (self == KeyName::Validator && length == 64)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyName::Validator => f.write_str("validator key (sr25519)"),
            KeyName::Network => f.write_str("network identity (ed25519)"),
            KeyName::Processor(coin) => write!(f, "key for the {coin} processor (X25519)"),
        }
    }
}

/// Why a key can't be had. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is nowhere.
    #[error(
        "{key} is missing: {place} does not exist; `keys generate` makes it, except in production, \
         where it has to be put there"
    )]
    Missing {
        /// The key.
        key: KeyName,
        /// Where it was looked for.
        place: String,
    },
    /// What is there is no key.
    #[error("{key} in {place} is {problem}; expected 32 bytes in hex")]
    Malformed {
        /// The key.
        key: KeyName,
        /// Where it is.
        place: String,
        /// What is wrong, without its content.
        problem: String,
    },
    /// Others may read the file.
    #[error("{path} has mode {mode:03o} and others may read it; run: chmod 600 {path}")]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The secrets manager's client failed.
    #[error("{key}: command {program:?} {problem}")]
    Command {
        /// The key.
        key: KeyName,
        /// The program.
        program: String,
        /// What happened.
        problem: String,
    },
    /// Generation was asked for in production.
    #[error(
        "in production keys are never generated; make them where they are to be kept, and hand \
         them over by keys.source"
    )]
    Production,
    /// A key is there already and would be overwritten.
    #[error("{path} exists; keys are not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// A secret's bytes, wiped on drop.
pub(super) type Secret = Zeroizing<Vec<u8>>;

/// Reads the key's file; `None` when there is none.
pub(super) fn from_file(key: KeyName, path: &Path) -> Result<Option<Secret>, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Readable { path: path.to_owned(), mode });
    }
    let text = read_text(&mut file).map_err(io)?;
    decode(key, &path.display().to_string(), &text).map(Some)
}

/// Reads the key's variable; `None` when it is not set.
pub(super) fn from_environment(key: KeyName, variable: &str) -> Result<Option<Secret>, KeyError> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    let text = Zeroizing::new(text.into_encoded_bytes());
    decode(key, &format!("environment variable {variable}"), &text).map(Some)
}

/// Runs the command with `argument` appended and reads the key from its output.
pub(super) fn from_command(
    key: KeyName,
    command: &[String],
    argument: &str,
) -> Result<Secret, KeyError> {
    let (program, first) = command.split_first().map_or(("", [].as_slice()), |(p, a)| (p, a));
    let failed = |problem: String| KeyError::Command { key, program: program.to_owned(), problem };
    let mut child = Command::new(program)
        .args(first)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    let stdout = child.stdout.take();
    let (sender, receiver) = mpsc::sync_channel(1);
    // The thread ends with the pipe, at the latest when the child is killed below.
    std::thread::spawn(move || {
        let text = stdout.map_or_else(|| Ok(Zeroizing::default()), |mut pipe| read_text(&mut pipe));
        let _ = sender.send(text);
    });
    let text = match receiver.recv_timeout(COMMAND_TIMEOUT) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(failed(format!("has unreadable output: {error}"))),
        Err(_) => {
            // A child that has just ended by itself needs no killing.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(format!("gave no answer within {COMMAND_TIMEOUT:?}")));
        }
    };
    let status = child.wait().map_err(|error| failed(format!("is lost: {error}")))?;
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    decode(key, &format!("the output of {program} {argument}"), &text)
}

/// Writes a new key, readable by this user alone, durably.
pub(super) fn keep(path: &Path, secret: &[u8]) -> Result<(), KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    if path.exists() {
        return Err(KeyError::Exists { path: path.to_owned() });
    }
    let text = Zeroizing::new(hex::encode(secret) + "\n");
    durable_file::replace(path, text.as_bytes()).map_err(io)
}

fn read_text(from: &mut dyn Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT_BYTES as usize + 1));
    from.take(MAX_TEXT_BYTES + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn decode(key: KeyName, place: &str, text: &[u8]) -> Result<Secret, KeyError> {
    let malformed = |problem: &str| KeyError::Malformed {
        key,
        place: place.to_owned(),
        problem: problem.to_owned(),
    };
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(malformed("too long"));
    }
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let mut bytes = Zeroizing::new(vec![0; text.len() / 2]);
    hex::decode_to_slice(text, &mut bytes).map_err(|_| malformed("not hex"))?;
    if !key.allows_bytes(bytes.len()) {
        return Err(malformed(&format!("{} bytes long", bytes.len())));
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    const KEY: KeyName = KeyName::Processor(Coin::Btc);

    #[test]
    fn variables_are_named_as_documented() {
        let name: Name = "al-ice".parse().unwrap();
        assert_eq!(KEY.variable("", &name), "AL_ICE_BTC_PRIV");
        assert_eq!(KeyName::Validator.variable("PRE_", &name), "PRE_AL_ICE_VALIDATOR_PRIV");
        assert_eq!(KeyName::Network.variable("", &name), "AL_ICE_NETWORK_PRIV");
    }

    #[test]
    fn a_file_is_kept_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ALICE_BTC_PRIV");
        assert!(from_file(KEY, &path).unwrap().is_none());
        keep(&path, &[7; 32]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(from_file(KEY, &path).unwrap().unwrap().as_slice(), [7; 32]);
        assert!(matches!(keep(&path, &[8; 32]), Err(KeyError::Exists { .. })));
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = from_file(KEY, &path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for text in ["", "zz", &"ab".repeat(31), &"ab".repeat(64), &"ab".repeat(2000)] {
            let error = decode(KEY, "here", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("here is"), "{error}");
            assert!(!error.contains("abab"), "{error}");
        }
        let text = format!(" 0x{}\n", "AB".repeat(64));
        assert_eq!(decode(KeyName::Validator, "here", text.as_bytes()).unwrap().len(), 64);
    }

    #[test]
    fn a_command_hands_over_the_key_that_is_asked_for() {
        let shell = |script: &str| ["sh", "-c", script, "client"].map(str::to_owned);
        let good = shell("test \"$1\" = ALICE_BTC_PRIV && printf '%064d' 0");
        let key = from_command(KEY, &good, "ALICE_BTC_PRIV").unwrap();
        assert_eq!(key.as_slice(), [0; 32]);
        let error = from_command(KEY, &shell("exit 3"), "X").unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        let error = from_command(KEY, &["/no/such/client".to_owned()], "X").unwrap_err();
        assert!(error.to_string().contains("does not start"), "{error}");
    }
}
