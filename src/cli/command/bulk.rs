//! `task add --from`: many tasks, all of them or none.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _, stdin, stdout};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::cli::args::task::Add;
use crate::cli::bulk::{Common, Reader};
use crate::cli::command::add::{self, Here};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on};
use crate::cli::ui::{Target, written};
use crate::domain::error::ErrorKind;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::query::{AddedMany, Run, TaskFilter};
use crate::exit::Exit;
use crate::paths::Project;
use crate::rpc::client::{Batch, Bulk, Client};
use crate::view::json;
use crate::view::task::TaskView;

/// How many bytes of lines go into one message.
const BATCH_BYTES: usize = 64 << 10;
/// How many messages may wait to be sent.
const BATCHES_AHEAD: usize = 4;
/// How many tasks are asked for at once to be printed.
const PAGE: u64 = 1_000;

/// Adds the tasks in a file.
pub fn run(session: &Session, args: &Add, from: &Path) -> Result<i32, Failure> {
    let project = session.project()?;
    let mut flags = args.task.clone();
    if flags.stdin.as_deref() == Some(Path::new("-")) {
        return Err(Failure::usage("`--stdin -` cannot be used with `--from`: it can be read only once"));
    }
    let env = add::environment(session, &project, &flags)?;
    // They are in the environment now, and are not to be copied with each line.
    (flags.env, flags.env_files) = (Vec::new(), Vec::new());
    let config = session.configuration(&project);
    let here = Here::look(config);
    let (umask, limits) = (here.umask, here.limits.clone());
    let common = Common { flags, here, env: env.clone(), exclusion: config.env.exclusion() };
    let source = open(from)?;
    let parent = add::parent(&project, |name| std::env::var_os(name));
    block_on(async {
        let client = connect::connect(session, &project).await?.client;
        let (batches, received) = mpsc::channel(BATCHES_AHEAD);
        let reading = thread::spawn(move || read(source, common, &batches));
        let Some(tasks) = client.upload_tasks(received).await? else {
            // It has ended before its end, and says why.
            return Err(joined(reading).err().unwrap_or_else(interrupted));
        };
        let warnings = joined(reading)?;
        let bulk = Bulk { uuid: TaskUuid(Uuid::now_v7()), tasks, env, umask, limits, parent };
        let added = client.add_many(bulk).await.map_err(|error| {
            let failure = Failure::from(error);
            // What a line names and is not there is a fault of the file.
            if failure.exit == Exit::NotFound { failure.with_exit(Exit::Refused) } else { failure }
        })?;
        // They say that tasks are added, which was not certain before.
        for warning in warnings {
            session.ui.warn(&warning);
        }
        told(session, &project, &client, &added).await?;
        Ok(Exit::Done.code())
    })
}

fn interrupted() -> Failure {
    Failure::new(ErrorKind::Internal, "cannot read the tasks to their end")
}

