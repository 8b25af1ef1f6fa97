//! How values are written into columns and read back. What cannot be read is damage, told as an error of the column.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Type, ValueRef};
use uuid::Uuid;

use crate::domain::attempt::Stream;
use crate::domain::change::{Actor, ChangeKind};
use crate::domain::hook::{HookEvent, TaskHooks};
use crate::domain::id::TaskId;
use crate::domain::outcome::{ExitStatus, ReasonCode};
use crate::domain::progress::Progress;
use crate::domain::resource::{Granted, Needs};
use crate::domain::schedule::{Cron, Missed, Overlap};
use crate::domain::task::{Backoff, Environment, Limit, OnInterrupt, Resource, State};
use crate::domain::time::Timestamp;

/// What stands in a column is nothing that apex writes.
#[derive(Debug, thiserror::Error)]
#[error("unknown value")]
pub(super) struct Unreadable;

fn unreadable() -> FromSqlError {
    FromSqlError::Other(Box::new(Unreadable))
}

/// A value in a column. A newtype, because neither the trait nor the types are this room's.
pub(super) struct Cell<T>(pub(super) T);

macro_rules! words {
    ($($type:ty),*) => {$(
        impl FromSql for Cell<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$type>::from_word(value.as_str()?).map(Self).ok_or_else(unreadable)
            }
        }
    )*};
}
words!(State, ReasonCode, ChangeKind, Stream, Backoff, OnInterrupt, Missed, Overlap);

/// The words of what has none in the domain.
trait Word: Sized {
    fn from_word(word: &str) -> Option<Self>;
}

impl Word for Backoff {
    fn from_word(word: &str) -> Option<Self> {
        [Self::Fixed, Self::Exponential].into_iter().find(|backoff| backoff_word(*backoff) == word)
    }
}

impl Word for OnInterrupt {
    fn from_word(word: &str) -> Option<Self> {
        [Self::Stop, Self::Rerun].into_iter().find(|what| on_interrupt_word(*what) == word)
    }
}

pub(super) fn backoff_word(backoff: Backoff) -> &'static str {
    match backoff {
        Backoff::Fixed => "fixed",
        Backoff::Exponential => "exponential",
    }
}

pub(super) fn on_interrupt_word(what: OnInterrupt) -> &'static str {
    match what {
        OnInterrupt::Stop => "stop",
        OnInterrupt::Rerun => "rerun",
    }
}

impl FromSql for Cell<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|ms| Self(Timestamp(ms)))
    }
}

impl FromSql for Cell<Duration> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u64::column_result(value).map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl FromSql for Cell<TaskId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        TaskId::new(u64::column_result(value)?).map(Self).ok_or_else(unreadable)
    }
}

impl FromSql for Cell<Uuid> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|_| unreadable())
    }
}

impl FromSql for Cell<Actor> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Actor::parse(value.as_str()?).map(Self).ok_or_else(unreadable)
    }
}

impl FromSql for Cell<Cron> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Cron::parse(value.as_str()?).map(Self).map_err(|_| unreadable())
    }
}

/// Labels: keys and values in turn.
impl FromSql for Cell<BTreeMap<String, String>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let strings = split(value.as_blob()?).ok_or_else(unreadable)?;
        let strings: Option<Vec<String>> = strings.into_iter().map(|string| string.into_string().ok()).collect();
        let strings = strings.ok_or_else(unreadable)?;
        let (pairs, rest) = strings.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(unreadable());
        }
        Ok(Self(pairs.iter().map(|[key, value]| (key.clone(), value.clone())).collect()))
    }
}

impl FromSql for Cell<PathBuf> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(PathBuf::from(OsString::from_vec(value.as_blob()?.to_vec()))))
    }
}

impl FromSql for Cell<Vec<OsString>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        split(value.as_blob()?).map(Self).ok_or_else(unreadable)
    }
}

impl FromSql for Cell<Environment> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let strings = split(value.as_blob()?).ok_or_else(unreadable)?;
        let (pairs, rest) = strings.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(unreadable());
        }
        Ok(Self(Environment(pairs.iter().map(|[name, value]| (name.clone(), value.clone())).collect())))
    }
}

thread_local! {
    /// What was read last on this thread: most tasks have the environment of the one before.
    static LAST_NAMES: Last<[String]> = const { RefCell::new(None) };
    static LAST_ENVIRONMENT: Last<Environment> = const { RefCell::new(None) };
}

