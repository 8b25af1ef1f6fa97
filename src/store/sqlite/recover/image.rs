//! What of a damaged database is read: itself, or a copy with a header that SQLite takes for one.
//!
//! The header says little that is not known without it: every database of apex has pages of one size, one encoding and one
//! format. So a header that was written over hides nothing, once it is put right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::store::Error;
use crate::store::sqlite::guard::{MAGIC, beside};
use crate::store::sqlite::schema;

/// How large a page is: what SQLite makes unless it is told otherwise.
const PAGE_BYTES: u16 = 4096;

/// Where the header says how many pages there are; 0 lets SQLite go by the size of the file.
const PAGES: usize = 28;

/// What of the header is the same in every database of apex, and where it stands.
///
/// Source: sqlite.org/fileformat2.html, "The Database Header".
const FIXED: [(usize, &[u8]); 6] = [
    (0, MAGIC),
    (16, &PAGE_BYTES.to_be_bytes()),
    // Both format versions (a write-ahead log), no reserved space, and the fractions that every database has.
    (18, &[2, 2, 0, 64, 32, 32]),
    // The format of the schema.
    (44, &4_u32.to_be_bytes()),
    // Pages are not moved when some become free; UTF-8.
    (52, &[0, 0, 0, 0, 0, 0, 0, 1]),
    (64, &[0; 4]),
];

/// A database that can be read; a copy is deleted with it.
#[derive(Debug)]
pub(super) enum Image {
    Itself(PathBuf),
    Copy(PathBuf),
}

impl Image {
    /// Looks at the header of the database at `path`, and copies it and its log if something has to be put right.
    ///
    /// Errors: [`Error::Io`]; nothing was changed.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { operation: "read", path: path.to_owned(), source };
        let mut header = [0; 100];
        let mut file = match File::open(path) {
            Ok(file) => file,
            // Only its log is left; that cannot be read without it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Itself(path.to_owned())),
            Err(error) => return Err(io(error)),
        };
        let bytes = file.metadata().map_err(io)?.len();
        if bytes < header.len() as u64 {
            return Ok(Self::Itself(path.to_owned()));
        }
        file.read_exact(&mut header).map_err(io)?;
        let Some(mended) = mended(&header, bytes) else { return Ok(Self::Itself(path.to_owned())) };
        let image = Self::Copy(beside(path, ".mended"));
        let target = image.path();
        for suffix in ["-shm", "-wal"] {
            schema::remove(&beside(target, suffix))?;
        }
        file.rewind().map_err(io)?;
        copy(&mut file, target)?.write_all(&mended).map_err(io)?;
        match File::open(beside(path, "-wal")) {
            Ok(mut wal) => copy(&mut wal, &beside(target, "-wal")).map(drop)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        Ok(image)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Itself(path) | Self::Copy(path) => path,
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Self::Copy(path) = self {
            for suffix in ["-shm", "-wal", ""] {
                // Whatever is left of it is removed by the next one.
                let _ = fs::remove_file(beside(path, suffix));
            }
        }
    }
}

/// Copies a file from where it is read, and returns the copy, to be written from its beginning.
fn copy(from: &mut File, target: &Path) -> Result<File, Error> {
    let io = |source| Error::Io { operation: "write", path: target.to_owned(), source };
    schema::empty_file(target)?;
    let mut into = OpenOptions::new().write(true).open(target).map_err(io)?;
    io::copy(from, &mut into).and_then(|_| into.rewind()).map_err(io)?;
    Ok(into)
}

/// Returns the header as it must be for a file of that size; `None` if nothing hinders reading it.
fn mended(header: &[u8; 100], bytes: u64) -> Option<[u8; 100]> {
    let mut mended = *header;
    for (at, fixed) in FIXED {
        mended[at..at + fixed.len()].copy_from_slice(fixed);
    }
    let pages = header[PAGES..].first_chunk().map_or(0, |pages| u32::from_be_bytes(*pages));
    // What lies beyond the number in the header counts as not there. A number that is too large is no hindrance.
    let hides = pages != 0 && u64::from(pages) < bytes.div_ceil(PAGE_BYTES.into());
    if hides {
        mended[PAGES..PAGES + 4].fill(0);
    }
    (mended != *header).then_some(mended)
}
