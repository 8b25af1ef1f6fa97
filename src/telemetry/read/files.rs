//! Reads each line of a log once, in order, while its files are moved, deleted and created by somebody else.
//!
//! Files are told apart by what they are (device and inode), not by their names. That holds for as long as they are
//! open, because the inode of a deleted file is used again at once; so the two newest files that were read to their end
//! stay open. Whatever is found below the newest of them, counted from `daemon.log` upwards, is new.
//!
//! The second of the two is there for a line that another process appends to a file while it is being rotated, and to
//! recognise the older files when the newest was removed.

use std::cmp::Reverse;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;

use crate::domain::text::neutralize;
use crate::telemetry::series::{Ident, Series};

const CHUNK: usize = 64 * 1024;
/// How many files stay open when they have been read.
const HELD: usize = 2;
/// How often a search is repeated because files were being rotated meanwhile; each takes some microseconds.
const SEARCHES_MAX: usize = 32;

/// The files of a log as a reader has them, and how far it has read.
#[derive(Debug)]
pub struct Files {
    series: Series,
    /// Oldest first.
    held: Vec<Tail>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    ident: Ident,
    offset: u64,
    /// The beginning of a line whose end has not been written yet.
    partial: Vec<u8>,
    /// Has no name of this log any more, or is too old to be appended to: the next read is the last.
    is_gone: bool,
}

/// What one pass over the names found.
struct Pass {
    /// Files not read before, newest first.
    order: Vec<Ident>,
    /// Index in `held` of the file where the pass ended.
    anchor: Option<usize>,
}

impl Files {
    /// Makes a reader that has read nothing yet.
    pub fn new(log_file: &Path) -> Self {
        Self { series: Series::new(log_file), held: Vec::new() }
    }

    /// Returns the names of the log's files.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Hands every line to `emit` that is complete and was not handed out before, made safe for a terminal.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or something else than a file is in the place of the log. What was handed out before
    /// stays handed out.
    pub fn look(&mut self, emit: &mut dyn FnMut(String)) -> io::Result<()> {
        self.search()?;
        let mut too_many = self.held.iter().filter(|tail| !tail.is_gone).count().saturating_sub(HELD);
        for tail in &mut self.held {
            tail.read(emit)?;
            if !tail.is_gone && too_many > 0 {
                too_many -= 1;
                tail.is_gone = true;
            }
            if tail.is_gone {
                tail.end(emit);
            }
        }
        self.held.retain(|tail| !tail.is_gone);
        Ok(())
    }

    /// Hands out what has no line end yet, as lines: nobody is waiting for it.
    pub fn end(&mut self, emit: &mut dyn FnMut(String)) {
        for tail in &mut self.held {
            tail.end(emit);
        }
    }

    /// Opens every file that is new, and puts it behind those that are known.
    fn search(&mut self) -> io::Result<()> {
        let mut fresh: Vec<Tail> = Vec::new();
        let mut searches = 0;
        let pass = loop {
            let before = self.current()?;
            let pass = self.pass(&mut fresh)?;
            searches += 1;
            // A file that came into being meanwhile may have overtaken the pass, and then the order is not certain.
            if self.current()? == before || searches >= SEARCHES_MAX {
                break pass;
            }
        };
        // What an earlier pass found and the last one did not is deleted by now, and so older than what is left.
        let age = |tail: &Tail| pass.order.iter().position(|ident| *ident == tail.ident).unwrap_or(usize::MAX);
        fresh.sort_by_key(|tail| Reverse(age(tail)));
        let named = pass.anchor.map_or(0, |anchor| anchor + 1);
        for tail in &mut self.held[named..] {
            tail.is_gone = true;
        }
        self.held.append(&mut fresh);
        Ok(())
    }

    fn current(&self) -> io::Result<Option<Ident>> {
        Ok(self.series.look(0)?.map(|metadata| Ident::of(&metadata)))
    }

    /// Goes through the names in the direction in which files are moved, so that none is missed, until one that is
    /// known.
    fn pass(&self, fresh: &mut Vec<Tail>) -> io::Result<Pass> {
        let mut order = Vec::new();
        let mut opened = Vec::new();
        let mut last = None;
        let mut anchor = None;
        for number in 0.. {
            // While files are being moved there is a gap; it is the end only when nothing is above it.
            if number > last.unwrap_or(0) {
                let highest = self.series.numbers()?.last().copied().unwrap_or(0);
                last = Some(highest);
                if number > highest {
                    break;
                }
            }
            let Some(found) = self.series.look(number)? else { continue };
            if !found.is_file() {
                if number == 0 {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "the log is not a regular file"));
                }
                continue;
            }
            let mut ident = Ident::of(&found);
            let is_known = |ident| self.held.iter().position(|tail| tail.ident == ident);
            anchor = is_known(ident);
            if anchor.is_none() && !fresh.iter().chain(&opened).any(|tail| tail.ident == ident) {
                // It may be another one by now; the one seen before has then moved on to the next number.
                let Some(tail) = Tail::open(&self.series.path(number))? else { continue };
                ident = tail.ident;
                anchor = is_known(ident);
                if anchor.is_none() && !fresh.iter().chain(&opened).any(|other| other.ident == ident) {
                    opened.push(tail);
                }
            }
            if anchor.is_some() {
                break;
            }
            if !order.contains(&ident) {
                order.push(ident);
            }
        }
        fresh.extend(opened.into_iter().rev());
        Ok(Pass { order, anchor })
    }
}

impl Tail {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let ident = Ident::of(&file.metadata()?);
        Ok(Some(Self { file, ident, offset: 0, partial: Vec::new(), is_gone: false }))
    }

    /// Reads as far as the file goes at this moment, so that a fast writer does not keep the reader here for ever.
    fn read(&mut self, emit: &mut dyn FnMut(String)) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        if size < self.offset {
            // Somebody truncated it: what is there now was not there before.
            self.offset = 0;
            self.partial.clear();
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(size - self.offset).unwrap_or(CHUNK))];
        while self.offset < size {
            let wanted = chunk.len().min(usize::try_from(size - self.offset).unwrap_or(CHUNK));
            let read = match self.file.read_at(&mut chunk[..wanted], self.offset) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.offset += read as u64;
            for piece in chunk[..read].split_inclusive(|byte| *byte == b'\n') {
                self.partial.extend_from_slice(piece);
                if self.partial.pop_if(|byte| *byte == b'\n').is_some() {
                    emit(shown(&self.partial));
                    self.partial.clear();
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(String)) {
        if !self.partial.is_empty() {
            emit(shown(&self.partial));
            self.partial.clear();
        }
    }
}

fn shown(line: &[u8]) -> String {
    neutralize(&String::from_utf8_lossy(line)).into_owned()
}
