//! How far tasks are, and how long they still take.

use std::time::Duration;

use crate::cli::render::rough;
use crate::domain::progress::Progress;
use crate::domain::task::Task;
use crate::domain::text::neutralize;

/// Returns a progress on one line: `20%, 40 of 200: linking`.
pub fn in_words(progress: &Progress) -> String {
    let percent = progress.percent().map(|percent| format!("{percent}%"));
    let count = match (progress.done, progress.total) {
        (Some(done), Some(total)) => Some(format!("{done} of {total}")),
        (Some(done), None) => Some(format!("{done} done")),
        (None, Some(total)) => Some(format!("of {total}")),
        (None, None) => None,
    };
    let numbers: Vec<String> = percent.into_iter().chain(count).collect();
    let message = progress.message.as_deref().map(neutralize).unwrap_or_default();
    match (numbers.join(", "), message) {
        (numbers, message) if message.is_empty() => numbers,
        (numbers, message) if numbers.is_empty() => message.into_owned(),
        (numbers, message) => format!("{numbers}: {message}"),
    }
}

/// Returns how far a task is that has a process, in as few words as there are: `20%, 3m05s left`; `None` if nothing is known.
pub fn short(task: &Task) -> Option<String> {
    let done = task.progress().filter(|_| task.state.is_active()).and_then(|progress| {
        let percent = progress.percent().map(|percent| format!("{percent}%"));
        percent.or_else(|| progress.done.map(|done| format!("{done} done")))
    });
    let parts: Vec<String> = done.into_iter().chain(left(task)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Returns the same with what it is about just now: `20%, 3m05s left: linking`.
pub fn whole(task: &Task) -> Option<String> {
    let message = task.progress().filter(|_| task.state.is_active()).and_then(|progress| progress.message.as_deref());
    match (short(task), message.map(neutralize)) {
        (Some(short), Some(message)) => Some(format!("{short}: {message}")),
        (short, message) => short.or_else(|| message.map(String::from)),
    }
}

/// Returns how much longer a task runs: `3m05s left`.
pub fn left(task: &Task) -> Option<String> {
    task.time_left.filter(|left| *left >= Duration::from_secs(1)).map(|left| format!("{} left", rough(left)))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::view::samples::{NOW, progress, running};

    #[test]
    fn a_progress_in_words_is_as_long_as_there_is_something_to_say() {
        let full = progress();
        assert_eq!(in_words(&full), "20%, 40 of 200: a\\u001bb");
        assert_eq!(in_words(&Progress { message: None, ..full.clone() }), "20%, 40 of 200");
        assert_eq!(in_words(&Progress { total: None, message: None, ..full.clone() }), "40 done");
        assert_eq!(in_words(&Progress { done: None, total: None, ..full }), "a\\u001bb");
    }

    #[test]
    fn a_task_in_short_has_what_is_known() {
        let mut task = running(7, &["make"], NOW);
        assert_eq!((short(&task), whole(&task)), (None, None));
        task.time_left = Some(Duration::from_secs(185));
        assert_eq!(short(&task).as_deref(), Some("3m05s left"));
        task.told = Some(progress());
        assert_eq!(short(&task).as_deref(), Some("20%, 3m05s left"));
        assert_eq!(whole(&task).as_deref(), Some("20%, 3m05s left: a\\u001bb"));
    }
}
