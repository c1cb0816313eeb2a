//! A log file that is rotated at a cap.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Size at which a log is rotated. With the one kept before it, a processor's logs take at most
/// twice this much.
pub(super) const CAP_BYTES: u64 = 16 << 20;

/// A file that grows to its cap and is then renamed to `….1`, replacing the one before.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    cap_bytes: u64,
}

impl LogFile {
    /// Opens `path` for appending.
    pub(super) fn open(path: &Path, cap_bytes: u64) -> std::io::Result<Self> {
        let file = append(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes, cap_bytes })
    }

    /// Appends `bytes`, rotating first where they would pass the cap.
    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let length = bytes.len() as u64;
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.cap_bytes {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old)?;
            self.file = append(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(bytes)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(())
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_cap_and_keeps_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("btc.log");
        let old = folder.path().join("btc.log.1");
        let mut log = LogFile::open(&path, 10).unwrap();
        log.write(b"12345").unwrap();
        log.write(b"67890").unwrap();
        assert!(!old.exists(), "rotated too early");
        log.write(b"abcde").unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"1234567890");
        // What stands there already counts after a restart.
        let mut log = LogFile::open(&path, 10).unwrap();
        log.write(b"fghijk").unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"abcde");
        assert_eq!(std::fs::read(&path).unwrap(), b"fghijk");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn one_write_over_the_cap_is_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("btc.log");
        let mut log = LogFile::open(&path, 4).unwrap();
        log.write(b"123456").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"123456");
    }
}
