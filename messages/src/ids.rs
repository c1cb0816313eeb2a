//! Ids and counts, one type each, so that mixing two of them does not compile.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// A word or number that is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no {what}: {rule}")]
pub struct InvalidId {
    /// The kind of id that was expected.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// An external coin's network. The seed's names (`btc`, `eth`, `xmr`) and Serai's wire numbers
/// (Bitcoin 1, Ethereum 2, Monero 3).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Coin {
    /// Bitcoin.
    Btc,
    /// Ethereum.
    Eth,
    /// Monero.
    Xmr,
}

impl Coin {
    /// All coins, in wire order.
    pub const ALL: [Coin; 3] = [Coin::Btc, Coin::Eth, Coin::Xmr];

    /// Lower-case name, as in topics, configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Coin::Btc => "btc",
            Coin::Eth => "eth",
            Coin::Xmr => "xmr",
        }
    }

    /// Serai's `ExternalNetworkId` byte.
    pub const fn network_id(self) -> u8 {
        match self {
            Coin::Btc => 1,
            Coin::Eth => 2,
            Coin::Xmr => 3,
        }
    }

    /// Inverse of [`Coin::network_id`].
    pub const fn from_network_id(id: u8) -> Option<Coin> {
        match id {
            1 => Some(Coin::Btc),
            2 => Some(Coin::Eth),
            3 => Some(Coin::Xmr),
            _ => None,
        }
    }

    /// Name of the network in Serai's types: `Bitcoin`, `Ethereum`, `Monero`.
    pub const fn network_name(self) -> &'static str {
        match self {
            Coin::Btc => "Bitcoin",
            Coin::Eth => "Ethereum",
            Coin::Xmr => "Monero",
        }
    }
}

impl fmt::Display for Coin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Coin {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        Coin::ALL.into_iter().find(|coin| coin.name() == s).ok_or_else(|| InvalidId {
            what: "coin",
            value: s.to_owned(),
            rule: "one of btc, eth, xmr",
        })
    }
}

macro_rules! number {
  ($(#[$doc:meta])* $name:ident($inner:ty)) => {
    $(#[$doc])*
    #[derive(
      Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize,
      BorshDeserialize, Serialize, Deserialize,
    )]
    #[serde(transparent)]
    pub struct $name(pub $inner);

    impl fmt::Display for $name {
      fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
      }
    }

    impl $name {
      /// The number after this one; stays at the maximum.
      #[must_use]
      pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
      }
    }
  };
}

number!(
  /// Serai's session of a validator set. Not an attempt, not a block.
  Session(u32)
);
number!(
  /// Attempt at one key generation or signing; grows, may skip numbers.
  Attempt(u32)
);
number!(
  /// Number of a Serai block.
  BlockNumber(u64)
);
number!(
  /// Life of a sender: raised when an instance is restored or replaced, not by a restart.
  /// Receivers obey the highest that they have seen.
  Incarnation(u64)
);
number!(
  /// Position in one sender's messages to one receiver, from 1, without gaps, per incarnation.
  Sequence(u64)
);
number!(
  /// Position (from 0) in the set's participants as Serai stores them. Not a FROST index: those
  /// count the members of one attempt; see [`Participant`].
  ValidatorIndex(u16)
);
number!(
  /// FROST participant (from 1) among the members of one attempt. Not a [`ValidatorIndex`]:
  /// removing a member shifts it.
  Participant(u16)
);

macro_rules! bytes {
  ($(#[$doc:meta])* $name:ident[$len:literal]) => {
    $(#[$doc])*
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
    pub struct $name(pub [u8; $len]);

    impl fmt::Display for $name {
      fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
      }
    }

    impl fmt::Debug for $name {
      fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, concat!(stringify!($name), "({})"), self)
      }
    }

    impl std::str::FromStr for $name {
      type Err = InvalidId;
      fn from_str(s: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; $len];
        hex::decode_to_slice(s.strip_prefix("0x").unwrap_or(s), &mut bytes).map_err(|_| {
          InvalidId {
            what: stringify!($name),
            value: s.to_owned(),
            rule: concat!(stringify!($len), " bytes in hex"),
          }
        })?;
        Ok(Self(bytes))
      }
    }

    impl Serialize for $name {
      fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
      }
    }

    impl<'de> Deserialize<'de> for $name {
      fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
      }
    }
  };
}

