//! The machine's wall clock: the one place where it is read.
//!
//! # Promises
//! Nothing that validators must agree on hangs on it: there the finalized Serai chain is the clock, and what
//! waits in a ceremony waits by the system's monotonic clock. What is read here is shown to people, dates
//! backups and says when the next is due, numbers lives, and is what a restored state's first look waits
//! to be past (ADR 0017, 0019).
//!
//! With the feature `faults`, and only there, the file [`FILE`] beside the program's database shifts it by
//! the milliseconds that it holds, at any moment.

use std::time::{SystemTime, UNIX_EPOCH};

/// The file that shifts the clock in tests.
pub const FILE: &str = "clock-offset";

/// Milliseconds since the Unix epoch by this machine's clock; 0 where it is set to before that.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    shifted(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(not(feature = "faults"))]
#[inline]
fn shifted(now: u64) -> u64 {
    now
}

#[cfg(feature = "faults")]
fn shifted(now: u64) -> u64 {
    now.saturating_add_signed(faults::offset_ms())
}

#[cfg(feature = "faults")]
pub(crate) use faults::arm;

#[cfg(feature = "faults")]
mod faults {
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;

    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();

    /// Lets the file in `data_dir` shift the clock; the first call decides.
    pub fn arm(data_dir: Option<&Path>) {
        PATH.get_or_init(|| data_dir.map(|data_dir| data_dir.join(super::FILE)));
    }

    pub fn offset_ms() -> i64 {
        let Some(Some(path)) = PATH.get() else { return 0 };
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }
}
