//! Reading what an earlier guardian wrote down.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::domain::adoption::LastWords;
use crate::link::last_words::parse;
use crate::process::Error;

/// Reads the last words of earlier guardians.
///
/// Shape: one element for each guardian that ended without an apexd since the file was last removed, oldest first;
/// empty if there is no file.
/// Errors: [`Error::Read`]; [`Error::Damaged`] with the line, and then nothing in the file may be relied on.
pub fn last_words(path: &Path) -> Result<Vec<LastWords>, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    // What is not UTF-8 is damaged, and the line with the replacement characters says where.
    parse(&String::from_utf8_lossy(&text)).map_err(|source| Error::Damaged { path: path.to_owned(), source })
}

/// Removes the last words, durably. To be called when everything in them is stored.
///
/// Errors: [`Error::Read`]; none if there is no file.
pub fn forget_last_words(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result.map_err(failed)?,
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{BootId, GuardianId};
    use crate::link::last_words::{Damaged, to_text};
    use uuid::Uuid;

    #[test]
    fn words_are_read_until_they_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guardian.exits");
        assert_eq!(last_words(&path).unwrap(), []);
        let words = LastWords { guardian: GuardianId(Uuid::from_u128(1)), children: Vec::new() };
        fs::write(&path, to_text(&words, BootId(Uuid::from_u128(2)))).unwrap();
        assert_eq!(last_words(&path).unwrap(), [words]);
        forget_last_words(&path).unwrap();
        forget_last_words(&path).unwrap();
        assert_eq!(last_words(&path).unwrap(), []);
    }

    #[test]
    fn a_damaged_file_is_refused_by_name_and_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guardian.exits");
        fs::write(&path, b"apex guardian exits 1\n\xff\xfe\n").unwrap();
        let error = last_words(&path).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{}` is damaged", path.display())));
        assert!(matches!(error, Error::Damaged { source: Damaged { line: 2 }, .. }));
    }
}
