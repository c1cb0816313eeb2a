//! One value for each of a vault's two keys.

use std::collections::BTreeMap;

use serai_messages::Participant;
use serai_messages::keygen::{KeyKind, PerKey};

use crate::crypto::Messages;

/// What is done is done for both keys.
#[derive(Debug)]
pub(super) struct Both<T> {
    pub(super) ristretto: T,
    pub(super) external: T,
}

impl<T> Both<T> {
    /// Makes one value per key.
    pub(super) fn try_new<E>(mut make: impl FnMut(KeyKind) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { ristretto: make(KeyKind::Ristretto)?, external: make(KeyKind::External)? })
    }

    /// Turns each value into another.
    pub(super) fn try_map<U, E>(
        self,
        mut map: impl FnMut(KeyKind, T) -> Result<U, E>,
    ) -> Result<Both<U>, E> {
        Ok(Both {
            ristretto: map(KeyKind::Ristretto, self.ristretto)?,
            external: map(KeyKind::External, self.external)?,
        })
    }

    pub(super) fn get(&self, key: KeyKind) -> &T {
        match key {
            KeyKind::Ristretto => &self.ristretto,
            KeyKind::External => &self.external,
        }
    }
}

impl<A, B> Both<(A, B)> {
    pub(super) fn unzip(self) -> (Both<A>, Both<B>) {
        let (first_ristretto, second_ristretto) = self.ristretto;
        let (first_external, second_external) = self.external;
        (
            Both { ristretto: first_ristretto, external: first_external },
            Both { ristretto: second_ristretto, external: second_external },
        )
    }
}

impl From<Both<Vec<u8>>> for PerKey {
    fn from(both: Both<Vec<u8>>) -> PerKey {
        PerKey { ristretto: both.ristretto, external: both.external }
    }
}

/// The members' values by key.
impl From<BTreeMap<Participant, PerKey>> for Both<Messages> {
    fn from(values: BTreeMap<Participant, PerKey>) -> Self {
        let mut both = Both { ristretto: Messages::new(), external: Messages::new() };
        for (participant, value) in values {
            both.ristretto.insert(participant, value.ristretto);
            both.external.insert(participant, value.external);
        }
        both
    }
}

/// The keys' values by member; of members that one of the keys lacks, nothing.
impl From<Both<Messages>> for Vec<(Participant, PerKey)> {
    fn from(mut both: Both<Messages>) -> Self {
        let ristretto = std::mem::take(&mut both.ristretto);
        ristretto
            .into_iter()
            .filter_map(|(participant, ristretto)| {
                let external = both.external.remove(&participant)?;
                Some((participant, PerKey { ristretto, external }))
            })
            .collect()
    }
}
