//! Which versions of the encoding a program speaks, and which of them is chosen.
//!
//! # Promises
//! What is chosen depends on the ranges alone. Two programs that know the same ranges choose the same.
//!
//! # Limits
//! A range is what somebody says of itself. Whoever says less than it speaks holds others at an older
//! version, and whoever says more does not understand what it is told; neither changes what is said.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

use crate::encoding::{NEWEST_KNOWN, OLDEST_VERSION, VERSION};
use crate::threshold;

/// Versions of the encoding that a program reads and writes: all from the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Versions {
    /// The oldest.
    pub oldest: u16,
    /// The newest. A range whose newest is older than its oldest holds none.
    pub newest: u16,
}

/// Why a text is no range that this build can speak.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no range of message versions from {OLDEST_VERSION} to {NEWEST_KNOWN}; write 1..2"
)]
pub struct InvalidVersions {
    text: String,
}

impl Versions {
    /// What programs of this build speak.
    pub const SPOKEN: Versions = Versions { oldest: OLDEST_VERSION, newest: VERSION };

    /// What this build can read and write: more than programs speak where a version is compiled in for
    /// tests.
    pub const KNOWN: Versions = Versions { oldest: OLDEST_VERSION, newest: NEWEST_KNOWN };

    /// What a program speaks that does not say so in its key announcement.
    pub const FIRST: Versions = Versions { oldest: 1, newest: 1 };

    /// One version alone.
    pub const fn only(version: u16) -> Self {
        Versions { oldest: version, newest: version }
    }

    /// Whether the version is one of these.
    pub const fn contains(self, version: u16) -> bool {
        self.oldest <= version && version <= self.newest
    }

    /// The versions that are in both; `None` when there are none.
    pub fn common(self, other: Versions) -> Option<Versions> {
        let common = Versions {
            oldest: self.oldest.max(other.oldest),
            newest: self.newest.min(other.newest),
        };
        (common.oldest <= common.newest).then_some(common)
    }

    /// One sentence on why two programs do not understand each other, and what to do about it: `own` of
    /// these versions, and `other` of theirs.
    pub fn apart(self, own: &str, theirs: Versions, other: &str) -> String {
        let older = if self.newest < theirs.newest { own } else { other };
        format!(
            "{other} speaks message {theirs} and {own} {self}, so that neither understands the other: \
             upgrade {older}"
        )
    }

    /// The version in which something is said to all of `others`: of one's own versions the newest
    /// that all of them speak, but for those that speak none of one's own. Where there is none, since
    /// somebody was left behind, the oldest that as many speak as sign together: who claims to speak newer
    /// ones alone leaves nobody out but itself. Where there is none either, the oldest of those that most of
    /// them speak.
    pub fn choose(self, others: &[Versions]) -> u16 {
        let speakers = |version: u16| others.iter().filter(|one| one.contains(version)).count();
        let own = || self.oldest..=self.newest;
        let met = others.iter().filter(|one| self.common(**one).is_some()).count();
        let enough = usize::from(threshold(u16::try_from(others.len()).unwrap_or(u16::MAX)));
        own()
            .rev()
            .find(|version| speakers(*version) == met)
            .or_else(|| own().find(|version| speakers(*version) >= enough))
            // The first of the largest is the oldest.
            .or_else(|| own().rev().max_by_key(|version| speakers(*version)))
            .unwrap_or(self.oldest)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest {
            return write!(f, "version {}", self.oldest);
        }
        write!(f, "versions {} to {}", self.oldest, self.newest)
    }
}

/// `1..2`: of versions that this build knows.
impl FromStr for Versions {
    type Err = InvalidVersions;

    fn from_str(text: &str) -> Result<Self, InvalidVersions> {
        let parse = || {
            let (oldest, newest) = text.split_once("..")?;
            let range = Versions { oldest: oldest.parse().ok()?, newest: newest.parse().ok()? };
            (range.oldest <= range.newest && range.common(Self::KNOWN) == Some(range))
                .then_some(range)
        };
        parse().ok_or_else(|| InvalidVersions { text: text.to_owned() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(oldest: u16, newest: u16) -> Versions {
        Versions { oldest, newest }
    }

    #[test]
    fn the_newest_that_all_speak_is_chosen() {
        let (one, both) = (range(1, 1), range(1, 2));
        assert_eq!(both.choose(&[both, both, both]), 2);
        assert_eq!(both.choose(&[both, one, both]), 1);
        assert_eq!(one.choose(&[both, both]), 1);
        assert_eq!(both.choose(&[]), 2);
        assert_eq!(range(2, 4).choose(&[range(1, 3), range(3, 5)]), 3);
    }

    #[test]
    fn who_was_left_behind_does_not_keep_the_others_from_speaking() {
        let (one, both, two) = (range(1, 1), range(1, 2), range(2, 2));
        assert_eq!(both.choose(&[one, one, two]), 1);
        assert_eq!(both.choose(&[two, two, one]), 2);
        assert_eq!(two.choose(&[one, one, one]), 2);
    }

    #[test]
    fn who_claims_newer_versions_alone_leaves_nobody_else_out() {
        let (one, both, two) = (range(1, 1), range(1, 2), range(2, 2));
        assert_eq!(both.choose(&[both, both, one, two]), 1);
        assert_eq!(both.choose(&[both, both, two, two]), 2);
        assert_eq!(both.choose(&[one, one, two, two]), 1);
    }

    #[test]
    fn ranges_are_read_of_what_this_build_knows() {
        assert_eq!("1..1".parse::<Versions>().unwrap(), Versions::FIRST);
        for bad in ["", "1", "1..", "0..1", "2..1", "1..9", "a..b"] {
            let error = bad.parse::<Versions>().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
        assert_eq!(range(1, 2).to_string(), "versions 1 to 2");
        assert_eq!(range(2, 2).to_string(), "version 2");
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_ones_own_and_spoken_by_all_where_that_can_be(
            own in (1u16..5, 0u16..3),
            others in proptest::collection::vec((1u16..5, 0u16..3), 0..6),
        ) {
            let own = range(own.0, own.0 + own.1);
            let others: Vec<_> =
                others.into_iter().map(|(oldest, more)| range(oldest, oldest + more)).collect();
            let chosen = own.choose(&others);
            prop_assert!(own.contains(chosen));
            let by_all = |version: u16| others.iter().all(|other| other.contains(version));
            let best = (own.oldest..=own.newest).rev().find(|version| by_all(*version));
            prop_assert!(best.is_none_or(|best| best == chosen));
            let mut reversed = others.clone();
            reversed.reverse();
            prop_assert_eq!(own.choose(&reversed), chosen);
        }

        #[test]
        fn common_versions_are_those_of_both(a: (u16, u16), b: (u16, u16), version: u16) {
            let (a, b) = (range(a.0, a.1), range(b.0, b.1));
            let both = a.contains(version) && b.contains(version);
            prop_assert_eq!(a.common(b).is_some_and(|common| common.contains(version)), both);
            prop_assert_eq!(a.common(b), b.common(a));
        }
    }
}
