//! Readers of single values. Their errors become a line of clap's.

use std::fmt;
use std::time::Duration;

use crate::cli::condition;
use crate::cli::keys::{InvalidKeys, Keys};
use crate::cli::render::column::{self, Column};
use crate::cli::time;
use crate::config::Level;
use crate::domain::condition::Condition;
use crate::domain::field::{Field, Sort};
use crate::domain::hook::HookEvent;
use crate::domain::outcome::SignalName;
use crate::domain::queue::{InvalidQueueName, check_queue_name};
use crate::domain::resource::{Amount, InvalidResource, check_resource_name};
use crate::domain::schedule::{Cron, InvalidCron, InvalidSchedule, Missed, Overlap, check_schedule_name};
use crate::domain::task::{Backoff, InvalidSpec, OnInterrupt, State, check_key, check_label_key, check_name};
use crate::domain::time::Timestamp;
use crate::units;

/// Why a value cannot be what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No state of that name.
    #[error("states are {}", states())]
    State,
    /// No state of that name in which tasks have ended.
    #[error("tasks end as {}", State::ALL.iter().filter(|state| state.is_ended()).map(|s| s.as_str()).collect::<Vec<_>>().join(", "))]
    EndedState,
    /// No column of that name.
    #[error("columns are {}", column::words().join(", "))]
    Column,
    /// Nothing that tasks are put in order by.
    #[error("tasks are put in order by {}, and the other way round with `:desc`", sorts().join(", "))]
    Sort,
    /// A key without a value.
    #[error("a key is set with `=`")]
    Setting,
    /// No signal of that name.
    #[error("signals are named like `TERM` or `SIGTERM`, or have a number from 1 to 64")]
    Signal,
    /// No level of that name.
    #[error("levels are error, warn, info, debug, trace")]
    Level,
    /// No way for a delay to grow of that name.
    #[error("delays are fixed or exponential")]
    Backoff,
    /// No such way to go on.
    #[error("what follows is stop or rerun")]
    OnInterrupt,
    /// No such policy for missed times.
    #[error("missed times are skip, once or all")]
    Missed,
    /// No event of a task, or nothing to run.
    #[error(
        "a hook is an event of the task and a command, which are start, success, failure, retry or end, and a line for the shell"
    )]
    Hook,
    /// Nothing that says how much is done.
    #[error("how much is done is a number, a percentage, or two numbers like 40/200")]
    Done,
    /// No such policy for overlaps.
    #[error("overlaps are skip, queue or cancel-running")]
    Overlap,
}

/// Reads a length of time.
pub fn duration(text: &str) -> Result<Duration, units::Error> {
    units::parse_duration(text)
}

/// Reads keys that are typed in a row.
pub fn keys(text: &str) -> Result<Keys, InvalidKeys> {
    Keys::parse(text)
}

/// Reads a size, in bytes.
pub fn size(text: &str) -> Result<u64, units::Error> {
    units::parse_size(text)
}

/// Reads an instant that has passed.
pub fn past(text: &str) -> Result<Timestamp, time::Error> {
    time::parse_past(text, &jiff::Zoned::now())
}

/// Reads an instant that is to come.
pub fn future(text: &str) -> Result<Timestamp, time::Error> {
    time::parse_future(text, &jiff::Zoned::now())
}

/// Reads how the delay before a further attempt grows.
pub fn backoff(text: &str) -> Result<Backoff, Error> {
    match text {
        "fixed" => Ok(Backoff::Fixed),
        "exponential" => Ok(Backoff::Exponential),
        _ => Err(Error::Backoff),
    }
}

/// Reads what follows when apex itself cut a task off, or lost sight of it.
pub fn on_interrupt(text: &str) -> Result<OnInterrupt, Error> {
    match text {
        "stop" => Ok(OnInterrupt::Stop),
        "rerun" => Ok(OnInterrupt::Rerun),
        _ => Err(Error::OnInterrupt),
    }
}

