//! Balances of SRI and of the external coins on Serai.
//!
//! # Owns
//! Who has how much of each coin, the supplies, and the fees.
//!
//! # Promises
//! The supply of a coin is the sum of its balances. A fee moves to the fee account and is burnt
//! at the start of the next block.
//!
//! # Limits
//! An account that once held SRI keeps its nonce for good. The liquidity tokens' instance of
//! Serai's pallet is not here.

use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;

use super::types::{AccountId, Amount, Balance, Coin, ExternalBalance, OutInstructionWithBalance};

pub use pallet::*;

/// The account that holds the fees of the present block.
pub const FEE_ACCOUNT: AccountId = system_account(b"Coins-fees");

/// The account of a part of the runtime: its name, padded with zeros. Nobody has its key.
#[must_use]
pub const fn system_account<const N: usize>(name: &[u8; N]) -> AccountId {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < N {
        bytes[i] = name[i];
        i += 1;
    }
    AccountId::new(bytes)
}

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

    #[pallet::error]
    pub enum Error<T> {
        /// A balance or a supply would exceed what an amount can hold.
        AmountOverflowed,
        /// The account has less than that.
        NotEnoughCoins,
        /// Coins of this kind do not leave Serai.
        BurnWithInstructionNotAllowed,
        /// Coins of this kind are not minted.
        MintNotAllowed,
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Coins came into being.
        Mint { to: AccountId, balance: Balance },
        /// Coins ceased to be.
        Burn { from: AccountId, balance: Balance },
        /// Coins ceased to be on Serai and are to be paid on their own network.
        BurnWithInstruction { from: AccountId, instruction: OutInstructionWithBalance },
        /// Coins changed hands.
        Transfer { from: AccountId, to: AccountId, balance: Balance },
    }

    /// Balances by account and coin.
    #[pallet::storage]
    pub type Balances<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId, Identity, Coin, u64, ValueQuery>;

    /// How much of each coin there is.
    #[pallet::storage]
    pub type Supply<T: Config> = StorageMap<_, Identity, Coin, u64, ValueQuery>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            let amount = Balances::<T>::get(FEE_ACCOUNT, Coin::Serai);
            if amount != 0 {
                let fees = Balance { coin: Coin::Serai, amount: Amount(amount) };
                // The amount is the account's whole balance, so that this cannot fail.
                let _ = Self::destroy(&FEE_ACCOUNT, fees);
            }
            Weight::zero()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Pays `balance` to `to`.
        #[pallet::call_index(0)]
        #[pallet::weight(Weight::zero())]
        pub fn transfer(origin: OriginFor<T>, to: AccountId, balance: Balance) -> DispatchResult {
            let from = ensure_signed(origin)?;
            Self::transfer_internal(from, to, balance)
        }

        /// Destroys `balance`.
        #[pallet::call_index(1)]
        #[pallet::weight(Weight::zero())]
        pub fn burn(origin: OriginFor<T>, balance: Balance) -> DispatchResult {
            let from = ensure_signed(origin)?;
            Self::destroy(&from, balance)?;
            Self::deposit_event(Event::Burn { from, balance });
            Ok(())
        }

        /// Destroys coins here so that they are paid on their own network.
        #[pallet::call_index(2)]
        #[pallet::weight(Weight::zero())]
        pub fn burn_with_instruction(
            origin: OriginFor<T>,
            instruction: OutInstructionWithBalance,
        ) -> DispatchResult {
            let from = ensure_signed(origin)?;
            Self::destroy(&from, instruction.balance.into())?;
            Self::deposit_event(Event::BurnWithInstruction { from, instruction });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Creates external coins for `to`.
        pub fn mint(to: AccountId, balance: ExternalBalance) -> DispatchResult {
            let balance = Balance::from(balance);
            Self::create(&to, balance)?;
            Self::deposit_event(Event::Mint { to, balance });
            Ok(())
        }

        /// Moves coins and says so in an event.
        pub fn transfer_internal(
            from: AccountId,
            to: AccountId,
            balance: Balance,
        ) -> DispatchResult {
            Self::relocate(&from, &to, balance)?;
            Self::deposit_event(Event::Transfer { from, to, balance });
            Ok(())
        }

        /// Moves coins without an event.
        pub(super) fn relocate(
            from: &AccountId,
            to: &AccountId,
            balance: Balance,
        ) -> DispatchResult {
            Self::debit(from, balance)?;
            Self::credit(to, balance)
        }

        /// Creates coins without an event.
        pub(crate) fn create(to: &AccountId, balance: Balance) -> DispatchResult {
            let supply = Supply::<T>::get(balance.coin)
                .checked_add(balance.amount.0)
                .ok_or(Error::<T>::AmountOverflowed)?;
            Self::credit(to, balance)?;
            Supply::<T>::insert(balance.coin, supply);
            Ok(())
        }

        /// Destroys coins without an event.
        fn destroy(from: &AccountId, balance: Balance) -> DispatchResult {
            Self::debit(from, balance)?;
            Supply::<T>::mutate(balance.coin, |supply| {
                *supply = supply.saturating_sub(balance.amount.0);
            });
            Ok(())
        }

        fn debit(from: &AccountId, balance: Balance) -> DispatchResult {
            let left = Balances::<T>::get(from, balance.coin)
                .checked_sub(balance.amount.0)
                .ok_or(Error::<T>::NotEnoughCoins)?;
            if left == 0 {
                Balances::<T>::remove(from, balance.coin);
            } else {
                Balances::<T>::insert(from, balance.coin, left);
            }
            Ok(())
        }

        fn credit(to: &AccountId, balance: Balance) -> DispatchResult {
            let held = Balances::<T>::get(to, balance.coin)
                .checked_add(balance.amount.0)
                .ok_or(Error::<T>::AmountOverflowed)?;
            if held != 0 {
                Balances::<T>::insert(to, balance.coin, held);
            }
            // Only an account with a provider may sign; whoever can pay fees must have one.
            let system = frame_system::Pallet::<T>::providers(to);
            if balance.coin == Coin::Serai && held != 0 && system == 0 {
                frame_system::Pallet::<T>::inc_providers(to);
            }
            Ok(())
        }
    }
}

