//! Standard input that a client sends before it adds the task.

use std::fs::DirEntry;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::output::{Error, Outputs};

/// Input that is being taken in. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    id: Uuid,
    file: File,
    bytes: u64,
    part: Part,
    path: PathBuf,
}

/// How long a finished upload waits for a task to name it.
const UNNAMED_MAX: Duration = Duration::from_secs(24 * 3600);

/// The file under its preliminary name; removed unless it was renamed.
#[derive(Debug)]
struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Nothing refers to it, whether it can be removed or not.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Outputs {
    /// Begins to take in standard input under a name of its own.
    pub async fn upload(&self, id: Uuid) -> Result<Upload, Error> {
        self.check()?;
        let directory = self.absolute(Path::new("input"));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .map_err(|source| Error::MakeDirectory { path: directory, source })?;
        let path = self.upload_path(id);
        let part = path.with_extension("part");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).await;
        let file = file.map_err(|source| Error::Keep { path: part.clone(), source })?;
        Ok(Upload { id, file, bytes: 0, part: Part(Some(part)), path })
    }

    /// Returns the file of an upload, whether it is there or not.
    pub fn upload_path(&self, id: Uuid) -> PathBuf {
        self.absolute(&Path::new("input").join(id.to_string()))
    }

    /// Returns the uploads that were finished more than a day before `now`, and removes what crashes have left of others.
    /// Who uploads adds the task at once, so what no task names by then never will be named. Blocks the thread.
    pub fn old_uploads(&self, now: SystemTime) -> Vec<Uuid> {
        let Ok(entries) = std::fs::read_dir(self.absolute(Path::new("input"))) else { return Vec::new() };
        let is_old = |entry: &DirEntry| {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > UNNAMED_MAX))
        };
        let mut finished = Vec::new();
        for entry in entries.flatten().filter(is_old) {
            let path = entry.path();
            let id = path.file_stem().and_then(|name| name.to_str()).and_then(|name| Uuid::parse_str(name).ok());
            match (id, path.extension()) {
                (Some(id), None) => finished.push(id),
                (Some(_), Some(extension)) if extension == "part" => drop(Part(Some(path))),
                // Nothing of ours.
                _ => {}
            }
        }
        finished
    }

    /// Removes an upload that no task names. Blocks the thread.
    pub fn remove_upload(&self, id: Uuid) {
        drop(Part(Some(self.upload_path(id))));
    }

    /// Fails with [`Error::NoSuchUpload`] unless an upload is there in full.
    pub fn check_upload(&self, id: Uuid) -> Result<(), Error> {
        if self.upload_path(id).is_file() { Ok(()) } else { Err(Error::NoSuchUpload(id)) }
    }
}

impl Upload {
    /// Appends to it.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(data).await;
        written.map_err(|source| Error::Keep { path: self.path.clone(), source })?;
        self.bytes += data.len() as u64;
        Ok(())
    }

    /// Makes it durable and usable, and returns its name and its length in bytes.
    pub async fn finish(mut self) -> Result<(Uuid, u64), Error> {
        let failed = |source| Error::Keep { path: self.path.clone(), source };
        self.file.flush().await.map_err(failed)?;
        self.file.sync_all().await.map_err(failed)?;
        if let Some(part) = self.part.0.take() {
            tokio::fs::rename(part, &self.path).await.map_err(failed)?;
        }
        if let Some(directory) = self.path.parent() {
            File::open(directory).await.map_err(failed)?.sync_all().await.map_err(failed)?;
        }
        Ok((self.id, self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn an_upload_is_there_in_full_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        let (kept, dropped) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut upload = outputs.upload(kept).await.unwrap();
        upload.write(b"hello ").await.unwrap();
        assert!(outputs.check_upload(kept).is_err(), "not finished yet");
        upload.write(b"world").await.unwrap();
        assert_eq!(upload.finish().await.unwrap(), (kept, 11));
        outputs.check_upload(kept).unwrap();
        let path = outputs.upload_path(kept);
        assert_eq!(std::fs::read(&path).unwrap(), b"hello world");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let mut upload = outputs.upload(dropped).await.unwrap();
        upload.write(b"half").await.unwrap();
        drop(upload);
        assert_eq!(std::fs::read_dir(dir.path().join("input")).unwrap().count(), 1);
        assert!(matches!(outputs.check_upload(dropped), Err(Error::NoSuchUpload(id)) if id == dropped));
    }

    #[tokio::test]
    async fn old_uploads_are_told_and_what_a_crash_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        let none: [Uuid; 0] = [];
        let (now, tomorrow) = (SystemTime::now(), SystemTime::now() + UNNAMED_MAX + Duration::from_secs(60));
        assert_eq!(outputs.old_uploads(now), none, "there need not be a directory");
        let kept = Uuid::from_u128(1);
        outputs.upload(kept).await.unwrap().finish().await.unwrap();
        let input = dir.path().join("input");
        let left = input.join(format!("{}.part", Uuid::from_u128(2)));
        std::fs::write(&left, "half").unwrap();
        std::fs::write(input.join("README"), "not ours").unwrap();
        assert_eq!(outputs.old_uploads(now), none);
        assert!(left.exists());
        assert_eq!(outputs.old_uploads(tomorrow), [kept]);
        assert!(!left.exists());
        outputs.remove_upload(kept);
        assert_eq!(std::fs::read_dir(&input).unwrap().count(), 1, "what is not ours stays");
    }
}
