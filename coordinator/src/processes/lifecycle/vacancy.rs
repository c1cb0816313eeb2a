//! A processor's folder may still be held by one of an earlier life, whose coordinator was killed: it
//! ends by itself once it notices that its parent's pipe is closed. Nothing is started beside it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// Time between two looks at the lock; there is no way to wait for it that can be called off.
const LOOK: Duration = Duration::from_millis(20);

/// Name of the file that a processor locks in its folder for as long as it runs.
const LOCK: &str = "lock";

/// Whether a processor holds the folder. A lock that cannot be looked at counts as free: the
/// processor that is started next tells what is wrong with it.
pub(super) fn is_held(folder: &Path) -> bool {
    let Ok(file) = File::options().write(true).open(folder.join(LOCK)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Waits until no processor holds the folder. Cancel safe.
pub(super) async fn wait(folder: &Path) {
    while is_held(folder) {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_the_one_that_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path()));
        let held = File::create(folder.path().join(LOCK)).unwrap();
        held.lock().unwrap();
        assert!(is_held(folder.path()));
        let waiting = wait(folder.path());
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(held);
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("the folder is free");
        assert!(!is_held(folder.path()));
    }
}
