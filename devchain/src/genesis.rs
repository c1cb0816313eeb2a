//! Block 0, from a JSON file.
//!
//! # Owns
//! The file's format and what it becomes in storage.
//!
//! # Promises
//! The same file gives the same genesis hash. Block 0 carries a `NewSet` event for each network, as
//! real Serai's does; Substrate's own genesis would carry none.
//!
//! # Limits
//! A network that the file does not name has no validator set.

use std::collections::BTreeMap;

use frame_support::BoundedVec;
use frame_system::{EventRecord, Phase};
use parity_scale_codec::Encode;
use serde::{Deserialize, Serialize};
use sp_core::{Pair as _, crypto::Ss58Codec as _, sr25519};
use sp_runtime::{
    BuildStorage as _, StateVersion,
    traits::{BlakeTwo256, Hash as _},
};
use sp_state_machine::BasicExternalities;

use crate::{
    executor::{ExecutionError, State},
    log::StoredBlock,
    runtime::{
        Header, Runtime, RuntimeEvent, RuntimeGenesisConfig, ValidatorSets, coins,
        types::{AccountId, Amount, Balance, Coin, NetworkId},
        validator_addresses::{self, AddressList},
        validator_sets::{self, STAKE_ACCOUNT},
    },
};

/// Storage key of the chain's name, so that two chains of different names differ in their hashes.
const NAME_KEY: &[u8] = b":serai-devchain:name";

/// The genesis file.
///
/// ```json
/// { "name": "local",
///   "networks": { "Bitcoin": { "allocation_per_key_share": 100000000000000, "participants": 4 } },
///   "validators": [
///     { "key": "//Alice", "stake": { "Bitcoin": 100000000000000 },
///       "addresses": ["/ip4/127.0.0.1/tcp/30333"] } ],
///   "balances": [ { "account": "//Alice", "coin": "Serai", "amount": 1000000000000 } ] }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What the chain is called.
    pub name: String,
    /// The networks that have a validator set, by name: `Serai`, `Bitcoin`, `Ethereum`, `Monero`.
    pub networks: BTreeMap<String, NetworkSpec>,
    /// The validators, whether elected or not.
    pub validators: Vec<ValidatorSpec>,
    /// Coins held from the start.
    #[serde(default)]
    pub balances: Vec<BalanceSpec>,
}

/// A network with a validator set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// The stake that makes one key share, in units of 10⁻⁸ SRI.
    pub allocation_per_key_share: u64,
    /// The most validators elected into a set; without it as many as have the stake.
    #[serde(default)]
    pub participants: Option<u32>,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorSpec {
    /// Its sr25519 public key: 64 hexadecimal digits, an SS58 address, or a development URI such as
    /// `//Alice`.
    pub key: String,
    /// Its stake by network, in units of 10⁻⁸ SRI.
    #[serde(default)]
    pub stake: BTreeMap<String, u64>,
    /// Its multiaddresses.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// Coins held from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceSpec {
    /// Whose; written as a validator's key.
    pub account: String,
    /// The coin: `Serai`, `Bitcoin`, `Ether`, `Dai` or `Monero`.
    pub coin: String,
    /// How much, in the coin's smallest unit on Serai.
    pub amount: u64,
}

