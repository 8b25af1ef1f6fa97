//! Where output is, from the moment an attempt starts until it has its final name.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::attempt::{Output, Stream};
use crate::domain::id::{AttemptNumber, TaskId};
use crate::output::watch::{Growth, Watcher};
use crate::output::{Error, Reader};

/// How many tasks share a directory.
const TASKS_PER_DIRECTORY: u64 = 1000;

/// The files of all tasks of a project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outputs {
    dir: Arc<PathBuf>,
    watcher: Arc<Watcher>,
    /// For those who want to know how large a file is, and not what is in it.
    once: Arc<Watcher>,
}

/// Where an attempt writes, absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Standard output, and standard error too if that has no file of its own.
    pub stdout: PathBuf,
    /// Standard error, if it is kept apart.
    pub stderr: Option<PathBuf>,
}

impl Outputs {
    /// Returns the files of the project whose `.apex/` is `dir`. Touches nothing.
    pub fn new(dir: PathBuf) -> Self {
        let (watcher, once) = (Arc::new(Watcher::default()), Arc::new(Watcher::once()));
        Self { dir: Arc::new(dir), watcher, once }
    }

    /// Checks that what tasks write and are given to read has directories of its own, or none yet.
    ///
    /// Errors: [`Error::InTheWay`].
    pub fn check(&self) -> Result<(), Error> {
        ["output", "input", "keepers"]
            .into_iter()
            .try_for_each(|name| self.within(&Path::new(name).join("_")).map(drop))
    }

    /// Makes room for the output of an attempt that is about to start.
    ///
    /// What an earlier start under the same number left (it was claimed, but never ran) is removed. The files
    /// themselves are made by the process that writes them.
    pub fn prepare(&self, task: TaskId, attempt: AttemptNumber, split_output: bool) -> Result<Files, Error> {
        let (_, is_there) = self.find(&part(task, attempt, Stream::Merged))?;
        if !is_there {
            let directory = self.absolute(&directory(task));
            let made = DirBuilder::new().mode(0o700).recursive(true).create(&directory);
            made.map_err(|source| Error::MakeDirectory { path: directory, source })?;
        }
        for stream in Stream::of(split_output).iter().copied() {
            for name in [part(task, attempt, stream), sealed(task, attempt, stream)] {
                let path = self.absolute(&name);
                remove(&path).map_err(|source| Error::Seal { path, source })?;
            }
        }
        let path = |stream| self.absolute(&part(task, attempt, stream));
        Ok(if split_output {
            Files { stdout: path(Stream::Stdout), stderr: Some(path(Stream::Stderr)) }
        } else {
            Files { stdout: path(Stream::Merged), stderr: None }
        })
    }

    /// Does what [`Self::seal`] does for each of several attempts, given as task, number and whether streams are apart.
    pub fn seal_all(
        &self,
        attempts: impl IntoIterator<Item = (TaskId, AttemptNumber, bool)>,
    ) -> Vec<Result<Vec<Output>, Error>> {
        let mut checked = None;
        let seal = |(task, attempt, split_output)| {
            let place = directory(task);
            // Most tasks that end together have the same directory, and one look at it is enough.
            if checked.as_ref() != Some(&place) {
                self.within(&part(task, attempt, Stream::Merged))?;
                checked = Some(place);
            }
            self.seal_within(task, attempt, split_output)
        };
        attempts.into_iter().map(seal).collect()
    }

    /// Gives the output of an attempt that has ended its final name, and returns what there is.
    ///
    /// Shape: a stream that nothing was written to has no file and no entry. Idempotent: after a crash in between, the
    /// second call finds what the first one did.
    pub fn seal(&self, task: TaskId, attempt: AttemptNumber, split_output: bool) -> Result<Vec<Output>, Error> {
        self.within(&part(task, attempt, Stream::Merged))?;
        self.seal_within(task, attempt, split_output)
    }

    fn seal_within(&self, task: TaskId, attempt: AttemptNumber, split_output: bool) -> Result<Vec<Output>, Error> {
        let mut outputs = Vec::new();
        for stream in Stream::of(split_output).iter().copied() {
            let (from, name) = (self.absolute(&part(task, attempt, stream)), sealed(task, attempt, stream));
            let to = self.absolute(&name);
            let failed = |path: &Path, source| Error::Seal { path: path.to_owned(), source };
            match metadata(&from).map_err(|source| failed(&from, source))? {
                Some(metadata) if metadata.len() == 0 => remove(&from).map_err(|source| failed(&from, source))?,
                Some(_) => std::fs::rename(&from, &to).map_err(|source| failed(&from, source))?,
                None => {}
            }
            if let Some(metadata) = metadata(&to).map_err(|source| failed(&to, source))? {
                outputs.push(Output { stream, path: name, bytes: metadata.len(), sha256: None });
            }
        }
        Ok(outputs)
    }

