//! How a run ends.

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Simulated time, in milliseconds.
    pub simulated_ms: u64,
    /// Things that happened.
    pub steps: u64,
    /// Statements that arrived.
    pub statements: u64,
    /// Coordinators and processors that ended.
    pub crashes: u64,
    /// Coordinators that were restored from an older backup.
    pub restores: u64,
    /// Whether too few honest members held shares, so that nothing had to be signed.
    pub short: bool,
    /// Serai's newest block when the vault's keys were there.
    pub keys_at: u64,
    /// Members that broke the rules.
    pub liars: usize,
    /// Records that were put aside.
    pub dead_letters: usize,
    /// Of all that happened, in order: the same for the same seed.
    pub trace: [u8; 32],
}

/// What is wrong, and what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed with which it happens.
    pub seed: u64,
    /// The rule that was broken.
    pub what: String,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// What happened last.
    pub before: Vec<String>,
}
