//! Reading a file that somebody may still be writing.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::output::watch::Growth;
use crate::output::{CHUNK_BYTES_MAX, Error};

/// One stream of an attempt, open for reading.
///
/// The file stays open under its new name when the attempt ends, so a reader neither misses nor repeats anything. It
/// does not know when there is no more to come: whoever uses it learns that the attempt has ended, reads until
/// [`Reader::read`] finds nothing, and is done.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    path: PathBuf,
    growth: Growth,
}

impl Reader {
    pub(super) fn new(file: File, path: PathBuf, growth: Growth) -> Self {
        Self { file: Arc::new(file), path, growth }
    }

    /// Reads what stands at `offset`, at most [`CHUNK_BYTES_MAX`] bytes; empty if there is nothing (yet).
    pub async fn read(&self, offset: u64) -> Result<Vec<u8>, Error> {
        self.blocking(move |file| {
            let mut data = vec![0; CHUNK_BYTES_MAX];
            let length = file.read_at(&mut data, offset)?;
            data.truncate(length);
            Ok(data)
        })
        .await
    }

    /// Returns where the last `lines` lines begin, in bytes from the beginning. A last line without an end counts.
    pub async fn tail(&self, lines: u32) -> Result<u64, Error> {
        self.blocking(move |file| tail(file, lines)).await
    }

    /// Returns where the file was when it was opened, and which one it is: its device and inode.
    pub fn place(&self) -> Result<(&Path, u64, u64), Error> {
        let found = self.file.metadata().map_err(|source| Error::Read { path: self.path.clone(), source })?;
        Ok((&self.path, found.dev(), found.ino()))
    }

    /// Returns the length of the file, in bytes.
    pub async fn length(&self) -> Result<u64, Error> {
        self.blocking(|file| Ok(file.metadata()?.len())).await
    }

    /// Waits until something may have been written since the last call. May return too often, never too seldom.
    ///
    /// # Cancel safety
    /// Cancel-safe: what woke a call that was dropped wakes the next one.
    pub async fn grown(&mut self) {
        self.growth.next().await;
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let file = self.file.clone();
        let result = tokio::task::spawn_blocking(move || read(&file)).await;
        let result = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        result.map_err(|source| Error::Read { path: self.path.clone(), source })
    }
}

/// Looks for line ends from the end of the file backwards, block by block.
fn tail(file: &File, lines: u32) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if lines == 0 {
        return Ok(length);
    }
    let mut block = vec![0; CHUNK_BYTES_MAX];
    let mut found = 0;
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - begin).unwrap_or(CHUNK_BYTES_MAX)];
        file.read_exact_at(part, begin)?;
        for (index, byte) in part.iter().enumerate().rev() {
            let after = begin + index as u64 + 1;
            // The end of the last line begins nothing.
            if *byte == b'\n' && after < length {
                found += 1;
                if found == lines {
                    return Ok(after);
                }
            }
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::domain::attempt::Stream;
    use crate::domain::id::TaskId;
    use crate::output::Outputs;

    fn offset(text: &str, lines: u32) -> u64 {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        tail(&file, lines).unwrap()
    }

    #[test]
    fn the_last_lines_are_found_from_behind() {
        assert_eq!(offset("", 3), 0);
        assert_eq!(offset("a\nb\nc\n", 0), 6);
        assert_eq!(offset("a\nb\nc\n", 1), 4);
        assert_eq!(offset("a\nb\nc\n", 2), 2);
        assert_eq!(offset("a\nb\nc\n", 9), 0);
        assert_eq!(offset("a\nb\nc", 1), 4);
        assert_eq!(offset("\n\n\n", 1), 2);
        let long = format!("first\n{}\nlast\n", "x".repeat(3 * CHUNK_BYTES_MAX));
        assert_eq!(offset(&long, 1), long.len() as u64 - 5);
        assert_eq!(offset(&long, 2), 6);
        assert_eq!(offset(&long, 3), 0);
    }

    /// Reads until `wanted` bytes are there, waiting for growth in between.
    async fn read_all(reader: &mut Reader, wanted: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < wanted {
            let data = reader.read(all.len() as u64).await.unwrap();
            if data.is_empty() {
                reader.grown().await;
            }
            all.extend(data);
        }
        all
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_missed_while_another_process_writes_and_the_file_is_renamed() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        let task = TaskId::new(1).unwrap();
        let files = outputs.prepare(task, 1, false).unwrap();
        let file = File::create(&files.stdout).unwrap();
        let mut writer = Command::new("sh");
        writer.args(["-c", "read go; for n in 1 2 3 4 5; do head -c 50000 /dev/zero; done; read more; echo end"]);
        let mut writer = writer.stdin(Stdio::piped()).stdout(file).spawn().unwrap();
        let mut stdin = writer.stdin.take().unwrap();

        let mut first = outputs.open(task, 1, Stream::Merged).unwrap().unwrap();
        let mut second = outputs.open(task, 1, Stream::Merged).unwrap().unwrap();
        let reading = tokio::spawn(async move { read_all(&mut first, 250_004).await });
        writeln!(stdin, "go").unwrap();
        assert_eq!(read_all(&mut second, 250_000).await.len(), 250_000);
        outputs.seal(task, 1, false).unwrap();
        writeln!(stdin, "more").unwrap();
        let all = reading.await.unwrap();
        assert_eq!(&all[250_000..], b"end\n");
        assert_eq!(read_all(&mut second, 250_004).await, all);
        writer.wait().unwrap();
    }

    #[tokio::test]
    async fn what_was_not_written_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        assert!(outputs.open(TaskId::new(1).unwrap(), 1, Stream::Merged).unwrap().is_none());
    }
}
