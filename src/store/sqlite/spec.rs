//! What a task is to do, in columns that tasks and schedules have in common.
//!
//! When you add a column: [`NAMES`], [`bind`] and [`read`] have it in the same place; every statement is made of them.

use std::os::unix::ffi::OsStrExt as _;

use rusqlite::{Statement, ToSql};

use crate::domain::task::{Confinement, RetryPolicy, Stdin, TaskSpec};
use crate::store::sqlite::code::{Columns, backoff_word, codes, hooks, int, join, ms, on_interrupt_word};

/// Their names, in the order in which they are bound and read.
const NAMES: [&str; 22] = [
    "argv",
    "shell",
    "cwd",
    "umask",
    "limits",
    "stdin",
    "stdin_path",
    "stdin_upload",
    "split_output",
    "max_attempts",
    "retry_delay",
    "retry_backoff",
    "retry_max_delay",
    "retry_on_codes",
    "on_interrupt",
    "timeout",
    "kill_signal",
    "kill_grace",
    "output_limit",
    "needs",
    "hooks",
    "confinement",
];

/// Binds what is to be done. `limits` are its soft limits, as [`code::limits`](crate::store::sqlite::code::limits) writes them.
pub(super) fn bind(values: &mut Values<'_, '_>, spec: &TaskSpec, limits: &str) -> rusqlite::Result<()> {
    let (stdin, path, upload) = match &spec.stdin {
        Stdin::Empty => ("empty", None, None),
        Stdin::File(path) => ("file", Some(path.as_os_str().as_bytes()), None),
        Stdin::Upload(upload) => ("upload", None, Some(*upload.as_bytes())),
        Stdin::Open => ("open", None, None),
        Stdin::Terminal => ("terminal", None, None),
    };
    let (retry, confinement) = (&spec.retry, &spec.confinement);
    values
        .bind(join(spec.argv.iter().map(|arg| arg.as_os_str())))?
        .bind(spec.shell)?
        .bind(spec.cwd.as_os_str().as_bytes())?
        .bind(spec.umask)?
        .bind(limits)?
        .bind(stdin)?
        .bind(path)?
        .bind(upload)?
        .bind(spec.split_output)?
        .bind(retry.max_attempts)?
        .bind(ms(retry.delay))?
        .bind(backoff_word(retry.backoff))?
        .bind(ms(retry.max_delay))?
        .bind(codes(&retry.on_codes))?
        .bind(on_interrupt_word(retry.on_interrupt))?
        .bind(spec.timeout.map(ms))?
        .bind(spec.kill_signal)?
        .bind(spec.kill_grace.map(ms))?
        .bind(spec.output_limit.map(int))?
        .bind(spec.needs.to_string())?
        .bind(hooks(&spec.hooks))?
        // Most use as much of the machine as they like.
        .bind((!confinement.is_empty()).then(|| confinement.to_word()))?;
    Ok(())
}

/// Reads what is to be done.
pub(super) fn read(c: &mut Columns<'_, '_>, spec: &mut TaskSpec) -> rusqlite::Result<()> {
    spec.argv = c.cell()?;
    spec.shell = c.plain()?;
    spec.cwd = c.cell()?;
    spec.umask = c.plain()?;
    spec.limits = c.cell()?;
    let stdin: String = c.plain()?;
    let (file, upload) = (c.maybe()?, c.maybe()?);
    spec.stdin = match (stdin.as_str(), file, upload) {
        ("empty", ..) => Stdin::Empty,
        ("open", ..) => Stdin::Open,
        ("terminal", ..) => Stdin::Terminal,
        ("file", Some(path), _) => Stdin::File(path),
        ("upload", _, Some(upload)) => Stdin::Upload(upload),
        _ => return Err(c.unreadable()),
    };
    spec.split_output = c.plain()?;
    spec.retry = RetryPolicy {
        max_attempts: c.plain()?,
        delay: c.cell()?,
        backoff: c.cell()?,
        max_delay: c.cell()?,
        on_codes: c.cell()?,
        on_interrupt: c.cell()?,
    };
    spec.timeout = c.maybe()?;
    spec.kill_signal = c.plain()?;
    spec.kill_grace = c.maybe()?;
    spec.output_limit = c.plain::<Option<u64>>()?;
    spec.needs = c.cell()?;
    spec.hooks = c.maybe()?.unwrap_or_default();
    if let Some(word) = c.plain::<Option<String>>()? {
        spec.confinement = Confinement::from_word(&word).ok_or_else(|| c.unreadable())?;
    }
    Ok(())
}

/// Returns the columns, as those of `table`: `t.argv, t.shell`.
pub(super) fn columns_of(table: &str) -> String {
    NAMES.map(|name| format!("{table}.{name}")).join(", ")
}

/// Returns the statement that stores a row of `table`, with `columns` before these and, written out, `more` after them.
pub(super) fn insert(table: &str, columns: &[&str], more: &[(&str, &str)]) -> String {
    let names: Vec<&str> = columns.iter().chain(&NAMES).copied().chain(more.iter().map(|(name, _)| *name)).collect();
    let values = std::iter::repeat_n("?", columns.len() + NAMES.len()).chain(more.iter().map(|(_, value)| *value));
    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.collect::<Vec<_>>().join(", "))
}

/// Returns the statement that writes `columns`, and these, of the row with an id, which is bound last.
pub(super) fn update(table: &str, columns: &[&str]) -> String {
    let written: Vec<String> = columns.iter().chain(&NAMES).map(|name| format!("{name} = ?")).collect();
    format!("UPDATE {table} SET {} WHERE id = ?", written.join(", "))
}

/// The values of a statement, bound one after the other.
pub(super) struct Values<'a, 'c> {
    statement: &'a mut Statement<'c>,
    bound: usize,
}

impl<'a, 'c> Values<'a, 'c> {
    pub(super) fn of(statement: &'a mut Statement<'c>) -> Self {
        Self { statement, bound: 0 }
    }

    /// Binds the next value.
    pub(super) fn bind(&mut self, value: impl ToSql) -> rusqlite::Result<&mut Self> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)?;
        Ok(self)
    }

    /// Executes the statement. Errors: not every value was bound.
    pub(super) fn execute(self) -> rusqlite::Result<usize> {
        let wanted = self.statement.parameter_count();
        if self.bound != wanted {
            return Err(rusqlite::Error::InvalidParameterCount(self.bound, wanted));
        }
        self.statement.raw_execute()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_have_every_column_once_and_a_place_for_each() {
        let count = |text: &str, part: &str| text.matches(part).count();
        let insert = insert("task", &["id", "uuid"], &[("after_task", "(SELECT 7)")]);
        assert!(insert.starts_with("INSERT INTO task (id, uuid, argv, shell, "), "{insert}");
        assert!(insert.ends_with(", ?, ?, (SELECT 7))") && insert.contains(", confinement, after_task) "), "{insert}");
        assert_eq!(count(&insert, "?"), 2 + NAMES.len());
        let update = update("task", &["priority"]);
        assert!(update.starts_with("UPDATE task SET priority = ?, argv = ?, ") && update.ends_with(" WHERE id = ?"));
        assert_eq!(count(&update, "?"), 2 + NAMES.len());
        assert_eq!(count(&columns_of("t"), "t."), NAMES.len());
    }
}