    /// Returns what a running attempt has written so far.
    pub fn current(&self, task: TaskId, attempt: AttemptNumber, split_output: bool) -> Vec<Output> {
        let look = |stream| {
            [part(task, attempt, stream), sealed(task, attempt, stream)].into_iter().find_map(|path| {
                let bytes = metadata(&self.absolute(&path)).ok().flatten()?.len();
                Some(Output { stream, path, bytes, sha256: None })
            })
        };
        Stream::of(split_output).iter().copied().filter_map(look).collect()
    }

    /// Begins to watch how much a running attempt writes, both streams together.
    pub(super) fn watch_size(&self, task: TaskId, attempt: AttemptNumber, split_output: bool) -> (u64, Vec<Growth>) {
        let paths = Stream::of(split_output).iter().map(|stream| self.absolute(&part(task, attempt, *stream)));
        // Watched first: what is written between the two is noticed by the one or the other.
        let files: Vec<File> = paths.filter_map(|path| open(&path).ok()).collect();
        let growth = files.iter().map(|file| self.once.watch(file)).collect();
        let bytes = files.iter().map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum();
        (bytes, growth)
    }

    /// Opens one stream of an attempt; `None` if nothing has been written to it, or it was not started.
    pub fn open(&self, task: TaskId, attempt: AttemptNumber, stream: Stream) -> Result<Option<Reader>, Error> {
        self.within(&part(task, attempt, stream))?;
        // The name may change between two looks, once and in this direction.
        let names = [part(task, attempt, stream), sealed(task, attempt, stream)];
        for name in names {
            let path = self.absolute(&name);
            match open(&path) {
                Ok(file) => {
                    let growth = self.watcher.watch(&file);
                    return Ok(Some(Reader::new(file, path, growth)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Read { path, source }),
            }
        }
        Ok(None)
    }

    /// Returns the SHA-256 of an output; `path` is relative to `.apex/`, as in [`Output`].
    pub async fn sha256(&self, path: &Path) -> Result<[u8; 32], Error> {
        let path = self.within(path)?;
        let hashed = tokio::task::spawn_blocking({
            let path = path.clone();
            move || -> io::Result<[u8; 32]> {
                let mut hasher = Hasher(Sha256::new());
                let flags = nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC;
                let mut file = OpenOptions::new().read(true).custom_flags(flags).open(&path)?;
                io::copy(&mut file, &mut hasher)?;
                Ok(hasher.0.finalize().into())
            }
        });
        let hashed = hashed.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        hashed.map_err(|source| Error::Read { path, source })
    }

    /// Deletes an output whose path is stored so; returns whether it is gone. What lies elsewhere is left alone, and
    /// counts as gone.
    pub fn remove(&self, path: &Path) -> bool {
        if !path.starts_with("output") {
            return true;
        }
        let Ok(path) = self.within(path) else { return true };
        match fs::remove_file(path) {
            Ok(()) => true,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }

    /// Returns the absolute path of a file in `.apex/`, which no directory on the way leads out of.
    ///
    /// Errors: [`Error::InTheWay`].
    pub(super) fn within(&self, path: &Path) -> Result<PathBuf, Error> {
        self.find(path).map(|(path, _)| path)
    }

    /// The same, and whether the directory that it stands in is there.
    fn find(&self, path: &Path) -> Result<(PathBuf, bool), Error> {
        let mut is_there = true;
        let mut directory = self.dir.as_ref().clone();
        // Whoever may write the directory above can put another one in its place at any time.
        let is_strange = |found: Metadata| !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw();
        if fs::symlink_metadata(&directory).is_ok_and(is_strange) {
            return Err(Error::InTheWay { path: directory });
        }
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            directory.push(part);
            let is_last = parts.peek().is_none();
            if !matches!(part, Component::Normal(_)) {
                return Err(Error::InTheWay { path: directory });
            }
            if is_last {
                break;
            }
            // What is not there yet leads nowhere; what cannot be looked at fails where it is used.
            match fs::symlink_metadata(&directory) {
                Ok(found) if !found.is_dir() => return Err(Error::InTheWay { path: directory }),
                found => is_there = found.is_ok(),
            }
        }
        Ok((directory, is_there))
    }

    /// Returns the absolute path of the directory that all files stand in.
    pub fn place(&self) -> PathBuf {
        self.dir.join("output")
    }

    /// Returns the absolute path of something in `.apex/`.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }
}

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn directory(task: TaskId) -> PathBuf {
    PathBuf::from(format!("output/{}", task.get() / TASKS_PER_DIRECTORY))
}

fn sealed(task: TaskId, attempt: AttemptNumber, stream: Stream) -> PathBuf {
    let ending = match stream {
        Stream::Merged => "log",
        Stream::Stdout => "out",
        Stream::Stderr => "err",
    };
    directory(task).join(format!("{task}.{attempt}.{ending}"))
}

fn part(task: TaskId, attempt: AttemptNumber, stream: Stream) -> PathBuf {
    let mut name = sealed(task, attempt, stream).into_os_string();
    name.push(".part");
    name.into()
}

/// Looks at a file itself, not at what a link points to.
fn metadata(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    // A FIFO in its place is not waited for.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC | nix::libc::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Outputs, TaskId) {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path().to_owned());
        (dir, outputs, TaskId::new(1234).unwrap())
    }

    #[test]
    fn files_stand_where_the_contract_says() {
        let (dir, outputs, task) = world();
        let files = outputs.prepare(task, 2, false).unwrap();
        assert_eq!(files, Files { stdout: dir.path().join("output/1/1234.2.log.part"), stderr: None });
        let files = outputs.prepare(task, 2, true).unwrap();
        assert_eq!(files.stdout, dir.path().join("output/1/1234.2.out.part"));
        assert_eq!(files.stderr, Some(dir.path().join("output/1/1234.2.err.part")));
    }

    #[test]
    fn sealing_gives_the_final_name_once_and_can_be_repeated() {
        let (dir, outputs, task) = world();
        let files = outputs.prepare(task, 1, true).unwrap();
        std::fs::write(&files.stdout, "hello").unwrap();
        std::fs::write(files.stderr.unwrap(), "").unwrap();
        let expected = [Output { stream: Stream::Stdout, path: "output/1/1234.1.out".into(), bytes: 5, sha256: None }];
        assert_eq!(outputs.current(task, 1, true)[0].bytes, 5);
        assert_eq!(outputs.seal(task, 1, true).unwrap(), expected);
        assert_eq!(outputs.seal(task, 1, true).unwrap(), expected);
        let names: Vec<_> =
            std::fs::read_dir(dir.path().join("output/1")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["1234.1.out"], "no output, no file");
    }

    #[test]
    fn a_start_under_the_same_number_begins_with_empty_files() {
        let (_dir, outputs, task) = world();
        let files = outputs.prepare(task, 1, false).unwrap();
        std::fs::write(&files.stdout, "of a start that came to nothing").unwrap();
        outputs.prepare(task, 1, false).unwrap();
        assert_eq!(outputs.seal(task, 1, false).unwrap(), []);
    }

    #[test]
    fn links_are_not_followed() {
        let (dir, outputs, task) = world();
        let files = outputs.prepare(task, 1, false).unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), &files.stdout).unwrap();
        assert!(matches!(outputs.open(task, 1, Stream::Merged), Err(Error::Read { .. })));
        assert_eq!(outputs.current(task, 1, false), []);
    }

    #[tokio::test]
    async fn nothing_leads_out_of_the_directory() {
        let (dir, outputs, task) = world();
        let elsewhere = tempfile::tempdir().unwrap();
        outputs.check().unwrap();
        outputs.prepare(task, 1, false).unwrap();
        outputs.check().unwrap();
        let victim = elsewhere.path().join("1234.1.log");
        std::fs::write(&victim, "not ours").unwrap();
        std::fs::remove_dir(dir.path().join("output/1")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("output/1")).unwrap();
        let stored = Path::new("output/1/1234.1.log");
        assert!(matches!(outputs.prepare(task, 1, false), Err(Error::InTheWay { .. })));
        assert!(matches!(outputs.seal(task, 1, false), Err(Error::InTheWay { .. })));
        assert!(matches!(outputs.open(task, 1, Stream::Merged), Err(Error::InTheWay { .. })));
        assert!(matches!(outputs.sha256(stored).await, Err(Error::InTheWay { .. })));
        assert!(outputs.remove(stored), "what lies elsewhere is none of ours");
        for path in [victim.as_path(), Path::new("/etc/passwd"), Path::new("output/../../passwd")] {
            assert!(matches!(outputs.sha256(path).await, Err(Error::InTheWay { .. })), "{path:?}");
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "not ours");
        for name in ["output", "input"] {
            let _ = std::fs::remove_dir_all(dir.path().join(name));
            std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(name)).unwrap();
            assert!(matches!(outputs.check(), Err(Error::InTheWay { path }) if path.ends_with(name)));
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    }

    #[test]
    fn a_directory_of_somebody_else_is_not_used() {
        let (dir, outputs, task) = world();
        if std::os::unix::fs::chown(dir.path(), Some(65_533), None).is_err() {
            // Only root can make one.
            return;
        }
        assert!(matches!(outputs.prepare(task, 1, false), Err(Error::InTheWay { path }) if path == dir.path()));
        assert!(!dir.path().join("output").exists());
    }

    #[tokio::test]
    async fn hashes_are_those_of_sha256sum() {
        let (dir, outputs, _) = world();
        std::fs::write(dir.path().join("file"), "hello\n").unwrap();
        let hash = outputs.sha256(Path::new("file")).await.unwrap();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert!(outputs.sha256(Path::new("absent")).await.is_err());
    }
}