bytes!(
  /// Hash of a Serai block, or the genesis hash.
  BlockHash[32]
);
bytes!(
  /// A validator's sr25519 public key: its account on Serai and the signer of its statements.
  ValidatorKey[32]
);
bytes!(
  /// A processor's or coordinator's X25519 public key, for sealing.
  ProcessorKey[32]
);
bytes!(
  /// A 64-byte signature (sr25519 unless said otherwise).
  SignatureBytes[64]
);

/// A validator set of one external network in one session (`ExternalValidatorSet`).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct ValidatorSet {
    /// The network's coin.
    pub coin: Coin,
    /// Its session.
    pub session: Session,
}

impl fmt::Display for ValidatorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.coin, self.session)
    }
}

/// A vault's two public keys (Serai's `KeyPair`).
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct KeyPair {
    /// Ristretto key whose sr25519 signature Serai checks.
    #[serde(with = "hex::serde")]
    pub ristretto: [u8; 32],
    /// The external chain's key, after Serai's adjustments: 33 bytes compressed secp256k1 (btc,
    /// eth) or 32 bytes Ed25519 (xmr). At most 96 bytes.
    #[serde(with = "hex::serde")]
    pub external: Vec<u8>,
}

/// Who writes or reads a record.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Endpoint {
    /// The validator's coordinator.
    Coordinator,
    /// The validator's processor of a coin.
    Processor(Coin),
    /// Whoever reads: frontends, data warehouses, operators.
    Anyone,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Coordinator => f.write_str("coordinator"),
            Endpoint::Processor(coin) => write!(f, "processor-{coin}"),
            Endpoint::Anyone => f.write_str("anyone"),
        }
    }
}

impl std::str::FromStr for Endpoint {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        match s {
            "coordinator" => Ok(Endpoint::Coordinator),
            "anyone" => Ok(Endpoint::Anyone),
            _ => s.strip_prefix("processor-").and_then(|coin| coin.parse().ok()).map_or_else(
                || {
                    Err(InvalidId {
                        what: "endpoint",
                        value: s.to_owned(),
                        rule: "coordinator, processor-{coin}, or anyone",
                    })
                },
                |coin| Ok(Endpoint::Processor(coin)),
            ),
        }
    }
}

/// A validator's name as used in topics and configuration: 1 to 64 of `a-z`, `0-9`, `_`, `-`,
/// starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidId;
    fn try_from(value: String) -> Result<Self, InvalidId> {
        let valid = (1..=64).contains(&value.len())
            && value.starts_with(|c: char| c.is_ascii_lowercase())
            && value
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
        if valid {
            return Ok(Name(value));
        }
        Err(InvalidId {
            what: "validator name",
            value,
            rule: "1 to 64 of a-z, 0-9, _ and -, starting with a letter",
        })
    }
}

impl std::str::FromStr for Name {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        s.to_owned().try_into()
    }
}

/// Id of one intended effect, the same each time that the effect is repeated: printable ASCII
/// without spaces, 1 to 200 characters, for example `keygen/btc-0/1/commitments`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, Serialize)]
#[serde(transparent)]
pub struct IntentId(String);

impl IntentId {
    /// Longest id, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// [`InvalidId`] when empty, too long, or not printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
        let value = text.into();
        if (1..=Self::MAX_CHARS).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_graphic())
        {
            return Ok(Self(value));
        }
        Err(InvalidId { what: "intent id", value, rule: "1 to 200 printable ASCII characters" })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BorshDeserialize for IntentId {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        Self::new(String::deserialize_reader(reader)?)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

/// Key shares needed to sign for a set of `n` validators: `⌊2n/3⌋ + 1`, not lowered by removals
/// (DESIGN section 5).
pub const fn threshold(n: u16) -> u16 {
    // Up to 65,535 validators the product fits u32, and the result fits u16 from n = 0 upward.
    ((2 * n as u32) / 3 + 1) as u16
}
