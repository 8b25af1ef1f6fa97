//! Which files make up a log: the current one, and the older ones beside it, `.1` being the youngest of them.
//!
//! A file only ever moves to a higher number, and the highest goes away. So whoever looks at `daemon.log`, `.1`, `.2`
//! … in this order meets every file that exists, even while they are being moved.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Highest number that an older file has; more cannot be kept.
pub const KEEP_MAX: u32 = 999;

/// The names of a log's files.
#[derive(Debug, Clone)]
pub struct Series {
    current: PathBuf,
}

/// Which file something is, whatever its name: device and inode. Never two at a time for as long as it is held open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ident(u64, u64);

impl Ident {
    /// Returns the identity of the file that `metadata` is about.
    pub fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl Series {
    /// Makes the names for the log whose current file is `current`.
    pub fn new(current: impl Into<PathBuf>) -> Self {
        Self { current: current.into() }
    }

    /// Returns the path of the file with this number; 0 is the current one.
    pub fn path(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.current.clone();
        }
        let mut path = self.current.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }

    /// Returns the directory they are all in.
    pub fn directory(&self) -> &Path {
        match self.current.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Returns the number of the file with this name in [`Series::directory`]; `None` if it is not one of the log's.
    pub fn number(&self, name: &OsStr) -> Option<u32> {
        let suffix = name.as_bytes().strip_prefix(self.current.file_name()?.as_bytes())?;
        if suffix.is_empty() {
            return Some(0);
        }
        let digits = std::str::from_utf8(suffix.strip_prefix(b".")?).ok()?;
        let number = digits.parse().ok().filter(|number| (1..=KEEP_MAX).contains(number))?;
        // `.01` and `.+1` are somebody else's.
        (number.to_string() == digits).then_some(number)
    }

    /// Returns what is at that number, symbolic links not followed; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// Those of lstat(2), except that nothing is there.
    pub fn look(&self, number: u32) -> io::Result<Option<Metadata>> {
        match std::fs::symlink_metadata(self.path(number)) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the numbers in use, in ascending order; none if the directory does not exist.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub fn numbers(&self) -> io::Result<Vec<u32>> {
        let entries = match std::fs::read_dir(self.directory()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            numbers.extend(self.number(&entry?.file_name()));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_each_others_inverse() {
        let series = Series::new("/p/.apex/daemon.log");
        for number in [0, 1, 9, 10, KEEP_MAX] {
            assert_eq!(series.number(series.path(number).file_name().unwrap()), Some(number));
        }
        let strangers =
            ["", "daemon", "daemon.log.", "daemon.log.0", "daemon.log.01", "daemon.log.+1", "daemon.log.1000"];
        for name in
            strangers.into_iter().chain(["daemon.log.20260115", "daemon.log.1.gz", "xdaemon.log", "daemon.logs"])
        {
            assert_eq!(series.number(OsStr::new(name)), None, "{name:?}");
        }
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(Series::new("daemon.log").directory(), Path::new("."));
        assert_eq!(Series::new("/x/daemon.log").directory(), Path::new("/x"));
    }
}
