//! Which projects a user has: one small file each, so that entering one never disturbs another. An entry is also how a
//! project is told apart from one that came from elsewhere: it names the path, and the database that was made there.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::fault;
use crate::paths::error::Error;
use crate::paths::{Places, Project, discover, init};

/// What is entered about a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nothing: nobody has made or accepted a project at this path.
    Absent,
    /// It was made or accepted, and had no database then.
    Named,
    /// It was made or accepted with this database.
    Of(Uuid),
}

/// Where the database of a project comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was made just now, or holds no task.
    Made,
    /// It was there.
    Found,
}

/// Longest entry that is read, in bytes; a path has 4 KiB at most.
const ENTRY_BYTES_MAX: u64 = 64 << 10;

/// Returns whether a project is its user's own: made or accepted here, and with this very database. What was cloned or
/// copied is not, until it is accepted; nor is a known directory into which another database was put, be it one that
/// names no project: whoever put it there chose what it says.
pub fn is_own(entry: Entry, database: Uuid, origin: Origin) -> bool {
    match (entry, origin) {
        // Nothing can have come along.
        (_, Origin::Made) => true,
        (Entry::Of(known), Origin::Found) => known == database,
        (Entry::Absent | Entry::Named, Origin::Found) => fault::is_sabotaged(13),
    }
}

/// Returns what is entered about a project.
///
/// Shape: an entry that cannot be understood counts as absent.
/// Errors: the file is there and cannot be read; somebody else could have made it.
pub fn entry(project: &Project, places: &Places) -> Result<Entry, Error> {
    let path = file(project, places);
    match discover::verify(&places.registry_dir()) {
        Ok(_) => {}
        Err(Error::NotAProject { .. }) => return Ok(Entry::Absent),
        Err(error) => return Err(error),
    }
    match read(&path) {
        Ok(Some(content)) => Ok(parse(&content, project.root())),
        Ok(None) => Ok(Entry::Absent),
        Err(Refused::Read(source)) => Err(Error::Io { operation: "read", path, source }),
        Err(Refused::Check(error)) => Err(error),
    }
}

enum Refused {
    Read(io::Error),
    Check(Error),
}

/// Reads an entry; `None` if there is none. What is no plain file says nothing that is understood.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Refused> {
    // A FIFO in its place must not stop anybody.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Refused::Read(error)),
    };
    let metadata = file.metadata().map_err(Refused::Read)?;
    discover::check(path, metadata.uid(), metadata.mode(), geteuid().as_raw()).map_err(Refused::Check)?;
    let mut content = Vec::new();
    if metadata.is_file() {
        file.take(ENTRY_BYTES_MAX).read_to_end(&mut content).map_err(Refused::Read)?;
    }
    Ok(Some(content))
}

fn parse(content: &[u8], root: &Path) -> Entry {
    let Some(rest) = content.strip_prefix(root.as_os_str().as_bytes()).and_then(|rest| rest.strip_prefix(b"\n")) else {
        return Entry::Absent;
    };
    match rest {
        [] => Entry::Named,
        id => {
            let id = str::from_utf8(id).ok().and_then(|id| Uuid::try_parse(id.trim_end()).ok());
            id.map_or(Entry::Absent, Entry::Of)
        }
    }
}

/// Enters a project among those of the user, with its database if there is one: done when it is made, accepted, or
/// started as one's own. Entering it again is fine.
///
/// Shape: `<state>/apex/projects/<name>`; the name is the root's [`fingerprint`], the content the path and a newline, and
/// the database's id and a newline.
/// Errors: the directory or the file cannot be written.
pub fn register(project: &Project, places: &Places, database: Option<Uuid>) -> Result<(), Error> {
    let dir = places.registry_dir();
    let path = file(project, places);
    let mut content = project.root().as_os_str().as_bytes().to_vec();
    content.push(b'\n');
    if let Some(id) = database {
        content.extend_from_slice(format!("{id}\n").as_bytes());
    }
    if matches!(read(&path), Ok(Some(there)) if there == content) {
        return Ok(());
    }
    init::make_directories(&dir)?;
    let mut new = path.clone().into_os_string();
    new.push(OsString::from_vec(format!(".{}", std::process::id()).into_bytes()));
    let new = PathBuf::from(new);
    // What a process of the same pid left behind.
    let _ = fs::remove_file(&new);
    init::write_new(&new, &content).map_err(Error::io("write", &new))?;
    // A power cut must not make a project foreign to its own user: entry and name are on the disk before this returns.
    let sync = |path: &Path| fs::File::open(path).and_then(|file| file.sync_all());
    let entered = sync(&new).and_then(|()| fs::rename(&new, &path)).and_then(|()| {
        // Those above it may have been made just now, too; as far up as this user may open them.
        dir.ancestors().skip(1).take(2).for_each(|above| drop(sync(above)));
        sync(&dir)
    });
    entered.map_err(|source| {
        let _ = fs::remove_file(&new);
        Error::Io { operation: "write", path, source }
    })
}

