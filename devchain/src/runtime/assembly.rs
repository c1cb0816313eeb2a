//! The pallets put together.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::let_unit_value,
    reason = "the macros' own code"
)]

pub mod apis;

use frame_support::{
    construct_runtime, derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{ConstU8, ConstU64, Contains},
    weights::{IdentityFee, Weight, constants::WEIGHT_REF_TIME_PER_SECOND},
};
use frame_system::limits::{BlockLength, BlockWeights};
use pallet_transaction_payment::ConstFeeMultiplier;
use sp_runtime::{
    MultiAddress, MultiSignature, Perbill, generic,
    traits::{AccountIdLookup, BlakeTwo256, One},
};
use sp_version::RuntimeVersion;

use super::{coins, in_instructions, types::AccountId, validator_addresses, validator_sets};

/// Block headers: u64 numbers, BLAKE2b-256.
pub type Header = generic::Header<u64, BlakeTwo256>;

/// Blocks.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

/// Extrinsics in Substrate's usual envelope.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<
    MultiAddress<AccountId, ()>,
    RuntimeCall,
    MultiSignature,
    TxExtension,
>;

/// The extensions of a signed transaction, those that subxt's default configuration knows.
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckMortality<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
);

pub(super) type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// What this runtime calls itself.
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: std::borrow::Cow::Borrowed("serai"),
    impl_name: std::borrow::Cow::Borrowed("devchain"),
    authoring_version: 1,
    spec_version: 1,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// The most bytes of a block, of which ordinary transactions fill at most three quarters.
const MAX_BLOCK_BYTES: u32 = 1024 * 1024;

parameter_types! {
    pub const Version: RuntimeVersion = VERSION;
    /// Three quarters of a block may be ordinary transactions, as on Serai.
    pub Weights: BlockWeights = BlockWeights::with_sensible_defaults(
        Weight::from_parts(2 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX),
        Perbill::from_percent(75),
    );
    pub Length: BlockLength = BlockLength::builder()
        .max_length(MAX_BLOCK_BYTES)
        .modify_max_length_for_class(DispatchClass::Normal, |length| {
            *length = Perbill::from_percent(75) * MAX_BLOCK_BYTES;
        })
        .build();
    pub FeeMultiplier: pallet_transaction_payment::Multiplier = One::one();
}

construct_runtime! {
    pub enum Runtime {
        System: frame_system = 0,
        Timestamp: pallet_timestamp = 1,
        TransactionPayment: pallet_transaction_payment = 2,
        Coins: coins = 3,
        ValidatorSets: validator_sets = 6,
        InInstructions: in_instructions = 10,
        ValidatorAddresses: validator_addresses = 32,
    }
}

/// Lets through what Serai's ABI has: no call of `System`.
pub struct AbiCalls;

impl Contains<RuntimeCall> for AbiCalls {
    fn contains(call: &RuntimeCall) -> bool {
        !matches!(call, RuntimeCall::System(_))
    }
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountId = AccountId;
    type BaseCallFilter = AbiCalls;
    type Block = Block;
    type BlockHashCount = ConstU64<2400>;
    type BlockLength = Length;
    type BlockWeights = Weights;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type Nonce = u32;
    type SS58Prefix = frame_support::traits::ConstU16<42>;
    type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
    /// Milliseconds, Unix time.
    type Moment = u64;
    type OnTimestampSet = ();
    /// Blocks may be authored by hand in quick succession.
    type MinimumPeriod = ConstU64<1>;
    type WeightInfo = ();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = Coins;
    type WeightToFee = IdentityFee<u64>;
    type LengthToFee = IdentityFee<u64>;
    type FeeMultiplierUpdate = ConstFeeMultiplier<FeeMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = ();
}

impl coins::Config for Runtime {}
impl validator_sets::Config for Runtime {}
impl in_instructions::Config for Runtime {}
impl validator_addresses::Config for Runtime {}
