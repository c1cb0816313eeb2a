//! All of the coordinator's keys at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rand_core::{OsRng, RngCore};
use serai_bus::SecretKey;
use serai_messages::{Coin, Name, ValidatorKey};
use serai_sr25519::Signer;
use zeroize::Zeroizing;

use super::super::config::{Config, KeySource, Mode};
use super::super::store::{StoreError, make_folder};
use super::source::{self, KeyError, KeyName, Secret};

/// The coordinator's keys.
pub struct Keys {
    /// The validator's key.
    pub validator: Arc<Signer>,
    /// Seed of the ed25519 libp2p identity.
    pub identity: Zeroizing<[u8; 32]>,
    /// One key per enabled coin, towards its processor.
    pub processors: BTreeMap<Coin, SecretKey>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("validator", &self.public())
            .field("processors", &self.processors)
            .finish_non_exhaustive()
    }
}

/// What [`Keys::load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The keys.
    pub keys: Keys,
    /// Names of those that were made just now.
    pub generated: Vec<KeyName>,
}

impl Keys {
    /// Loads the keys of `name` for the enabled coins. Outside production a key that is missing is
    /// made and kept in `keys.dir`; one that a command fails to give is an error in every mode.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(config: &Config, name: &Name) -> Result<Loaded, KeyError> {
        let mut generated = Vec::new();
        let keys = Self::gather(config, name, |key, place| {
            if config.mode == Mode::Production {
                return Err(KeyError::Missing { key, place });
            }
            generated.push(key);
            generate(config, name, key)
        })?;
        Ok(Loaded { keys, generated })
    }

    /// Reads the keys of `name` for the enabled coins and makes none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(config: &Config, name: &Name) -> Result<Self, KeyError> {
        Self::gather(config, name, |key, place| Err(KeyError::Missing { key, place }))
    }

    fn gather(
        config: &Config,
        name: &Name,
        mut missing: impl FnMut(KeyName, String) -> Result<Secret, KeyError>,
    ) -> Result<Self, KeyError> {
        let mut secret = |key: KeyName| {
            let settings = &config.keys;
            let file = key.file(&settings.dir, name);
            let variable = key.variable(&settings.env_prefix, name);
            let (found, place) = match settings.source {
                KeySource::Command => {
                    return source::from_command(key, &settings.command, &variable);
                }
                KeySource::Files => {
                    (source::from_file(key, &file)?, format!("file {}", file.display()))
                }
                KeySource::Environment => (
                    source::from_environment(key, &variable)?,
                    format!("environment variable {variable}"),
                ),
            };
            if let Some(found) = found {
                return Ok(found);
            }
            // Where the environment has none, one that was made at an earlier start has its file.
            if config.mode != Mode::Production
                && settings.source == KeySource::Environment
                && let Some(found) = source::from_file(key, &file)?
            {
                return Ok(found);
            }
            missing(key, place)
        };
        let validator = secret(KeyName::Validator)?;
        let identity = array(KeyName::Network, &secret(KeyName::Network)?)?;
        let mut processors = BTreeMap::new();
        for coin in &config.chains.enabled {
            let key = KeyName::Processor(*coin);
            processors.insert(*coin, SecretKey::from_bytes(&*array(key, &secret(key)?)?));
        }
        let validator = Signer::from_bytes(&validator).map_err(|error| KeyError::Malformed {
            key: KeyName::Validator,
            place: "its source".to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Keys { validator: Arc::new(validator), identity, processors })
    }

    /// Makes every key of `name` that has no file yet; outside production only.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn generate(config: &Config, name: &Name) -> Result<Vec<KeyName>, KeyError> {
        if config.mode == Mode::Production {
            return Err(KeyError::Production);
        }
        let coins = config.chains.enabled.iter().map(|coin| KeyName::Processor(*coin));
        let mut generated = Vec::new();
        for key in [KeyName::Validator, KeyName::Network].into_iter().chain(coins) {
            if source::from_file(key, &key.file(&config.keys.dir, name))?.is_none() {
                generate(config, name, key)?;
                generated.push(key);
            }
        }
        Ok(generated)
    }

    /// The libp2p peer id of the network identity.
    pub fn peer_id(&self) -> String {
        // The library wipes the bytes that it is given.
        let mut seed = Zeroizing::new(*self.identity);
        libp2p::identity::Keypair::ed25519_from_bytes(seed.as_mut_slice())
            .map(|pair| pair.public().to_peer_id().to_string())
            .unwrap_or_default()
    }

    /// The validator's public key.
    pub fn public(&self) -> ValidatorKey {
        ValidatorKey(self.validator.public())
    }
}

fn generate(config: &Config, name: &Name, key: KeyName) -> Result<Secret, KeyError> {
    let dir = &config.keys.dir;
    make_folder(dir).map_err(|error| match error {
        StoreError::Io { path, source } => KeyError::Io { path, source },
        other => KeyError::Io { path: dir.clone(), source: std::io::Error::other(other) },
    })?;
    let mut secret = Zeroizing::new(vec![0; 32]);
    OsRng.fill_bytes(&mut secret);
    source::keep(&key.file(dir, name), &secret)?;
    Ok(secret)
}

fn array(key: KeyName, secret: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut array = Zeroizing::new([0; 32]);
    if secret.len() != array.len() {
        return Err(KeyError::Malformed {
            key,
            place: "its source".to_owned(),
            problem: format!("{} bytes long", secret.len()),
        });
    }
    array.copy_from_slice(secret);
    Ok(array)
}
