//! Whether a coin's vaults hold what Serai owes (DESIGN section 5).
//!
//! ```text
//! expected = supply + in flight + retained - costs     against     holdings
//! ```
//! A reading is of one canonical height: a batch, the Serai block that executed it, the external
//! block that it acknowledges. All its numbers are of that height, so what is under way is in none of
//! them twice.
//!
//! # Promises
//! The verdict changes when the readings of two batches that follow each other agree, and at nothing
//! else: one reading alone, a repeated one, one that comes after a later one, or one after a gap
//! changes nothing. What is kept does not grow.
//!
//! # Limits
//! One sum per coin of the `Holdings`. Believes the numbers that it is given. A surplus is shown, and is
//! no fault: anyone can send a vault money.

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{observation::SeraiBlock, vault::Holdings};
use serde::Serialize;

/// What is known of a canonical height.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reading {
    /// The executed batch.
    pub batch: u32,
    /// The Serai block that executed it.
    pub block: SeraiBlock,
    /// What the own processor says of the external block that it acknowledges.
    pub holdings: Holdings,
    /// What exists of the coin on Serai after `block`.
    pub supply: u64,
}

impl Reading {
    fn numbers(&self) -> Numbers {
        let holdings = &self.holdings;
        let wide = i128::from;
        let expected = wide(self.supply) + wide(holdings.in_flight) + wide(holdings.retained)
            - wide(holdings.costs);
        Numbers {
            batch: self.batch,
            height: holdings.height,
            holdings: holdings.holdings,
            supply: self.supply,
            in_flight: holdings.in_flight,
            retained: holdings.retained,
            costs: holdings.costs,
            expected,
            surplus: wide(holdings.holdings) - expected,
        }
    }

    fn is_short(&self) -> bool {
        self.numbers().surplus < 0
    }
}

/// The numbers of a canonical height, in the coin's base units on Serai.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// The executed batch.
    pub batch: u32,
    /// Height of the external block.
    pub height: u64,
    /// What the vaults hold.
    pub holdings: u64,
    /// What exists on Serai.
    pub supply: u64,
    /// Burned there and not paid out yet.
    pub in_flight: u64,
    /// Kept by the vaults, and owed to nobody in particular.
    pub retained: u64,
    /// Fees that the vaults paid for themselves.
    pub costs: u64,
    /// What the vaults should hold.
    pub expected: i128,
    /// What they hold beyond it; negative: what is missing.
    pub surplus: i128,
}

/// A number that solvency is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What the vaults hold.
    Holdings,
    /// What exists on Serai.
    Supply,
    /// Burned there and not paid out yet.
    InFlight,
    /// Kept by the vaults.
    Retained,
    /// Fees that the vaults paid for themselves.
    Costs,
}

/// How a side moved from one reading to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Which.
    pub side: Side,
    /// By how much.
    pub by: i128,
}

/// What is said of a coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// No two readings that follow each other have agreed yet.
    Unknown,
    /// The vaults hold what is expected, or more.
    Solvent {
        /// The newest reading that says so.
        numbers: Numbers,
    },
    /// The vaults hold less.
    Short {
        /// By how much.
        by: u128,
        /// The first batch of those in a row that came out short.
        since: u32,
        /// What moved between the last reading that was not short and that batch; empty where there is
        /// none such.
        moved: Vec<Move>,
        /// The newest reading that says so.
        numbers: Numbers,
    },
}

/// The verdict has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// From.
    pub before: Verdict,
    /// To.
    pub after: Verdict,
}

/// The newest reading and what moved since the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The newest reading.
    pub latest: Numbers,
    /// The one before it.
    pub previous: Option<Numbers>,
    /// Which sides moved between the two, and by what.
    pub moved: Vec<Move>,
    /// The newest reading speaks against the verdict; the next one decides.
    pub contested: bool,
}

/// What is kept of a run of readings that agree.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Run {
    first: Reading,
    /// The reading before the first.
    before: Option<Reading>,
}

/// Judge of one coin's solvency. Its state is stored as it is, in borsh.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Solvency {
    /// Whether the verdict is short; none while there is no verdict.
    short: Option<bool>,
    /// The newest reading that agrees with the verdict, and the run of its confirmation.
    judged: Option<(Reading, Run)>,
    run: Option<Run>,
    previous: Option<Reading>,
    latest: Option<Reading>,
}

