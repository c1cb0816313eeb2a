//! The types of Serai's ABI, by Serai's names, with type information that tells their encoding.
//!
//! # Owns
//! Networks, coins, amounts, sets, keys, instructions and batches as they appear in calls, events
//! and storage.
//!
//! # Promises
//! The bytes are those of real Serai. Real Serai writes the codecs of [`NetworkId`],
//! [`ExternalNetworkId`], [`Coin`] and [`ExternalCoin`] by hand and its metadata claims other
//! indices; here the metadata is true, so that decoding by name gives the right network.
//!
//! # Limits
//! Of [`InInstruction`] all variants decode; which of them are executed, see `in_instructions`.

use frame_support::{BoundedVec, traits::ConstU32};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::sr25519::Signature as SchnorrkelSignature;
use sp_runtime::AccountId32;

/// An account and a validator: an sr25519 public key.
pub type AccountId = AccountId32;

/// The most key shares in one set.
pub const MAX_KEY_SHARES_PER_SET: u32 = 150;

/// The most removed participants, and the most slashes in a report: a third of the key shares.
pub const MAX_REMOVED: u32 = MAX_KEY_SHARES_PER_SET / 3;

/// The most bytes of an encoded [`Batch`].
pub const MAX_BATCH_BYTES: usize = 25_000;

/// Derives what every type of the ABI needs.
macro_rules! abi {
    ($($item:item)*) => {$(
        #[derive(
            Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen,
            TypeInfo,
        )]
        $item
    )*};
}

abi! {
    /// A network with validators: Serai itself or an external one.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum NetworkId {
        /// The Serai chain.
        #[codec(index = 0)]
        Serai,
        /// Bitcoin.
        #[codec(index = 1)]
        Bitcoin,
        /// Ethereum.
        #[codec(index = 2)]
        Ethereum,
        /// Monero.
        #[codec(index = 3)]
        Monero,
    }

    /// A network outside Serai.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum ExternalNetworkId {
        /// Bitcoin.
        #[codec(index = 1)]
        Bitcoin,
        /// Ethereum.
        #[codec(index = 2)]
        Ethereum,
        /// Monero.
        #[codec(index = 3)]
        Monero,
    }

    /// A coin on Serai.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Coin {
        /// SRI, 8 decimals.
        #[codec(index = 0)]
        Serai,
        /// Bitcoin, 8 decimals.
        #[codec(index = 4)]
        Bitcoin,
        /// Ether, 8 decimals.
        #[codec(index = 5)]
        Ether,
        /// Dai, 8 decimals.
        #[codec(index = 6)]
        Dai,
        /// Monero, 12 decimals.
        #[codec(index = 7)]
        Monero,
    }

    /// A coin of an external network.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum ExternalCoin {
        /// Bitcoin, 8 decimals.
        #[codec(index = 4)]
        Bitcoin,
        /// Ether, 8 decimals.
        #[codec(index = 5)]
        Ether,
        /// Dai, 8 decimals.
        #[codec(index = 6)]
        Dai,
        /// Monero, 12 decimals.
        #[codec(index = 7)]
        Monero,
    }

    /// An amount of a coin in its smallest unit on Serai.
    #[derive(Copy, PartialOrd, Ord, Default)]
    pub struct Amount(pub u64);

    /// The number of a validator set of one network, from 0.
    #[derive(Copy, PartialOrd, Ord, Default, Hash)]
    pub struct Session(pub u32);

    /// The hash of a block of an external network.
    #[derive(Copy)]
    pub struct BlockHash(pub [u8; 32]);

    /// An amount of a coin.
    #[derive(Copy)]
    pub struct Balance {
        /// The coin.
        pub coin: Coin,
        /// How much of it.
        pub amount: Amount,
    }

    /// An amount of an external coin.
    #[derive(Copy)]
    pub struct ExternalBalance {
        /// The coin.
        pub coin: ExternalCoin,
        /// How much of it.
        pub amount: Amount,
    }

    /// A validator set.
    #[derive(Copy)]
    pub struct ValidatorSet {
        /// Which set of its network.
        pub session: Session,
        /// The network.
        pub network: NetworkId,
    }

    /// A validator set of an external network.
    #[derive(Copy)]
    pub struct ExternalValidatorSet {
        /// Which set of its network.
        pub session: Session,
        /// The network.
        pub network: ExternalNetworkId,
    }

    /// A public key on an external network: 33 bytes for secp256k1, 32 for Ed25519.
    pub struct ExternalKey(pub BoundedVec<u8, ConstU32<96>>);

    /// A vault's keys: the sr25519 key that signs batches, and the key on the external network.
    pub struct KeyPair(pub AccountId, pub ExternalKey);

    /// An address on an external network.
    pub struct ExternalAddress(pub BoundedVec<u8, ConstU32<196>>);

    /// Data that goes with a payment.
    pub struct Data(pub BoundedVec<u8, ConstU32<512>>);

    /// A payment to be made on an external network.
    pub struct OutInstruction {
        /// Who is paid.
        pub address: ExternalAddress,
        /// What goes with it.
        pub data: Option<Data>,
    }

    /// A payment with what is paid.
    pub struct OutInstructionWithBalance {
        /// The payment.
        pub instruction: OutInstruction,
        /// What is paid.
        pub balance: ExternalBalance,
    }

    /// Where the coins of a swap go.
    pub enum OutAddress {
        /// An account on Serai.
        #[codec(index = 0)]
        Serai(AccountId),
        /// An address on the coin's network.
        #[codec(index = 1)]
        External(ExternalAddress),
    }

    /// An instruction to Serai's exchange.
    pub enum DexCall {
        /// Swap half and add both to a pool.
        #[codec(index = 0)]
        SwapAndAddLiquidity(AccountId),
        /// Swap for at least this balance.
        #[codec(index = 1)]
        Swap(Balance, OutAddress),
    }

    /// What to do with coins that came in.
    pub enum InInstruction {
        /// Credit an account.
        #[codec(index = 0)]
        Transfer(AccountId),
        /// Hand them to the exchange.
        #[codec(index = 1)]
        Dex(DexCall),
        /// Add them to the genesis liquidity.
        #[codec(index = 2)]
        GenesisLiquidity(AccountId),
        /// Swap them to SRI staked for a network.
        #[codec(index = 3)]
        SwapToStakedSRI(AccountId, NetworkId),
    }

    /// An instruction with the coins it is about.
    pub struct InInstructionWithBalance {
        /// What to do.
        pub instruction: InInstruction,
        /// With which coins.
        pub balance: ExternalBalance,
    }
}

