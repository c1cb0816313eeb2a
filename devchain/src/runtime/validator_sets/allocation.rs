//! Stake: who has allocated how much, in the order in which validators are elected.

use frame_support::pallet_prelude::*;

use super::{
    AllocationPerKeyShare, Allocations, Config, CurrentSession, ElectedParticipants, Error, Event,
    InSet, Pallet, ParticipantList, Participants, PendingDeallocations, SortedAllocations,
    TotalAllocatedStake,
};
use crate::runtime::{
    coins::{self, system_account},
    types::{AccountId, Amount, Balance, Coin, MAX_KEY_SHARES_PER_SET, NetworkId, Session},
};

/// The account that holds the stake of all validators.
pub const STAKE_ACCOUNT: AccountId = system_account(b"ValidatorSets");

/// Network, inverted big-endian amount, hash that breaks ties, validator.
pub type SortedKey = (NetworkId, [u8; 8], [u8; 16], AccountId);

/// Where a validator stands among those of its network: more stake first, then by the BLAKE2b-128
/// of network, inverted amount and key.
fn sorted_key(network: NetworkId, validator: AccountId, amount: Amount) -> SortedKey {
    let inverted = (u64::MAX - amount.0).to_be_bytes();
    let hash = sp_io::hashing::blake2_128(&(network, inverted, &validator).encode());
    (network, inverted, hash, validator)
}

impl<T: Config> Pallet<T> {
    /// The validators with stake for `network`, most stake first, with their key shares.
    pub fn ranking(network: NetworkId) -> Vec<(AccountId, u64)> {
        let per_share =
            AllocationPerKeyShare::<T>::get(network).map_or(1, |amount| amount.0.max(1));
        SortedAllocations::<T>::iter_keys()
            .filter(|key| key.0 == network)
            .map(|(_, inverted, _, validator)| {
                (validator, (u64::MAX - u64::from_be_bytes(inverted)) / per_share)
            })
            .filter(|(_, shares)| *shares != 0)
            .collect()
    }

    /// Those of the ranking that form the next set: at most as many as are elected, at most
    /// [`MAX_KEY_SHARES_PER_SET`] key shares in all.
    pub fn elect(network: NetworkId, only: Option<&[AccountId]>) -> ParticipantList {
        let seats = ElectedParticipants::<T>::get(network).filter(|_| only.is_none());
        let seats = seats.unwrap_or(MAX_KEY_SHARES_PER_SET) as usize;
        let mut left = u64::from(MAX_KEY_SHARES_PER_SET);
        let elected = Self::ranking(network)
            .into_iter()
            .filter(|(validator, _)| only.is_none_or(|only| only.contains(validator)))
            .take(seats)
            .map_while(|(validator, shares)| {
                let shares = shares.min(left);
                left -= shares;
                (shares != 0).then_some((validator, shares))
            })
            .collect();
        ParticipantList::truncate_from(elected)
    }

    /// Makes `TotalAllocatedStake` that of the latest decided set.
    pub(crate) fn total_stake_is_of_current_set(network: NetworkId) {
        let total = Participants::<T>::get(network)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(validator, _)| Allocations::<T>::get((network, validator)))
            .fold(0u64, |total, amount| total.saturating_add(amount.0));
        TotalAllocatedStake::<T>::insert(network, Amount(total));
    }

    /// What `validator` has allocated to `network`.
    pub fn allocation(network: NetworkId, validator: &AccountId) -> Amount {
        Allocations::<T>::get((network, validator)).unwrap_or_default()
    }

    /// Writes both views of an allocation.
    pub(crate) fn put_allocation(network: NetworkId, validator: &AccountId, amount: Amount) {
        let key = (network, validator.clone());
        if let Some(before) = Allocations::<T>::take(&key) {
            SortedAllocations::<T>::remove(sorted_key(network, validator.clone(), before));
        }
        if amount.0 != 0 {
            Allocations::<T>::insert(&key, amount);
            SortedAllocations::<T>::insert(sorted_key(network, validator.clone(), amount), ());
        }
    }

    pub(super) fn allocate_internal(
        validator: AccountId,
        network: NetworkId,
        amount: Amount,
    ) -> DispatchResult {
        let per_share =
            AllocationPerKeyShare::<T>::get(network).ok_or(Error::<T>::NonExistentValidatorSet)?;
        let total = Self::allocation(network, &validator)
            .0
            .checked_add(amount.0)
            .ok_or(coins::Error::<T>::AmountOverflowed)?;
        ensure!(total >= per_share.0, Error::<T>::InsufficientAllocation);
        coins::Pallet::<T>::transfer_internal(validator.clone(), STAKE_ACCOUNT, sri(amount))?;
        Self::put_allocation(network, &validator, Amount(total));
        Self::deposit_event(Event::AllocationIncreased { validator, network, amount });
        Ok(())
    }

    pub(super) fn deallocate_internal(
        validator: AccountId,
        network: NetworkId,
        amount: Amount,
    ) -> DispatchResult {
        let session =
            CurrentSession::<T>::get(network).ok_or(Error::<T>::NonExistentValidatorSet)?;
        let left = Self::allocation(network, &validator)
            .0
            .checked_sub(amount.0)
            .ok_or(Error::<T>::NotEnoughAllocated)?;
        let per_share = AllocationPerKeyShare::<T>::get(network).unwrap_or_default();
        ensure!(left == 0 || left >= per_share.0, Error::<T>::DeallocationWouldRemoveParticipant);
        Self::put_allocation(network, &validator, Amount(left));

        // A member of an external set stays liable until the set after its own has taken over.
        let delayed_until = InSet::<T>::contains_key(network, &validator).then(|| {
            if network == NetworkId::Serai { session.next() } else { session.next().next() }
        });
        match delayed_until {
            None => {
                coins::Pallet::<T>::transfer_internal(
                    STAKE_ACCOUNT,
                    validator.clone(),
                    sri(amount),
                )?;
            }
            Some(until) => {
                PendingDeallocations::<T>::mutate((network, validator.clone()), until, |pending| {
                    let before = pending.unwrap_or_default().0;
                    *pending = Some(Amount(before.saturating_add(amount.0)));
                });
            }
        }
        Self::deposit_event(Event::AllocationDecreased {
            validator,
            network,
            amount,
            delayed_until,
        });
        Ok(())
    }

    pub(super) fn claim_internal(
        validator: AccountId,
        network: NetworkId,
        session: Session,
    ) -> DispatchResult {
        let current =
            CurrentSession::<T>::get(network).ok_or(Error::<T>::NonExistentValidatorSet)?;
        ensure!(current >= session, Error::<T>::NonExistentDeallocation);
        let amount = PendingDeallocations::<T>::take((network, validator.clone()), session)
            .ok_or(Error::<T>::NonExistentDeallocation)?;
        coins::Pallet::<T>::transfer_internal(STAKE_ACCOUNT, validator.clone(), sri(amount))?;
        Self::deposit_event(Event::DeallocationClaimed { validator, network, session });
        Ok(())
    }
}

fn sri(amount: Amount) -> Balance {
    Balance { coin: Coin::Serai, amount }
}
