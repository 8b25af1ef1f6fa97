//! `daemon install`, `daemon uninstall`: the daemon as a service of the user. Neither starts one by itself.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cli::args::daemon::Install;
use crate::cli::command::lock::{self, Guardian};
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::cli::unit::ask::{self, Ask};
use crate::cli::unit::{PLACES, Supervisor, Unit};
use crate::domain::error::ErrorKind;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::{self, Project};
use crate::view::unit::{Standing, UnitView};

/// Where systemd keeps a link to each unit that is started at login.
const WANTED: &str = "default.target.wants";

/// Writes the unit, and has it enabled and started if that is asked for.
pub fn install(session: &Session, args: &Install) -> Result<i32, Failure> {
    let project = session.project()?;
    let supervisor = Supervisor::of_this_system();
    let unit = unit(supervisor, &project)?;
    let binary = std::env::current_exe().map_err(|error| Failure::io("cannot tell which program this is", &error))?;
    let text = supervisor.text(&unit, &binary, &project, &places()).map_err(|error| {
        Failure::new(ErrorKind::Invalid, error.to_string()).while_doing(format!("cannot install `{}`", unit.name))
    })?;
    let changed = write(&unit.path, &text)?;
    let (path, program) = (unit.path.to_string_lossy(), binary.to_string_lossy());
    if changed {
        say(session, &format!("installed `{path}`, which runs `{program}`"))?;
    } else {
        say(session, &format!("already installed: `{path}`, which runs `{program}`"))?;
    }
    let is_asked = args.enable || args.now;
    let reached = if changed || is_asked { supervisor.ask(Ask::Reload, &unit) } else { Ok(()) };
    match reached {
        Err(error) if is_asked => return Err(unreached(&unit, args, error)),
        Err(error) => session.ui.detail(&format!("the unit is read when the user manager starts: {error}")),
        Ok(()) => {}
    }
    if args.enable {
        enable(session, supervisor, &unit)?;
    }
    if args.now {
        start(session, supervisor, &unit, &project)?;
    }
    if session.ui.json {
        let standing = Standing { enabled: supervisor.is_enabled(&unit), started: supervisor.is_active(&unit) };
        session.ui.json(&UnitView::of(&unit.name, &unit.path, true, changed, standing))?;
    } else if changed && !is_asked {
        session.ui.note("nothing is started yet; `apex daemon install --enable --now` starts it at login and now");
    }
    Ok(Exit::Done.code())
}

/// Returns what says where this user's own files are, as far as it says something: what is no absolute path does not.
pub(in crate::cli) fn places() -> Vec<(&'static str, OsString)> {
    let set = PLACES.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    set.filter(|(_, value)| Path::new(value).is_absolute()).collect()
}

fn enable(session: &Session, supervisor: Supervisor, unit: &Unit) -> Result<(), Failure> {
    supervisor.ask(Ask::Enable, unit).map_err(|error| refused(format!("cannot enable `{}`", unit.name), error))?;
    say(session, "it is started at login")?;
    if supervisor.is_lingering() == Some(false) {
        session.ui.note("it ends when you log out; it stays, and is started at boot, after `loginctl enable-linger`");
    }
    Ok(())
}

fn start(session: &Session, supervisor: Supervisor, unit: &Unit, project: &Project) -> Result<(), Failure> {
    let is_ours = supervisor.is_active(unit) == Some(true);
    if !is_ours && lock::is_held(project)? {
        let pid = Guardian::find(project).map(|guardian| format!(" (pid {})", guardian.pid)).unwrap_or_default();
        session.ui.warn(&format!(
            "a daemon runs already{pid}, but not as this service; hand over with `apex daemon stop`, then `apex daemon install --now`"
        ));
        return Ok(());
    }
    // One that runs is left alone by systemd, and one that is just ending is followed by another.
    if !is_ours || supervisor == Supervisor::Systemd {
        supervisor.ask(Ask::Start, unit).map_err(|error| {
            let journal = match supervisor {
                // What is wrong before there is a log, such as the configuration.
                Supervisor::Systemd => format!(", or `journalctl --user -u {}`", unit.name),
                Supervisor::Launchd => String::new(),
            };
            refused(format!("cannot start `{}`", unit.name), error)
                .with_hint(format!("see why with `apex daemon logs`{journal}"))
        })?;
    }
    say(session, if is_ours { "the daemon runs as this service" } else { "daemon started" })
}

