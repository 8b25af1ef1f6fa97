use super::*;
use crate::cli::args;
use crate::cli::complete::attach::{What, what};

/// What may follow, of a project of which nothing is known.
fn words(typed: &[&str]) -> Vec<String> {
    let words = typed.iter().map(OsString::from).collect();
    answer_to(words, &Known::default()).words.into_iter().map(|(word, _)| word).collect()
}

#[test]
fn commands_flags_and_what_they_take_are_known_without_a_project() {
    assert_eq!(words(&["apex", "task", "ca"]), ["cancel"]);
    assert_eq!(words(&["apex", "sched"]), ["schedule"]);
    assert_eq!(words(&["apex", "ls", "--col"]), ["--columns", "--color"]);
    assert_eq!(words(&["apex", "ls", "--state", "fa"]), ["failed"]);
    assert_eq!(
        words(&["apex", "ls", "--state", "failed,s"]),
        ["failed,scheduled", "failed,succeeded", "failed,skipped"]
    );
    assert_eq!(words(&["apex", "task", "prune", "--state", "s"]), ["succeeded", "skipped"]);
    assert_eq!(words(&["apex", "ls", "--columns", "id,nam"]), ["id,name"]);
    assert_eq!(words(&["apex", "ls", "--sort", "dur"]), ["duration", "duration:desc"]);
    assert_eq!(words(&["apex", "task", "kill", "--signal", "TER"]), ["TERM"]);
    assert!(words(&["apex", "cancel", ""]).iter().all(|word| word.starts_with("--")), "no task is known");
    assert_eq!(words(&["apex", "add", "--on-interrupt", ""]), ["stop", "rerun"]);
    assert_eq!(words(&["apex", "schedule", "add", "x", "--missed", "o"]), ["once"]);
    assert_eq!(words(&["apex", "add", "--rlimit", "no"]), ["nofile="]);
}

#[test]
fn commands_and_paths_are_left_to_the_shell_with_what_stands_before_them() {
    let other = |typed: &[&str]| answer_to(typed.iter().map(OsString::from).collect(), &Known::default()).other;
    for (typed, begin) in [
        (&["apex", "run", "--", "car"][..], 3),
        (&["apex", "run", "car"], 2),
        (&["apex", "run", ""], 2),
        (&["apex", "add", "-n", "x", "--", "cargo", "te"], 5),
        (&["apex", "add", "-Q", "gpu", "cargo", "te"], 4),
        (&["apex", "add", "--", "git", "checkout", "--", "fi"], 3),
        (&["apex", "-C", "/x", "task", "add", "--", "ls"], 6),
        (&["apex", "schedule", "add", "x", "--every", "1h", "--", "ls"], 7),
    ] {
        assert_eq!(other(typed), Other::Command(begin), "{typed:?}");
    }
    let file = |before: &str| Other::Files(before.to_owned());
    let directory = |before: &str| Other::Directories(before.to_owned());
    for (typed, expected) in [
        (&["apex", "add", "--from", ""][..], file("")),
        (&["apex", "add", "--from", "a b/c"], file("")),
        (&["apex", "add", "--from=x/"], file("--from=")),
        (&["apex", "add", "--stdin", "x"], file("")),
        (&["apex", "run", "--env-file", ""], file("")),
        (&["apex", "db", "backup", "x"], file("")),
        (&["apex", "add", "--cwd=../y"], directory("--cwd=")),
        (&["apex", "-C", ""], directory("")),
        (&["apex", "-C/x"], directory("-C")),
        (&["apex", "ls", "--project", "/x"], directory("")),
        (&["apex", "init", ""], directory("")),
        (&["apex", "init", "--js"], Other::None),
        (&["apex", "cancel", "1"], Other::None),
        (&["apex", "add", "--cw"], Other::None),
    ] {
        assert_eq!(other(typed), expected, "{typed:?}");
    }
}

#[test]
fn every_task_queue_and_schedule_that_can_be_typed_is_completed() {
    let known = Known::default();
    // What is typed freely.
    let free = [
        "at",
        "attempt",
        "clean_env",
        "color",
        "config",
        "cpu_limit",
        "cpus",
        "cron",
        "deadline",
        "delay",
        "detach_after",
        "detach_keys",
        "done",
        "env",
        "every",
        "filter",
        "grace",
        "keep",
        "key",
        "kill_grace",
        "limit",
        "lines",
        "max_concurrent",
        "memory",
        "message",
        "needs",
        "nice",
        "older_than",
        "on_failure",
        "on_success",
        "output_limit",
        "poll_interval",
        "priority",
        "reason",
        "retries",
        "retry_delay",
        "retry_max_delay",
        "retry_on",
        "set",
        "settings",
        "shell",
        "since",
        "slots",
        "text",
        "timeout",
        "total",
        "tz",
        "unset",
        "until",
        "watch",
        "weight",
    ];
    let unsaid = std::cell::RefCell::new(Vec::new());
    let check = |group: &str, command: clap::Command| {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let id = arg.get_id().as_str();
            let is_new = matches!((command.get_name(), id), ("add" | "run", "name" | "schedule"));
            if what(group, command.get_name(), id).is_none() && !free.contains(&id) && !is_new {
                unsaid.borrow_mut().push(format!("{group} {} {id}", command.get_name()));
            }
        }
        attach::attached(group, command, &known)
    };
    args::whole(check).debug_assert();
    assert_eq!(unsaid.take(), [""; 0], "say what they stand for, or that nobody can know");
    assert_eq!(what("queue", "add", "name"), None, "a new one");
    assert_eq!(what("queue", "set", "name"), Some(What::Queues));
}

#[test]
fn every_word_is_a_line_with_what_it_is_behind_a_tab() {
    let pair = |word: &str, help: &str| (word.to_owned(), help.to_owned());
    let answer = Answer { other: Other::None, words: vec![pair("1", "running a"), pair("12", "queued \u{1b}[2J\n")] };
    assert_eq!(answer.in_words(), "none\n1\trunning a\n12\tqueued \\u001b[2J\\n\n");
    let paths = Answer { other: Other::Files("--from=".to_owned()), words: Vec::new() };
    assert_eq!(paths.in_words(), "files --from=\n");
    assert_eq!(Answer { other: Other::Command(3), ..paths }.in_words(), "command 3\n");
}