/// What stood in a column, and what it was taken for.
type Last<T> = RefCell<Option<(Box<[u8]>, Arc<T>)>>;

/// Returns what `bytes` stand for, which is what they stood for the last time if they are the same.
fn as_last<T: ?Sized>(
    last: &Last<T>,
    bytes: &[u8],
    read: impl FnOnce() -> FromSqlResult<Arc<T>>,
) -> FromSqlResult<Arc<T>> {
    if let Some((known, value)) = &*last.borrow()
        && **known == *bytes
    {
        return Ok(Arc::clone(value));
    }
    let value = read()?;
    last.replace(Some((bytes.into(), Arc::clone(&value))));
    Ok(value)
}

impl FromSql for Cell<Needs> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Needs::parse(value.as_str()?).map(Self).ok_or_else(unreadable)
    }
}

impl FromSql for Cell<Granted> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Granted::parse(value.as_str()?).map(Self).ok_or_else(unreadable)
    }
}

/// Names of variables, as text.
impl FromSql for Cell<Arc<[String]>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let read = || {
            let names = split(bytes).ok_or_else(unreadable)?;
            Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
        };
        LAST_NAMES.with(|last| as_last(last, bytes, read)).map(Self)
    }
}

impl FromSql for Cell<Arc<Environment>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let read = || Cell::<Environment>::column_result(value).map(|cell| Arc::new(cell.0));
        LAST_ENVIRONMENT.with(|last| as_last(last, value.as_blob()?, read)).map(Self)
    }
}

impl FromSql for Cell<Vec<i32>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let words = value.as_str()?.split_terminator(',');
        words.map(|word| word.parse().map_err(|_| unreadable())).collect::<Result<_, _>>().map(Self)
    }
}

impl FromSql for Cell<Vec<Limit>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let limit = |word: &str| {
            let (resource, soft) = word.split_once('=')?;
            let soft = if soft == "unlimited" { None } else { Some(soft.parse().ok()?) };
            Some(Limit { resource: Resource::from_word(resource)?, soft })
        };
        let words = value.as_str()?.split_terminator(',');
        words.map(|word| limit(word).ok_or_else(unreadable)).collect::<Result<_, _>>().map(Self)
    }
}

/// What is run when something happens to a task: events and lines in turn.
impl FromSql for Cell<TaskHooks> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let pairs = Cell::<BTreeMap<String, String>>::column_result(value)?.0.into_iter();
        let hooks = pairs.map(|(event, line)| Some((HookEvent::from_word(&event)?, line)));
        hooks.collect::<Option<_>>().map(Self).ok_or_else(unreadable)
    }
}

/// Writes what is run when something happens to a task; `None` if nothing is.
pub(super) fn hooks(hooks: &TaskHooks) -> Option<Vec<u8>> {
    let pairs = hooks.iter().flat_map(|(event, line)| [OsStr::new(event.as_str()), OsStr::new(line)]);
    (!hooks.is_empty()).then(|| join(pairs))
}

/// How far an attempt said it is, as [`progress()`] writes it.
impl FromSql for Cell<Progress> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        read_progress(value.as_str()?).map(Self).ok_or_else(unreadable)
    }
}

fn read_progress(text: &str) -> Option<Progress> {
    let mut words = text.splitn(5, ' ');
    let mut number = || match words.next()? {
        "-" => Some(None),
        word => word.parse::<u64>().ok().map(Some),
    };
    let attempt = u32::try_from(number()??).ok()?;
    let at = Timestamp(i64::try_from(number()??).ok()?);
    let (done, total) = (number()?, number()?);
    Some(Progress { attempt, done, total, message: words.next().map(str::to_owned), at })
}

/// Writes how far an attempt said it is, as `2 1768473000000 40 200 compiling`; what is not known is `-`, and a message that is
/// not there leaves nothing behind.
pub(super) fn progress(progress: &Progress) -> String {
    let word = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let message = progress.message.as_deref().map(|message| format!(" {message}")).unwrap_or_default();
    format!("{} {} {} {}{message}", progress.attempt, progress.at.0.max(0), word(progress.done), word(progress.total))
}

/// Writes exit codes as `1,75`.
pub(super) fn codes(codes: &[i32]) -> String {
    codes.iter().map(|code| format!("{code},")).collect()
}

/// Writes limits as `nofile=1024,core=unlimited,`, in their order.
pub(super) fn limits(limits: &[Limit]) -> String {
    let soft = |limit: &Limit| limit.soft.map_or_else(|| "unlimited".to_owned(), |soft| soft.to_string());
    limits.iter().map(|limit| format!("{}={},", limit.resource.as_str(), soft(limit))).collect()
}

