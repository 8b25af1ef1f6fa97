//! `daemon logs`: reads the files, so it needs no daemon and outlives each.

use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::args::daemon::Logs;
use crate::cli::error::Failure;
use crate::cli::reader::{Reader, nobody};
use crate::cli::session::Session;
use crate::cli::ui::Target;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::Project;
use crate::telemetry::level::Level;
use crate::telemetry::read::{self, Follow, Selection, parse_line};
use crate::view::json;
use crate::view::log::LogLineView;

/// Longest time without a look at the files; what is written wakes a follower at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Prints the log, and with `-f` what is added to it.
pub fn run(session: &Session, args: &Logs) -> Result<i32, Failure> {
    let project = session.project()?;
    let file = project.log_file();
    let selection = Selection {
        tail_lines: args.lines.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        since: args.since,
        level: args.level.and_then(|level| Level::parse(level.as_str())),
    };
    let cannot = |error: &std::io::Error| cannot_read(&project, error);
    if !args.follow {
        print(session, &read::read(&file, selection).map_err(|error| cannot(&error))?)?;
        return Ok(Exit::Done.code());
    }
    let mut follow = Follow::new(&file, selection).map_err(|error| cannot(&error))?;
    let reader = Reader::of_stdout();
    // Ends by a signal, or when nobody reads it any more.
    loop {
        print(session, &follow.next_lines().map_err(|error| cannot(&error))?)?;
        follow.wait_or(reader.as_ref().map(AsFd::as_fd), LOOK_EVERY).map_err(|error| cannot(&error))?;
        if reader.as_ref().is_some_and(Reader::is_gone) {
            return Err(nobody());
        }
    }
}

fn cannot_read(project: &Project, error: &std::io::Error) -> Failure {
    Failure::io(format!("cannot read the log `{}`", project.log_file().display()), error)
}

/// Prints lines with one call: a log is long.
fn print(session: &Session, lines: &[String]) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        if session.ui.json {
            text.push_str(&as_json(line)?);
        } else {
            text.push_str(&neutralize(line));
        }
        text.push('\n');
    }
    session.ui.bytes(Target::Stdout, text.as_bytes())
}

fn as_json(line: &str) -> Result<String, Failure> {
    let view = match parse_line(line) {
        Some(entry) => LogLineView::entry(entry.at, entry.level.as_str(), &entry.message),
        None => LogLineView::other(line),
    };
    json::line(&view).map_err(|error| {
        Failure::new(
            crate::domain::error::ErrorKind::Internal,
            format!("cannot write a line of the log as JSON: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_taken_apart_and_other_lines_are_not() {
        let entry = as_json("[2026-01-15T10:30:00.000Z] [WARN] odd key=value").unwrap();
        assert_eq!(entry, r#"{"at":"2026-01-15T10:30:00.000Z","level":"warn","message":"odd key=value"}"#);
        let other = as_json("thread panicked").unwrap();
        assert_eq!(other, r#"{"at":null,"level":null,"message":"thread panicked"}"#);
    }
}
