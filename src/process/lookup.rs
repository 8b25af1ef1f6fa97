//! Which file the name of a program means.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::libc;

/// Where programs are looked for if there is no `PATH`; confstr(3), `_CS_PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// There is no such program, or it cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No directory in `PATH` has a file of this name.
    #[error("`{program}` was not found in PATH")]
    NotInPath {
        /// The name, as it was given.
        program: String,
    },
    /// The path leads to no file.
    #[error("`{path}` does not exist")]
    NotFound {
        /// The path, made absolute.
        path: PathBuf,
    },
    /// The path leads to a directory or another thing that is no program.
    #[error("`{path}` is not a program")]
    NotAFile {
        /// The path, made absolute.
        path: PathBuf,
    },
    /// The file is there, but may not be executed.
    #[error("`{path}` is not executable")]
    NotExecutable {
        /// The path, made absolute.
        path: PathBuf,
    },
}

impl LookupError {
    /// Returns the exit code that a shell gives: 127 if it was not found, 126 if it cannot be executed.
    ///
    /// Source: POSIX.1-2024, XCU 2.8.2, "Exit Status for Commands".
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::NotInPath { .. } | Self::NotFound { .. } => 127,
            Self::NotAFile { .. } | Self::NotExecutable { .. } => 126,
        }
    }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Program,
    NotAFile,
    NotExecutable,
}

/// Returns the absolute path of the program that execvp(3) would execute.
///
/// Shape: a name with a slash is a path, taken from `cwd`; another is looked for in the directories of `path`, where an
/// empty one is `cwd`, and the first executable one is it. Without `path` it is looked for in `/bin:/usr/bin`. The path
/// is not otherwise changed: links are not followed, `..` is kept. A file that is not executable is passed over, and
/// named if no other is found.
/// Errors: what was not found or cannot be executed, each with the shell's exit code.
/// Source: exec(3).
pub fn lookup(program: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, LookupError> {
    lookup_by(program, path, cwd, look)
}

fn lookup_by(
    program: &OsStr,
    path: Option<&OsStr>,
    cwd: &Path,
    look: impl Fn(&Path) -> Found,
) -> Result<PathBuf, LookupError> {
    if is_path(program) {
        let path = cwd.join(program);
        return match look(&path) {
            Found::Program => Ok(path),
            Found::Nothing => Err(LookupError::NotFound { path }),
            found => Err(unusable(found, path)),
        };
    }
    let not_in_path = || LookupError::NotInPath { program: program.to_string_lossy().into_owned() };
    if program.is_empty() {
        return Err(not_in_path());
    }
    let mut passed_over = None;
    for path in candidates(program, path, cwd) {
        match look(&path) {
            Found::Program => return Ok(path),
            Found::Nothing => {}
            found => passed_over = passed_over.or(Some(unusable(found, path))),
        }
    }
    Err(passed_over.unwrap_or_else(not_in_path))
}

fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// Returns every path that [`lookup`] may look at, in its order.
pub fn candidates<'a>(
    program: &'a OsStr,
    path: Option<&'a OsStr>,
    cwd: &'a Path,
) -> impl Iterator<Item = PathBuf> + 'a {
    let path = if is_path(program) { OsStr::new("") } else { path.unwrap_or(OsStr::new(DEFAULT_PATH)) };
    let directories = path.as_bytes().split(|byte| *byte == b':');
    // Joining an empty path would add nothing; joining an absolute one replaces `cwd`.
    directories.map(move |directory| cwd.join(OsStr::from_bytes(directory)).join(program))
}

fn unusable(found: Found, path: PathBuf) -> LookupError {
    if found == Found::NotAFile { LookupError::NotAFile { path } } else { LookupError::NotExecutable { path } }
}

fn look(path: &Path) -> Found {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        // A directory on the way that may not be searched; a shell reports it as not executable.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Found::NotExecutable,
        Err(_) => return Found::Nothing,
    };
    if !metadata.is_file() {
        return Found::NotAFile;
    }
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return Found::Nothing };
    // SAFETY: a plain system call on a NUL-terminated path.
    let result = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) };
    if result == 0 { Found::Program } else { Found::NotExecutable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn find(program: &str, path: Option<&str>) -> Result<PathBuf, LookupError> {
        lookup_by(OsStr::new(program), path.map(OsStr::new), Path::new("/cwd"), |path| match path.to_str().unwrap() {
            "/a/tool" | "/b/tool" | "/cwd/tool" | "/cwd/sub/tool" | "/bin/tool" | "/b/dir" => Found::Program,
            "/a/dir" => Found::NotAFile,
            "/a/text" | "/cwd/text" => Found::NotExecutable,
            _ => Found::Nothing,
        })
    }

    #[test]
    fn names_are_looked_for_as_execvp_does() {
        for (program, path, expected) in [
            ("tool", Some("/x:/a:/b"), "/a/tool"),
            ("tool", Some("/b:/a"), "/b/tool"),
            ("tool", Some(":/a"), "/cwd/tool"),
            ("tool", Some("/x:"), "/cwd/tool"),
            ("tool", Some("/x::/a"), "/cwd/tool"),
            ("tool", Some("sub"), "/cwd/sub/tool"),
            ("tool", Some(""), "/cwd/tool"),
            ("tool", None, "/bin/tool"),
            ("dir", Some("/a:/b"), "/b/dir"),
            ("/a/tool", Some(""), "/a/tool"),
            ("sub/tool", Some("/a"), "/cwd/sub/tool"),
        ] {
            assert_eq!(find(program, path), Ok(PathBuf::from(expected)), "{program} in {path:?}");
        }
        assert_eq!(find("./tool", None), Err(LookupError::NotFound { path: "/cwd/./tool".into() }));
    }

    #[test]
    fn what_cannot_be_executed_is_told_from_what_is_not_there() {
        let not_in_path = |program: &str| LookupError::NotInPath { program: program.to_owned() };
        for (program, path, expected, code) in [
            ("none", Some("/a:/b"), not_in_path("none"), 127),
            ("", Some(":/a"), not_in_path(""), 127),
            ("sub/none", None, LookupError::NotFound { path: "/cwd/sub/none".into() }, 127),
            ("dir", Some("/a"), LookupError::NotAFile { path: "/a/dir".into() }, 126),
            ("text", Some("/b:/a:/x"), LookupError::NotExecutable { path: "/a/text".into() }, 126),
        ] {
            let error = find(program, path).unwrap_err();
            assert_eq!(error.exit_code(), code, "{program}");
            assert_eq!(error, expected);
        }
        assert_eq!(find("none", None).unwrap_err().to_string(), "`none` was not found in PATH");
    }

    #[test]
    fn real_files_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("text");
        std::fs::write(&text, "").unwrap();
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(look(&text), Found::NotExecutable);
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(look(&text), Found::Program);
        assert_eq!(look(directory.path()), Found::NotAFile);
        assert_eq!(look(&text.join("below")), Found::Nothing);
        let sh = lookup(OsStr::new("sh"), None, Path::new("/")).unwrap();
        assert!(sh.ends_with("sh") && sh.is_absolute());
    }
}
