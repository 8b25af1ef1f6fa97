//! What is wrong with a command line: clap finds it, and this says it in the words of all other failures, with a next
//! step that can be typed.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseIntError};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::args::{self, value};
use crate::cli::condition;
use crate::cli::error::Failure;
use crate::cli::render::column;
use crate::cli::time;
use crate::domain::id::InvalidTaskId;
use crate::domain::outcome::SignalName;
use crate::domain::queue::InvalidQueueName;
use crate::domain::schedule::{InvalidCron, InvalidSchedule};
use crate::domain::selection::InvalidSpan;
use crate::domain::task::{InvalidSpec, Resource, State};
use crate::units;

/// How much alike two words must be for one to be meant by the other; 1 is the same.
const ALIKE_MIN: f64 = 0.75;

/// Makes a failure of what clap says about the command line `raw`.
pub fn failure(raw: &[OsString], error: &clap::Error) -> Failure {
    let command = command_in(raw);
    let failure = match error.kind() {
        ErrorKind::ValueValidation => wrong_value(error),
        ErrorKind::InvalidValue => wrong_choice(error),
        ErrorKind::InvalidSubcommand => unknown_command(error, &command),
        ErrorKind::UnknownArgument => unknown_flag(raw, error),
        ErrorKind::MissingRequiredArgument if texts(error, ContextKind::InvalidArg) == ["<ID>..."] => {
            Some(Failure::usage("no task is named").with_hint(selectors(&command)))
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Some(Failure::usage("a command is missing"))
        }
        _ => None,
    };
    let failure = failure.unwrap_or_else(|| in_short(&error.render().to_string()));
    if failure.problem.hint.is_some() {
        return failure;
    }
    failure.with_hint(format!("see how it is used with `{command} --help`"))
}

/// Returns what tasks can be named by where a command wants some.
fn selectors(command: &str) -> String {
    let state = match command.split(' ').next_back() {
        // There it is what is waited for.
        Some("wait") => "",
        Some("retry") => "`--failed`, `--state`, ",
        _ => "`--state`, ",
    };
    let flags = format!("`--queue`, `--label`, {state}`--name`, `--filter`");
    format!("name some by their ids (`7`, `3-5,9`), or by what they have in common: {flags}")
}

/// Returns the command that was typed, as far as there is one: `apex task wait`.
fn command_in(raw: &[OsString]) -> String {
    let root = args::command();
    let (mut path, mut at) = (vec!["apex"], &root);
    for word in raw.iter().skip(1).take_while(|word| *word != "--") {
        if let Some(found) = word.to_str().and_then(|word| at.find_subcommand(word)) {
            path.push(found.get_name());
            at = found;
        }
    }
    path.join(" ")
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        ContextValue::Strings(texts) => texts.first().map(String::as_str),
        _ => None,
    }
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text],
        Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Returns the flag as it is typed, or the name of what stands without one: `--timeout <DURATION>` is `--timeout`, and
/// `<ID>...` is `ID`.
fn flag(argument: &str) -> &str {
    argument.split(' ').next().unwrap_or(argument).trim_end_matches("...").trim_matches(['<', '>', '[', ']'])
}

fn wrong_value(error: &clap::Error) -> Option<Failure> {
    let flag = flag(text(error, ContextKind::InvalidArg)?);
    let typed = text(error, ContextKind::InvalidValue)?;
    let source = error.source()?;
    let cause = match source.to_string() {
        _ if source.is::<ParseIntError>() => match source.downcast_ref().map(ParseIntError::kind) {
            Some(IntErrorKind::PosOverflow) => "it is too large".to_owned(),
            Some(IntErrorKind::NegOverflow) => "it is too small".to_owned(),
            _ => "it is not a whole number".to_owned(),
        },
        text => bounds_in_words(typed, &text).unwrap_or(text),
    };
    Some(because(flag, typed, source, cause))
}

