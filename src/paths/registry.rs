//! Which projects a user has: one small file each, so that entering one never disturbs another. An entry is also how a
//! project is told apart from one that came from elsewhere: it names the path, and the database that was made there.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::paths::error::Error;
use crate::paths::{Places, Project, init};

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
    /// It was there, and was of a version that named no project yet.
    Unnamed,
    /// It was there.
    Found,
}

/// Returns whether a project is its user's own: made or accepted here, and with this very database. What was cloned or
/// copied is not, until it is accepted; nor is a known directory into which another database was put.
pub fn is_own(entry: Entry, database: Uuid, origin: Origin) -> bool {
    match (entry, origin) {
        // Nothing can have come along.
        (_, Origin::Made) => true,
        (Entry::Of(known), _) => known == database,
        (Entry::Named, Origin::Unnamed) => true,
        (Entry::Absent | Entry::Named, _) => false,
    }
}

/// Returns what is entered about a project.
///
/// Shape: an entry that cannot be understood counts as absent.
/// Errors: the file is there and cannot be read.
pub fn entry(project: &Project, places: &Places) -> Result<Entry, Error> {
    let path = file(project, places);
    match fs::read(&path) {
        Ok(content) => Ok(parse(&content, project.root())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Entry::Absent),
        Err(source) => Err(Error::Io { operation: "read", path, source }),
    }
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
    if fs::read(&path).is_ok_and(|there| there == content) {
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
            let expected = matches!(entry, Entry::Named) || entry == Entry::Of(own);
            assert_eq!(is_own(entry, own, Origin::Unnamed), expected, "{entry:?}");
        }
    }
}
