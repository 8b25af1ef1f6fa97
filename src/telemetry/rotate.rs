//! The files of the log, bounded as a whole.
//!
//! Before a line that would make the current file longer than `max_size`, and before the first line of a new day (UTC),
//! `daemon.log` becomes `.1`, `.1` becomes `.2`, and so on; what would be beyond `.keep` is deleted. Size and day come
//! from the file itself before every line, so another process may append whole lines to it (`O_APPEND`, one write
//! each), and a file that was removed or replaced is noticed and opened anew.
//!
//! Nothing here is fatal: what cannot be written is counted, and told in the log itself as soon as that is possible.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::OFlag;

use super::Settings;
use super::format;
use super::level::Level;
use super::series::{Ident, KEEP_MAX, Series};
use crate::domain::time::Timestamp;

/// Smallest size in bytes at which a file is rotated; there is room for a line's head in it.
pub const SIZE_MIN: u64 = 64;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Says what time it is.
pub type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// A writer of lines into `daemon.log`.
///
/// Shape: all files together have at most `(keep + 1) * max_size` bytes, and a few lines more if others append to the
/// current one; a line longer than `max_size` is cut at its end. Files are created with mode 0600, and symbolic links
/// are not followed. `write` takes any number of whole lines and always claims to have written them.
pub struct Rotating {
    series: Series,
    max_size: u64,
    keep: u32,
    clock: Clock,
    current: Option<Current>,
    /// Lines that could not be written since the last one that could.
    lost: u64,
    errors: Arc<AtomicU64>,
}

struct Current {
    file: File,
    /// Days since 1970 (UTC) of the lines in it.
    day: i64,
    /// It ends in the middle of a line, which must not become the beginning of the next one.
    is_torn: bool,
}

impl Rotating {
    /// Makes a writer that goes on at the end of `log_file`; the file is opened or created with the first line.
    pub fn new(log_file: &Path, settings: &Settings) -> Self {
        Self::with_clock(log_file, settings, Box::new(format::now))
    }

    /// Like [`Rotating::new`], with a clock of the caller's.
    pub fn with_clock(log_file: &Path, settings: &Settings, clock: Clock) -> Self {
        Self {
            series: Series::new(log_file),
            max_size: settings.max_size.max(SIZE_MIN),
            keep: settings.keep.min(KEEP_MAX),
            clock,
            current: None,
            lost: 0,
            errors: Arc::default(),
        }
    }

