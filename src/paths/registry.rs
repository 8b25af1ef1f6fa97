//! Which projects a user has: one small file each, so that entering one never disturbs another.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::paths::error::Error;
use crate::paths::{Places, Project, init};

/// Enters a project among those of the user; done at init and whenever a daemon starts. Entering it again is fine.
///
/// Shape: `<state>/apex/projects/<hash>`; the name is half of the SHA-256 of the root's path, in hexadecimal, the
/// content the path and a newline.
/// Errors: the directory or the file cannot be written.
pub fn register(project: &Project, places: &Places) -> Result<(), Error> {
    let dir = places.registry_dir();
    let path = dir.join(file_name(project.root()));
    let mut content = project.root().as_os_str().as_bytes().to_vec();
    content.push(b'\n');
    if fs::read(&path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    init::make_directories(&dir)?;
    let mut new = path.clone().into_os_string();
    new.push(OsString::from_vec(format!(".{}", std::process::id()).into_bytes()));
    let new = PathBuf::from(new);
    // What a process of the same pid left behind.
    let _ = fs::remove_file(&new);
    init::write_new(&new, &content).map_err(Error::io("write", &new))?;
    fs::rename(&new, &path).map_err(|source| {
        let _ = fs::remove_file(&new);
        Error::Io { operation: "write", path, source }
    })
}

fn file_name(root: &Path) -> String {
    let digest = Sha256::digest(root.as_os_str().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
