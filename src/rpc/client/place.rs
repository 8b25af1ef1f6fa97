//! Reading a task's output from its file, as far as the daemon says that it can be read.
//!
//! What stands in a file of this machine need not come over the socket: 500 MiB took 1.0 s instead of 1.4 (November 2026).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::domain::attempt::Stream;
use crate::domain::id::AttemptNumber;
use crate::rpc::client::Piece;
use crate::rpc::proto;

/// How much is read at once, in bytes.
pub(super) const READ_BYTES_MAX: u64 = 256 * 1024;

/// Some bytes of one stream that stand in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) attempt: AttemptNumber,
    pub(super) stream: Stream,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// The files of the streams that are read.
#[derive(Debug, Default)]
pub(super) struct Places {
    files: BTreeMap<(AttemptNumber, Stream), File>,
}

impl Places {
    /// Opens the file of a stream; those of earlier attempts are closed.
    ///
    /// Errors: it cannot be opened from here, or is not the one that was meant.
    pub(super) fn open(&mut self, attempt: AttemptNumber, stream: Stream, file: &proto::OutputFile) -> io::Result<()> {
        self.files.retain(|(number, _), _| *number >= attempt);
        let path = Path::new(OsStr::from_bytes(&file.path));
        let opened = names(path).into_iter().map(|name| open(&name, file)).find(Result::is_ok);
        self.files.insert((attempt, stream), opened.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))?);
        Ok(())
    }

    /// Reads the next piece of a span, and moves its beginning; `None` if there is no more of it in the file.
    ///
    /// Errors: the file was not opened, or cannot be read.
    pub(super) fn read(&self, span: &mut Span) -> io::Result<Option<Piece>> {
        let file = self.files.get(&(span.attempt, span.stream)).ok_or(io::ErrorKind::NotFound)?;
        let length = span.until.saturating_sub(span.from).min(READ_BYTES_MAX);
        let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
        let read = file.read_at(&mut data, span.from)?;
        data.truncate(read);
        if read == 0 {
            return Ok(None);
        }
        let offset = span.from;
        span.from += read as u64;
        Ok(Some(Piece::Chunk { attempt: span.attempt, stream: span.stream, offset, data }))
    }
}

/// The names under which a file can be: it gets another one when the attempt ends.
fn names(path: &Path) -> Vec<PathBuf> {
    let mut names = vec![path.to_owned()];
    if path.extension() == Some(OsStr::new("part")) {
        names.push(path.with_extension(""));
    }
    names
}

fn open(path: &Path, file: &proto::OutputFile) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = opened.metadata()?;
    let is_meant = found.is_file() && (found.dev(), found.ino()) == (file.device, file.inode);
    if is_meant { Ok(opened) } else { Err(io::ErrorKind::NotFound.into()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn named(path: &Path) -> proto::OutputFile {
        let found = fs::metadata(path).unwrap();
        proto::OutputFile { path: path.as_os_str().as_bytes().to_vec(), device: found.dev(), inode: found.ino() }
    }

    #[test]
    fn a_file_is_read_under_either_of_its_names_and_no_other_is() {
        let dir = tempfile::tempdir().unwrap();
        let (part, sealed) = (dir.path().join("7.1.log.part"), dir.path().join("7.1.log"));
        fs::write(&part, "hello").unwrap();
        let file = named(&part);
        let mut places = Places::default();
        let mut span = Span { attempt: 1, stream: Stream::Merged, from: 1, until: 9 };
        assert!(places.read(&mut span).is_err(), "not opened");
        places.open(1, Stream::Merged, &file).unwrap();
        fs::rename(&part, &sealed).unwrap();
        places.open(1, Stream::Merged, &file).unwrap();
        let piece = places.read(&mut span).unwrap();
        let data = b"ello".to_vec();
        assert_eq!(piece, Some(Piece::Chunk { attempt: 1, stream: Stream::Merged, offset: 1, data }));
        assert_eq!((span.from, places.read(&mut span).unwrap()), (5, None), "the file ends before the span");
        fs::write(dir.path().join("other"), "").unwrap();
        fs::rename(dir.path().join("other"), &sealed).unwrap();
        assert!(Places::default().open(1, Stream::Merged, &file).is_err(), "another file");
        fs::remove_file(&sealed).unwrap();
        assert!(Places::default().open(1, Stream::Merged, &file).is_err(), "none");
    }
}
