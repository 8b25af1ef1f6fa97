//! The unit by which the system's supervisor runs the daemon of a project: its name, its place, its text.
//!
//! Two supervisors are known, systemd and launchd. Both are compiled and tested everywhere; which one is used is a
//! matter of the system that this program was built for. Everything here is pure but [`ask`], which calls the
//! supervisor's own program. The texts are templates in `packaging/`.

pub mod ask;
mod launchd;
mod systemd;
mod template;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::paths::{self, Project};

/// Longest part of a unit's name that comes from the project's.
const SLUG_BYTES_MAX: usize = 40;
/// How many hexadecimal digits of the project's fingerprint are in a unit's name.
const HASH_DIGITS: usize = 8;

/// Where a user's own files are, if they are not where they usually are. The daemon looks for them itself, so a service has
/// to have the same idea of it as whoever installs it.
///
/// Source: XDG Base Directory Specification 0.8.
pub const PLACES: [&str; 2] = ["XDG_CONFIG_HOME", "XDG_STATE_HOME"];

/// What starts services on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervisor {
    /// The user's systemd.
    Systemd,
    /// The user's launchd. Untested: nobody has tried it yet.
    Launchd,
}

/// A path that the supervisor cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unspeakable {
    /// systemd refuses a program with such a path, however it is quoted.
    #[error("systemd starts no program whose path has a quote, a backslash or a control character in it: `{0}`")]
    Program(String),
    /// A property list is XML, which is text and has no control characters.
    #[error("a property list cannot hold the path `{0}`")]
    Text(String),
}

/// The unit of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The supervisor's name for it.
    pub name: String,
    /// The file it is described in.
    pub path: PathBuf,
}

impl Supervisor {
    /// Returns the one of the system that this program was built for.
    pub fn of_this_system() -> Self {
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd }
    }

    /// Returns where it looks for the units of this user; `None` for a user without a home.
    ///
    /// Source: systemd.unit(5), launchd(8).
    pub fn directory(self) -> Option<PathBuf> {
        match self {
            Self::Systemd => Some(dirs::config_dir()?.join("systemd").join("user")),
            Self::Launchd => Some(dirs::home_dir()?.join("Library").join("LaunchAgents")),
        }
    }

    /// Returns the unit of the project at `root`, in `directory`.
    ///
    /// Shape: `apex-<slug>-<hash>.service`, or `dev.apex.<slug>-<hash>` in a file with `.plist` behind it. The slug is
    /// the name of the root's directory as far as it is harmless, and for people; the hash tells projects apart whose
    /// directories have the same name.
    pub fn unit(self, root: &Path, directory: &Path) -> Unit {
        let name = root.file_name().map(|name| slug(&name.to_string_lossy())).unwrap_or_default();
        let slug = if name.is_empty() { "project" } else { &name };
        let hash: String = paths::fingerprint(root).chars().take(HASH_DIGITS).collect();
        let (name, file) = match self {
            Self::Systemd => {
                let name = format!("apex-{slug}-{hash}.service");
                (name.clone(), name)
            }
            Self::Launchd => (format!("dev.apex.{slug}-{hash}"), format!("dev.apex.{slug}-{hash}.plist")),
        };
        Unit { name, path: directory.join(file) }
    }

    /// Returns what stands in the unit's file: that `binary` runs the project's daemon, with these of [`PLACES`].
    ///
    /// Errors: a path that cannot be said.
    pub fn text(
        self,
        unit: &Unit,
        binary: &Path,
        project: &Project,
        places: &[(&'static str, OsString)],
    ) -> Result<String, Unspeakable> {
        match self {
            Self::Systemd => systemd::text(&unit.name, binary, project.root(), places),
            // There they are where they usually are, whatever these variables say.
            Self::Launchd => launchd::text(&unit.name, binary, project),
        }
    }

    /// Returns the program that a unit of this text starts; `None` if that cannot be told.
    pub fn program_in(self, text: &str) -> Option<PathBuf> {
        match self {
            Self::Systemd => systemd::program_in(text),
            Self::Launchd => None,
        }
    }
}

/// Returns what is harmless in a name: ASCII letters in lower case, digits and underscores, with one dash for whatever
/// is between them.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_BYTES_MAX);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_harmless_and_never_long() {
        for (name, expected) in [
            ("website", "website"),
            ("My Project (2)", "my-project-2"),
            ("..a__b..", "a__b"),
            ("straße", "stra-e"),
            ("日本", ""),
            ("50% off\n$HOME", "50-off-home"),
            ("", ""),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
        assert_eq!(slug(&"x".repeat(300)).len(), SLUG_BYTES_MAX);
    }

    #[test]
    fn projects_of_one_name_have_units_of_their_own() {
        let unit = |supervisor: Supervisor, root: &str| supervisor.unit(Path::new(root), Path::new("/units"));
        let one = unit(Supervisor::Systemd, "/home/me/website");
        assert_eq!(one.name, "apex-website-06c76fea.service");
        assert_eq!(one.path, Path::new("/units/apex-website-06c76fea.service"));
        assert_ne!(unit(Supervisor::Systemd, "/srv/website").name, one.name);
        let agent = unit(Supervisor::Launchd, "/home/me/website");
        assert_eq!(agent.name, "dev.apex.website-06c76fea");
        assert_eq!(agent.path, Path::new("/units/dev.apex.website-06c76fea.plist"));
        assert!(unit(Supervisor::Systemd, "/").name.starts_with("apex-project-"));
    }
}
