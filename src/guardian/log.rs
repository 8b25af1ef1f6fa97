//! The guardian's own lines in the daemon's log.
//!
//! The file is opened for each line, because apexd rotates it, and a line is one write to a file opened for appending,
//! so that it stands whole between apexd's.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use nix::libc;
use nix::unistd::geteuid;

use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::link::machine::wall_now;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

/// The daemon's log.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// Lines go to standard error too.
    echo: bool,
}

impl Log {
    pub(super) fn new(path: PathBuf, echo: bool) -> Self {
        Self { path, echo }
    }

    /// Appends a line. One that cannot be written is dropped: there is nobody to tell, and guarding matters more.
    pub(super) fn line(&self, level: Level, message: &str) {
        let line = format_line(wall_now(), level, message);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&self.path);
        let is_ours = |file: &File| file.metadata().is_ok_and(|found| found.uid() == geteuid().as_raw());
        if let Some(mut file) = file.ok().filter(is_ours) {
            let _ = file.write_all(line.as_bytes());
        }
        if self.echo {
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn format_line(at: Timestamp, level: Level, message: &str) -> String {
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    format!("[{at}] [{level}] {}\n", neutralize(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_format_of_the_daemons_log() {
        let line = format_line(Timestamp(1_768_473_000_000), Level::Warn, "apexd ended pid=7");
        assert_eq!(line, "[2026-01-15T10:30:00.000Z] [WARN] apexd ended pid=7\n");
        assert_eq!(format_line(Timestamp(1), Level::Info, "a\nb"), "[1970-01-01T00:00:00.001Z] [INFO] a\\nb\n");
    }

    #[test]
    fn nothing_is_told_to_a_file_of_somebody_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("daemon.log");
        std::fs::write(&path, "").unwrap();
        if std::os::unix::fs::chown(&path, Some(65_533), None).is_err() {
            // Only root can make one.
            return;
        }
        Log::new(path.clone(), false).line(Level::Info, "one");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn lines_are_appended_and_only_the_owner_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("daemon.log");
        let log = Log::new(path.clone(), false);
        log.line(Level::Info, "one");
        log.line(Level::Error, "two");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once("] ").unwrap().1).collect();
        assert_eq!(lines, ["[INFO] one", "[ERROR] two"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
