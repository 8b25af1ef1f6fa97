//! `init`

use crate::cli::args::project::Init;
use crate::cli::caller;
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::{self, Created, How, Places};
use crate::view::init::InitView;

/// Makes a project: of the directory that is named, by itself, with `-C` or in `APEX_PROJECT_PATH`, else of the working
/// directory; with `-g` the per-user one.
pub fn run(session: &Session, args: &Init) -> Result<i32, Failure> {
    let places = Places::from_env()?;
    let directory = match (args.directory.as_ref(), &session.how()) {
        (Some(_), How::Global) => {
            return Err(Failure::usage(
                "either a directory is named, or the per-user project is meant with `--global`",
            )
            .with_hint("leave `--global` out"));
        }
        (Some(named), _) | (None, How::At(named)) => session.base_of(named)?.join(named),
        (None, How::Walk) => caller::working_directory()?,
        (None, How::Global) => paths::global(&places)?.root().to_owned(),
    };
    let init = paths::init(&directory, &places)?;
    if let Some(error) = &init.not_registered {
        session.ui.warn(&format!("it could not be entered among your projects: {error}"));
    }
    let (project, config) = (&init.project, init.project.config_file());
    if session.ui.json {
        session.ui.json(&InitView::of(project.root(), &config, init.created == Created::New))?;
        return Ok(Exit::Done.code());
    }
    let root = project.root().to_string_lossy();
    let root = neutralize(&root);
    let text = match &init.created {
        Created::New => format!("project `{root}` made; its settings are in `.apex/config.toml`"),
        Created::Completed(files) => {
            let names = files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy());
            format!(
                "`{root}` is a project already; `{}` was missing and is there again",
                names.collect::<Vec<_>>().join("`, `")
            )
        }
        Created::Already => format!("`{root}` is a project already"),
    };
    if !session.ui.quiet {
        session.ui.data(&text)?;
    }
    Ok(Exit::Done.code())
}