/// Makes a failure of a value that could not be read: of a flag, or of a field that is read as a flag is.
pub fn invalid_value(name: &str, typed: &str, source: &(dyn StdError + 'static)) -> Failure {
    because(name, typed, source, source.to_string())
}

fn because(flag: &str, typed: &str, source: &(dyn StdError + 'static), cause: String) -> Failure {
    let mut failure = Failure::usage(format!("invalid value `{typed}` for `{flag}`"));
    failure.causes.push(cause);
    failure.pointer = source.downcast_ref().and_then(condition::Error::pointer).map(Box::new);
    match hint(flag, typed, source) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// Returns what could have been typed instead.
fn hint(flag: &str, typed: &str, source: &(dyn StdError + 'static)) -> Option<String> {
    // What stands without a flag is typed without one.
    let like = |value: &str| match flag.starts_with('-') {
        true => Some(format!("write it like `{flag} {value}`")),
        false => Some(format!("write it like `{value}`")),
    };
    if let Some(error) = source.downcast_ref::<units::Error>() {
        return match error {
            units::Error::DurationWithoutUnit(number) => like(&format!("{number}s")),
            units::Error::SizeWithoutUnit(number) => like(&format!("{number}MiB")),
            units::Error::Size(text) => like(units::meant_size(text).as_deref().unwrap_or("10MiB")),
            units::Error::SizeTooLarge(_) => like("10MiB"),
            units::Error::Duration(_) | units::Error::DurationTooLong(_) => like("1h30m"),
        };
    }
    if let Some(value::InvalidNeed::Resource(_)) = source.downcast_ref() {
        let (name, amount) = typed.split_once('=')?;
        return like(&format!("{name}={}", units::meant_size(amount)?));
    }
    if let Some(error) = source.downcast_ref::<value::Error>() {
        return match error {
            value::Error::State => {
                let states = State::ALL.into_iter().filter(|state| state.shown() == *state).map(State::as_str);
                like(nearest(&typed.to_lowercase(), states).unwrap_or("failed"))
            }
            value::Error::EndedState => {
                let states = State::ALL.into_iter().filter(|state| state.is_ended()).map(State::as_str);
                like(nearest(&typed.to_lowercase(), states).unwrap_or("failed"))
            }
            value::Error::Signal => {
                let name = typed.to_uppercase();
                let names: Vec<String> = (1..=64).map(|signal| SignalName(signal).to_string()).collect();
                let bare = names.iter().filter_map(|name| name.strip_prefix("SIG"));
                like(nearest(name.trim_start_matches("SIG"), bare).unwrap_or("TERM"))
            }
            value::Error::Level => {
                like(nearest(&typed.to_lowercase(), ["error", "warn", "info", "debug", "trace"]).unwrap_or("warn"))
            }
            value::Error::Done => like("40%"),
            value::Error::Hook => like("'failure=./tell.sh'"),
            value::Error::Column => like(nearest_field(typed, &column::words()).unwrap_or("id,state,command")),
            value::Error::Sort => like(nearest_field(typed, &value::sorts()).unwrap_or("duration:desc")),
            value::Error::By => like(nearest(typed, ["name", "queue", "schedule"]).unwrap_or("label:team")),
            value::Error::Setting => like("priority=5"),
            value::Error::Backoff => like("exponential"),
            value::Error::OnInterrupt => like("rerun"),
            value::Error::Nice => like("10"),
            value::Error::Cpus => like("0-3"),
            value::Error::Rlimit | value::Error::Unit(_) | value::Error::RlimitValue(..) => {
                let name = typed.split('=').next().unwrap_or_default();
                like(match nearest(name, Resource::ALL.map(Resource::as_str)) {
                    Some("cpu") => "cpu=10m",
                    Some(bytes @ ("as" | "data" | "fsize" | "stack" | "memlock" | "core")) => {
                        return like(&format!("{bytes}=1GiB"));
                    }
                    Some("nproc") => "nproc=100",
                    _ => "nofile=1024",
                })
            }
            value::Error::CpuLimit => like("1.5"),
            value::Error::Missed => like(nearest(typed, ["skip", "once", "all"]).unwrap_or("once")),
            value::Error::Overlap => like(nearest(typed, ["skip", "queue", "cancel-running"]).unwrap_or("queue")),
        };
    }
    if let Some(error) = source.downcast_ref::<condition::Error>() {
        return error.hint();
    }
    if let Some(error) = source.downcast_ref::<InvalidSpec>() {
        return match error {
            InvalidSpec::Name(_) => like("nightly-build"),
            InvalidSpec::LabelKey(_) => like("team=core"),
            _ => None,
        };
    }
    if source.is::<time::Error>() {
        return like(if flag == "--since" { "'10m ago'" } else { "'in 10m'" });
    }
    if source.is::<InvalidCron>() {
        return like("'30 3 * * *'");
    }
    if source.is::<InvalidSchedule>() {
        return like("nightly");
    }
    if source.is::<InvalidQueueName>() {
        return like("gpu");
    }
    if let Some(InvalidSpan::Backwards(_)) = source.downcast_ref::<InvalidSpan>() {
        let (last, first) = typed.split_once('-')?;
        return like(&format!("{first}-{last}"));
    }
    if source.is::<InvalidSpan>() && typed.contains('-') {
        return like("3-7");
    }
    if source.is::<InvalidTaskId>() || source.is::<InvalidSpan>() {
        return Some("see the numbers of tasks with `apex task list`".to_owned());
    }
    source.is::<ParseIntError>().then(|| like("5")).flatten()
}

/// Returns the column or field that was meant, without what may follow it.
fn nearest_field<'a>(typed: &str, words: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let word = typed.split(':').next().unwrap_or_default();
    nearest(word, words.iter().copied())
}

/// Returns what clap says of a number outside of its bounds, in words: its own are `9 is not in 1..=5`.
fn bounds_in_words(typed: &str, text: &str) -> Option<String> {
    let (least, most) = text.strip_prefix(typed)?.strip_prefix(" is not in ")?.split_once("..")?;
    // What the type of the number ends at is told only where it was passed.
    let is_below = typed.parse::<i64>().ok().zip(least.parse::<i64>().ok()).is_some_and(|(typed, least)| typed < least);
    Some(match (least, most.trim_start_matches('=')) {
        ("", most) => format!("it must be at most {most}"),
        (least, "") => format!("it must be at least {least}"),
        (least, "4294967295" | "2147483647") if is_below => format!("it must be at least {least}"),
        (_, most @ ("4294967295" | "2147483647")) => format!("it must be at most {most}"),
        (least, most) => format!("it must be from {least} to {most}"),
    })
}

/// Returns the flag that a negative value was typed for: clap takes that for a flag of its own.
fn negative(raw: &[OsString], typed: &str) -> Option<(String, String)> {
    let digit = |word: &str| word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !digit(typed) {
        return None;
    }
    let words: Vec<&str> = raw.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).collect();
    let is_value =
        |pair: &&[&str]| pair[0].starts_with('-') && !digit(pair[0]) && digit(pair[1]) && pair[1].starts_with(typed);
    words.windows(2).find(is_value).map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
}

/// A value that is none of a few, or none at all.
fn wrong_choice(error: &clap::Error) -> Option<Failure> {
    let flag = flag(text(error, ContextKind::InvalidArg)?);
    let typed = text(error, ContextKind::InvalidValue)?;
    let choices = texts(error, ContextKind::ValidValue);
    if typed.is_empty() || choices.is_empty() {
        return None;
    }
    let mut failure = Failure::usage(format!("invalid value `{typed}` for `{flag}`"));
    failure.causes.push(format!("possible values: {}", choices.join(", ")));
    let meant = nearest(typed, choices.iter().copied()).unwrap_or(choices[0]);
    Some(failure.with_hint(format!("write it like `{flag} {meant}`")))
}

fn unknown_command(error: &clap::Error, group: &str) -> Option<Failure> {
    let typed = text(error, ContextKind::InvalidSubcommand)?;
    let failure = Failure::usage(format!("no command `{typed}`"));
    let mut meant: Vec<String> =
        texts(error, ContextKind::SuggestedSubcommand).iter().map(|word| format!("`{group} {word}`")).collect();
    if group == "apex" {
        // What belongs to a group may have been typed without it.
        let root = args::command();
        let groups = root.get_subcommands().filter(|verb| verb.find_subcommand(typed).is_some());
        let whole: Vec<String> = groups.map(|group| format!("`apex {} {typed}`", group.get_name())).collect();
        meant.splice(0..0, whole);
    }
    if meant.is_empty() {
        return Some(failure.with_hint(format!("see all commands with `{group} --help`")));
    }
    Some(failure.with_hint(format!("did you mean {}", meant.join(" or "))))
}

fn unknown_flag(raw: &[OsString], error: &clap::Error) -> Option<Failure> {
    let typed = text(error, ContextKind::InvalidArg)?;
    if let Some((flag, value)) = negative(raw, typed) {
        let mut failure = Failure::usage(format!("invalid value `{value}` for `{flag}`"));
        failure.causes.push("it cannot be negative".to_owned());
        return Some(failure.with_hint(format!("write it like `{flag} {}`", value.trim_start_matches('-'))));
    }
    let failure = Failure::usage(format!("unexpected argument `{typed}`"));
    Some(match text(error, ContextKind::SuggestedArg) {
        Some(meant) => failure.with_hint(format!("did you mean `{meant}`")),
        None => failure,
    })
}

/// Returns the word that is most like what was typed; `None` if none is.
pub fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |word: &str| strsim::jaro_winkler(typed, word);
    let best = words.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= ALIKE_MIN).then_some(best)
}

