//! Which backups are kept.
//!
//! The newest 48; of the older ones the newest of each of the 30 newest days, and of each of the 12
//! newest months, that there are backups of. The count is by what is there, not by the clock, and a new
//! backup is later than all before it ([`super::archive`]).

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// All of the newest.
const NEWEST: usize = 48;

/// Days of which the newest is kept.
const DAYS: usize = 30;

/// Months of which the newest is kept.
const MONTHS: usize = 12;

/// Those that are to be deleted of backups made at `made`.
pub fn superfluous(mut made: Vec<Timestamp>) -> Vec<Timestamp> {
    made.sort_unstable_by(|a, b| b.cmp(a));
    made.dedup();
    let mut kept: BTreeSet<Timestamp> = made.iter().take(NEWEST).copied().collect();
    let date = |at: &Timestamp| at.to_zoned(TimeZone::UTC).date();
    keep_of_each(&made, DAYS, |at| date(at), &mut kept);
    keep_of_each(&made, MONTHS, |at| date(at).first_of_month(), &mut kept);
    made.retain(|at| !kept.contains(at));
    made
}

fn keep_of_each<K: Ord>(
    made: &[Timestamp],
    most: usize,
    period: impl Fn(&Timestamp) -> K,
    kept: &mut BTreeSet<Timestamp>,
) {
    let mut periods = BTreeSet::new();
    for at in made {
        if periods.len() == most {
            return;
        }
        if periods.insert(period(at)) {
            kept.insert(*at);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    fn hourly(hours: i64) -> Vec<Timestamp> {
        let first: Timestamp = "2026-01-01T00:30:00Z".parse().unwrap();
        (0..hours).map(|hour| first + hour.hours()).collect()
    }

    #[test]
    fn a_year_of_hours_leaves_two_days_a_month_of_days_and_a_year_of_months() {
        let all = hourly(365 * 24);
        let gone: BTreeSet<_> = superfluous(all.clone()).into_iter().collect();
        let kept: Vec<_> = all.iter().filter(|at| !gone.contains(*at)).collect();
        // Two of the days and one of the months are among the newest.
        assert_eq!(kept.len(), NEWEST + (DAYS - 2) + (MONTHS - 1));
        assert_eq!(kept.last(), Some(&all.last().unwrap()));
        assert_eq!(kept[0].to_string(), "2026-01-31T23:30:00Z");
        assert_eq!(superfluous(hourly(48)), []);
    }

    proptest! {
        /// Thinning after each backup, as it is done, ends in the same as thinning once, and keeps the
        /// newest whatever the times are.
        #[test]
        fn the_newest_stay(times in proptest::collection::vec(0_i64..4_000_000_000, 1..200)) {
            let all: Vec<_> =
                times.iter().map(|second| Timestamp::from_second(*second).unwrap()).collect();
            let gone = superfluous(all.clone());
            let newest = all.iter().max().unwrap();
            prop_assert!(!gone.contains(newest));
            let kept: BTreeSet<_> = all.iter().filter(|at| !gone.contains(*at)).copied().collect();
            prop_assert!(kept.len() <= NEWEST + DAYS + MONTHS);
            prop_assert_eq!(superfluous(kept.into_iter().collect()), []);
        }
    }
}
