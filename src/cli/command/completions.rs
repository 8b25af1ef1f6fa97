//! `completions`

use crate::cli::args::{self, project::Completions};
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::cli::ui::Target;
use crate::exit::Exit;
use crate::view::text::TextView;

/// Prints the completions of a shell; with JSON the script in an object.
pub fn run(session: &Session, args: &Completions) -> Result<i32, Failure> {
    // Into memory first: the generator takes a pipe that nobody reads for a bug.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "apex", &mut script);
    if session.ui.json {
        session.ui.json(&TextView::of(&String::from_utf8_lossy(&script)))?;
    } else {
        session.ui.bytes(Target::Stdout, &script)?;
    }
    Ok(Exit::Done.code())
}