/// The instructions of one or more blocks of an external network.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Batch {
    /// The network.
    pub network: ExternalNetworkId,
    /// The batch's number on that network, from 0.
    pub id: u32,
    /// The block up to which it reports.
    pub block: BlockHash,
    /// What came in.
    pub instructions: Vec<InInstructionWithBalance>,
}

/// A batch with the vault's signature.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SignedBatch {
    /// The batch.
    pub batch: Batch,
    /// The signature by the vault's sr25519 key over [`Batch::message`].
    pub signature: SchnorrkelSignature,
}

impl Batch {
    /// What the vault signs: a tag and the encoded batch, unhashed.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut message = b"InInstructions-batch".to_vec();
        self.encode_to(&mut message);
        message
    }

    /// The hash by which the `Batch` event names the instructions: BLAKE2b-256 of the encoded list.
    #[must_use]
    pub fn instructions_hash(&self) -> [u8; 32] {
        sp_io::hashing::blake2_256(&self.instructions.encode())
    }
}

impl NetworkId {
    /// All networks, in the order of their indices.
    pub const ALL: [Self; 4] = [Self::Serai, Self::Bitcoin, Self::Ethereum, Self::Monero];

    /// The byte that stands for the network on the wire.
    #[must_use]
    pub const fn index(self) -> u8 {
        match self {
            Self::Serai => 0,
            Self::Bitcoin => 1,
            Self::Ethereum => 2,
            Self::Monero => 3,
        }
    }

