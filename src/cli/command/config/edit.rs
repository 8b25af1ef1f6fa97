//! `config edit`: a copy in an editor, which takes the place of the file once it is right.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::cli::command::lock;
use crate::cli::editor;
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::config::{self, Overrides, TEMPLATE};
use crate::domain::error::ErrorKind;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::Project;
use crate::view::config::EditView;

/// Lets the project's settings be changed.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let editor = editor::named(|name| std::env::var(name).ok())?;
    let draft = Draft::begin(&project.config_file())?;
    loop {
        if let Err(failure) = editor::open(&editor, &draft.path, session.ui.json) {
            return Err(draft.left(failure));
        }
        if draft.is_unchanged() {
            draft.discard();
            return told(session, &project, false);
        }
        match config::check_file(&draft.path) {
            Ok(()) => break,
            Err(error) => {
                let mut failure = Failure::from(error).while_doing("the configuration was not changed");
                // What to do is what is being done.
                failure.problem.hint = None;
                if !session.ui.can_ask() {
                    return Err(draft.left(failure));
                }
                session.ui.fail(&failure);
                if !session.ui.ask("edit it again?") {
                    return Err(draft.left(failure));
                }
            }
        }
    }
    draft.put_in_place()?;
    told(session, &project, true)
}

/// A copy of a file, which is being changed.
#[derive(Debug)]
struct Draft {
    /// The file itself, behind links.
    target: PathBuf,
    /// The copy, in the same directory.
    path: PathBuf,
    /// What the file said; `None` if there was none.
    original: Option<Vec<u8>>,
}

impl Draft {
    /// Makes the copy; of the template if there is no file.
    fn begin(file: &Path) -> Result<Self, Failure> {
        let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let original = match config::read_bytes(&target) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::io(format!("cannot read `{}`", target.display()), &error)),
        };
        let mark = Uuid::new_v4().simple().to_string();
        // The ending tells editors what it is.
        let path = target.with_file_name(format!("config.edit-{}.toml", &mark[..8]));
        let bytes = original.as_deref().unwrap_or(TEMPLATE.as_bytes());
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        written
            // A umask can have taken away what the owner needs.
            .and_then(|mut copy| {
                copy.write_all(bytes).and_then(|()| copy.set_permissions(Permissions::from_mode(0o600)))
            })
            .map_err(|error| Failure::io(format!("cannot write `{}`", path.display()), &error))?;
        Ok(Self { target, path, original })
    }

    /// Returns whether there is nothing new in it; also where an editor took it away.
    fn is_unchanged(&self) -> bool {
        let before = self.original.as_deref().unwrap_or(TEMPLATE.as_bytes());
        fs::read(&self.path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |now| now == before)
    }

    fn discard(self) {
        // What cannot be removed is harmless.
        let _ = fs::remove_file(&self.path);
    }

    /// Leaves what was written where it is, and says where.
    fn left(self, failure: Failure) -> Failure {
        if self.is_unchanged() {
            self.discard();
            return failure;
        }
        let kept = format!("what you wrote is kept in `{}`", self.path.display());
        failure.with_hint(kept)
    }

    /// Puts the copy in the place of the file, for good.
    ///
    /// Errors: the file is not what it was when the copy was made; the disk's.
    fn put_in_place(self) -> Result<(), Failure> {
        if fs::read(&self.target).ok() != self.original {
            let message = format!("`{}` was changed by somebody else in the meantime", self.target.display());
            return Err(self.left(Failure::new(ErrorKind::Conflict, message)));
        }
        let replace = || {
            let copy = File::open(&self.path)?;
            // Whatever the editor made of it.
            copy.set_permissions(Permissions::from_mode(0o600))?;
            copy.sync_all()?;
            fs::rename(&self.path, &self.target)?;
            self.target.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
        };
        match replace() {
            Ok(()) => Ok(()),
            Err(error) => {
                let message = format!("cannot replace `{}`", self.target.display());
                Err(self.left(Failure::io(message, &error)))
            }
        }
    }
}

fn told(session: &Session, project: &Project, changed: bool) -> Result<i32, Failure> {
    let file = project.config_file();
    if session.ui.json {
        session.ui.json(&EditView::of(changed, &file))?;
    } else if !session.ui.quiet {
        let shown = file.to_string_lossy();
        let shown = neutralize(&shown);
        let text = if changed { format!("`{shown}` changed") } else { format!("`{shown}` unchanged") };
        session.ui.data(&text)?;
    }
    if changed {
        if let Err(error) = config::load(&file, Overrides::default()) {
            session.ui.warn(&format!("the file is right, but no daemon can start: {error}"));
        } else if lock::is_held(project).unwrap_or(false) {
            session.ui.note("the running daemon takes it over with `apex daemon reload`");
        }
    }
    Ok(Exit::Done.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_takes_the_place_of_the_file_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (link, file) = (dir.path().join("config.toml"), dir.path().join("mine.toml"));
        fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let draft = Draft::begin(&link).unwrap();
        assert!(draft.is_unchanged());
        fs::write(&draft.path, "b").unwrap();
        draft.put_in_place().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "b");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_is_not_lost_and_neither_is_the_draft() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        let draft = Draft::begin(&file).unwrap();
        assert_eq!(fs::read_to_string(&draft.path).unwrap(), TEMPLATE);
        let path = draft.path.clone();
        fs::write(&path, "mine").unwrap();
        fs::write(&file, "theirs").unwrap();
        let failure = draft.put_in_place().unwrap_err();
        assert!(failure.problem.hint.unwrap().contains(path.to_str().unwrap()));
        assert_eq!(
            (fs::read_to_string(&file).unwrap(), fs::read_to_string(&path).unwrap()),
            ("theirs".into(), "mine".into())
        );
    }
}