    /// Returns the counter of lines that were lost and of rotations that failed, both since the start.
    pub fn errors(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.errors)
    }

    fn count(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Appends several lines at once if they fit into the current file. Returns how many bytes of whole lines were
    /// written; the rest is to be put line by line.
    fn put_together(&mut self, lines: &[u8]) -> usize {
        let today = (self.clock)().0.div_euclid(DAY_MS);
        let Ok((mut current, size)) = self.open(today) else { return 0 };
        let fits = size + lines.len() as u64 + u64::from(current.is_torn) <= self.max_size;
        let written = match fits && (size == 0 || current.day == today) {
            true => current.append_some(lines).unwrap_or(0),
            false => 0,
        };
        self.current = Some(current);
        lines[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let line = cut(line, self.max_size);
        let today = (self.clock)().0.div_euclid(DAY_MS);
        let (current, size) = self.open(today)?;
        let is_full = |current: &Current, size: u64| {
            size > 0 && size + line.len() as u64 + u64::from(current.is_torn) > self.max_size
        };
        let must_shrink = is_full(&current, size);
        let current = if must_shrink || (size > 0 && current.day != today) {
            self.rotate(current, must_shrink, today)?
        } else {
            current
        };
        let current = self.current.insert(Current { day: today, ..current });
        current.append(&line)
    }

    /// Returns the current file and its size, and makes sure that it is the one at its name.
    fn open(&mut self, today: i64) -> io::Result<(Current, u64)> {
        let named = self.series.look(0)?;
        if let (Some(mut current), Some(named)) = (self.current.take(), named) {
            let held = current.file.metadata()?;
            if Ident::of(&held) == Ident::of(&named) {
                if current.is_torn {
                    // Somebody else may have ended that line since.
                    current.is_torn = is_torn(&current.file, held.len())?;
                }
                return Ok((current, held.len()));
            }
        }
        let opened = Current::open(&self.series.path(0), today)?;
        self.prune();
        Ok(opened)
    }

    /// Returns the file to go on with: a new one, or the old one if it cannot be moved. That must not make the log
    /// grow without bound, nor be the end of it: then what is old goes, and what is new is kept.
    fn rotate(&mut self, mut current: Current, must_shrink: bool, today: i64) -> io::Result<Current> {
        if current.is_torn {
            // Nobody completes this line any more, and a reader waits for its end.
            let _ = current.append(b"");
        }
        if self.shift().is_ok() {
            let (fresh, _) = Current::open(&self.series.path(0), today)?;
            self.prune();
            return Ok(fresh);
        }
        self.count();
        if must_shrink {
            current.file.set_len(0)?;
            current.is_torn = false;
        }
        Ok(current)
    }

    fn shift(&self) -> io::Result<()> {
        if self.keep == 0 {
            // Not truncated: a reader that has the old file open still gets the end of it.
            return std::fs::remove_file(self.series.path(0));
        }
        let mut free = 1;
        while free < self.keep && self.series.look(free)?.is_some() {
            free += 1;
        }
        // From the top, so that a file never takes the name of one that is still to be moved.
        for number in (0..free).rev() {
            std::fs::rename(self.series.path(number), self.series.path(number + 1))?;
        }
        Ok(())
    }

    /// Deletes what is beyond the bound: of a larger `keep` or a larger `max_size` of former times.
    fn prune(&self) {
        let mut room = u64::from(self.keep).saturating_mul(self.max_size);
        for number in self.series.numbers().unwrap_or_default() {
            let Ok(Some(found)) = self.series.look(number) else { continue };
            if number == 0 || !found.is_file() {
                continue;
            }
            match room.checked_sub(found.len()) {
                Some(left) if number <= self.keep => room = left,
                _ => {
                    room = 0;
                    let _ = std::fs::remove_file(self.series.path(number));
                }
            }
        }
    }
}

impl Write for Rotating {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let done = if self.lost == 0 { self.put_together(lines) } else { 0 };
        for line in lines[done..].split_inclusive(|byte| *byte == b'\n') {
            if self.lost > 0 {
                let told = format!("log lines were lost lines={}", self.lost);
                let told = format::line((self.clock)(), Level::Warn, &told);
                if self.put(told.as_bytes()).is_ok() {
                    self.lost = 0;
                }
            }
            if self.lost > 0 || self.put(line).is_err() {
                self.lost += 1;
                self.count();
            }
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Current {
    /// Returns the file at `path`, created if there is none, and its size.
    fn open(path: &Path, today: i64) -> io::Result<(Self, u64)> {
        // O_NONBLOCK: a FIFO in the place of the log must not stop the daemon. Append and read, to see how it ends.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(flags.bits())
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the log is not a regular file"));
        }
        if metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the log belongs to somebody else"));
        }
        if metadata.mode() & 0o077 != 0 {
            // Others may have read it already, but what comes now is not for them.
            let _ = file.set_permissions(Permissions::from_mode(0o600));
        }
        let size = metadata.len();
        let is_torn = is_torn(&file, size)?;
        let day = if size == 0 { today } else { metadata.mtime().div_euclid(DAY_MS / 1000) };
        Ok((Self { file, day, is_torn }, size))
    }

    /// Appends with a single write, so that lines of other processes stay whole.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // The disk is full: trying for the rest would only fail again.
        if self.append_some(line)? < line.len() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    /// The same, and returns how many bytes of them were written.
    fn append_some(&mut self, lines: &[u8]) -> io::Result<usize> {
        let torn_before: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let bytes = [torn_before, lines].concat();
        let written = loop {
            match self.file.write(&bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        let Some(last) = written.checked_sub(1) else {
            return if bytes.is_empty() { Ok(0) } else { Err(io::ErrorKind::WriteZero.into()) };
        };
        self.is_torn = bytes[last] != b'\n';
        Ok(written.saturating_sub(torn_before.len()))
    }
}

fn is_torn(file: &File, size: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if size > 0 {
        file.read_at(&mut last, size - 1)?;
    }
    Ok(last != *b"\n")
}

/// Returns `line`, or as much of its beginning as fits with a line end into `max_size`.
fn cut(line: &[u8], max_size: u64) -> Vec<u8> {
    let max = usize::try_from(max_size).unwrap_or(usize::MAX);
    if line.len() <= max {
        return line.to_vec();
    }
    let mut end = max - 1;
    while end > 0 && line[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    let mut cut = line[..end].to_vec();
    cut.push(b'\n');
    cut
}

#[cfg(test)]
mod tests;
