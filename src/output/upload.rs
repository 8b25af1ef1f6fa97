//! Standard input that a client sends before it adds the task.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

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
}
