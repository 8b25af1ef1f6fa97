//! The unit by which the system starts the daemon.

use std::path::PathBuf;

use crate::cli::doctor::{Check, Facts};

/// A unit that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The file.
    pub path: PathBuf,
    /// It says what `daemon install` would write now.
    pub is_current: bool,
    /// The program that it starts, and whether that is there.
    pub program: Option<(PathBuf, bool)>,
    /// This program.
    pub this: PathBuf,
    /// Whether it goes on while nobody is logged in; `None` if that cannot be told.
    pub is_lingering: Option<bool>,
}

pub(super) fn unit(facts: &Facts) -> Check {
    const NAME: &str = "unit";
    let Some(unit) = &facts.unit else { return Check::fine(NAME, "none is installed; commands start the daemon") };
    let path = unit.path.display();
    match &unit.program {
        _ if unit.is_current => Check::fine(NAME, format!("`{path}` starts this program")),
        Some((program, false)) => Check::wrong(
            NAME,
            format!("`{path}` starts `{}`, which is not there", program.display()),
            "let it start this program with `apex daemon install`, or remove it with `apex daemon uninstall`",
        ),
        Some((program, true)) if *program != unit.this => Check::warning(
            NAME,
            format!("`{path}` starts another program, `{}`", program.display()),
            "let it start this program with `apex daemon install`",
        ),
        _ => Check::warning(
            NAME,
            format!("`{path}` is not as this version writes it"),
            "bring it up to date with `apex daemon install`; put what is your own into `systemctl --user edit`",
        ),
    }
}

pub(super) fn lingering(facts: &Facts) -> Check {
    const NAME: &str = "lingering";
    match facts.unit.as_ref().map(|unit| unit.is_lingering) {
        None => Check::fine(NAME, "not needed: no unit is installed"),
        Some(None) => Check::fine(NAME, "whether your units go on while you are logged out cannot be told"),
        Some(Some(true)) => Check::fine(NAME, "your units go on while you are logged out"),
        Some(Some(false)) => Check::warning(
            NAME,
            "the daemon and its tasks end when you log out, and do not start at boot",
            "let them with `loginctl enable-linger`; where that is denied, root does it, with your name behind",
        ),
    }
}