impl Solvency {
    /// Takes a reading. Gives the change of the verdict, if there is one; a shortfall or surplus that
    /// merely grows or shrinks is none.
    pub fn handle(&mut self, reading: Reading) -> Option<Change> {
        let latest = self.latest.take();
        if let Some(latest) = &latest
            && reading.batch <= latest.batch
        {
            self.latest = Some(latest.clone());
            return None;
        }
        let before = self.verdict();
        let short = reading.is_short();
        let same = latest.as_ref().is_some_and(|latest| latest.is_short() == short);
        let follows = latest
            .as_ref()
            .is_some_and(|latest| latest.batch.checked_add(1) == Some(reading.batch));
        let run = match self.run.take().filter(|_| same) {
            Some(run) => run,
            None => Run { first: reading.clone(), before: latest.clone() },
        };
        let changed = same && follows && self.short != Some(short);
        if changed {
            self.short = Some(short);
        }
        if self.short == Some(short) {
            // A run that one reading interrupted goes on as it was.
            let run = match self.judged.take().filter(|_| !changed) {
                Some((_, run)) => run,
                None => run.clone(),
            };
            self.judged = Some((reading.clone(), run));
        }
        self.run = Some(run);
        self.previous = latest;
        self.latest = Some(reading);
        changed.then(|| Change { before, after: self.verdict() })
    }

    /// The verdict, with the numbers of the newest reading that agrees with it.
    pub fn verdict(&self) -> Verdict {
        let (Some(short), Some((reading, run))) = (self.short, &self.judged) else {
            return Verdict::Unknown;
        };
        let numbers = reading.numbers();
        if !short {
            return Verdict::Solvent { numbers };
        }
        Verdict::Short {
            by: numbers.surplus.unsigned_abs(),
            since: run.first.batch,
            moved: run.before.as_ref().map(|before| moved(before, &run.first)).unwrap_or_default(),
            numbers,
        }
    }

    /// The newest reading, whatever the verdict; none before the first.
    pub fn explain(&self) -> Option<Explanation> {
        let latest = self.latest.as_ref()?;
        let previous = self.previous.as_ref();
        Some(Explanation {
            latest: latest.numbers(),
            previous: previous.map(Reading::numbers),
            moved: previous.map(|previous| moved(previous, latest)).unwrap_or_default(),
            contested: self.short.is_some_and(|short| short != latest.is_short()),
        })
    }
}

