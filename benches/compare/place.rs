//! A directory of one contender's own, on the disk on which everything is built, and an environment that is the same for all.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The variable by which every process of a place is known.
const MARK: &str = "COMPARE_MARK";
/// How long what was told to end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A place to work in. When it is dropped, what still runs in it is killed; its files stay until [`clean_up`].
#[derive(Debug)]
pub struct Place {
    home: TempDir,
    /// For sockets, whose paths must not be long.
    sockets: TempDir,
    mark: String,
}

impl Place {
    /// Makes an empty one.
    pub fn new() -> anyhow::Result<Place> {
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(tmp)?;
        let home = tempfile::Builder::new().prefix("compare-").tempdir_in(tmp)?;
        let sockets = tempfile::Builder::new().prefix("compare-").tempdir()?;
        Ok(Place { home, sockets, mark: uuid::Uuid::new_v4().to_string() })
    }

    /// Returns a path in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home.path().join(name)
    }

    /// Returns a short path for a socket.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.sockets.path().join(name)
    }

    /// Makes a directory in it.
    pub fn directory(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Returns the environment of everything that runs here.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let home = |name: &str| self.path(name).into_os_string();
        vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.home.path().into()),
            ("XDG_STATE_HOME", home("state")),
            ("XDG_CONFIG_HOME", home("config")),
            ("XDG_DATA_HOME", home("data")),
            ("TMPDIR", self.home.path().into()),
            ("TZ", "UTC".into()),
            ("LC_ALL", "C".into()),
            (MARK, self.mark.clone().into()),
        ]
    }

    /// Prepares a command in this environment that says nothing.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.home.path())
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Returns the pids of everything that runs here.
    ///
    /// Source: proc_pid_environ(5): as the process was started.
    pub fn processes(&self) -> Vec<i32> {
        let needle = format!("{MARK}={}", self.mark);
        let is_here = |pid: &i32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == needle.as_bytes())
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        pids.filter(is_here).collect()
    }

    /// Waits until nothing runs here any more.
    pub fn until_empty(&self) {
        let began = Instant::now();
        while !self.processes().is_empty() && began.elapsed() < PATIENCE {
            rest(Duration::from_millis(20));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.processes() {
            // It may have ended by now.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        self.until_empty();
        // What goes away now makes the next contender slow: ext4 without a journal looks at every inode that was freed
        // lately before it gives out another one (`recently_deleted` in Linux, fs/ext4/ialloc.c).
        self.home.disable_cleanup(true);
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(self.home.path().to_owned());
    }
}

/// The directories of places that are done.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what places have left, when everything is measured.
pub fn clean_up() {
    for path in LEFT.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // What is left stands among what is built, and goes with it.
        let _ = fs::remove_dir_all(path);
    }
}

/// Does nothing for a while.
pub fn rest(time: Duration) {
    std::thread::sleep(time);
}