/// Makes a failure of clap's text: what is wrong on one line, the tip as the hint, without the usage.
fn in_short(text: &str) -> Failure {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let (tips, words): (Vec<&str>, Vec<&str>) = told.partition(|line| line.starts_with("tip: "));
    let message = words.join(" ");
    let failure = Failure::usage(message.strip_prefix("error: ").unwrap_or(&message));
    match tips.first() {
        Some(tip) => failure.with_hint(tip.trim_start_matches("tip: ")),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::ErrorKind as Kind;

    fn told(line: &[&str]) -> String {
        let raw: Vec<OsString> = std::iter::once(&"apex").chain(line).map(OsString::from).collect();
        let error = args::parse(&raw).expect_err(&format!("{line:?}"));
        let failure = failure(&raw, &error);
        assert_eq!(failure.problem.kind, Kind::Invalid);
        failure.in_words()
    }

    #[test]
    fn a_wrong_value_is_named_with_one_that_is_right() {
        insta::assert_snapshot!(told(&["task", "wait", "1", "--timeout", "5"]), @r"
        error: invalid value `5` for `--timeout`
          caused by: duration `5` has no unit; write `5s`, `5ms`, `5m`, `5h` or `5d`
          hint: write it like `--timeout 5s`
        ");
        for (line, hint) in [
            (&["--deadline", "soon", "ls"][..], "write it like `--deadline 1h30m`"),
            (&["ls", "--state", "runing"], "write it like `--state running`"),
            (&["ls", "--state", "zzz"], "write it like `--state failed`"),
            (&["task", "kill", "1", "--signal", "sigtrem"], "write it like `--signal TERM`"),
            (&["task", "kill", "1", "--signal", "99"], "write it like `--signal TERM`"),
            (&["daemon", "logs", "--level", "warning"], "write it like `--level warn`"),
            (&["daemon", "logs", "--since", "soon"], "write it like `--since '10m ago'`"),
            (&["add", "-n", "12", "--", "true"], "write it like `--name nightly-build`"),
            (&["add", "--label", "=x", "--", "true"], "write it like `--label team=core`"),
            (&["add", "-p", "high", "--", "true"], "write it like `--priority 5`"),
            (&["task", "show", "abc"], "see the numbers of tasks with `apex task list`"),
            (&["ls", "--color", "nevr"], "write it like `--color never`"),
            (&["queue", "add", "a b"], "write it like `gpu`"),
            (&["add", "--in", "-5m", "--", "true"], "write it like `--in 5m`"),
            (&["add", "--retries", "-1", "--", "true"], "write it like `--retries 1`"),
        ] {
            let told = told(line);
            assert!(told.ends_with(&format!("\n  hint: {hint}")), "{told}");
            assert!(told.contains("\n  caused by: "), "{told}");
        }
    }

    #[test]
    fn bounds_are_told_in_words() {
        for (line, cause) in [
            (&["ls", "--limit", "0"][..], "it must be at least 1"),
            (&["add", "-p", "99999999999", "--", "true"], "it must be at most 2147483647"),
            (&["add", "-p", "-99999999999", "--", "true"], "it must be at least -2147483648"),
            (&["ls", "--limit", "99999999999"], "it must be at most 4294967295"),
            (&["add", "-p", "99999999999999999999", "--", "true"], "it is too large"),
            (&["queue", "add", "x", "--slots", "100001"], "it must be from 0 to 100000"),
            (&["add", "--retry-on", "256", "--", "true"], "it must be from 1 to 255"),
            (&["add", "--in", "-5m", "--", "true"], "it cannot be negative"),
        ] {
            let told = told(line);
            assert!(told.contains(&format!("\n  caused by: {cause}\n")), "{told}");
        }
    }

    #[test]
    fn what_was_meant_is_named() {
        for (line, expected) in [
            (&["task", "lst"][..], "error: no command `lst`\n  hint: did you mean `apex task list`"),
            (&["show", "1"], "error: no command `show`\n  hint: did you mean `apex task show`"),
            (&["restart"], "error: no command `restart`\n  hint: did you mean `apex daemon restart`"),
            (&["xyzzy"], "error: no command `xyzzy`\n  hint: see all commands with `apex --help`"),
            (&["ls", "--al"], "error: unexpected argument `--al`\n  hint: did you mean `--all`"),
            (
                &["wait"],
                "error: no task is named\n  hint: name some by their ids (`7`, `3-5,9`), or by what they have in common: \
                 `--queue`, `--label`, `--name`, `--filter`",
            ),
            (&["logs", "-f"], "error: no task is named\n  hint: name some"),
            (&["task", "show", "-v"], "error: no task is named\n  hint: name some"),
        ] {
            assert!(told(line).starts_with(expected), "{}", told(line));
        }
    }

    #[test]
    fn whatever_else_is_wrong_leads_to_the_help_of_the_command() {
        for (line, part, command) in [
            (&["task", "edit"][..], "<ID>", "apex task edit"),
            (&["-C", "x", "add"], "<COMMAND>", "apex add"),
            (&["logs", "1", "--stdout", "--stderr"], "--stderr", "apex logs"),
            (&["task", "wait", "1", "--timeout"], "--timeout", "apex task wait"),
            (&["ls", "surplus"], "surplus", "apex ls"),
        ] {
            let told = told(line);
            assert!(told.lines().next().unwrap_or_default().contains(part), "{told}");
            assert!(told.ends_with(&format!("\n  hint: see how it is used with `{command} --help`")), "{told}");
        }
    }

    #[test]
    fn a_size_that_was_half_typed_is_named_as_a_whole_one() {
        for (typed, meant) in [("mem=8G", "mem=8GiB"), ("mem=8gi", "mem=8GiB"), ("mem=1.5 t", "mem=1.5TiB")] {
            assert!(told(&["add", "--need", typed, "x"]).ends_with(&format!("hint: write it like `--need {meant}`")));
        }
        assert!(told(&["add", "--memory", "512m", "x"]).ends_with("hint: write it like `--memory 512MiB`"));
        assert!(told(&["add", "--memory", "many", "x"]).ends_with("hint: write it like `--memory 10MiB`"));
    }

    #[test]
    fn what_is_missing_is_named_with_all_that_would_do() {
        for (typed, choices) in [
            (&["task", "move", "5"][..], "<--top|--before <ID>>"),
            (&["queue", "set", "gpu"], "<--slots <N>|--weight <N>>"),
        ] {
            let told = told(typed);
            assert!(told.contains(choices), "{told}");
        }
    }

    #[test]
    fn what_is_missing_and_what_was_meant_is_in_the_short_form() {
        let missing = "error: the following required arguments were not provided:\n  <COMMAND>...\n\nUsage: apex add\n";
        let missing = in_short(missing).problem;
        assert_eq!(missing.message, "the following required arguments were not provided: <COMMAND>...");
        let unknown =
            "error: unexpected argument '--al' found\n\n  tip: a similar argument exists: '--all'\n\nUsage: x\n";
        let unknown = in_short(unknown).problem;
        assert_eq!(unknown.message, "unexpected argument '--al' found");
        assert_eq!(unknown.hint.as_deref(), Some("a similar argument exists: '--all'"));
    }
}