fn moved(from: &Reading, to: &Reading) -> Vec<Move> {
    let sides = [
        (Side::Holdings, from.holdings.holdings, to.holdings.holdings),
        (Side::Supply, from.supply, to.supply),
        (Side::InFlight, from.holdings.in_flight, to.holdings.in_flight),
        (Side::Retained, from.holdings.retained, to.holdings.retained),
        (Side::Costs, from.holdings.costs, to.holdings.costs),
    ];
    let moves = sides.map(|(side, from, to)| Move { side, by: i128::from(to) - i128::from(from) });
    moves.into_iter().filter(|moved| moved.by != 0).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use proptest::prelude::*;
    use serai_messages::{BlockHash, BlockNumber, Coin};

    use super::*;

    /// 1,000 coins exist, 50 are in flight, 7 retained, 3 spent: 1,054 are expected.
    fn reading(batch: u32, held: u64) -> Reading {
        let number = BlockNumber(u64::from(batch) * 2);
        Reading {
            batch,
            block: SeraiBlock { number, hash: BlockHash([batch as u8; 32]) },
            holdings: Holdings {
                coin: Coin::Btc,
                batch,
                height: u64::from(batch) + 100,
                hash: [batch as u8; 32],
                holdings: held,
                in_flight: 50,
                retained: 7,
                costs: 3,
            },
            supply: 1000,
        }
    }

    fn is_short(solvency: &Solvency) -> Option<bool> {
        match solvency.verdict() {
            Verdict::Unknown => None,
            Verdict::Solvent { .. } => Some(false),
            Verdict::Short { .. } => Some(true),
        }
    }

    #[test]
    fn every_side_counts_once() {
        let mut solvency = Solvency::default();
        assert_eq!(solvency.handle(reading(0, 1054)), None);
        assert_eq!(is_short(&solvency), None);
        let change = solvency.handle(reading(1, 1054)).unwrap();
        assert_eq!(change.before, Verdict::Unknown);
        let Verdict::Solvent { numbers } = change.after else { panic!("{:?}", change.after) };
        assert_eq!((numbers.expected, numbers.surplus), (1054, 0));
        // A coin that is burned moves from one side to another, and is paid out from both.
        let mut burned = reading(2, 1054);
        (burned.supply, burned.holdings.in_flight) = (900, 150);
        assert_eq!(solvency.handle(burned), None);
        let mut paid = reading(3, 954);
        (paid.supply, paid.holdings.in_flight) = (900, 50);
        assert_eq!(solvency.handle(paid), None);
        let explanation = solvency.explain().unwrap();
        let by = -100;
        let expected =
            [Move { side: Side::Holdings, by }, Move { side: Side::InFlight, by }].to_vec();
        assert_eq!((explanation.latest.surplus, explanation.moved), (0, expected));
    }

    #[test]
    fn a_shortfall_says_since_when_and_which_side() {
        let mut solvency = Solvency::default();
        solvency.handle(reading(0, 1054));
        solvency.handle(reading(1, 1060));
        assert_eq!(solvency.handle(reading(2, 1050)), None);
        assert!(solvency.explain().unwrap().contested);
        let change = solvency.handle(reading(3, 1049)).unwrap();
        let Verdict::Short { by, since, moved, numbers } = change.after else { panic!("solvent") };
        assert_eq!((by, since, numbers.batch), (5, 2, 3));
        assert_eq!(moved, [Move { side: Side::Holdings, by: -10 }]);
        // It grows, one reading contradicts it, and it goes on: still since batch 2.
        assert_eq!(solvency.handle(reading(4, 1000)), None);
        assert_eq!(solvency.handle(reading(5, 1054)), None);
        assert_eq!(solvency.handle(reading(6, 1052)), None);
        let Verdict::Short { by, since, .. } = solvency.verdict() else { panic!("solvent") };
        assert_eq!((by, since), (2, 2));
        assert_eq!(solvency.handle(reading(7, 2000)), None);
        let change = solvency.handle(reading(8, 2000)).unwrap();
        let Verdict::Solvent { numbers } = change.after else { panic!("short") };
        assert_eq!(numbers.surplus, 946);
    }

    #[test]
    fn readings_around_a_gap_decide_nothing() {
        let mut solvency = Solvency::default();
        solvency.handle(reading(0, 1054));
        solvency.handle(reading(1, 1054));
        assert_eq!(solvency.handle(reading(2, 0)), None);
        assert_eq!(solvency.handle(reading(4, 0)), None);
        assert_eq!(solvency.handle(reading(3, 1054)), None);
        let change = solvency.handle(reading(5, 0)).unwrap();
        let Verdict::Short { since, .. } = change.after else { panic!("solvent") };
        assert_eq!(since, 2);
    }

    proptest! {
        /// Any order, any repeats, any holes: the verdict is the one of the last two that follow each
        /// other, among those that were newer than all before them.
        #[test]
        fn only_two_in_a_row_change_the_verdict(
            came in proptest::collection::vec((0_u32..30, any::<bool>()), 0..60),
        ) {
            let mut solvency = Solvency::default();
            let mut newer: Vec<(u32, bool)> = Vec::new();
            let mut expected = None;
            for (batch, short) in came {
                let held = if short { 1053 } else { 1054 };
                let change = solvency.handle(reading(batch, held));
                let before = expected;
                if newer.last().is_none_or(|last| last.0 < batch) {
                    if newer.last() == Some(&(batch.wrapping_sub(1), short)) {
                        expected = Some(short);
                    }
                    newer.push((batch, short));
                }
                prop_assert_eq!(is_short(&solvency), expected);
                prop_assert_eq!(change.is_some(), before != expected);
                let stored = borsh::to_vec(&solvency).unwrap();
                solvency = borsh::from_slice(&stored).unwrap();
            }
        }
    }
}