/// Why a text is no need of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNeed {
    /// Its name cannot be one, or there is no amount.
    #[error(transparent)]
    Resource(#[from] InvalidResource),
    /// Its size cannot be understood.
    #[error(transparent)]
    Size(units::Error),
}

/// Reads how much of a resource is needed: `gpu=1`, `mem=8GiB`; `gpu` alone is one.
pub fn need(text: &str) -> Result<(String, Amount), InvalidNeed> {
    let (name, amount) = text.split_once('=').unwrap_or((text, "1"));
    check_resource_name(name)?;
    let amount = self::amount(amount).map_err(|error| match error {
        // It is not said to be a size: it may be a count that was mistyped.
        units::Error::Size(_) => InvalidNeed::Resource(InvalidResource::Need(text.to_owned())),
        error => InvalidNeed::Size(error),
    })?;
    if amount.get() == 0 {
        return Err(InvalidResource::Nothing(name.to_owned()).into());
    }
    Ok((name.to_owned(), amount))
}

/// Reads an amount of a resource: a whole number, or a size.
pub fn amount(text: &str) -> Result<Amount, units::Error> {
    let text = text.trim();
    text.parse().map(Amount::Count).or_else(|_| units::parse_size(text).map(Amount::Bytes))
}

/// Reads the name of a queue.
pub fn queue(text: &str) -> Result<String, InvalidQueueName> {
    check_queue_name(text).map(|()| text.to_owned())
}

/// Reads the name of a schedule.
pub fn schedule(text: &str) -> Result<String, InvalidSchedule> {
    check_schedule_name(text).map(|()| text.to_owned())
}

/// Reads a cron line.
pub fn cron(text: &str) -> Result<Cron, InvalidCron> {
    Cron::parse(text)
}

/// Reads what becomes of times that were missed.
pub fn missed(text: &str) -> Result<Missed, Error> {
    Missed::from_word(text).ok_or(Error::Missed)
}

/// Reads what happens while a task of a schedule has not ended.
pub fn overlap(text: &str) -> Result<Overlap, Error> {
    Overlap::from_word(text).ok_or(Error::Overlap)
}

/// Reads the word for a state, as lists show it.
pub fn state(text: &str) -> Result<State, Error> {
    // `starting` is an inner matter: nobody sees it, so nobody can ask for it.
    State::from_word(text).filter(|state| state.shown() == *state).ok_or(Error::State)
}

/// Reads the word for a state in which tasks have ended.
pub fn ended_state(text: &str) -> Result<State, Error> {
    State::from_word(text).filter(|state| state.is_ended()).ok_or(Error::EndedState)
}

/// A condition, and how it was typed: what it says of times may be meant anew each time it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    text: String,
    condition: Condition,
}

impl Filter {
    /// Returns the condition as of now.
    pub fn now(&self) -> Condition {
        condition::parse(&self.text, &jiff::Zoned::now()).unwrap_or_else(|_| self.condition.clone())
    }
}

/// Reads a condition on tasks.
pub fn filter(text: &str) -> Result<Filter, condition::Error> {
    let condition = condition::parse(text, &jiff::Zoned::now())?;
    Ok(Filter { text: text.to_owned(), condition })
}

/// Reads the name of a column.
pub fn column(text: &str) -> Result<Column, Error> {
    Column::from_word(text).ok_or(Error::Column)
}

/// Reads what tasks are put in order by: a field, with `:desc` the other way round.
pub fn sort(text: &str) -> Result<Sort, Error> {
    let (word, descending) = match text.rsplit_once(':') {
        Some((word, "desc")) => (word, true),
        Some((word, "asc")) => (word, false),
        Some(_) => return Err(Error::Sort),
        None => (text, false),
    };
    let by = match Column::from_word(word) {
        Some(Column::Of(field)) => field,
        _ => return Err(Error::Sort),
    };
    Ok(Sort { by, descending, at: Timestamp(jiff::Timestamp::now().as_millisecond()) })
}