/// A project that is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its directory, as it was then.
    pub root: PathBuf,
    /// The entry.
    pub file: PathBuf,
}

/// Returns all projects that are entered, in no order. What is no entry, or cannot be read, is passed over.
///
/// Errors: the directory of the entries is there and cannot be read; somebody else could have made them.
pub fn registered(places: &Places) -> Result<Vec<Registered>, Error> {
    let dir = places.registry_dir();
    match discover::verify(&dir) {
        Ok(_) => {}
        Err(Error::NotAProject { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let entries = fs::read_dir(&dir).map_err(Error::io("read", &dir))?;
    let root = |path: &Path| {
        let content = read(path).ok()??;
        let root = content.split(|byte| *byte == b'\n').next().filter(|root| root.starts_with(b"/"))?;
        let root = PathBuf::from(OsString::from_vec(root.to_vec()));
        // Only under its own name: a copy of an entry, and what a write has left, are none.
        (path.file_name()? == fingerprint(&root).as_str()).then_some(root)
    };
    let found = entries.flatten().filter_map(|entry| {
        let file = entry.path();
        Some(Registered { root: root(&file)?, file })
    });
    Ok(found.collect())
}

fn file(project: &Project, places: &Places) -> PathBuf {
    places.registry_dir().join(fingerprint(project.root()))
}

/// Returns the name of a project where a path cannot stand: half of the SHA-256 of the root's path, in hexadecimal.
pub fn fingerprint(root: &Path) -> String {
    let digest = Sha256::digest(root.as_os_str().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let (project, other) = (Project::new("/home/me/a b"), Project::new("/home/me/a"));
        let id = Uuid::from_u128(7);
        assert_eq!(entry(&project, &places).unwrap(), Entry::Absent);
        register(&project, &places, None).unwrap();
        assert_eq!(entry(&project, &places).unwrap(), Entry::Named);
        register(&project, &places, Some(id)).unwrap();
        register(&project, &places, Some(id)).unwrap();
        assert_eq!(entry(&project, &places).unwrap(), Entry::Of(id));
        assert_eq!(entry(&other, &places).unwrap(), Entry::Absent);
        fs::write(places.registry_dir().join("nonsense"), "/x\n").unwrap();
        let all = registered(&places).unwrap();
        assert_eq!(all, [Registered { root: project.root().to_owned(), file: file(&project, &places) }]);
        assert_eq!(registered(&Places::new(dir.path().join("nowhere"))).unwrap(), []);
    }

    #[test]
    fn an_entry_that_somebody_else_could_have_made_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let loosened = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let project = Project::new("/home/me/a");
        register(&project, &places, None).unwrap();
        let path = file(&project, &places);
        loosened(&path, 0o622);
        assert!(matches!(entry(&project, &places), Err(Error::Writable { path: named, .. }) if named == path));
        loosened(&path, 0o600);
        loosened(&places.registry_dir(), 0o777);
        assert!(matches!(entry(&project, &places), Err(Error::Writable { path, .. }) if path == places.registry_dir()));
        loosened(&places.registry_dir(), 0o700);
        assert_eq!(entry(&project, &places).unwrap(), Entry::Named);

        let kept = dir.path().join("kept");
        fs::rename(&path, &kept).unwrap();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        assert!(entry(&project, &places).is_err(), "a link is not followed");
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        assert_eq!(entry(&project, &places).unwrap(), Entry::Absent, "nothing is waited for");
    }

    #[test]
    fn what_is_not_understood_is_no_entry() {
        let root = Path::new("/p");
        for content in ["", "/p", "/q\n", "/p\nnonsense\n", "/pp\n"] {
            assert_eq!(parse(content.as_bytes(), root), Entry::Absent, "{content:?}");
        }
    }

    #[test]
    fn only_what_was_made_or_accepted_here_is_ones_own() {
        let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for entry in [Entry::Absent, Entry::Named, Entry::Of(own), Entry::Of(other)] {
            assert!(is_own(entry, own, Origin::Made));
            assert_eq!(is_own(entry, own, Origin::Found), entry == Entry::Of(own), "{entry:?}");
        }
    }
}
