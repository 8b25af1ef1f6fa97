//! Reads the log as it grows.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::files::Files;
use super::{Backlog, Selection, Sieve};

/// How long to wait between two looks where the system does not tell of changes.
const PAUSE: Duration = Duration::from_millis(50);

/// A reader that hands out each selected line once, whatever happens to the files.
///
/// It blocks, if only for a disk: not to be called where nothing may block. The log, and the directory it is in, may be
/// absent at first, and may be removed or replaced at any time. Lines are lost only with files that were deleted since
/// the last look without having been seen; the newest ones that were seen are held open.
///
/// Linux: uses inotify(7), and looks every 50 ms where that is refused.
#[derive(Debug)]
pub struct Follow {
    files: Files,
    sieve: Sieve,
    /// Selected, and not handed out yet.
    pending: Vec<String>,
    watch: Option<Watch>,
    /// Something happened to the log since the last look.
    is_stale: bool,
}

impl Follow {
    /// Starts to follow the log: what is there now is selected by all of `selection`, and what comes later by its
    /// `since` and `level`.
    ///
    /// # Errors
    ///
    /// A file of the log cannot be read, or `log_file` is not a regular file.
    pub fn new(log_file: &Path, selection: Selection) -> io::Result<Self> {
        let mut files = Files::new(log_file);
        // Before the first look, so that nothing happens unseen between the two.
        let watch = Watch::new(files.series().directory()).ok();
        let mut backlog = Backlog::new(selection);
        files.look(&mut |line| backlog.push(line))?;
        let Backlog { sieve, lines, .. } = backlog;
        Ok(Self { files, sieve, pending: lines.into(), watch, is_stale: false })
    }

    /// Returns the selected lines that are complete and were not returned before, oldest first; empty if there are
    /// none.
    ///
    /// # Errors
    ///
    /// As [`Follow::new`]. Nothing is lost by it: what was read already comes with the next call that succeeds.
    pub fn next_lines(&mut self) -> io::Result<Vec<String>> {
        // First forget what was told, then look: what is told after this may be something that was not seen.
        self.drain();
        self.is_stale = false;
        let Self { files, sieve, pending, .. } = self;
        let looked = files.look(&mut |line| {
            if sieve.admits(&line) {
                pending.push(line);
            }
        });
        if let Err(error) = looked {
            self.is_stale = true;
            return Err(error);
        }
        Ok(std::mem::take(&mut self.pending))
    }

    /// Waits until something has happened to the log since the last [`Follow::next_lines`], for `timeout` at most.
    ///
    /// It may return early, also because of a signal: whoever wants lines looks and waits again.
    ///
    /// # Errors
    ///
    /// poll(2) fails.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        self.wait_or(None, timeout)
    }

    /// As [`Follow::wait`], and also until `other` is readable.
    ///
    /// # Errors
    ///
    /// As [`Follow::wait`].
    pub fn wait_or(&mut self, other: Option<BorrowedFd<'_>>, timeout: Duration) -> io::Result<()> {
        let started = Instant::now();
        loop {
            if self.is_stale || !self.pending.is_empty() {
                return Ok(());
            }
            let left = timeout.saturating_sub(started.elapsed());
            let Some(watch) = &self.watch else {
                self.watch = Watch::new(self.files.series().directory()).ok();
                if self.watch.is_some() {
                    // What happened before was not told.
                    self.is_stale = true;
                } else {
                    std::thread::sleep(left.min(PAUSE));
                }
                return Ok(());
            };
            let fds = [Some(watch.inotify.as_fd()), other];
            let mut fds: Vec<_> = fds.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Ok(0) | Err(Errno::EINTR) => return Ok(()),
                Ok(_) if fds.get(1).is_some_and(|other| other.any() == Some(true)) => return Ok(()),
                Ok(_) => self.drain(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn drain(&mut self) {
        let Some(watch) = &self.watch else { return };
        let series = self.files.series();
        let told = watch.drain(|name| series.number(name).is_some());
        self.is_stale |= told != Told::Nothing;
        if told == Told::Ended {
            self.watch = None;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Changed,
    /// The directory itself went away, or inotify fails: there will be nothing more.
    Ended,
}

#[derive(Debug)]
struct Watch {
    inotify: Inotify,
}

impl Watch {
    fn new(directory: &Path) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let wanted = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        let ending = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_ONLYDIR;
        inotify.add_watch(directory, wanted | ending)?;
        Ok(Self { inotify })
    }

    fn drain(&self, concerns: impl Fn(&OsStr) -> bool) -> Told {
        let mut told = Told::Nothing;
        loop {
            match self.inotify.read_events() {
                Ok(events) => {
                    for event in events {
                        match event.name {
                            Some(name) if concerns(&name) => told = Told::Changed,
                            Some(_) => {}
                            // Too many at once: some were dropped.
                            None if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) => told = Told::Changed,
                            None => return Told::Ended,
                        }
                    }
                }
                Err(Errno::EAGAIN) => return told,
                Err(Errno::EINTR) => {}
                Err(_) => return Told::Ended,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn append(log: &Path, text: &str) {
        OpenOptions::new().create(true).append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn next(follow: &mut Follow) -> Vec<String> {
        loop {
            let lines = follow.next_lines().unwrap();
            if !lines.is_empty() {
                return lines;
            }
            follow.wait(LONG).unwrap();
        }
    }

    #[test]
    fn waiting_ends_with_the_first_line_of_a_log_that_was_absent() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("daemon.log");
        let mut follow = Follow::new(&log, Selection::default()).unwrap();
        assert_eq!(follow.next_lines().unwrap(), Vec::<String>::new());
        let writer = std::thread::spawn({
            let log = log.clone();
            move || append(&log, "one\n")
        });
        assert_eq!(next(&mut follow), ["one"]);
        writer.join().unwrap();
    }

    #[test]
    fn a_directory_that_is_absent_at_first_or_replaced_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join(".apex");
        let log = inner.join("daemon.log");
        let mut follow = Follow::new(&log, Selection::default()).unwrap();
        for line in ["one", "two"] {
            assert_eq!(follow.next_lines().unwrap(), Vec::<String>::new());
            std::fs::create_dir(&inner).unwrap();
            append(&log, &format!("{line}\n"));
            assert_eq!(next(&mut follow), [line]);
            std::fs::remove_dir_all(&inner).unwrap();
        }
    }

    #[test]
    fn only_the_logs_own_files_wake_the_reader() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("daemon.log");
        let mut follow = Follow::new(&log, Selection::default()).unwrap();
        append(&dir.path().join("apex.db-wal"), "x");
        follow.drain();
        assert!(!follow.is_stale);
        append(&log, "half");
        follow.wait(LONG).unwrap();
        assert!(follow.is_stale);
        assert_eq!(follow.next_lines().unwrap(), Vec::<String>::new());
        assert!(!follow.is_stale);
        append(&log, " done\n");
        assert_eq!(next(&mut follow), ["half done"]);
    }

    #[test]
    fn waiting_returns_at_once_when_a_change_was_told_already() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("daemon.log");
        let mut follow = Follow::new(&log, Selection::default()).unwrap();
        append(&log, "one\n");
        follow.wait(LONG).unwrap();
        follow.wait(LONG).unwrap();
        assert_eq!(follow.next_lines().unwrap(), ["one"]);
    }
}
