//! Where things are: which project a command means, and the files of a project.
//!
//! Reading order: [`Project`] (the names) → [`discover`] (which one) → [`verify`] (may it be trusted) → `location` (where
//! its data stand) → [`init`] (making one) → [`short_socket`]. Nothing here talks to a daemon or reads what a file says.

mod discover;
mod error;
mod holder;
mod init;
mod location;
mod registry;
mod socket;

use std::path::{Path, PathBuf};

pub use discover::{Found, How, discover, global, verify};
pub use error::{Error, kind_of};
pub use holder::{first_byte, holder};
pub use init::{Created, Init, init};
pub use registry::{Entry, Origin, Registered, entry, fingerprint, is_own, register, registered};
pub use socket::{SOCKET_BYTES_MAX, SocketPath, short_socket};

/// Name of the directory that makes a directory a project.
pub const DIR_NAME: &str = ".apex";

/// A project: a directory with `.apex/` in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Project {
    root: PathBuf,
    dir: PathBuf,
    data: PathBuf,
}

impl Project {
    /// Names the project of a directory, without looking whether there is one; its data are in its `.apex/`.
    ///
    /// Shape: `root` should be absolute and free of symbolic links, so that the same project always has the same name.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let dir = root.join(DIR_NAME);
        Self { root, data: dir.clone(), dir }
    }

    /// Names a project whose data are in a directory of their own.
    pub fn with_data(root: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), ..Self::new(root) }
    }

    /// The directory of the project itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its `.apex/`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where everything but the settings is: its `.apex/`, unless that is on a network file system.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The project's settings.
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The guardian's pid and a newline.
    pub fn pid_file(&self) -> PathBuf {
        self.data.join("daemon.pid")
    }

    /// Locked as long as a guardian or an apexd lives.
    pub fn lock_file(&self) -> PathBuf {
        self.data.join("daemon.lock")
    }

    /// The daemon's own log; older ones beside it end in `.1`, `.2`, ….
    pub fn log_file(&self) -> PathBuf {
        self.data.join("daemon.log")
    }

    /// The socket on which apexd answers; connect to what [`short_socket`] returns.
    pub fn socket(&self) -> PathBuf {
        self.data.join(socket::NAME)
    }

    /// What is remembered.
    pub fn database(&self) -> PathBuf {
        self.data.join("apex.db")
    }

    /// What tasks wrote.
    pub fn output_dir(&self) -> PathBuf {
        self.data.join("output")
    }

    /// What clients uploaded as standard input of tasks.
    pub fn input_dir(&self) -> PathBuf {
        self.data.join("input")
    }

    /// Why the guardian gave up starting apexd.
    pub fn failed_file(&self) -> PathBuf {
        self.data.join("daemon.failed")
    }

    /// How tasks ended that the guardian had to end without apexd.
    pub fn exits_file(&self) -> PathBuf {
        self.data.join("guardian.exits")
    }
}

/// Where the per-user things of this user are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    state: PathBuf,
}

impl Places {
    /// Makes the places below a directory: `<state>/apex/`.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into() }
    }

    /// Finds them as the environment says: `XDG_STATE_HOME`, else `~/.local/state` (macOS: the data directory).
    ///
    /// Errors: [`Error::NoHome`].
    /// Source: XDG Base Directory Specification 0.8.
    pub fn from_env() -> Result<Self, Error> {
        dirs::state_dir().or_else(dirs::data_local_dir).map(Self::new).ok_or(Error::NoHome)
    }

    /// The project used where there is no other.
    pub fn global(&self) -> Project {
        Project::new(self.state.join("apex").join("global"))
    }

    /// One file per project of this user.
    pub fn registry_dir(&self) -> PathBuf {
        self.state.join("apex").join("projects")
    }
}

#[cfg(test)]
mod tests;
