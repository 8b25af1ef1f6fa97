//! `task move`

use crate::cli::args::steer::Move;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on};
use crate::domain::place::Place;
use crate::exit::Exit;
use crate::view::task::TaskView;

/// Puts a waiting task to another place.
pub fn run(session: &Session, args: &Move) -> Result<i32, Failure> {
    let project = session.project()?;
    let to = args.before.map_or(Place::Top, Place::Before);
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let task = connection.client.move_task(args.id, to).await?;
        match to {
            Place::Top => session.ui.note(&format!("task {} moved to the top", task.id)),
            Place::Before(before) => session.ui.note(&format!("task {} moved before task {before}", task.id)),
        }
        if session.ui.json {
            session.ui.json(&TaskView::of(&task, project.data()))?;
        }
        Ok(Exit::Done.code())
    })
}