/// Returns the words for what tasks are put in order by.
pub fn sorts() -> Vec<&'static str> {
    Field::PLAIN.iter().map(Field::word).chain(["label.KEY"]).collect()
}

fn states() -> String {
    let words: Vec<&str> = State::ALL.iter().filter(|state| state.shown() == **state).map(|s| s.as_str()).collect();
    words.join(", ")
}

/// Reads `KEY` or `KEY=VALUE`.
pub fn label(text: &str) -> Result<(String, Option<String>), InvalidSpec> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    check_label_key(key)?;
    Ok((key.to_owned(), value))
}

/// Reads `KEY=VALUE`.
pub fn setting(text: &str) -> Result<(String, String), Error> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or(Error::Setting)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads the name or number of a signal.
pub fn signal(text: &str) -> Result<i32, Error> {
    SignalName::parse(text).map(|signal| signal.0).ok_or(Error::Signal)
}

/// Reads a level of the daemon's log.
pub fn level(text: &str) -> Result<Level, Error> {
    Level::from_word(text).ok_or(Error::Level)
}

/// Reads the name of a task.
pub fn name(text: &str) -> Result<String, InvalidSpec> {
    check_name(text).map(|()| text.to_owned())
}

/// Reads the key of a task.
pub fn key(text: &str) -> Result<String, InvalidSpec> {
    check_key(text).map(|()| text.to_owned())
}

/// Reads `EVENT=COMMAND`.
pub fn hook(text: &str) -> Result<(HookEvent, String), Error> {
    let (event, line) = text.split_once('=').ok_or(Error::Hook)?;
    let event = HookEvent::from_word(event).filter(|event| HookEvent::OF_TASK.contains(event)).ok_or(Error::Hook)?;
    if line.trim().is_empty() { Err(Error::Hook) } else { Ok((event, line.to_owned())) }
}

/// How much is done, and of how much if that was said with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// How much is done.
    pub done: u64,
    /// Of how much.
    pub total: Option<u64>,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => write!(f, "{}/{total}", self.done),
            None => self.done.fmt(f),
        }
    }
}

/// Reads how much is done: `40`, `40/200`, `62.5%`.
pub fn done(text: &str) -> Result<Done, Error> {
    let number = |digits: &str| -> Result<u64, Error> {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten().ok_or(Error::Done)
    };
    if let Some((done, total)) = text.split_once('/') {
        return Ok(Done { done: number(done)?, total: Some(number(total)?) });
    }
    let Some(percent) = text.strip_suffix('%') else { return Ok(Done { done: number(text)?, total: None }) };
    let Some((whole, part)) = percent.split_once('.') else {
        return Ok(Done { done: number(percent)?, total: Some(100) });
    };
    // With as many places as were typed, so that nothing is rounded.
    let places = u32::try_from(part.len()).ok().filter(|places| *places <= 6).ok_or(Error::Done)?;
    let (scale, part) = (10_u64.pow(places), number(part)?);
    let done = number(whole)?.checked_mul(scale).and_then(|whole| whole.checked_add(part)).ok_or(Error::Done)?;
    Ok(Done { done, total: Some(100 * scale) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_done_is_a_number_a_share_or_a_percentage() {
        for (text, of, total) in [
            ("40", 40, None),
            ("40/200", 40, Some(200)),
            ("40%", 40, Some(100)),
            ("62.5%", 625, Some(1_000)),
            ("0.000001%", 1, Some(100_000_000)),
        ] {
            assert_eq!(done(text), Ok(Done { done: of, total }), "{text}");
        }
        for wrong in ["", "-1", "+1", "x", "40 %", "%", ".5%", "1.%", "1.0000001%", "1/2/3", "1/", "/2", "1/2%", "1.5"]
        {
            assert_eq!(done(wrong), Err(Error::Done), "{wrong}");
        }
        assert_eq!(done("99999999999999999999"), Err(Error::Done));
    }
}
