//! Validator sets: stake, sessions, participants, keys, hand-over.
//!
//! # Owns
//! Serai's pallet of that name: its calls, events, errors and storage.
//!
//! # Promises
//! `set_keys` is accepted once per set, only for the current session, and only signed by all
//! participants not removed, of whom enough remain. A set's prior keys are refused from the first
//! batch by the new ones.
//!
//! # Limits
//! Sessions end on command ([`Rotation`] in a block's digest), not by an epoch. Stake is locked
//! and unlocked, but the limits that keep an exchange economically secure are not checked, and
//! reported slashes take nothing (as in real Serai's present version).

mod allocation;
mod rotation;

use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;
use sp_core::sr25519::Signature as SchnorrkelSignature;

use super::{
    coins, musig,
    types::{
        AccountId, Amount, ExternalNetworkId, ExternalValidatorSet, KeyPair,
        MAX_KEY_SHARES_PER_SET, MAX_REMOVED, NetworkId, Session, ValidatorSet,
    },
};

pub use allocation::{STAKE_ACCOUNT, SortedKey};
pub use pallet::*;
pub use rotation::{InvalidRotation, ROTATION_ENGINE, Rotation};

/// The validators of a set with their key shares, in the order in which they sign.
pub type ParticipantList = BoundedVec<(AccountId, u64), ConstU32<MAX_KEY_SHARES_PER_SET>>;

/// Participants that take no part in a key generation.
pub type RemovedList = BoundedVec<AccountId, ConstU32<MAX_REMOVED>>;

