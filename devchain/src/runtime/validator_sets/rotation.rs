//! From one session to the next: decision, hand-over, retirement.

use frame_support::pallet_prelude::*;
use parity_scale_codec::{Decode, Encode};
use sp_runtime::{ConsensusEngineId, DigestItem};

use super::{
    Config, CurrentSession, Event, InSet, Keys, Pallet, ParticipantList, Participants,
    PendingSlashReport, SessionBeginBlock,
};
use crate::runtime::types::{
    AccountId, ExternalNetworkId, ExternalValidatorSet, MAX_KEY_SHARES_PER_SET, NetworkId, Session,
    ValidatorSet,
};

/// Marks the digest item of a block that carries commanded rotations (a SCALE list of
/// [`Rotation`]).
pub const ROTATION_ENGINE: ConsensusEngineId = *b"srot";

/// A command to decide the next set of a network.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rotation {
    /// Whose session ends. For Serai, those of all networks that are ready for it end as well.
    pub network: NetworkId,
    /// The members of the next set; none means those elected by stake.
    pub participants: Option<Vec<AccountId>>,
}

/// Why a set cannot be followed by another one now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidRotation {
    /// The network has never had a set.
    #[error("network {0} has no validator set")]
    NoSession(&'static str),
    /// The current set has no keys yet.
    #[error("set {1} of {0} has no keys yet: it must set its keys before it can hand over")]
    NoKeys(&'static str, u32),
    /// The current set has not taken over from the prior one.
    #[error("set {1} of {0} has not taken over yet: its first batch does that")]
    HandoverPending(&'static str, u32),
    /// A named participant has no stake for the network.
    #[error("validator {0} has less than one key share allocated to {1}")]
    NoStake(String, &'static str),
    /// Nobody would be in the set.
    #[error("the next set of {0} would have no participant")]
    Empty(&'static str),
    /// More than fit.
    #[error("{0} participants are more than {MAX_KEY_SHARES_PER_SET}")]
    TooMany(usize),
}

impl<T: Config> Pallet<T> {
    /// Whether the network's current set may be followed by another.
    fn check_handed_over(network: NetworkId) -> Result<Session, InvalidRotation> {
        let session =
            CurrentSession::<T>::get(network).ok_or(InvalidRotation::NoSession(network.name()))?;
        if let Some(external) = network.external() {
            if !Keys::<T>::contains_key(ExternalValidatorSet { session, network: external }) {
                return Err(InvalidRotation::NoKeys(network.name(), session.0));
            }
            if Self::prior_keys(external, session).is_some() {
                return Err(InvalidRotation::HandoverPending(network.name(), session.0));
            }
        }
        Ok(session)
    }

    /// Whether a rotation would be carried out by the next block, and the session it begins.
    pub fn check_rotation(rotation: &Rotation) -> Result<Session, InvalidRotation> {
        let network = rotation.network;
        let session = Self::check_handed_over(network)?;
        if let Some(named) = &rotation.participants {
            if named.len() > MAX_KEY_SHARES_PER_SET as usize {
                return Err(InvalidRotation::TooMany(named.len()));
            }
            let ranking = Self::ranking(network);
            if let Some(stranger) =
                named.iter().find(|named| !ranking.iter().any(|(ranked, _)| ranked == *named))
            {
                return Err(InvalidRotation::NoStake(
                    hex::encode(AsRef::<[u8]>::as_ref(stranger)),
                    network.name(),
                ));
            }
        }
        if Self::elect(network, rotation.participants.as_deref()).is_empty() {
            return Err(InvalidRotation::Empty(network.name()));
        }
        Ok(session.next())
    }

    /// Carries out the rotations in the block's digest. One that is not possible changes nothing.
    pub(super) fn rotate_as_commanded() {
        for item in frame_system::Pallet::<T>::digest().logs {
            let DigestItem::PreRuntime(ROTATION_ENGINE, data) = item else { continue };
            let Ok(rotations) = Vec::<Rotation>::decode(&mut &data[..]) else { continue };
            for rotation in rotations {
                if Self::check_rotation(&rotation).is_ok() {
                    Self::rotate(&rotation);
                }
            }
        }
    }

    fn rotate(rotation: &Rotation) {
        let network = rotation.network;
        let elected = Self::elect(network, rotation.participants.as_deref());
        if network != NetworkId::Serai {
            Self::new_set(network, elected);
            return;
        }
        if let Some(session) = CurrentSession::<T>::get(network) {
            Self::deposit_event(Event::SetRetired { set: ValidatorSet { session, network } });
            let set = ValidatorSet { session: session.next(), network };
            Self::deposit_event(Event::AcceptedHandover { set });
        }
        Self::new_set(network, elected);
        Self::total_stake_is_of_current_set(network);
        for network in NetworkId::ALL.into_iter().filter(|network| *network != NetworkId::Serai) {
            let elected = Self::elect(network, None);
            if Self::check_handed_over(network).is_ok() && !elected.is_empty() {
                Self::new_set(network, elected);
            }
        }
    }

    /// Decides the network's next set, or its first.
    pub(crate) fn new_set(network: NetworkId, participants: ParticipantList) -> ValidatorSet {
        let session = CurrentSession::<T>::get(network).map_or(Session(0), Session::next);
        CurrentSession::<T>::insert(network, session);
        // One network has at most 150 entries, so that one call clears them.
        let _ = InSet::<T>::clear_prefix(network, u32::MAX, None);
        for (validator, shares) in &participants {
            InSet::<T>::insert(network, validator, *shares);
        }
        Participants::<T>::insert(network, participants);
        let now: u64 = sp_runtime::SaturatedConversion::saturated_into(
            frame_system::Pallet::<T>::block_number(),
        );
        SessionBeginBlock::<T>::insert(network, session, now);
        let set = ValidatorSet { session, network };
        Self::deposit_event(Event::NewSet { set });
        set
    }

    /// The keys of the session before `session`, while they are still valid.
    pub fn prior_keys(
        network: ExternalNetworkId,
        session: Session,
    ) -> Option<(ExternalValidatorSet, AccountId)> {
        let set = ExternalValidatorSet { session: session.prior()?, network };
        Keys::<T>::get(set).map(|keys| (set, keys.0))
    }

    /// The current set took over: its predecessor's keys are gone, and what is left to it is to
    /// report slashes. A set before that which never reported is retired now.
    pub(crate) fn accept_handover(network: ExternalNetworkId) {
        let Some(session) = CurrentSession::<T>::get(NetworkId::from(network)) else { return };
        let Some((prior, key)) = Self::prior_keys(network, session) else { return };
        if let (true, Some(silent)) =
            (PendingSlashReport::<T>::contains_key(network), prior.session.prior())
        {
            let set = ValidatorSet { session: silent, network: network.into() };
            Self::deposit_event(Event::SetRetired { set });
        }
        Keys::<T>::remove(prior);
        PendingSlashReport::<T>::insert(network, key);
        Self::deposit_event(Event::AcceptedHandover {
            set: ValidatorSet { session, network: network.into() },
        });
        Self::total_stake_is_of_current_set(network.into());
    }

    /// The set that has yet to report its slashes, and its key: the last one that handed over.
    pub(super) fn slash_reporter(
        network: ExternalNetworkId,
    ) -> Option<(ExternalValidatorSet, AccountId)> {
        let key = PendingSlashReport::<T>::get(network)?;
        let current = CurrentSession::<T>::get(NetworkId::from(network))?;
        // While the current set has not taken over, its predecessor is the active one.
        let active =
            if Self::prior_keys(network, current).is_some() { current.prior()? } else { current };
        Some((ExternalValidatorSet { session: active.prior()?, network }, key))
    }
}
