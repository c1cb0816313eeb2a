//! The machines of running attempts, so that a step need not begin at the seed.

use std::collections::BTreeMap;

use serai_messages::keygen::KeygenId;

use super::both::Both;
use crate::crypto::{Committed, Shared, Signing};

/// Attempts whose machines are kept. When full, the oldest attempt's go: those of key generation are
/// made again when needed, and a proving signature is then completed by another member.
const MAX_ATTEMPTS: usize = 8;

/// Both keys' machines after round one.
pub(super) type CommittedKeys = Both<Box<dyn Committed>>;

/// Both keys' machines after round two.
pub(super) type SharedKeys = Both<Box<dyn Shared>>;

/// Both keys' machines after signing.
pub(super) type SigningKeys = Both<Box<dyn Signing>>;

/// The machines of one attempt, by what they wait for.
pub(super) enum Machine {
    /// Commitments.
    Committed(CommittedKeys),
    /// Shares.
    Shared(SharedKeys),
    /// Shares of the proving signatures.
    Signing(SigningKeys),
}

#[derive(Default)]
pub(super) struct Machines(BTreeMap<KeygenId, Machine>);

impl std::fmt::Debug for Machines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Machines({} attempts)", self.0.len())
    }
}

impl Machines {
    /// Keeps an attempt's machines in place of those before.
    pub(super) fn put(&mut self, id: KeygenId, machine: Machine) {
        self.0.insert(id, machine);
        while self.0.len() > MAX_ATTEMPTS {
            self.0.pop_first();
        }
    }

    /// Whether a proving signature of the attempt is under way.
    pub(super) fn has_signing(&self, id: KeygenId) -> bool {
        matches!(self.0.get(&id), Some(Machine::Signing(_)))
    }

    /// Takes an attempt's machines out; whatever they wait for, they are used now or not again.
    pub(super) fn take(&mut self, id: KeygenId) -> Option<Machine> {
        self.0.remove(&id)
    }
}
