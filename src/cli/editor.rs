//! The editor that somebody wants.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::cli::error::Failure;
use crate::domain::error::ErrorKind;

/// The editor where the environment names none.
const EDITOR: &str = "vi";

/// Returns the words of the editor's command line.
///
/// Errors: quotation marks that do not match.
pub fn named(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, Failure> {
    let set = |name: &'static str| Some((name, variable(name).filter(|text| !text.trim().is_empty())?));
    let (name, line) = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or(("EDITOR", EDITOR.to_owned()));
    shell_words::split(&line).map_err(|error| {
        Failure::new(ErrorKind::Invalid, format!("cannot read the variable `{name}`, which is `{line}`: {error}"))
            .with_hint(format!("name an editor, as in `{name}='nano -w' apex config edit`"))
    })
}

/// Opens a file in an editor and waits for its end. Where standard output is for JSON, the editor does without.
pub fn open(editor: &[String], file: &Path, keeps_stdout: bool) -> Result<(), Failure> {
    let (program, arguments) = editor.split_first().map_or((EDITOR, &[][..]), |(first, rest)| (first, rest));
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    if keeps_stdout {
        command.stdout(Stdio::from(io::stderr()));
    }
    let patient = Patient::begin();
    let status = command.status();
    drop(patient);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Failure::new(ErrorKind::Conflict, format!("the editor `{program}` gave up and ended with {status}")))
        }
        Err(error) => Err(Failure::io(format!("cannot start the editor `{program}`"), &error)
            .with_hint("name another in the variable `EDITOR`, as in `EDITOR=nano`")),
    }
}

/// While it lives, Ctrl-C and Ctrl-\ are the editor's alone.
struct Patient(Vec<(Signal, SigAction)>);

impl Patient {
    fn begin() -> Self {
        extern "C" fn nothing(_: nix::libc::c_int) {}
        // Not ignored, which the editor would inherit: a handler ends with exec.
        let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
        let set = |signal| {
            // SAFETY: the handler does nothing, which is safe at any moment.
            unsafe { sigaction(signal, &action) }.ok().map(|before| (signal, before))
        };
        Self([Signal::SIGINT, Signal::SIGQUIT].into_iter().filter_map(set).collect())
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        for (signal, before) in &self.0 {
            // SAFETY: it was in force before.
            let _ = unsafe { sigaction(*signal, before) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_is_the_one_that_is_named() {
        let of = |visual: Option<&str>, editor_: Option<&str>| {
            named(|name| if name == "VISUAL" { visual } else { editor_ }.map(str::to_owned))
        };
        assert_eq!(of(None, None).unwrap(), ["vi"]);
        assert_eq!(of(Some(""), Some(" ")).unwrap(), ["vi"]);
        assert_eq!(of(None, Some("nano -w")).unwrap(), ["nano", "-w"]);
        assert_eq!(of(Some("'/opt/my editor' --wait"), Some("nano")).unwrap(), ["/opt/my editor", "--wait"]);
        let failure = of(None, Some("'nano")).unwrap_err();
        assert!(failure.problem.message.contains("`EDITOR`"), "{failure:?}");
    }
}
