//! What a task takes over from whoever adds it, besides the environment: where it is, its umask, its soft limits; and
//! whether what it is to run is there at all.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::resource::{self, RLIM_INFINITY};
use nix::sys::stat;
use nix::unistd::{AccessFlags, access};

use crate::cli::error::Failure;
use crate::domain::task::{Limit, Resource};

/// Returns the working directory.
///
/// Errors: it was removed, or may not be found out.
pub fn working_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::io("cannot tell the working directory", &error))
}

/// Returns the file mode creation mask. It can only be read by setting it, so this must not be called while another
/// thread may create files.
///
/// Source: umask(2).
pub fn umask() -> u32 {
    let mask = stat::umask(stat::Mode::from_bits_truncate(0o077));
    stat::umask(mask);
    mask.bits() & 0o777
}

/// Returns the soft limits of this process. One that cannot be read is left out.
pub fn limits() -> Vec<Limit> {
    let read = |resource| {
        let (soft, _) = resource::getrlimit(in_words_of_the_system(resource)).ok()?;
        Some(Limit { resource, soft: (soft != RLIM_INFINITY).then_some(soft) })
    };
    Resource::ALL.into_iter().filter_map(read).collect()
}

fn in_words_of_the_system(resource: Resource) -> resource::Resource {
    use resource::Resource as System;
    match resource {
        Resource::As => System::RLIMIT_AS,
        Resource::Core => System::RLIMIT_CORE,
        Resource::Cpu => System::RLIMIT_CPU,
        Resource::Data => System::RLIMIT_DATA,
        Resource::Fsize => System::RLIMIT_FSIZE,
        Resource::Memlock => System::RLIMIT_MEMLOCK,
        Resource::Nofile => System::RLIMIT_NOFILE,
        Resource::Nproc => System::RLIMIT_NPROC,
        Resource::Stack => System::RLIMIT_STACK,
    }
}

/// Why a program may not start, seen from here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing of that name is there.
    NotFound,
    /// It is there and may not be executed.
    NotExecutable,
}

/// Returns why `program` would not start in `cwd` with this `PATH`; `None` if it would.
///
/// Source: POSIX.1-2024, XBD 8.3, on `PATH`: an empty part is the working directory.
pub fn missing(program: &OsStr, cwd: &Path, path: Option<&OsString>) -> Option<Missing> {
    if program.as_bytes().contains(&b'/') {
        return missing_file(&cwd.join(program));
    }
    // Without PATH the C library looks here; confstr(3), _CS_PATH.
    let path = path.map_or(b"/bin:/usr/bin".as_slice(), |path| path.as_bytes());
    let mut worst = Missing::NotFound;
    for part in path.split(|byte| *byte == b':') {
        match missing_file(&cwd.join(OsStr::from_bytes(part)).join(program)) {
            None => return None,
            Some(Missing::NotExecutable) => worst = Missing::NotExecutable,
            Some(Missing::NotFound) => {}
        }
    }
    Some(worst)
}

fn missing_file(path: &Path) -> Option<Missing> {
    match access(path, AccessFlags::X_OK) {
        Ok(()) => path.is_dir().then_some(Missing::NotExecutable),
        // In most directories of a PATH there is nothing of the name, and nothing more to ask.
        Err(Errno::ENOENT | Errno::ENOTDIR) => Some(Missing::NotFound),
        Err(_) => Some(if path.exists() { Missing::NotExecutable } else { Missing::NotFound }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn every_limit_is_read() {
        let limits = limits();
        assert_eq!(limits.len(), Resource::ALL.len());
        let nofile = limits.iter().find(|limit| limit.resource == Resource::Nofile).unwrap();
        assert!(nofile.soft.is_none_or(|soft| soft > 0));
    }

    #[test]
    fn programs_are_looked_for_as_they_will_be() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        file("tool", 0o755);
        file("text", 0o644);
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let path: OsString = format!("/nowhere:{}", dir.path().display()).into();
        let look = |program: &str, path: &str| missing(program.as_ref(), dir.path(), Some(&path.into()));
        assert_eq!(missing("tool".as_ref(), Path::new("/"), Some(&path)), None);
        assert_eq!(missing("text".as_ref(), Path::new("/"), Some(&path)), Some(Missing::NotExecutable));
        assert_eq!(look("none", ""), Some(Missing::NotFound));
        assert_eq!(look("tool", ""), None, "an empty part is the working directory");
        assert_eq!(look("tool", "/nowhere"), Some(Missing::NotFound));
        assert_eq!(look("./tool", "/nowhere"), None);
        assert_eq!(look("./sub", ""), Some(Missing::NotExecutable));
        assert_eq!(missing("sh".as_ref(), Path::new("/"), None), None);
    }
}