/// Removes the unit. A daemon that runs goes on.
pub fn uninstall(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let supervisor = Supervisor::of_this_system();
    let unit = unit(supervisor, &project)?;
    let link = unit.path.with_file_name(WANTED).join(&unit.name);
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    if !is_there(&unit.path) && !is_there(&link) {
        say(session, "not installed")?;
        return told(session, &unit, false, Standing::default());
    }
    let is_active = supervisor.is_active(&unit);
    if let Err(error) = supervisor.ask(Ask::Disable, &unit) {
        session.ui.detail(&format!("the link that starts it at login is removed without the user manager: {error}"));
    }
    remove(&link)?;
    remove(&unit.path)?;
    if is_active == Some(true) {
        // Without a reload: what runs would lose the settings it was started with, and be killed with all its tasks
        // at the next stop.
        let path = unit.path.to_string_lossy();
        say(session, &format!("removed `{path}`; the daemon and its tasks go on"))?;
        session.ui.note("stop it with `apex daemon stop`");
    } else {
        say(session, &format!("removed `{}`", unit.path.to_string_lossy()))?;
        if let Err(error) = supervisor.ask(Ask::Reload, &unit) {
            session.ui.detail(&error.to_string());
        }
    }
    told(session, &unit, true, Standing { enabled: Some(false), started: is_active })
}

fn told(session: &Session, unit: &Unit, changed: bool, standing: Standing) -> Result<i32, Failure> {
    if session.ui.json {
        session.ui.json(&UnitView::of(&unit.name, &unit.path, false, changed, standing))?;
    }
    Ok(Exit::Done.code())
}

/// Prints a line of what came of it, to people who want to know.
fn say(session: &Session, text: &str) -> Result<(), Failure> {
    if session.ui.json || session.ui.quiet { Ok(()) } else { session.ui.data(&neutralize(text)) }
}

fn unit(supervisor: Supervisor, project: &Project) -> Result<Unit, Failure> {
    let directory = supervisor.directory().ok_or(paths::Error::NoHome)?;
    Ok(supervisor.unit(project.root(), &directory))
}

fn refused(message: String, error: ask::Error) -> Failure {
    let mut failure = Failure::new(ErrorKind::Unavailable, message).with_exit(Exit::Refused);
    let source = std::error::Error::source(&error).map(ToString::to_string);
    failure.causes = std::iter::once(error.to_string()).chain(source).collect();
    failure
}

/// The unit is written, but nobody is there who would do the rest.
fn unreached(unit: &Unit, args: &Install, error: ask::Error) -> Failure {
    let (what, flags) = match (args.enable, args.now) {
        (true, true) => ("enable and start", "enable --now"),
        (true, false) => ("enable", "enable"),
        (false, _) => ("start", "start"),
    };
    let name = &unit.name;
    refused(format!("cannot {what} `{name}`: no user manager answers"), error).with_hint(format!(
        "the unit is installed; in a session of your own, or after `loginctl enable-linger`: `systemctl --user {flags} {name}`"
    ))
}

/// Writes a unit's file, whole or not at all. Returns whether that was necessary.
///
/// Shape: mode 0644 whatever the umask is. A link in its place, by which a unit is masked, is replaced.
fn write(path: &Path, text: &str) -> Result<bool, Failure> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    let cannot = |error: &io::Error| Failure::io(format!("cannot write `{}`", path.display()), error);
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(|error| cannot(&error))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let new = directory.join(name);
    // What a process of the same pid left behind.
    let _ = fs::remove_file(&new);
    let written = File::create_new(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    written.map(|()| true).map_err(|error| {
        let _ = fs::remove_file(&new);
        cannot(&error)
    })
}

/// Removes a file that may be absent.
fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::io(format!("cannot remove `{}`", path.display()), &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_written_once_and_anybody_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("systemd/user/x.service");
        assert!(write(&path, "one").unwrap());
        assert!(!write(&path, "one").unwrap());
        assert!(write(&path, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
        remove(&path).unwrap();
        remove(&path).unwrap();
    }

    #[test]
    fn a_link_that_masks_a_unit_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (directory.path().join("x.service"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "kept").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(write(&path, "unit").unwrap());
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}
