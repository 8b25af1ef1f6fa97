//! `completions`

use crate::cli::args::{self, project::Completions};
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::cli::ui::Target;
use crate::exit::Exit;

/// Prints the completions of a shell.
pub fn run(session: &Session, args: &Completions) -> Result<i32, Failure> {
    // Into memory first: the generator takes a pipe that nobody reads for a bug.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "apex", &mut script);
    session.ui.bytes(Target::Stdout, &script)?;
    Ok(Exit::Done.code())
}
