//! Crash points: where a test ends the program, at each step that makes something last or leaves it.
//!
//! # Owns
//! What a step is called, and the record of those at which this program has ended.
//!
//! # Promises
//! Without the feature `faults` nothing of this is compiled. With it, and only where the folder
//! [`FOLDER`] stands beside the program's database, the program kills itself the first time that it
//! passes each step, and never again at that one: a note in the folder, written before, says so over
//! restarts. The wrappers of store, bus, files, network and submission pass the steps, each under the
//! name of what called it, so that a new caller has its steps without anybody adding them.
//!
//! # Limits
//! Records of different types that one transaction stores make different steps; the same types with
//! another content do not.

/// The folder that arms the points.
pub const FOLDER: &str = "crash-points";

/// Names a step and passes it: a test may end the program here.
#[cfg(feature = "faults")]
pub fn pass(step: impl FnOnce() -> String) {
    armed::pass(step);
}

/// Names a step and passes it: a test may end the program here.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn pass(_: impl FnOnce() -> String) {}

/// Arms the points where the folder stands in `data_dir`; the first call decides.
#[cfg(feature = "faults")]
pub(crate) fn arm(data_dir: Option<&std::path::Path>) {
    armed::arm(data_dir);
}

/// One transaction of a store.
#[cfg(not(feature = "faults"))]
pub(crate) struct Commit;

#[cfg(not(feature = "faults"))]
impl Commit {
    #[inline]
    pub(crate) fn begin(_: &rusqlite::Transaction<'_>) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn before(self, _: &rusqlite::Transaction<'_>) -> Self {
        self
    }

    #[inline]
    pub(crate) fn after(self) {}
}

/// One transaction of a store: named by what called it, and by the types of the records that it
/// stores for sending.
#[cfg(feature = "faults")]
pub(crate) struct Commit {
    caller: &'static std::panic::Location<'static>,
    /// Newest row of the outbox before it.
    newest: i64,
    kinds: String,
}

#[cfg(feature = "faults")]
impl Commit {
    #[track_caller]
    pub(crate) fn begin(transaction: &rusqlite::Transaction<'_>) -> Self {
        let newest = transaction
            .query_row("SELECT coalesce(max(row), 0) FROM outbox", (), |row| row.get(0))
            // The tables are not there yet.
            .unwrap_or(0);
        Self { caller: std::panic::Location::caller(), newest, kinds: String::new() }
    }

    pub(crate) fn before(mut self, transaction: &rusqlite::Transaction<'_>) -> Self {
        self.kinds = transaction
            .query_row(
                "SELECT coalesce(group_concat(kind, ', '), 'nothing to send') FROM
                     (SELECT DISTINCT kind FROM outbox WHERE row > ?1 ORDER BY kind)",
                [self.newest],
                |row| row.get(0),
            )
            .unwrap_or_default();
        pass(|| self.named("before"));
        self
    }

    pub(crate) fn after(self) {
        pass(|| self.named("after"));
    }

    fn named(&self, when: &str) -> String {
        let Self { caller, kinds, .. } = self;
        format!("store {when} the commit of {}:{}: {kinds}", caller.file(), caller.line())
    }
}

/// While it lives the connection changes nothing.
#[cfg(feature = "faults")]
pub(crate) struct ReadOnly<'a>(&'a rusqlite::Connection);

#[cfg(feature = "faults")]
impl<'a> ReadOnly<'a> {
    pub(crate) fn new(connection: &'a rusqlite::Connection) -> Self {
        // Where it fails, tests see less.
        let _ = connection.pragma_update(None, "query_only", true);
        Self(connection)
    }
}

#[cfg(feature = "faults")]
impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = self.0.pragma_update(None, "query_only", false);
    }
}

#[cfg(feature = "faults")]
mod armed {
    use std::fs::File;
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};

    static NOTES: OnceLock<Option<PathBuf>> = OnceLock::new();

    /// Held by whoever ends the program: nobody else passes a step meanwhile.
    static ENDING: Mutex<()> = Mutex::new(());

    pub fn arm(data_dir: Option<&Path>) {
        let folder = data_dir.map(|data_dir| data_dir.join(super::FOLDER));
        NOTES.get_or_init(|| folder.filter(|folder| folder.is_dir()));
    }

    pub fn pass(step: impl FnOnce() -> String) {
        let Some(Some(notes)) = NOTES.get() else { return };
        let step = step();
        let mut hasher = DefaultHasher::new();
        step.hash(&mut hasher);
        let note = notes.join(format!("{:016x}", hasher.finish()));
        let _ending = ENDING.lock().unwrap_or_else(PoisonError::into_inner);
        // It exists: this step has been passed before.
        let Ok(mut note) = File::create_new(note) else { return };
        if note.write_all(step.as_bytes()).is_ok() {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
            // The signal ends all threads; this one shall not go on before it does.
            loop {
                std::thread::park();
            }
        }
    }
}