/// Fees in SRI, moved to [`FEE_ACCOUNT`].
mod fees {
    use frame_support::unsigned::TransactionValidityError;
    use pallet_transaction_payment::{Config as PaymentConfig, OnChargeTransaction, TxCreditHold};
    use sp_runtime::{
        traits::{DispatchInfoOf, PostDispatchInfoOf},
        transaction_validity::InvalidTransaction,
    };

    use super::*;

    fn sri(amount: u64) -> Balance {
        Balance { coin: Coin::Serai, amount: Amount(amount) }
    }

    impl<T: Config + PaymentConfig> TxCreditHold<T> for Pallet<T> {
        type Credit = ();
    }

    impl<T: Config + PaymentConfig> OnChargeTransaction<T> for Pallet<T> {
        type Balance = u64;
        /// What was withdrawn before the call was executed.
        type LiquidityInfo = u64;

        fn withdraw_fee(
            who: &AccountId,
            _: &T::RuntimeCall,
            _: &DispatchInfoOf<T::RuntimeCall>,
            fee: u64,
            _: u64,
        ) -> Result<u64, TransactionValidityError> {
            Self::relocate(who, &FEE_ACCOUNT, sri(fee)).map_err(|_| InvalidTransaction::Payment)?;
            Ok(fee)
        }

        fn can_withdraw_fee(
            who: &AccountId,
            _: &T::RuntimeCall,
            _: &DispatchInfoOf<T::RuntimeCall>,
            fee: u64,
            _: u64,
        ) -> Result<(), TransactionValidityError> {
            if Balances::<T>::get(who, Coin::Serai) < fee {
                return Err(InvalidTransaction::Payment.into());
            }
            Ok(())
        }

        fn correct_and_deposit_fee(
            who: &AccountId,
            _: &DispatchInfoOf<T::RuntimeCall>,
            _: &PostDispatchInfoOf<T::RuntimeCall>,
            corrected: u64,
            _: u64,
            withdrawn: u64,
        ) -> Result<(), TransactionValidityError> {
            let refund = withdrawn.saturating_sub(corrected);
            Self::relocate(&FEE_ACCOUNT, who, sri(refund))
                .map_err(|_| InvalidTransaction::Payment)?;
            Ok(())
        }
    }
}