/// Slashes by validator.
pub type SlashList = BoundedVec<(AccountId, u32), ConstU32<MAX_REMOVED>>;

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
    pub trait Config: frame_system::Config<AccountId = AccountId> + coins::Config {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::error]
    pub enum Error<T> {
        /// The network has no validator set.
        NonExistentValidatorSet,
        /// The allocation would be less than a key share.
        InsufficientAllocation,
        /// More than is allocated.
        NotEnoughAllocated,
        /// The allocation would let one validator stop the set.
        AllocationWouldRemoveFaultTolerance,
        /// The allocation would keep the set from tolerating faults.
        AllocationWouldPreventFaultTolerance,
        /// What is left would be less than a key share.
        DeallocationWouldRemoveParticipant,
        /// The deallocation would let one validator stop the set.
        DeallocationWouldRemoveFaultTolerance,
        /// There is no such deallocation, or not yet.
        NonExistentDeallocation,
        /// The set has keys.
        AlreadyGeneratedKeys,
        /// The signature does not verify.
        BadSignature,
        /// No such validator.
        NonExistentValidator,
        /// The deallocation would leave the network's coins without enough stake.
        DeallocationWouldRemoveEconomicSecurity,
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A set was decided.
        NewSet { set: ValidatorSet },
        /// A participant took no part in its set's key generation.
        ParticipantRemoved { set: ValidatorSet, removed: AccountId },
        /// A set has its keys.
        KeyGen { set: ExternalValidatorSet, key_pair: KeyPair },
        /// A set took over from the one before it.
        AcceptedHandover { set: ValidatorSet },
        /// A set has no duties left.
        SetRetired { set: ValidatorSet },
        /// A validator has more stake.
        AllocationIncreased { validator: AccountId, network: NetworkId, amount: Amount },
        /// A validator has, or will have, less stake.
        AllocationDecreased {
            validator: AccountId,
            network: NetworkId,
            amount: Amount,
            delayed_until: Option<Session>,
        },
        /// A validator took back stake that was locked.
        DeallocationClaimed { validator: AccountId, network: NetworkId, session: Session },
    }

    /// The latest decided session.
    #[pallet::storage]
    pub type CurrentSession<T: Config> = StorageMap<_, Identity, NetworkId, Session, OptionQuery>;

    /// The stake that makes one key share.
    #[pallet::storage]
    pub type AllocationPerKeyShare<T: Config> =
        StorageMap<_, Identity, NetworkId, Amount, OptionQuery>;

    /// The stake of the set that holds the network's coins.
    #[pallet::storage]
    pub type TotalAllocatedStake<T: Config> =
        StorageMap<_, Identity, NetworkId, Amount, OptionQuery>;

    /// The participants of the latest decided session.
    #[pallet::storage]
    pub type Participants<T: Config> =
        StorageMap<_, Identity, NetworkId, ParticipantList, OptionQuery>;

    /// The key shares of the latest decided session, by validator.
    #[pallet::storage]
    pub type InSet<T: Config> =
        StorageDoubleMap<_, Identity, NetworkId, Blake2_128Concat, AccountId, u64, OptionQuery>;

    /// Stake by network and validator.
    #[pallet::storage]
    pub type Allocations<T: Config> =
        StorageMap<_, Blake2_128Concat, (NetworkId, AccountId), Amount, OptionQuery>;

    /// The same, such that iterating gives the highest first.
    #[pallet::storage]
    pub type SortedAllocations<T: Config> = StorageMap<_, Identity, SortedKey, (), OptionQuery>;

    /// Stake on its way out, by the session from which it can be claimed.
    #[pallet::storage]
    pub type PendingDeallocations<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        (NetworkId, AccountId),
        Identity,
        Session,
        Amount,
        OptionQuery,
    >;

    /// The keys of a set, until the next one has taken over.
    #[pallet::storage]
    pub type Keys<T: Config> =
        StorageMap<_, Twox64Concat, ExternalValidatorSet, KeyPair, OptionQuery>;

    /// The sr25519 key of the set that handed over and has not reported its slashes.
    #[pallet::storage]
    pub type PendingSlashReport<T: Config> =
        StorageMap<_, Identity, ExternalNetworkId, AccountId, OptionQuery>;

    /// Validators of Serai disabled in this session, by index; never written here.
    #[pallet::storage]
    pub type SeraiDisabledIndices<T: Config> = StorageMap<_, Identity, u32, AccountId, OptionQuery>;

    /// The block in which a session was decided.
    #[pallet::storage]
    pub type SessionBeginBlock<T: Config> =
        StorageDoubleMap<_, Identity, NetworkId, Identity, Session, u64, ValueQuery>;

    /// The most participants elected into a set of the network. Not in real Serai.
    #[pallet::storage]
    pub type ElectedParticipants<T: Config> = StorageMap<_, Identity, NetworkId, u32, OptionQuery>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::rotate_as_commanded();
            Weight::zero()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Gives the network's current set its keys. Unsigned: the set's signature is inside.
        #[pallet::call_index(0)]
        #[pallet::weight(Weight::zero())]
        pub fn set_keys(
            origin: OriginFor<T>,
            network: ExternalNetworkId,
            removed_participants: RemovedList,
            key_pair: KeyPair,
            signature: SchnorrkelSignature,
        ) -> DispatchResult {
            ensure_none(origin)?;
            // Checked by `validate_unsigned`, which runs before each dispatch as well.
            let _ = signature;
            let session = CurrentSession::<T>::get(NetworkId::from(network))
                .ok_or(Error::<T>::NonExistentValidatorSet)?;
            let set = ExternalValidatorSet { session, network };
            Keys::<T>::insert(set, &key_pair);
            if session == Session(0) {
                Self::total_stake_is_of_current_set(network.into());
            }
            for removed in removed_participants {
                Self::deposit_event(Event::ParticipantRemoved { set: set.into(), removed });
            }
            Self::deposit_event(Event::KeyGen { set, key_pair });
            Ok(())
        }

        /// Reports the retired set's slashes and thereby retires it. Unsigned.
        #[pallet::call_index(1)]
        #[pallet::weight(Weight::zero())]
        pub fn report_slashes(
            origin: OriginFor<T>,
            network: ExternalNetworkId,
            slashes: SlashList,
            signature: SchnorrkelSignature,
        ) -> DispatchResult {
            ensure_none(origin)?;
            let _ = (slashes, signature);
            let (set, _) =
                Self::slash_reporter(network).ok_or(Error::<T>::NonExistentValidatorSet)?;
            PendingSlashReport::<T>::remove(network);
            Self::deposit_event(Event::SetRetired { set: set.into() });
            Ok(())
        }

        /// Locks SRI as stake for a network.
        #[pallet::call_index(2)]
        #[pallet::weight(Weight::zero())]
        pub fn allocate(
            origin: OriginFor<T>,
            network: NetworkId,
            amount: Amount,
        ) -> DispatchResult {
            let validator = ensure_signed(origin)?;
            Self::allocate_internal(validator, network, amount)
        }

        /// Takes stake out: at once from who is in no set, else after the sessions it is liable for.
        #[pallet::call_index(3)]
        #[pallet::weight(Weight::zero())]
        pub fn deallocate(
            origin: OriginFor<T>,
            network: NetworkId,
            amount: Amount,
        ) -> DispatchResult {
            let validator = ensure_signed(origin)?;
            Self::deallocate_internal(validator, network, amount)
        }

        /// Takes back stake whose session has come.
        #[pallet::call_index(4)]
        #[pallet::weight(Weight::zero())]
        pub fn claim_deallocation(
            origin: OriginFor<T>,
            network: NetworkId,
            session: Session,
        ) -> DispatchResult {
            let validator = ensure_signed(origin)?;
            Self::claim_internal(validator, network, session)
        }
    }

    #[pallet::validate_unsigned]
    impl<T: Config> ValidateUnsigned for Pallet<T> {
        type Call = Call<T>;

        fn validate_unsigned(_: TransactionSource, call: &Self::Call) -> TransactionValidity {
            match call {
                Call::set_keys { network, removed_participants, key_pair, signature } => {
                    let set =
                        Self::check_set_keys(*network, removed_participants, key_pair, signature)?;
                    ValidTransaction::with_tag_prefix("ValidatorSets")
                        .and_provides((0u8, set))
                        .propagate(true)
                        .build()
                }
                Call::report_slashes { network, slashes, signature } => {
                    let (set, key) =
                        Self::slash_reporter(*network).ok_or(InvalidTransaction::Stale)?;
                    let message = musig::report_slashes_message(set, slashes);
                    if !musig::verifies(key.as_ref(), &message, &signature.0) {
                        return Err(InvalidTransaction::BadProof.into());
                    }
                    ValidTransaction::with_tag_prefix("ValidatorSets")
                        .and_provides((1u8, set))
                        .propagate(true)
                        .build()
                }
                _ => Err(InvalidTransaction::Call.into()),
            }
        }
    }

    impl<T: Config> Pallet<T> {
        /// The checks of `set_keys`, in their order: a session (custom 1), no keys yet (stale),
        /// nobody removed twice (custom 2), enough key shares left (custom 3), the signature.
        fn check_set_keys(
            network: ExternalNetworkId,
            removed: &RemovedList,
            key_pair: &KeyPair,
            signature: &SchnorrkelSignature,
        ) -> Result<ExternalValidatorSet, InvalidTransaction> {
            let session = CurrentSession::<T>::get(NetworkId::from(network))
                .ok_or(InvalidTransaction::Custom(1))?;
            let participants = Participants::<T>::get(NetworkId::from(network))
                .ok_or(InvalidTransaction::Custom(1))?;
            let set = ExternalValidatorSet { session, network };
            if Keys::<T>::contains_key(set) {
                return Err(InvalidTransaction::Stale);
            }
            if removed
                .iter()
                .enumerate()
                .any(|(i, key)| removed.iter().skip(i + 1).any(|k| k == key))
            {
                return Err(InvalidTransaction::Custom(2));
            }

            let all: u64 = participants.iter().map(|(_, shares)| shares).sum();
            let (mut signers, mut signing) = (Vec::with_capacity(participants.len()), 0u64);
            for (validator, shares) in participants {
                if !removed.contains(&validator) {
                    signers.push(validator);
                    signing = signing.saturating_add(shares);
                }
            }
            let faulty = all.saturating_sub(signing);
            if signing < faulty.saturating_mul(2).saturating_add(1) {
                return Err(InvalidTransaction::Custom(3));
            }

            let key = musig::musig_key(set, &signers).ok_or(InvalidTransaction::BadProof)?;
            let message = musig::set_keys_message(set, removed, key_pair);
            if !musig::verifies(&key, &message, &signature.0) {
                return Err(InvalidTransaction::BadProof);
            }
            Ok(set)
        }
    }
}
