//! The bell that is rung after each commit.
//!
//! SQLite tells no other process of a commit. So a byte is written into a file beside the log, and
//! whoever listens to that file (inotify, on Linux) looks at the log at once. The byte says nothing,
//! and nothing depends on it: who cannot ring or listen is noticed, or notices, a moment later.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rings for the log at a path.
#[derive(Debug)]
pub(super) struct Bell(Option<File>);

impl Bell {
    pub(super) fn new(log: &Path) -> Self {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self(options.open(path(log)).ok())
    }

    pub(super) fn ring(&self) {
        #[cfg(unix)]
        if let Some(file) = &self.0 {
            let _ = std::os::unix::fs::FileExt::write_at(file, &[0], 0);
        }
    }
}

fn path(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push("-bell");
    path.into()
}

/// Hears the bell of the log at a path.
#[derive(Debug)]
pub(super) struct Listener(Option<File>);

impl Listener {
    /// Where a user's inotify instances are used up, and on other systems, it hears nothing.
    #[cfg(target_os = "linux")]
    pub(super) fn new(log: &Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let listen = || {
            let events = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            add_watch(&events, path(log), WatchFlags::MODIFY)?;
            Ok::<_, rustix::io::Errno>(events)
        };
        Self(listen().ok().map(File::from))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn new(_: &Path) -> Self {
        Self(None)
    }

    /// Whether it hears anything at all.
    pub(super) fn hears(&self) -> bool {
        self.0.is_some()
    }

    /// Returns when the bell has rung since the last call, at the latest after `most`.
    pub(super) fn wait(&self, most: Duration) {
        #[cfg(target_os = "linux")]
        if let Some(events) = &self.0 {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            use std::io::Read as _;
            let most = Timespec::try_from(most).ok();
            let _ = poll(&mut [PollFd::new(events, PollFlags::IN)], most.as_ref());
            // What they are is known.
            let mut bytes = [0; 4096];
            while { events }.read(&mut bytes).is_ok_and(|read| read > 0) {}
            return;
        }
        std::thread::sleep(most);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn whoever_listens_hears_what_was_rung_before_and_while_it_waits() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let bell = Bell::new(&log);
        let listener = Listener::new(&log);
        if !listener.hears() {
            eprintln!("not run: inotify is not to be had here");
            return;
        }
        let long = Duration::from_secs(60);
        bell.ring();
        bell.ring();
        let begun = Instant::now();
        listener.wait(long);
        // Both were heard.
        listener.wait(Duration::from_millis(1));
        std::thread::scope(|scope| {
            scope.spawn(|| bell.ring());
            listener.wait(long);
        });
        assert!(begun.elapsed() < long, "the bell was not heard");
    }
}