    /// The network's name as written in the genesis file and in `dev_rotate`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serai => "Serai",
            Self::Bitcoin => "Bitcoin",
            Self::Ethereum => "Ethereum",
            Self::Monero => "Monero",
        }
    }

    /// The network of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.name() == name)
    }

    /// The same network as an external one; `None` for Serai.
    #[must_use]
    pub const fn external(self) -> Option<ExternalNetworkId> {
        match self {
            Self::Serai => None,
            Self::Bitcoin => Some(ExternalNetworkId::Bitcoin),
            Self::Ethereum => Some(ExternalNetworkId::Ethereum),
            Self::Monero => Some(ExternalNetworkId::Monero),
        }
    }
}

impl From<ExternalNetworkId> for NetworkId {
    fn from(network: ExternalNetworkId) -> Self {
        match network {
            ExternalNetworkId::Bitcoin => Self::Bitcoin,
            ExternalNetworkId::Ethereum => Self::Ethereum,
            ExternalNetworkId::Monero => Self::Monero,
        }
    }
}

impl ExternalCoin {
    /// The network that the coin lives on.
    #[must_use]
    pub const fn network(self) -> ExternalNetworkId {
        match self {
            Self::Bitcoin => ExternalNetworkId::Bitcoin,
            Self::Ether | Self::Dai => ExternalNetworkId::Ethereum,
            Self::Monero => ExternalNetworkId::Monero,
        }
    }
}

impl From<ExternalCoin> for Coin {
    fn from(coin: ExternalCoin) -> Self {
        match coin {
            ExternalCoin::Bitcoin => Self::Bitcoin,
            ExternalCoin::Ether => Self::Ether,
            ExternalCoin::Dai => Self::Dai,
            ExternalCoin::Monero => Self::Monero,
        }
    }
}

impl Coin {
    /// The coin of that name, as written in the genesis file.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Serai" => Some(Self::Serai),
            "Bitcoin" => Some(Self::Bitcoin),
            "Ether" => Some(Self::Ether),
            "Dai" => Some(Self::Dai),
            "Monero" => Some(Self::Monero),
            _ => None,
        }
    }
}

impl From<ExternalBalance> for Balance {
    fn from(balance: ExternalBalance) -> Self {
        Self { coin: balance.coin.into(), amount: balance.amount }
    }
}

impl From<ExternalValidatorSet> for ValidatorSet {
    fn from(set: ExternalValidatorSet) -> Self {
        Self { session: set.session, network: set.network.into() }
    }
}

impl Session {
    /// The session before this one.
    #[must_use]
    pub fn prior(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// The session after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    /// What the metadata says of an enum: names and indices.
    fn claimed<T: TypeInfo>() -> Vec<(String, u8)> {
        let scale_info::TypeDef::Variant(variants) = T::type_info().type_def else {
            panic!("not an enum");
        };
        variants.variants.iter().map(|v| (v.name.to_owned(), v.index)).collect()
    }

    fn written<T: Encode + std::fmt::Debug>(values: &[T]) -> Vec<(String, u8)> {
        values.iter().map(|value| (format!("{value:?}"), value.encode()[0])).collect()
    }

    #[test]
    fn metadata_claims_the_indices_that_are_written() {
        let networks = written(&NetworkId::ALL);
        assert_eq!(claimed::<NetworkId>(), networks);
        assert_eq!(claimed::<ExternalNetworkId>(), networks[1..]);
        use Coin::{Bitcoin, Dai, Ether, Monero, Serai};
        let coins = written(&[Serai, Bitcoin, Ether, Dai, Monero]);
        assert_eq!(claimed::<Coin>(), coins);
        assert_eq!(claimed::<ExternalCoin>(), coins[1..]);
    }

    #[test]
    fn indices_are_those_of_the_wire() {
        let indices =
            |list: Vec<(String, u8)>| list.into_iter().map(|(_, i)| i).collect::<Vec<_>>();
        assert_eq!(indices(claimed::<NetworkId>()), [0, 1, 2, 3]);
        assert_eq!(indices(claimed::<Coin>()), [0, 4, 5, 6, 7]);
        for network in NetworkId::ALL {
            assert_eq!(network.encode(), [network.index()]);
            assert_eq!(NetworkId::from_name(network.name()), Some(network));
            assert_eq!(network.external().map_or(NetworkId::Serai, NetworkId::from), network);
        }
    }
}
