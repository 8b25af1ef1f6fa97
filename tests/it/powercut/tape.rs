//! What was done to the files of a directory, in order, and what of it a power cut may leave.
//!
//! What was synced is there. Of the rest each sector, each cutting off, each name that was made or deleted is there or
//! not, one by one: a disk writes in what order it likes. The last write may be torn in the middle of a sector.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::powercut::Dice;

/// A file, whatever it is called.
pub type FileId = usize;

type Names = BTreeMap<String, FileId>;

enum Op {
    Made {
        name: String,
        file: FileId,
    },
    Deleted {
        name: String,
        sync_directory: bool,
    },
    Wrote {
        file: FileId,
        at: usize,
        bytes: Vec<u8>,
    },
    CutOff {
        file: FileId,
        size: usize,
    },
    Synced {
        file: FileId,
        directory: bool,
    },
    /// The directory was changed by others than SQLite, which sync what they name and the directory.
    Renamed(Names),
}

/// What was done to a directory.
pub struct Tape {
    directory: PathBuf,
    ops: Vec<Op>,
    names: Names,
    /// What there was before the first op.
    names_before: Names,
    /// The number of each file in the file system.
    inodes: Vec<u64>,
    /// What the files had in them before the first op.
    before: Vec<Vec<u8>>,
}

impl Tape {
    pub fn of(directory: &Path) -> Tape {
        let mut tape = Tape {
            directory: directory.to_owned(),
            ops: Vec::new(),
            names: Names::new(),
            names_before: Names::new(),
            inodes: Vec::new(),
            before: Vec::new(),
        };
        for (name, inode) in tape.listing() {
            tape.before.push(fs::read(directory.join(&name)).unwrap());
            tape.names.insert(name, tape.inodes.len());
            tape.inodes.push(inode);
        }
        tape.names_before.clone_from(&tape.names);
        tape
    }

    /// How much was done so far.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    fn listing(&self) -> Vec<(String, u64)> {
        let entries = fs::read_dir(&self.directory).unwrap().map(Result::unwrap);
        let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().ino()));
        // Neither has a content that matters after a power cut.
        named.filter(|(name, _)| !name.ends_with("-shm") && !name.ends_with("-reserve")).collect()
    }

    /// Notices what others than SQLite did.
    pub fn look_around(&mut self) {
        let listing = self.listing();
        let mut names = Names::new();
        for (name, inode) in listing {
            let known = self.names.values().copied().find(|file| self.inodes[*file] == inode);
            let file = known.unwrap_or_else(|| {
                let size = fs::metadata(self.directory.join(&name)).unwrap().len();
                assert_eq!(size, 0, "`{name}` was written by somebody else");
                self.inodes.push(inode);
                self.inodes.len() - 1
            });
            names.insert(name, file);
        }
        if names != self.names {
            self.names.clone_from(&names);
            self.ops.push(Op::Renamed(names));
        }
    }

    pub fn opened(&mut self, name: &str) -> FileId {
        if let Some(file) = self.names.get(name) {
            return *file;
        }
        let file = self.inodes.len();
        self.inodes.push(fs::metadata(self.directory.join(name)).unwrap().ino());
        self.names.insert(name.to_owned(), file);
        self.ops.push(Op::Made { name: name.to_owned(), file });
        file
    }

    pub fn deleted(&mut self, name: &str, sync_directory: bool) {
        self.names.remove(name);
        self.ops.push(Op::Deleted { name: name.to_owned(), sync_directory });
    }

    pub fn wrote(&mut self, file: FileId, at: usize, bytes: &[u8]) {
        self.look_around();
        self.ops.push(Op::Wrote { file, at, bytes: bytes.to_vec() });
    }

    pub fn cut_off(&mut self, file: FileId, size: usize) {
        self.ops.push(Op::CutOff { file, size });
    }

    pub fn synced(&mut self, file: FileId, directory: bool) {
        self.ops.push(Op::Synced { file, directory });
    }

    /// Returns the files that a cut after the first `cut` ops may leave.
    pub fn image(&self, cut: usize, dice: &mut Dice) -> BTreeMap<String, Vec<u8>> {
        let mut files: Vec<Content<'_>> = vec![Content::default(); self.inodes.len()];
        for (file, before) in files.iter_mut().zip(&self.before) {
            file.synced.clone_from(before);
        }
        let mut names = self.names_before.clone();
        let mut waiting: Vec<(&String, Option<FileId>)> = Vec::new();
        let sync = |names: &mut Names, waiting: &mut Vec<(&String, Option<FileId>)>| {
            waiting.drain(..).for_each(|(name, file)| rename(names, name, file));
        };
        for op in &self.ops[..cut] {
            match op {
                Op::Made { name, file } => waiting.push((name, Some(*file))),
                Op::Deleted { name, sync_directory } => {
                    waiting.push((name, None));
                    if *sync_directory {
                        sync(&mut names, &mut waiting);
                    }
                }
                Op::Wrote { file, at, bytes } => files[*file].waiting.push(Change::Write(*at, bytes)),
                Op::CutOff { file, size } => files[*file].waiting.push(Change::Size(*size)),
                Op::Synced { file, directory } => {
                    files[*file].sync();
                    if *directory {
                        sync(&mut names, &mut waiting);
                    }
                }
                Op::Renamed(now) => {
                    sync(&mut names, &mut waiting);
                    for (_, file) in now.iter().filter(|(name, file)| names.get(*name) != Some(file)) {
                        files[*file].sync();
                    }
                    names.clone_from(now);
                }
            }
        }
        // From nothing of what was not synced to all of it.
        let likely = [0, 1, 4, 7, 8][dice.below(5)];
        let sector = [512, 4096][dice.below(2)];
        for (name, file) in waiting {
            if dice.below(8) < likely {
                rename(&mut names, name, file);
            }
        }
        names.into_iter().map(|(name, file)| (name, files[file].left(likely, sector, dice))).collect()
    }
}

fn rename(names: &mut Names, name: &str, file: Option<FileId>) {
    match file {
        Some(file) => names.insert(name.to_owned(), file),
        None => names.remove(name),
    };
}

/// What a file has in it, and what was done to it since it was synced.
#[derive(Clone, Default)]
struct Content<'a> {
    synced: Vec<u8>,
    waiting: Vec<Change<'a>>,
}

#[derive(Clone)]
enum Change<'a> {
    Write(usize, &'a [u8]),
    Size(usize),
}

impl Content<'_> {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.waiting) {
            match change {
                Change::Write(at, bytes) => put(&mut self.synced, at, bytes),
                Change::Size(size) => self.synced.resize(size, 0),
            }
        }
    }

    fn left(&self, likely: usize, sector: usize, dice: &mut Dice) -> Vec<u8> {
        let mut content = self.synced.clone();
        let last = self.waiting.len().saturating_sub(1);
        for (number, change) in self.waiting.iter().enumerate() {
            match change {
                Change::Size(size) if dice.below(8) < likely => content.resize(*size, 0),
                Change::Size(_) => {}
                // As much of it as had gone out when the current went off.
                Change::Write(at, bytes) if number == last && dice.below(4) == 0 => {
                    put(&mut content, *at, &bytes[..dice.below(bytes.len() + 1)]);
                }
                Change::Write(at, bytes) => {
                    let (mut at, mut bytes) = (*at, *bytes);
                    while !bytes.is_empty() {
                        let (piece, rest) = bytes.split_at((sector - at % sector).min(bytes.len()));
                        if dice.below(8) < likely {
                            put(&mut content, at, piece);
                        }
                        (at, bytes) = (at + piece.len(), rest);
                    }
                }
            }
        }
        content
    }
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}
