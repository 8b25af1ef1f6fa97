//! `completions`

use crate::cli::args::project::Completions;
use crate::cli::complete;
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::cli::ui::Target;
use crate::exit::Exit;
use crate::view::text::TextView;

/// Prints the completions of a shell; with JSON the script in an object.
pub fn run(session: &Session, args: &Completions) -> Result<i32, Failure> {
    let script = complete::script(args.shell);
    if session.ui.json {
        session.ui.json(&TextView::of(&String::from_utf8_lossy(&script)))?;
    } else {
        session.ui.bytes(Target::Stdout, &script)?;
    }
    Ok(Exit::Done.code())
}
