//! What comes in from external networks, in signed batches.
//!
//! # Owns
//! Serai's pallet of that name.
//!
//! # Promises
//! Batches of a network are executed in order, each once, at most one in a block. An instruction
//! that fails changes nothing and is named in an event; the others are executed.
//!
//! # Limits
//! Transfers are executed. Instructions to the exchange, to the genesis liquidity and to staking
//! fail with `InstructionFailure`, for those parts of Serai are not here. Minting is not bounded
//! by stake, since no oracle gives coins a value.

use frame_support::{pallet_prelude::*, storage::with_storage_layer};
use frame_system::pallet_prelude::*;

use super::{
    coins, musig,
    types::{
        AccountId, Batch, BlockHash, ExternalNetworkId, ExternalValidatorSet, InInstruction,
        InInstructionWithBalance, MAX_BATCH_BYTES, NetworkId, SignedBatch,
    },
    validator_sets,
};

pub use pallet::*;

/// Blocks for which a batch waits in the pool.
const LONGEVITY_BLOCKS: u64 = 10;

#[allow(
    missing_docs,
    clippy::expect_used,
    clippy::let_unit_value,
    reason = "the pallet macro's own code"
)]
#[allow(deprecated, reason = "Serai's unsigned calls are bare extrinsics with `ValidateUnsigned`")]
#[frame_support::pallet]
pub mod pallet {
    use super::*;

    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId> + coins::Config + validator_sets::Config
    {
    }

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::error]
    pub enum Error<T> {
        /// The address is of another network than the coin.
        InvalidAddressForCoin,
        /// This chain does not execute such instructions.
        UnsupportedInstruction,
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A batch was executed.
        Batch { network: ExternalNetworkId, id: u32, block: BlockHash, instructions_hash: [u8; 32] },
        /// The instruction at `index` in the batch failed.
        InstructionFailure { network: ExternalNetworkId, id: u32, index: u32 },
        /// The network's batches are refused from now on.
        Halt { network: ExternalNetworkId },
    }

    /// The id of the last batch.
    #[pallet::storage]
    pub type LastBatch<T: Config> = StorageMap<_, Identity, ExternalNetworkId, u32, OptionQuery>;

    /// The block that executed the last batch.
    #[pallet::storage]
    pub type LastBatchBlock<T: Config> =
        StorageMap<_, Identity, ExternalNetworkId, u64, OptionQuery>;

    /// The networks whose batches are refused.
    #[pallet::storage]
    pub type Halted<T: Config> = StorageMap<_, Identity, ExternalNetworkId, (), OptionQuery>;

    /// The last reported block of a network.
    #[pallet::storage]
    pub type LatestNetworkBlock<T: Config> =
        StorageMap<_, Identity, ExternalNetworkId, BlockHash, OptionQuery>;

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Executes a batch. Unsigned: the vault's signature is inside.
        #[pallet::call_index(0)]
        #[pallet::weight(Weight::zero())]
        pub fn execute_batch(origin: OriginFor<T>, batch: SignedBatch) -> DispatchResult {
            ensure_none(origin)?;
            if Self::signed_by_current(&batch) {
                validator_sets::Pallet::<T>::accept_handover(batch.batch.network);
            }
            Self::execute(batch.batch);
            Ok(())
        }
    }

    #[pallet::validate_unsigned]
    impl<T: Config> ValidateUnsigned for Pallet<T> {
        type Call = Call<T>;

        fn validate_unsigned(_: TransactionSource, call: &Self::Call) -> TransactionValidity {
            let Call::execute_batch { batch } = call else {
                return Err(InvalidTransaction::Call.into());
            };
            Self::check(batch)?;
            ValidTransaction::with_tag_prefix("InInstructions")
                .and_provides((batch.batch.network, batch.batch.id))
                .longevity(LONGEVITY_BLOCKS)
                .propagate(true)
                .build()
        }
    }

    impl<T: Config> Pallet<T> {
        /// The checks of `execute_batch`, in their order.
        fn check(signed: &SignedBatch) -> Result<(), InvalidTransaction> {
            let batch = &signed.batch;
            if batch.encoded_size() > MAX_BATCH_BYTES {
                return Err(InvalidTransaction::ExhaustsResources);
            }
            if !Self::signed_by_current(signed) && !Self::signed_by_prior(signed) {
                return Err(InvalidTransaction::BadProof);
            }
            if Halted::<T>::contains_key(batch.network) {
                return Err(InvalidTransaction::Custom(1));
            }
            if LastBatchBlock::<T>::get(batch.network) == Some(Self::now()) {
                return Err(InvalidTransaction::Future);
            }
            let expected =
                LastBatch::<T>::get(batch.network).map_or(0, |last| last.saturating_add(1));
            if batch.id < expected {
                return Err(InvalidTransaction::Stale);
            }
            if batch.id > expected {
                return Err(InvalidTransaction::Future);
            }
            if batch.instructions.iter().any(|i| i.balance.coin.network() != batch.network) {
                return Err(InvalidTransaction::Custom(2));
            }
            Ok(())
        }

        fn now() -> u64 {
            sp_runtime::SaturatedConversion::saturated_into(
                frame_system::Pallet::<T>::block_number(),
            )
        }

        fn signed_by_current(signed: &SignedBatch) -> bool {
            let network = signed.batch.network;
            let keys = validator_sets::CurrentSession::<T>::get(NetworkId::from(network)).and_then(
                |session| validator_sets::Keys::<T>::get(ExternalValidatorSet { session, network }),
            );
            keys.is_some_and(|keys| Self::signed_by(signed, &keys.0))
        }

        fn signed_by_prior(signed: &SignedBatch) -> bool {
            let network = signed.batch.network;
            validator_sets::CurrentSession::<T>::get(NetworkId::from(network))
                .and_then(|session| validator_sets::Pallet::<T>::prior_keys(network, session))
                .is_some_and(|(_, key)| Self::signed_by(signed, &key))
        }

        fn signed_by(signed: &SignedBatch, key: &AccountId) -> bool {
            musig::verifies(key.as_ref(), &signed.batch.message(), &signed.signature.0)
        }

        fn execute(batch: Batch) {
            let instructions_hash = batch.instructions_hash();
            let Batch { network, id, block, instructions } = batch;
            LastBatch::<T>::insert(network, id);
            LastBatchBlock::<T>::insert(network, Self::now());
            LatestNetworkBlock::<T>::insert(network, block);
            Self::deposit_event(Event::Batch { network, id, block, instructions_hash });
            for (index, instruction) in (0u32..).zip(instructions) {
                if with_storage_layer(|| Self::execute_instruction(instruction)).is_err() {
                    Self::deposit_event(Event::InstructionFailure { network, id, index });
                }
            }
        }

        fn execute_instruction(instruction: InInstructionWithBalance) -> DispatchResult {
            match instruction.instruction {
                InInstruction::Transfer(to) => coins::Pallet::<T>::mint(to, instruction.balance),
                InInstruction::Dex(_)
                | InInstruction::GenesisLiquidity(_)
                | InInstruction::SwapToStakedSRI(..) => {
                    Err(Error::<T>::UnsupportedInstruction.into())
                }
            }
        }
    }
}
