//! Bugs that tests plant, to see that they are found.
//!
//! Each stands at the line where a program would have it, under [`is_planted`]. Without the feature
//! `planted`, which no program that is shipped turns on, that is never, and nothing is compiled of it.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Members do not compare what they received in a round.
    AgreementSkipped,
    /// Statements are acknowledged before they are stored.
    AcknowledgedBeforeStored,
    /// Neither a signing's member nor its processor remembers that it has signed with a preprocess.
    PreprocessReused,
    /// Statements of an attempt that is over count in the running one.
    StalePartyAccepted,
    /// What was handled is handled again when it comes again.
    RepeatsHandled,
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in what this thread runs from now on, in place of another one.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this thread runs with the bug.
#[cfg(feature = "planted")]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this thread runs with the bug.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn is_planted(_: Bug) -> bool {
    false
}
