//! Tasks that were named by ranges or chosen by what they have in common: the daemon finds them, a page at a time.

use crate::cli::command::steer::code_of;
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::selection::{Deed, Done, Selection};
use crate::exit::Exit;
use crate::rpc::client::Client;

/// Returns the ids of a selection, ascending.
///
/// Errors: it is empty.
pub async fn ids(client: &Client, selection: &Selection) -> Result<Vec<TaskId>, Failure> {
    if let Some(ids) = selection.plain_ids() {
        return Ok(ids.to_vec());
    }
    let ids = client.select(selection).await?;
    if ids.is_empty() { Err(nothing(client, selection).await?) } else { Ok(ids) }
}

/// Does something to all tasks of a selection. Each refusal is told on a line of its own, and `tell` tells what was done, also
/// where it cannot be gone on with. Returns for which it was done, and the exit code.
///
/// Errors: the selection is empty.
pub async fn steer(
    session: &Session,
    client: &Client,
    selection: &Selection,
    deed: &Deed,
    tell: impl Fn(&[(TaskId, Done)]),
) -> Result<(Vec<(TaskId, Done)>, i32), Failure> {
    let (mut done, mut refusals) = (Vec::new(), Vec::new());
    let (mut after, mut is_any) = (None, false);
    loop {
        let page = match client.steer(selection, deed, after).await {
            Ok(page) => page,
            Err(error) => {
                tell(&done);
                return Err(error.into());
            }
        };
        is_any |= page.is_any;
        for (id, result) in page.results {
            match result {
                Ok(how) => done.push((id, how)),
                Err(problem) => {
                    session.ui.fail_one(&problem);
                    refusals.push(problem);
                }
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    done.sort_unstable_by_key(|(id, _)| *id);
    tell(&done);
    if !done.is_empty() || !refusals.is_empty() {
        let code = code_of(&refusals, done.is_empty()).code();
        return Ok((done, code));
    }
    if !is_any {
        return Err(nothing(client, selection).await?);
    }
    session.ui.remark(&left_alone(deed, selection));
    Ok((done, Exit::Done.code()))
}

/// Returns why there was nothing to be done to the tasks that are meant.
fn left_alone(deed: &Deed, selection: &Selection) -> String {
    let wanted = match deed {
        Deed::Cancel { .. } => "is waiting or running",
        Deed::Kill { .. } => "has a process",
        Deed::Release => "is held",
        Deed::Hold => "is waiting",
        Deed::Pause => "is running",
        Deed::Resume => "is paused",
        Deed::Retry if selection.states.is_empty() => "failed, timed out, was lost or interrupted",
        Deed::Retry | Deed::Remove => "has ended",
    };
    format!("nothing to {}: none of the tasks that match {wanted}", deed.word())
}

/// Returns the failure that a selection is empty.
pub async fn nothing(client: &Client, selection: &Selection) -> Result<Failure, Failure> {
    if let Some(name) = &selection.queue {
        let is_there = client.queues().await?.iter().any(|queue| queue.name == *name);
        if !is_there {
            return Ok(no_queue(name).into());
        }
    }
    let message = match (selection.has_conditions(), selection.spans.as_slice(), selection.ids.as_slice()) {
        (true, ..) => "no task matches".to_owned(),
        (false, [span], []) => format!("no task has a number from `{}` to `{}`", span.first, span.last),
        (false, ..) => "no task has one of these numbers".to_owned(),
    };
    Ok(Problem::new(ErrorKind::NotFound, message).with_hint("see what there is with `apex task list --all`").into())
}

/// Returns the problem of a queue that is not there.
pub fn no_queue(name: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, format!("no queue `{name}`"))
        .with_hint("see what there is with `apex queue list`")
        .with_id(name)
}