fn joined<T>(thread: thread::JoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn open(from: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if from == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(BATCH_BYTES, stdin())));
    }
    let failed = |error: &io::Error| Failure::io(format!("cannot read the tasks in `{}`", from.display()), error);
    let file = File::open(from).map_err(|error| failed(&error))?;
    // It could be opened, and only whoever reads it would be told, without its name.
    if file.metadata().map_err(|error| failed(&error))?.is_dir() {
        return Err(failed(&io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(BufReader::with_capacity(BATCH_BYTES, file)))
}

/// Reads the tasks to their end and sends them on, and returns what is to be warned of.
fn read(
    source: Box<dyn BufRead + Send>,
    common: Common,
    batches: &mpsc::Sender<Batch>,
) -> Result<Vec<String>, Failure> {
    let mut reader = Reader::of(source, common);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some((task, length)) = reader.next_task()? {
        batch.push(task);
        bytes += length;
        if bytes >= BATCH_BYTES {
            if batches.blocking_send(Batch::Tasks(std::mem::take(&mut batch))).is_err() {
                // Nobody wants them any more, and whoever asked for them knows why.
                return Ok(Vec::new());
            }
            bytes = 0;
        }
    }
    // As above: the answer says why nobody wants them.
    let _ = batches.blocking_send(Batch::Tasks(batch));
    let _ = batches.blocking_send(Batch::End);
    Ok(reader.warnings())
}

async fn told(session: &Session, project: &Project, client: &Client, added: &AddedMany) -> Result<(), Failure> {
    if added.untrusted && added.runs.iter().any(|run| run.created) {
        session.ui.warn("the tasks are held: this project came from elsewhere; `apex trust` lets them run");
    }
    if session.ui.json {
        return print_tasks(session, project, client, added).await;
    }
    if session.ui.quiet {
        let mut stdout = BufWriter::new(stdout().lock());
        for id in added.runs.iter().flat_map(|run| run.ids()) {
            written(writeln!(stdout, "{id}"))?;
        }
        return written(stdout.flush());
    }
    let text = in_short(&added.runs);
    session.ui.data(&text)
}

/// Says which tasks were added, and which lines added none because of their key.
fn in_short(runs: &[Run]) -> String {
    let created: Vec<Run> = runs.iter().copied().filter(|run| run.created).collect();
    let others = runs.iter().filter(|run| !run.created);
    // All ids from the first new one on are of lines of the same file: the task of such a key was added just now.
    let first = created.iter().map(|run| run.first).min();
    let is_new = |id: &TaskId| first.is_some_and(|first| *id >= first);
    let (mut there, mut repeated) = (Vec::new(), Vec::new());
    for run in others {
        let count = run.ids().take_while(|id| !is_new(id)).count() as u64;
        if count > 0 {
            there.push(Run { count, ..*run });
        }
        if let Some(id) = run.ids().nth(usize::try_from(count).unwrap_or(usize::MAX)) {
            repeated.push(Run { first: id, count: run.count - count, ..*run });
        }
    }
    let count = |runs: &[Run]| runs.iter().map(|run| run.count).sum::<u64>();
    let ids = |runs: &[Run]| runs.iter().map(in_words).collect::<Vec<_>>().join(",");
    let mut text = match count(&created) {
        0 => "no task added".to_owned(),
        1 => format!("task {} added", ids(&created)),
        n => format!("{n} tasks added: {}", ids(&created)),
    };
    match count(&repeated) {
        0 => {}
        1 => text.push_str(&format!("; one more line has the key of task {} and adds none", ids(&repeated))),
        n => text.push_str(&format!("; {n} more lines have keys of these and add none")),
    }
    match count(&there) {
        0 => {}
        1 => text.push_str(&format!("; task {} is there already", ids(&there))),
        n => text.push_str(&format!("; {n} are there already: {}", ids(&there))),
    }
    text
}

/// Writes ids as they can be typed: `3-7`.
fn in_words(run: &Run) -> String {
    match run.ids().last().filter(|last| *last != run.first) {
        Some(last) => format!("{}-{last}", run.first),
        None => run.first.to_string(),
    }
}

/// Prints the tasks as an array, a page of them after the other: they are never held all at once.
async fn print_tasks(session: &Session, project: &Project, client: &Client, added: &AddedMany) -> Result<(), Failure> {
    let mut separator = "[";
    for run in &added.runs {
        let mut done = 0;
        while done < run.count {
            let count = PAGE.min(run.count - done);
            let first = run.first.get() + done;
            let filter = TaskFilter {
                limit: u32::try_from(count).ok(),
                below: TaskId::new(first + count),
                ..TaskFilter::default()
            };
            let mut text = String::new();
            for task in client.tasks(&filter).await?.tasks.iter().filter(|task| task.id.get() >= first) {
                text.push_str(separator);
                let line = json::line(&TaskView::of(task, project.data()));
                text.push_str(&line.map_err(|error| Failure::new(ErrorKind::Internal, error.to_string()))?);
                separator = ",";
            }
            session.ui.bytes(Target::Stdout, text.as_bytes())?;
            done += count;
        }
    }
    let end = if separator == "[" { "[]\n" } else { "]\n" };
    session.ui.bytes(Target::Stdout, end.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_as_they_can_be_typed() {
        let run = |count| Run { place: 0, first: TaskId::new(3).unwrap(), count, created: true };
        assert_eq!((in_words(&run(1)), in_words(&run(5))), ("3".to_owned(), "3-7".to_owned()));
    }

    #[test]
    fn a_key_that_two_lines_have_is_not_told_as_one_that_was_there() {
        let run = |first, count, created| Run { place: 0, first: TaskId::new(first).unwrap(), count, created };
        let of = |runs: &[Run]| in_short(runs);
        assert_eq!(
            of(&[run(16, 1, true), run(16, 1, false)]),
            "task 16 added; one more line has the key of task 16 and adds none"
        );
        assert_eq!(of(&[run(7, 1, false)]), "no task added; task 7 is there already");
        assert_eq!(
            of(&[run(8, 2, true), run(6, 4, false), run(9, 1, false)]),
            "2 tasks added: 8-9; 3 more lines have keys of these and add none; 2 are there already: 6-7"
        );
    }
}
