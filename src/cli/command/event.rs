//! `events`: what happened, and with `-f` what happens.

use crate::cli::args::event;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::reader::while_read;
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::domain::error::ErrorKind;
use crate::domain::id::Seq;
use crate::exit::Exit;
use crate::rpc::client::{Event, Events};
use crate::view::event::EventView;

/// Prints events, a line each.
pub fn run(session: &Session, args: &event::Events) -> Result<i32, Failure> {
    let since = since(args);
    let project = session.project()?;
    let mut is_connected = false;
    let result = block_on(async {
        let connection = connect::connect(session, &project).await?;
        is_connected = true;
        let events = connection.client.events(since, args.follow);
        let told = tell(session, events);
        if args.follow { while_read(told).await } else { told.await }
    });
    result.map_err(|failure| {
        // A daemon that is stopped ends the stream.
        let was_stopped = is_connected && failure.problem.kind == ErrorKind::Unavailable;
        if was_stopped { failure.with_exit(Exit::Unreachable) } else { failure }
    })
}

/// Prints events for as long as there are any.
async fn tell(session: &Session, mut events: Events) -> Result<i32, Failure> {
    while let Some(event) = events.next().await {
        let event = event?;
        if session.ui.json {
            session.ui.json(&match &event {
                Event::Change(change) => EventView::of(change),
                Event::Gap(until) => EventView::gap(*until),
            })?;
        } else {
            session.ui.data(&match &event {
                Event::Change(change) => render::event::line(change),
                Event::Gap(until) => render::event::gap(*until),
            })?;
        }
    }
    Ok(Exit::Done.code())
}

/// Returns after which change to begin; `None` for the last one there is now.
fn since(args: &event::Events) -> Option<Seq> {
    args.since.or((!args.follow).then_some(0)).map(Seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_follows_begins_now_and_whoever_looks_back_at_the_beginning() {
        let of = |follow, seq| since(&event::Events { follow, since: seq });
        assert_eq!(of(false, None), Some(Seq(0)));
        assert_eq!(of(true, None), None);
        assert_eq!(of(true, Some(7)), Some(Seq(7)));
        assert_eq!(of(false, Some(7)), Some(Seq(7)));
    }
}
