//! What happened, a line each.

use crate::cli::render::instant::precise;
use crate::cli::render::progress::in_words;
use crate::domain::change::Change;
use crate::domain::id::Seq;
use crate::domain::task::State;
use crate::domain::text::neutralize;

/// Returns a change on one line: when, its number, what, of which task, queue or schedule, from where to where, by whom, why.
pub fn line(change: &Change) -> String {
    let mut line = format!("{}  {:>6}  {:<16}", precise(change.at), change.seq.0, change.kind.as_str());
    if let Some(id) = change.task {
        line.push_str(&format!("  task {id}"));
    }
    if let Some(queue) = &change.queue {
        line.push_str(&format!("  queue {}", neutralize(queue)));
    }
    if let Some(schedule) = &change.schedule {
        line.push_str(&format!("  schedule {}", neutralize(schedule)));
    }
    match change.states_shown() {
        (Some(from), Some(to)) if from != to => line.push_str(&format!("  {} -> {}", from.as_str(), to.as_str())),
        (Some(from), None) => line.push_str(&format!("  {} -> gone", from.as_str())),
        (_, to) => line.extend(to.map(State::as_str).into_iter().flat_map(|state| ["  ", state])),
    }
    line.push_str(&format!("  by {}", neutralize(&change.by.to_string())));
    if let Some(progress) = &change.progress {
        line.push_str(&format!("  ({})", in_words(progress)));
    }
    if let Some(reason) = &change.reason {
        line.push_str(&format!("  ({})", neutralize(reason)));
    }
    line
}

/// Returns the line for changes that were forgotten, up to number `until`.
pub fn gap(until: Seq) -> String {
    format!("{:<29}  {:>6}  changes up to this number are not kept any more", "gap", until.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::{Actor, ChangeKind};
    use crate::view::samples;

    #[test]
    fn changes_and_gaps_on_a_line_each() {
        let started = samples::started;
        let claimed =
            Change { kind: ChangeKind::Claimed, from: Some(State::Queued), to: Some(State::Starting), ..started() };
        let added =
            Change { kind: ChangeKind::Added, from: None, to: Some(State::Held), by: Actor::Cli(4711), ..started() };
        let removed = Change { kind: ChangeKind::Removed, from: Some(State::Failed), to: None, ..started() };
        let ended = Change {
            kind: ChangeKind::Ended,
            from: Some(State::Running),
            to: Some(State::TimedOut),
            reason: Some("its time limit was over\u{1b}".to_owned()),
            ..started()
        };
        let progress = Some(samples::progress());
        let running = Some(State::Running);
        let progressed = Change { kind: ChangeKind::Progressed, from: running, to: running, progress, ..started() };
        let lines = [line(&added), line(&claimed), line(&started()), line(&progressed), line(&ended), line(&removed)];
        let others = [line(&samples::queue_paused()), gap(Seq(41))];
        insta::assert_snapshot!([&lines[..], &others].concat().join("\n"), @r#"
        2026-01-15T10:30:00.000+00:00       7  task.added        task 12  held  by cli:4711
        2026-01-15T10:30:00.000+00:00       7  task.claimed      task 12  queued  by daemon
        2026-01-15T10:30:00.000+00:00       7  task.started      task 12  queued -> running  by daemon
        2026-01-15T10:30:00.000+00:00       7  task.progress     task 12  running  by daemon  (20%, 40 of 200: a\u001bb)
        2026-01-15T10:30:00.000+00:00       7  task.ended        task 12  running -> timed_out  by daemon  (its time limit was over\u001b)
        2026-01-15T10:30:00.000+00:00       7  task.removed      task 12  failed -> gone  by daemon
        2026-01-15T10:30:00.000+00:00       8  queue.paused      queue gpu  by cli:4711  (new driver)
        gap                                41  changes up to this number are not kept any more
        "#);
    }
}
