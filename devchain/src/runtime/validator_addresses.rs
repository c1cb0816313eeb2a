//! Where validators can be reached: this project's own pallet, real Serai has none.
//!
//! # Owns
//! A list of multiaddresses per validator key.
//!
//! # Promises
//! Only the holder of a key, or the genesis file, sets that key's list.
//!
//! # Limits
//! At most [`MAX_ADDRESSES`] addresses of [`MAX_ADDRESS_BYTES`] bytes each. Their bytes are not
//! interpreted: readers treat them as any peer's word.

use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;

use super::types::AccountId;

pub use pallet::*;

/// The most addresses of one validator.
pub const MAX_ADDRESSES: u32 = 8;

/// The most bytes of one address.
pub const MAX_ADDRESS_BYTES: u32 = 256;

/// A validator's addresses, each a multiaddress in its text form.
pub type AddressList =
    BoundedVec<BoundedVec<u8, ConstU32<MAX_ADDRESS_BYTES>>, ConstU32<MAX_ADDRESSES>>;

#[allow(
    missing_docs,
    clippy::expect_used,
    clippy::let_unit_value,
    reason = "the pallet macro's own code"
)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;

    #[pallet::config]
    pub trait Config: frame_system::Config<AccountId = AccountId> {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A validator replaced its addresses.
        AddressesSet { validator: AccountId, addresses: AddressList },
    }

    /// The addresses by validator key.
    #[pallet::storage]
    pub type Addresses<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId, AddressList, OptionQuery>;

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Replaces the signer's addresses; an empty list removes them.
        #[pallet::call_index(0)]
        #[pallet::weight(Weight::zero())]
        pub fn set_addresses(origin: OriginFor<T>, addresses: AddressList) -> DispatchResult {
            let validator = ensure_signed(origin)?;
            if addresses.is_empty() {
                Addresses::<T>::remove(&validator);
            } else {
                Addresses::<T>::insert(&validator, &addresses);
            }
            Self::deposit_event(Event::AddressesSet { validator, addresses });
            Ok(())
        }
    }
}
