//! Tasks that a client sends before they are added together.
//!
//! They wait in a file, however many they are, until all of them are there: whoever is slow to send them holds nobody up.
//! It is not synced. Who would still want it after a power cut is gone as well.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::output::{Error, Outputs};

/// How long tasks wait to be added; a client that has handed them over adds them at once, and repeats that for seconds.
const WAITING_MAX: Duration = Duration::from_secs(600);

/// Tasks that are being taken in. Dropped before they are complete, they leave nothing behind.
#[derive(Debug)]
pub struct Tasks {
    id: Uuid,
    file: File,
    path: PathBuf,
    is_complete: bool,
}

impl Outputs {
    /// Begins to take in tasks, under a name of their own. Blocks the thread.
    pub fn take_in_tasks(&self, id: Uuid) -> Result<Tasks, Error> {
        self.check()?;
        let directory = self.absolute(Path::new("input"));
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .map_err(|source| Error::MakeDirectory { path: directory, source })?;
        let path = self.tasks_path(id);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok(Tasks { id, file, path, is_complete: false }),
            Err(source) => Err(Error::KeepTasks { path, source }),
        }
    }

    /// Opens tasks that were taken in. Blocks the thread.
    ///
    /// Errors: [`Error::NoSuchTasks`].
    pub fn tasks(&self, id: Uuid) -> Result<File, Error> {
        let path = self.tasks_path(id);
        File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::NoSuchTasks(id),
            _ => Error::Read { path, source },
        })
    }

    /// Removes tasks that were taken in. Blocks the thread.
    pub fn remove_tasks(&self, id: Uuid) {
        // Nobody adds them any more, whether they can be removed or not.
        let _ = std::fs::remove_file(self.tasks_path(id));
    }

    /// Removes what crashes have left of tasks that were to be added. Blocks the thread.
    pub fn remove_old_tasks(&self, now: SystemTime) {
        let Ok(entries) = std::fs::read_dir(self.absolute(Path::new("input"))) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let id = path.file_stem().and_then(|name| name.to_str()).and_then(|name| Uuid::parse_str(name).ok());
            let is_ours = id.is_some() && path.extension().is_some_and(|extension| extension == EXTENSION);
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let is_old = written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > WAITING_MAX));
            if is_ours && is_old {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn tasks_path(&self, id: Uuid) -> PathBuf {
        self.absolute(&Path::new("input").join(format!("{id}.{EXTENSION}")))
    }
}

/// How the names of their files end.
const EXTENSION: &str = "tasks";

impl Tasks {
    /// Appends to them. Blocks the thread, if only for as long as a page cache takes.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.file.write_all(data).map_err(|source| Error::KeepTasks { path: self.path.clone(), source })
    }

    /// Keeps them, and returns their name.
    pub fn complete(mut self) -> Uuid {
        self.is_complete = true;
        self.id
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        if !self.is_complete {
            // Nothing refers to it, whether it can be removed or not.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn tasks_are_there_until_they_are_removed_or_old() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        let (kept, dropped) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut tasks = outputs.take_in_tasks(kept).unwrap();
        tasks.write(b"one").unwrap();
        tasks.write(b"two").unwrap();
        assert_eq!(tasks.complete(), kept);
        let mut text = String::new();
        outputs.tasks(kept).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "onetwo");
        let file = outputs.tasks(kept).unwrap().metadata().unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);

        drop(outputs.take_in_tasks(dropped).unwrap());
        assert!(matches!(outputs.tasks(dropped), Err(Error::NoSuchTasks(id)) if id == dropped));
        outputs.remove_old_tasks(SystemTime::now());
        assert!(outputs.tasks(kept).is_ok());
        outputs.remove_old_tasks(SystemTime::now() + WAITING_MAX + Duration::from_secs(60));
        assert!(outputs.tasks(kept).is_err());
        outputs.remove_tasks(kept);
    }
}