/// What is wrong with a genesis file.
#[derive(Debug, thiserror::Error)]
pub enum InvalidGenesis {
    /// Not JSON of the expected shape.
    #[error("genesis file: {0}")]
    Json(#[from] serde_json::Error),
    /// No network of that name.
    #[error("genesis: unknown network {0:?}: use Serai, Bitcoin, Ethereum or Monero")]
    Network(String),
    /// No coin of that name.
    #[error("genesis: unknown coin {0:?}: use Serai, Bitcoin, Ether, Dai or Monero")]
    Coin(String),
    /// A key that is none.
    #[error("genesis: key {0:?} is neither 64 hexadecimal digits, an SS58 address nor a URI")]
    Key(String),
    /// A validator twice.
    #[error("genesis: validator {0:?} is listed twice")]
    Duplicate(String),
    /// Stake for a network that the file does not describe.
    #[error("genesis: validator {0:?} has stake for {1}, which is not among the networks")]
    StakeWithoutNetwork(String, String),
    /// A network nobody is elected for.
    #[error("genesis: no validator has a key share's stake for {0}")]
    EmptySet(String),
    /// Too many or too long addresses.
    #[error("genesis: validator {0:?} has more than 8 addresses or one over 256 bytes")]
    Addresses(String),
    /// Balances or stake that do not fit.
    #[error("genesis: balances of a coin exceed what an amount can hold")]
    Overflow,
    /// The initial storage could not be built.
    #[error("genesis: {0}")]
    Build(String),
    /// The runtime failed.
    #[error("genesis: {0}")]
    Execution(#[from] ExecutionError),
}

impl Genesis {
    /// Reads the file's content.
    ///
    /// # Errors
    /// When it is not JSON of this shape.
    pub fn from_json(json: &str) -> Result<Self, InvalidGenesis> {
        Ok(serde_json::from_str(json)?)
    }

    /// A chain on which each of `keys` has one key share's stake (1,000,000 SRI) in each of
    /// `networks` and 1,000,000 SRI to pay fees with.
    #[must_use]
    pub fn development(keys: &[&str], networks: &[&str]) -> Self {
        const UNIT: u64 = 1_000_000 * 100_000_000;
        let names = || networks.iter().map(|network| (*network).to_owned());
        let network = NetworkSpec { allocation_per_key_share: UNIT, participants: None };
        Self {
            name: "development".to_owned(),
            networks: names().map(|name| (name, network.clone())).collect(),
            validators: keys
                .iter()
                .map(|key| ValidatorSpec {
                    key: (*key).to_owned(),
                    stake: names().map(|name| (name, UNIT)).collect(),
                    addresses: Vec::new(),
                })
                .collect(),
            balances: keys
                .iter()
                .map(|key| BalanceSpec {
                    account: (*key).to_owned(),
                    coin: "Serai".to_owned(),
                    amount: UNIT,
                })
                .collect(),
        }
    }

    /// Block 0 with the whole initial storage.
    pub(crate) fn build(&self) -> Result<StoredBlock, InvalidGenesis> {
        let storage = RuntimeGenesisConfig::default().build_storage();
        let storage = storage.map_err(InvalidGenesis::Build)?;
        let mut externalities = BasicExternalities::new(storage);
        let written = externalities.execute_with(|| self.write());
        written?;
        let top = externalities.into_storages().top;

        let state_root = State::new(top.clone()).root();
        let header = Header {
            parent_hash: Default::default(),
            number: 0,
            state_root,
            extrinsics_root: BlakeTwo256::trie_root(Vec::new(), StateVersion::V0),
            digest: Default::default(),
        };
        let changes = top.into_iter().map(|(key, value)| (key, Some(value))).collect();
        Ok(StoredBlock { header, extrinsics: Vec::new(), changes })
    }

    /// Writes this genesis to the storage that is bound.
    fn write(&self) -> Result<(), InvalidGenesis> {
        sp_io::storage::set(NAME_KEY, self.name.as_bytes());
        for (name, spec) in &self.networks {
            let network = network(name)?;
            let share = Amount(spec.allocation_per_key_share);
            validator_sets::AllocationPerKeyShare::<Runtime>::insert(network, share);
            if let Some(count) = spec.participants {
                validator_sets::ElectedParticipants::<Runtime>::insert(network, count);
            }
        }

        let mut seen = Vec::with_capacity(self.validators.len());
        for validator in &self.validators {
            let key = parse_key(&validator.key)?;
            if seen.contains(&key) {
                return Err(InvalidGenesis::Duplicate(validator.key.clone()));
            }
            self.write_validator(validator, &key)?;
            seen.push(key);
        }

        for spec in &self.balances {
            let account = parse_key(&spec.account)?;
            let coin = Coin::from_name(&spec.coin)
                .ok_or_else(|| InvalidGenesis::Coin(spec.coin.clone()))?;
            create(&account, coin, spec.amount)?;
        }

        let mut events = Vec::new();
        for network in NetworkId::ALL {
            if !self.networks.contains_key(network.name()) {
                continue;
            }
            let elected = ValidatorSets::elect(network, None);
            if elected.is_empty() {
                return Err(InvalidGenesis::EmptySet(network.name().to_owned()));
            }
            let set = ValidatorSets::new_set(network, elected);
            if network == NetworkId::Serai {
                ValidatorSets::total_stake_is_of_current_set(network);
            }
            events.push(EventRecord::<RuntimeEvent, sp_core::H256> {
                phase: Phase::Initialization,
                event: validator_sets::Event::NewSet { set }.into(),
                topics: Vec::new(),
            });
        }
        write_events(&events);
        Ok(())
    }

    fn write_validator(
        &self,
        validator: &ValidatorSpec,
        key: &AccountId,
    ) -> Result<(), InvalidGenesis> {
        for (name, stake) in &validator.stake {
            let network = network(name)?;
            if !self.networks.contains_key(name) {
                return Err(InvalidGenesis::StakeWithoutNetwork(
                    validator.key.clone(),
                    name.clone(),
                ));
            }
            create(&STAKE_ACCOUNT, Coin::Serai, *stake)?;
            ValidatorSets::put_allocation(network, key, Amount(*stake));
        }
        if !validator.addresses.is_empty() {
            let invalid = || InvalidGenesis::Addresses(validator.key.clone());
            let addresses = validator
                .addresses
                .iter()
                .map(|address| BoundedVec::try_from(address.as_bytes().to_vec()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| invalid())?;
            let addresses = AddressList::try_from(addresses).map_err(|_| invalid())?;
            validator_addresses::Addresses::<Runtime>::insert(key, addresses);
        }
        Ok(())
    }
}

/// Reads a key as the genesis file and the development RPC write it.
///
/// # Errors
/// When it is neither 64 hexadecimal digits, an SS58 address nor a URI.
pub fn parse_key(text: &str) -> Result<AccountId, InvalidGenesis> {
    let invalid = || InvalidGenesis::Key(text.to_owned());
    if text.starts_with("//") {
        let pair = sr25519::Pair::from_string(text, None).map_err(|_| invalid())?;
        return Ok(AccountId::new(pair.public().0));
    }
    let mut bytes = [0; 32];
    if hex::decode_to_slice(text.trim_start_matches("0x"), &mut bytes).is_ok() {
        return Ok(AccountId::new(bytes));
    }
    AccountId::from_ss58check(text).map_err(|_| invalid())
}

fn network(name: &str) -> Result<NetworkId, InvalidGenesis> {
    NetworkId::from_name(name).ok_or_else(|| InvalidGenesis::Network(name.to_owned()))
}

fn create(to: &AccountId, coin: Coin, amount: u64) -> Result<(), InvalidGenesis> {
    let balance = Balance { coin, amount: Amount(amount) };
    coins::Pallet::<Runtime>::create(to, balance).map_err(|_| InvalidGenesis::Overflow)
}

/// Writes block 0's events. The system pallet deposits none in block 0, so its storage is written
/// by key; the first block clears it as it does any block's.
fn write_events(events: &[EventRecord<RuntimeEvent, sp_core::H256>]) {
    let key = |item: &[u8]| {
        [sp_io::hashing::twox_128(b"System"), sp_io::hashing::twox_128(item)].concat()
    };
    sp_io::storage::set(&key(b"Events"), &events.encode());
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    sp_io::storage::set(&key(b"EventCount"), &count.encode());
}
