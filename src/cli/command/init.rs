//! `init`

use std::path::{Path, PathBuf};

use crate::cli::args::project::Init;
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::{self, Created, Places};
use crate::view::init::InitView;

/// Makes a project: of the directory that is named, by itself or with `-C`, else of the working directory.
pub fn run(session: &Session, args: &Init) -> Result<i32, Failure> {
    let named = args.directory.as_ref().or(session.named_project());
    let named = named.map_or(Path::new("."), PathBuf::as_path);
    let directory = session.base_of(named)?.join(named);
    let init = paths::init(&directory, &Places::from_env()?)?;
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
