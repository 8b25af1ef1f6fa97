//! Room on the disk that is kept back, so that what has happened can still be stored when the disk is full.
//!
//! A file that takes up room and holds nothing. When a commit finds no room, the file goes, and what must not be lost (how
//! an attempt ended, a cancel) is committed in its place. New work is refused from then on, until the file can be made
//! again: else it would use up what is left for the work that runs.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::store::sqlite::guard::beside;

/// Enough for the ends of some hundred attempts: each takes up to ten pages of the write-ahead log, those that end
/// together share them.
const BYTES: i64 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    /// The disk was full, and is not known to have room again.
    Spent,
    /// There was no room for it from the beginning: the disk is small, and what is left of it is used.
    Absent,
}

/// The file that keeps the room.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    state: State,
}

impl Reserve {
    /// Keeps room beside a database, if there is enough. `spent`: some was kept, and let go.
    pub(super) fn take(database: &Path, spent: bool) -> Self {
        let state = if spent { State::Spent } else { State::Absent };
        let mut reserve = Self { path: beside(database, "-reserve"), state };
        reserve.restore();
        reserve
    }

    /// Lets go what another process that had the database open kept and left behind; returns whether there was any.
    pub(super) fn drop_left(database: &Path) -> bool {
        fs::remove_file(beside(database, "-reserve")).is_ok()
    }

    /// Returns whether new work is to be refused, because the disk is full or was a moment ago.
    pub(super) fn is_spent(&self) -> bool {
        self.state == State::Spent
    }

    /// Lets the room go; returns whether there was any.
    pub(super) fn spend(&mut self) -> bool {
        let was_held = self.state == State::Held;
        if was_held {
            self.state = State::Spent;
            // Should it stay, the next commit fails as the last one did.
            let _ = fs::remove_file(&self.path);
        }
        was_held
    }

    /// Keeps the room again if it was let go, or never kept; returns whether it is kept now.
    pub(super) fn restore(&mut self) -> bool {
        if self.state != State::Held {
            match make(&self.path) {
                Ok(()) => self.state = State::Held,
                // Half of it would be in the way.
                Err(_) => drop(fs::remove_file(&self.path)),
            }
        }
        self.state == State::Held
    }

    /// Lets the room go for good.
    pub(super) fn end(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn make(path: &Path) -> io::Result<()> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)?;
    Ok(nix::fcntl::posix_fallocate(&file, 0, BYTES)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn room_is_really_taken_let_go_once_and_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("apex.db");
        let mut reserve = Reserve::take(&database, false);
        let taken = || fs::metadata(dir.path().join("apex.db-reserve")).map_or(0, |found| found.blocks() * 512);
        assert!(taken() >= 1 << 20, "{}", taken());
        assert!(!reserve.is_spent());
        assert!(reserve.spend() && reserve.is_spent());
        assert_eq!(taken(), 0);
        assert!(!reserve.spend(), "there is nothing left");
        assert!(reserve.restore() && !reserve.is_spent());
        assert!(taken() >= 1 << 20);
        reserve.end();
        assert_eq!(taken(), 0);
    }

    #[test]
    fn without_room_from_the_beginning_nothing_is_refused() {
        let mut reserve = Reserve::take(Path::new("/no/such/directory/apex.db"), false);
        assert!(!reserve.spend() && !reserve.is_spent() && !reserve.restore());
    }
}