/// Joins strings, each with its length in bytes before it (32 bits, little endian), so that any byte may be in them.
pub(super) fn join<'a>(strings: impl IntoIterator<Item = &'a OsStr>) -> Vec<u8> {
    let mut joined = Vec::new();
    for string in strings {
        let bytes = string.as_bytes();
        let length = u32::try_from(bytes.len()).expect("no string that a process can be given is that long");
        joined.extend_from_slice(&length.to_le_bytes());
        joined.extend_from_slice(bytes);
    }
    joined
}

fn split(mut joined: &[u8]) -> Option<Vec<OsString>> {
    let mut strings = Vec::new();
    while !joined.is_empty() {
        let (length, rest) = joined.split_first_chunk::<4>()?;
        let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        strings.push(OsString::from_vec(string.to_vec()));
        joined = rest;
    }
    Some(strings)
}

/// Writes a length of time in whole milliseconds.
pub(super) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Writes a number that is far from the limit of what a column holds.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes an exit status as code and signal, of which one is there.
pub(super) fn exit(exit: Option<ExitStatus>) -> (Option<i32>, Option<i32>) {
    match exit {
        Some(ExitStatus::Code(code)) => (Some(code), None),
        Some(ExitStatus::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    }
}

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'a, 'stmt> {
    row: &'a Row<'stmt>,
    next: usize,
}

impl<'a, 'stmt> Columns<'a, 'stmt> {
    pub(super) fn new(row: &'a Row<'stmt>) -> Self {
        Self { row, next: 0 }
    }

    /// Begins after so many columns.
    pub(super) fn after(row: &'a Row<'stmt>, columns: usize) -> Self {
        Self { row, next: columns }
    }

    /// Returns the next column as SQLite's own types.
    pub(super) fn plain<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next);
        self.next += 1;
        value
    }

    /// Returns the next column as a value of the domain.
    pub(super) fn cell<T>(&mut self) -> rusqlite::Result<T>
    where
        Cell<T>: FromSql,
    {
        self.plain::<Cell<T>>().map(|cell| cell.0)
    }

    /// Returns the next column as a value of the domain; `None` for NULL.
    pub(super) fn maybe<T>(&mut self) -> rusqlite::Result<Option<T>>
    where
        Cell<T>: FromSql,
    {
        Ok(self.plain::<Option<Cell<T>>>()?.map(|cell| cell.0))
    }

    /// Returns the next two columns as an exit status.
    pub(super) fn exit(&mut self) -> rusqlite::Result<Option<ExitStatus>> {
        let (code, signal) = (self.plain::<Option<i32>>()?, self.plain::<Option<i32>>()?);
        Ok(code.map(ExitStatus::Code).or(signal.map(ExitStatus::Signal)))
    }

    /// Returns the error of the column read last.
    pub(super) fn unreadable(&self) -> rusqlite::Error {
        rusqlite::Error::FromSqlConversionFailure(self.next.saturating_sub(1), Type::Blob, Box::new(Unreadable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_bytes_survive(strings in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..9), 0..5)) {
            let strings: Vec<OsString> = strings.into_iter().map(OsString::from_vec).collect();
            proptest::prop_assert_eq!(split(&join(strings.iter().map(OsString::as_os_str))), Some(strings));
        }

        #[test]
        fn any_progress_survives(
            attempt: u32,
            at in 0_i64..,
            done: Option<u64>,
            total: Option<u64>,
            message in proptest::option::of(".{1,9}"),
        ) {
            let told = Progress { attempt, done, total, message, at: Timestamp(at) };
            let text = progress(&told);
            let read = Cell::<Progress>::column_result(ValueRef::Text(text.as_bytes()));
            proptest::prop_assert_eq!(read.ok().map(|cell| cell.0), Some(told));
        }

        #[test]
        fn garbage_is_an_error_not_a_panic(bytes in proptest::collection::vec(0_u8.., 0..20)) {
            let _ = split(&bytes);
            let _ = Cell::<Environment>::column_result(ValueRef::Blob(&bytes));
            let _ = Cell::<Vec<Limit>>::column_result(ValueRef::Text(&bytes));
            let _ = Cell::<Vec<i32>>::column_result(ValueRef::Text(&bytes));
            let _ = Cell::<Progress>::column_result(ValueRef::Text(&bytes));
        }
    }
}
