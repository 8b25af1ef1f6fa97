//! `progress`

use std::ffi::OsString;

use crate::cli::args::progress::Progress;
use crate::cli::command::add;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render::progress::in_words;
use crate::cli::session::{Session, block_on};
use crate::domain::error::ErrorKind;
use crate::domain::id::{AttemptNumber, TaskId};
use crate::domain::progress::{Tell, Told};
use crate::exit::Exit;
use crate::view::progress::TakenView;

/// Says how far a task is.
pub fn run(session: &Session, args: &Progress) -> Result<i32, Failure> {
    let told = told(args)?;
    let project = session.project()?;
    let variable = |name: &str| std::env::var_os(name);
    let inside = add::parent(&project, variable);
    let (id, attempt) = which(args.task, inside, variable)?;
    let tell = Tell { id, attempt, told };
    block_on(async {
        // Without a daemon nothing runs that could be told of.
        let connection = connect::if_running(session, &project).await??;
        let taken = connection.client.tell_progress(&tell, args.wait, inside).await?;
        if session.ui.json {
            session.ui.json(&TakenView::of(id, &taken))?;
        }
        session.ui.detail(&format!("task {id}: {}", in_words(&taken.progress)));
        Ok(Exit::Done.code())
    })
}

/// Returns what is told.
///
/// Errors: it makes no sense by itself.
fn told(args: &Progress) -> Result<Told, Failure> {
    let (done, total) = match args.done {
        None => (None, args.total),
        Some(done) if done.total.is_some() && args.total.is_some() => {
            let message = format!("`{done}` says of how much, and `--total` too");
            return Err(Failure::usage(message).with_hint("write it like `40 --total 200`"));
        }
        Some(done) => (Some(done.done), done.total.or(args.total)),
    };
    let told = Told { done, total, message: args.message.clone(), all_done: args.all_done };
    told.check().map_err(|wrong| Failure::usage(wrong.to_string()))?;
    if let (Some(done), Some(total)) = (done, total)
        && done > total
    {
        return Err(Failure::usage(format!("`{done}` is more than the total of `{total}`")));
    }
    Ok(told)
}

/// Returns which task is told of, and which attempt: of the task it is typed in, its own.
fn which(
    named: Option<TaskId>,
    inside: Option<TaskId>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(TaskId, Option<AttemptNumber>), Failure> {
    let own = || variable("APEX_ATTEMPT")?.to_str()?.parse().ok();
    match (named, inside) {
        (Some(id), inside) => Ok((id, if inside == named { own() } else { None })),
        (None, Some(id)) => Ok((id, own())),
        (None, None) => {
            let failure = Failure::new(ErrorKind::Invalid, "this is not typed in a task of this project");
            Err(failure.with_hint("name the task, as in `apex progress 40% --task 12`").with_exit(Exit::Usage))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::value::Done;

    fn id(n: u64) -> Option<TaskId> {
        TaskId::new(n)
    }

    #[test]
    fn a_task_tells_of_itself_and_of_its_own_attempt() {
        let of = |named, inside| {
            which(named, inside, |name| (name == "APEX_ATTEMPT").then(|| "2".into())).ok().map(|(id, n)| (id.get(), n))
        };
        assert_eq!(of(None, id(7)), Some((7, Some(2))));
        assert_eq!(of(id(7), id(7)), Some((7, Some(2))));
        assert_eq!(of(id(8), id(7)), Some((8, None)));
        assert_eq!(of(id(8), None), Some((8, None)));
        assert_eq!(of(None, None), None);
    }

    #[test]
    fn what_is_typed_is_what_is_told() {
        let done = |done, total| Some(Done { done, total });
        let of =
            |done, total| told(&Progress { done, total, ..Progress::default() }).map(|told| (told.done, told.total));
        assert_eq!(of(done(40, None), Some(200)), Ok((Some(40), Some(200))));
        assert_eq!(of(done(40, Some(100)), None), Ok((Some(40), Some(100))));
        assert_eq!(of(None, Some(9)), Ok((None, Some(9))));
        for wrong in [of(done(40, Some(100)), Some(200)), of(done(9, Some(8)), None), of(done(9, None), Some(8))] {
            assert_eq!(wrong.unwrap_err().exit, Exit::Usage);
        }
    }
}
