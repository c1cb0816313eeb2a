//! What a data folder holds of signing, for scripts and checks: read beside a running processor.

use std::fmt;
use std::path::Path;

use crate::ledger::{self, PlanReport};
use crate::signing::{self, Thing, UsedPreprocess};
use crate::vaults::{UnreadableFolder, inspect};

/// All that was signed and planned.
#[derive(Debug, serde::Serialize)]
pub struct SigningsReport {
    /// What may be signed, and is not done with.
    pub things: Vec<Thing>,
    /// All preprocesses that were ever signed with.
    pub used_preprocesses: Vec<UsedPreprocess>,
    /// All transactions that were ever planned.
    pub plans: Vec<PlanReport>,
}

impl fmt::Display for SigningsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Thing { id, signed } in &self.things {
            writeln!(f, "{id} {}", if *signed { "signed" } else { "due" })?;
        }
        for PlanReport { id, transaction, state } in &self.plans {
            writeln!(f, "{id} {state}\n  transaction {transaction}")?;
        }
        for used in &self.used_preprocesses {
            writeln!(f, "{} used preprocess {}", used.thing, used.preprocess)?;
        }
        Ok(())
    }
}

/// What was signed and planned in a data folder, whether its processor runs or not.
///
/// # Errors
/// [`UnreadableFolder`] when no processor has run there, or its database cannot be read.
pub fn signings(folder: &Path) -> Result<SigningsReport, UnreadableFolder> {
    inspect(folder, |connection| {
        Ok(Ok(SigningsReport {
            things: signing::things(connection)?,
            used_preprocesses: signing::used(connection)?,
            plans: ledger::plans(connection)?,
        }))
    })
}
