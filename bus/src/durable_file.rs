//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::crash_point;

/// Puts `content` in place of what `path` holds, readable by this user alone, and returns once file
/// and directory entry are on disk. After a crash the file holds the former content or the new one;
/// what was begun stands beside it under the extension `partial`, and is overwritten by the next call.
///
/// # Errors
/// The file system's.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let named = |when: &str| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        format!("file {when}: .{extension}")
    };
    let partial = path.with_extension("partial");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    crash_point::pass(|| named("before it is in place"));
    fs::rename(&partial, path)?;
    sync_folder_of(path)?;
    crash_point::pass(|| named("after it is in place"));
    Ok(())
}

/// Returns once the directory entries beside `path` are on disk.
///
/// # Errors
/// The file system's.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_new_content_takes_the_place_of_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        fs::write(folder.path().join("a.partial"), "a crash left this, and it is longer").unwrap();
        for content in ["first", "second, and longer", ""] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        replace(&folder.path().join("no/such"), b"").unwrap_err();
    }
}
