//! A sheet in an editor.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::cli::edit::{Sheet, Wrong, at_line, parse};
use crate::cli::editor;
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::domain::error::ErrorKind;
use crate::exit::Exit;

/// Lets `original`, the text of a sheet, be changed in an editor, in a file `STEM.edit-….toml`, and does what follows from it: `read`
/// makes something of the sheet, which is `None` if nothing was changed, and `apply` does it. What is wrong can be mended as long as
/// somebody can be asked; what was written is kept then.
pub fn in_editor<T>(
    session: &Session,
    editor: &[String],
    (directory, stem): (&Path, &str),
    (before, original): (&Sheet, String),
    read: impl Fn(&Sheet) -> Result<T, Wrong>,
    apply: impl Fn(Option<T>) -> Result<i32, Failure>,
) -> Result<i32, Failure> {
    let draft = Draft::begin(directory, stem, original)?;
    loop {
        if let Err(failure) = editor::open(editor, &draft.path, session.ui.json) {
            return Err(draft.left(failure));
        }
        let wanted = draft.read().and_then(|text| text.map(|text| made_of(&text, before, &read)).transpose());
        match wanted.and_then(&apply) {
            Ok(code) => {
                draft.discard();
                return Ok(code);
            }
            Err(failure) => {
                if failure.problem.kind != ErrorKind::Invalid || !session.ui.can_ask() {
                    return Err(draft.left(failure));
                }
                session.ui.fail(&failure);
                if !session.ui.ask("edit it again?") {
                    return Err(draft.left(failure));
                }
            }
        }
    }
}

/// Reads what was written.
///
/// Errors: what is wrong, with its line.
fn made_of<T>(text: &str, before: &Sheet, read: impl Fn(&Sheet) -> Result<T, Wrong>) -> Result<T, Failure> {
    let (after, lines) = parse(before.keys, text)?;
    read(&after).map_err(|wrong| match (lines.get(wrong.0), wrong.1) {
        (Some(line), failure) => at_line(*line, failure),
        (None, failure) => failure.with_exit(Exit::Refused),
    })
}

/// A sheet that is being changed, in a file that nobody else can read.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    original: String,
}

impl Draft {
    fn begin(directory: &Path, stem: &str, original: String) -> Result<Self, Failure> {
        let mark = Uuid::new_v4().simple().to_string();
        // The ending tells editors what it is.
        let path = directory.join(format!("{stem}.edit-{}.toml", &mark[..8]));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        written
            .and_then(|mut file| file.write_all(original.as_bytes()))
            .map_err(|error| Failure::io(format!("cannot write `{}`", path.display()), &error))?;
        Ok(Self { path, original })
    }

    /// Returns what was written; `None` if that is nothing, also where an editor took it away.
    fn read(&self) -> Result<Option<String>, Failure> {
        match fs::read(&self.path) {
            Ok(bytes) if bytes == self.original.as_bytes() => Ok(None),
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| Failure::new(ErrorKind::Invalid, format!("`{}` is not UTF-8", self.path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io(format!("cannot read `{}`", self.path.display()), &error)),
        }
    }

    fn discard(self) {
        // What cannot be removed is harmless.
        let _ = fs::remove_file(&self.path);
    }

    /// Leaves what was written where it is, and says where.
    fn left(self, failure: Failure) -> Failure {
        if let Ok(None) = self.read() {
            self.discard();
            return failure;
        }
        let kept = format!("what you wrote is kept in `{}`", self.path.display());
        failure.with_hint(kept)
    }
}
