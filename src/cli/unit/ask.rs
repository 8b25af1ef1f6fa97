//! Asking the supervisor, through its own program.

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use crate::cli::unit::{Supervisor, Unit};

/// What a supervisor can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Look at the units' files again.
    Reload,
    /// Start the unit at every login.
    Enable,
    /// Do that no more.
    Disable,
    /// Start the unit, and say when it is up.
    Start,
    /// Whether it starts at login.
    IsEnabled,
    /// Whether it runs.
    IsActive,
}

/// Why a supervisor did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its program cannot be run.
    #[error("cannot run `{program}`")]
    Run {
        /// Which program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It said no.
    #[error("`{command}` failed: {reason}")]
    Failed {
        /// What was called.
        command: String,
        /// The first line that was said about it.
        reason: String,
    },
}

/// What a program said.
struct Said {
    done: bool,
    stdout: String,
    stderr: String,
}

impl Supervisor {
    /// Asks for something to be done. What this supervisor need not be asked is done already.
    ///
    /// Errors: it cannot be reached, or refuses.
    pub fn ask(self, ask: Ask, unit: &Unit) -> Result<(), Error> {
        let Some(words) = self.words(ask, unit) else { return Ok(()) };
        let said = call(&words)?;
        if said.done {
            return Ok(());
        }
        let line = |text: &str| text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        let reason = line(&said.stderr).or_else(|| line(&said.stdout)).unwrap_or_else(|| "it said nothing".to_owned());
        Err(Error::Failed { command: shown(&words), reason })
    }

    /// Returns whether the unit starts at login; `None` if that cannot be found out.
    pub fn is_enabled(self, unit: &Unit) -> Option<bool> {
        let said = call(&self.words(Ask::IsEnabled, unit)?).ok()?;
        enabled_in(&said.stdout)
    }

    /// Returns whether the daemon runs as this unit, or is being started as it; `None` if that cannot be found out.
    pub fn is_active(self, unit: &Unit) -> Option<bool> {
        let said = call(&self.words(Ask::IsActive, unit)?).ok()?;
        match self {
            Self::Systemd => active_in(&said.stdout),
            Self::Launchd => Some(said.done),
        }
    }

    /// Returns whether units of this user go on when nobody is logged in; `None` if that cannot be found out or is no
    /// question.
    pub fn is_lingering(self) -> Option<bool> {
        if self == Self::Launchd {
            return None;
        }
        let user = geteuid().to_string();
        let words = ["loginctl", "show-user", &user, "--property=Linger", "--value"].map(OsString::from);
        match call(&words).ok()?.stdout.trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    /// Returns the command by which it is asked; `None` where it need not be.
    ///
    /// Source: systemctl(1), launchctl(1).
    fn words(self, ask: Ask, unit: &Unit) -> Option<Vec<OsString>> {
        let words: Vec<OsString> = match self {
            Self::Systemd => {
                let verb: &[&str] = match ask {
                    Ask::Reload => return Some(["systemctl", "--user", "daemon-reload"].map(OsString::from).to_vec()),
                    Ask::Enable => &["enable"],
                    Ask::Disable => &["disable"],
                    Ask::Start => &["start"],
                    Ask::IsEnabled => &["is-enabled"],
                    Ask::IsActive => &["is-active"],
                };
                let words = ["systemctl", "--user"].iter().chain(verb).map(OsString::from);
                words.chain([OsString::from(&unit.name)]).collect()
            }
            Self::Launchd => {
                let domain = format!("gui/{}", geteuid());
                let service = format!("{domain}/{}", unit.name);
                match ask {
                    Ask::Enable => vec!["launchctl".into(), "enable".into(), service.into()],
                    Ask::Start => {
                        vec!["launchctl".into(), "bootstrap".into(), domain.into(), unit.path.clone().into()]
                    }
                    Ask::IsActive => vec!["launchctl".into(), "print".into(), service.into()],
                    // An agent is found at login by its file alone. One that was disabled would stay so for ever.
                    Ask::Reload | Ask::Disable | Ask::IsEnabled => return None,
                }
            }
        };
        Some(words)
    }
}

fn call(words: &[OsString]) -> Result<Said, Error> {
    let (program, arguments) = words.split_first().expect("every command begins with its program");
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Run { program: program.to_string_lossy().into_owned(), source })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { done: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) })
}

fn shown(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Source: systemctl(1), the table of `is-enabled`.
fn enabled_in(said: &str) -> Option<bool> {
    match said.trim() {
        "enabled" | "enabled-runtime" => Some(true),
        "" => None,
        _ => Some(false),
    }
}

/// Source: systemctl(1), `is-active`; the states are those of `systemctl --state=help`.
fn active_in(said: &str) -> Option<bool> {
    match said.trim() {
        "active" | "activating" | "reloading" | "deactivating" => Some(true),
        "" | "unknown" => None,
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_supervisor_is_asked_in_its_own_words() {
        let words = |supervisor: Supervisor, ask| {
            let unit = supervisor.unit(Path::new("/home/me/website"), Path::new("/units"));
            supervisor.words(ask, &unit).map(|words| shown(&words))
        };
        let systemd = |ask| words(Supervisor::Systemd, ask).unwrap();
        let unit = "apex-website-06c76fea.service";
        assert_eq!(systemd(Ask::Reload), "systemctl --user daemon-reload");
        assert_eq!(systemd(Ask::Enable), format!("systemctl --user enable {unit}"));
        assert_eq!(systemd(Ask::Disable), format!("systemctl --user disable {unit}"));
        assert_eq!(systemd(Ask::Start), format!("systemctl --user start {unit}"));
        assert_eq!(systemd(Ask::IsEnabled), format!("systemctl --user is-enabled {unit}"));
        assert_eq!(systemd(Ask::IsActive), format!("systemctl --user is-active {unit}"));
        let launchd = |ask| words(Supervisor::Launchd, ask);
        let (domain, label) = (format!("gui/{}", geteuid()), "dev.apex.website-06c76fea");
        assert_eq!(launchd(Ask::Enable), Some(format!("launchctl enable {domain}/{label}")));
        assert_eq!(launchd(Ask::Start), Some(format!("launchctl bootstrap {domain} /units/{label}.plist")));
        assert_eq!(launchd(Ask::IsActive), Some(format!("launchctl print {domain}/{label}")));
        for ask in [Ask::Reload, Ask::Disable, Ask::IsEnabled] {
            assert_eq!(launchd(ask), None);
        }
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!(enabled_in("enabled\n"), Some(true));
        assert_eq!(enabled_in("disabled\n"), Some(false));
        assert_eq!(enabled_in(""), None);
        assert_eq!(active_in("activating\n"), Some(true));
        assert_eq!(active_in("failed\n"), Some(false));
        assert_eq!(active_in("\n"), None);
    }
}
