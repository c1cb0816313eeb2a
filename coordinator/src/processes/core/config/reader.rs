//! Reads single keys out of the merged sources and gathers faults instead of stopping at the first.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::de::DeserializeOwned;

/// What environment variables of the configuration start with.
pub const ENV_PREFIX: &str = "SERAI_COORDINATOR__";

/// Largest configuration file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or `environment`.
    pub source: String,
    /// The key, dotted; empty where the whole file is meant.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return write!(f, "{}: {}", self.source, self.problem);
        }
        write!(f, "{}: {}: {}", self.source, self.key, self.problem)
    }
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Everything that is wrong with it.
    pub faults: Vec<Fault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        write!(f, "the configuration has {count} fault{}", if count == 1 { "" } else { "s" })?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// The part of an environment that speaks to the configuration.
struct Environment(Vec<(String, String)>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::from("environment", Source::Custom("environment".to_owned()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Dict::new();
        for (name, text) in &self.0 {
            let Some(path) = name.strip_prefix(ENV_PREFIX) else { continue };
            let path = path.to_ascii_lowercase().replace("__", ".");
            // Keys in hex may consist of digits alone and must stay text.
            let number = text.len() > 20 && text.bytes().all(|b| b.is_ascii_alphanumeric());
            let value = if number {
                Value::from(text.clone())
            } else {
                // Whatever is no number, list, or the like is text.
                text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
            };
            if let Some(dict) = figment::util::nest(&path, value).into_dict() {
                merge(&mut all, dict);
            }
        }
        Ok(Profile::Default.collect(all))
    }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Dict(_, old)), Value::Dict(_, new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The merged sources.
pub(super) struct Reader {
    figment: Figment,
    main: PathBuf,
    known: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Reader {
    /// Merges `optional` (may be absent), `main` and the environment.
    pub(super) fn open(
        optional: &Path,
        main: &Path,
        environment: Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let mut figment = Figment::new();
        for (path, required) in [(optional, false), (main, true)] {
            match read(path) {
                Ok(Some(_)) => figment = figment.merge(Toml::file_exact(path)),
                Ok(None) if !required => {}
                Ok(None) => faults.push(whole(path, "does not exist; create it or check --mode")),
                Err(problem) => faults.push(whole(path, problem)),
            }
        }
        let figment = figment.merge(Environment(environment));
        if faults.is_empty() {
            Ok(Self { figment, main: main.to_owned(), known: BTreeSet::new(), faults })
        } else {
            Err(ConfigError { faults })
        }
    }

    /// The key's value, if there is one of the right type; a wrong type is a fault.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.known.insert(key.to_owned());
        let value = self.figment.find_value(key).ok()?;
        self.deserialize(key, &value)
    }

    /// As [`Reader::optional`], with a default.
    pub(super) fn or<T: DeserializeOwned>(&mut self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// As [`Reader::optional`]; absence is a fault.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        if self.figment.find_value(key).is_err() {
            self.known.insert(key.to_owned());
            let variable = format!("{ENV_PREFIX}{}", key.to_uppercase().replace('.', "__"));
            self.fault(key, format!("missing; set it here or in {variable}"));
            return None;
        }
        self.optional(key)
    }

    /// A list, or one value that stands for a list of one; each wrong item is a fault of its own.
    pub(super) fn list<T: DeserializeOwned>(&mut self, key: &str) -> Option<Vec<T>> {
        self.known.insert(key.to_owned());
        let items = match self.figment.find_value(key).ok()? {
            Value::Array(_, items) => items,
            value => vec![value],
        };
        let count = items.len();
        let read: Vec<T> = items.iter().filter_map(|value| self.deserialize(key, value)).collect();
        (read.len() == count).then_some(read)
    }

    /// Names of the tables within a table, for sections named by coins or members.
    pub(super) fn names(&self, key: &str) -> Vec<String> {
        match self.figment.find_value(key) {
            Ok(Value::Dict(_, dict)) => dict.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether anything is set at `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.figment.contains(key)
    }

    /// Makes `key` known though it is not set.
    pub(super) fn declare(&mut self, key: &str) {
        self.known.insert(key.to_owned());
    }

    /// Notes a fault of `key`.
    pub(super) fn fault(&mut self, key: &str, problem: impl fmt::Display) {
        let fault =
            Fault { source: self.source(key), key: key.to_owned(), problem: problem.to_string() };
        self.faults.push(fault);
    }

    /// All faults, unknown keys among them.
    pub(super) fn finish(mut self) -> Vec<Fault> {
        let mut found = Vec::new();
        let root: Dict = self.figment.extract().unwrap_or_default();
        leaves("", &root, &mut found);
        for key in found {
            let known = self.known.iter().any(|known| {
                key == *known || key.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'))
            });
            // A table where a value belongs was found wrong by its type already.
            let is_table_of_known =
                self.known.iter().any(|known| known.starts_with(&format!("{key}.")));
            if !known && is_table_of_known {
                self.fault(&key, "must be a table");
            } else if !known {
                let problem = match nearest(&key, &self.known) {
                    Some(near) => format!("unknown key; did you mean {near}?"),
                    None => "unknown key".to_owned(),
                };
                self.fault(&key, problem);
            }
        }
        self.faults
    }

    fn deserialize<T: DeserializeOwned>(&mut self, key: &str, value: &Value) -> Option<T> {
        match value.deserialize() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(key, error.kind);
                None
            }
        }
    }

    fn source(&self, key: &str) -> String {
        match self.figment.find_metadata(key).and_then(|metadata| metadata.source.clone()) {
            Some(Source::File(path)) => path.display().to_string(),
            Some(_) => {
                format!("environment {ENV_PREFIX}{}", key.to_uppercase().replace('.', "__"))
            }
            None => self.main.display().to_string(),
        }
    }
}

/// The file's text, `None` when it does not exist.
fn read(path: &Path) -> Result<Option<String>, String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if metadata.len() > MAX_FILE_BYTES {
        return Err(format!("has {} bytes; at most {MAX_FILE_BYTES} are read", metadata.len()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    match text.parse::<toml::Table>() {
        Ok(_) => Ok(Some(text)),
        Err(error) => {
            let line = error.span().map_or(0, |span| {
                text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
            });
            Err(format!("line {line}: {}", error.message()))
        }
    }
}

fn whole(path: &Path, problem: impl Into<String>) -> Fault {
    Fault { source: path.display().to_string(), key: String::new(), problem: problem.into() }
}

fn leaves(prefix: &str, dict: &Dict, found: &mut Vec<String>) {
    for (name, value) in dict {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => leaves(&key, inner, found),
            Value::Dict(..) => {}
            _ => found.push(key),
        }
    }
}

/// A known key in the same section that shares its beginning or its end with the unknown one.
fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let (section, name) = key.rsplit_once('.')?;
    let common = |candidate: &str| {
        let front = name.bytes().zip(candidate.bytes()).take_while(|(a, b)| a == b).count();
        let back =
            name.bytes().rev().zip(candidate.bytes().rev()).take_while(|(a, b)| a == b).count();
        front.max(back)
    };
    known
        .iter()
        .filter(|known| known.rsplit_once('.').is_some_and(|(s, _)| s == section))
        .map(|known| (common(known.rsplit_once('.').map_or("", |(_, name)| name)), known))
        .filter(|(common, _)| *common * 2 >= name.len())
        .max_by_key(|(common, _)| *common)
        .map(|(_, known)| known)
}
