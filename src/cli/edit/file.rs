//! A sheet as TOML.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::edit::{Keys, Kind, Sheet, Value, find, invalid};
use crate::cli::error::Failure;
use crate::domain::id::TaskId;
use crate::domain::task::{Stdin, TaskSpec};
use crate::exit::Exit;

/// On which line of a file each key stands.
pub type Lines = BTreeMap<&'static str, usize>;

/// Whose sheet it is.
#[derive(Debug, Clone, Copy)]
pub enum Head<'a> {
    /// That of a task.
    Task(TaskId),
    /// That of the schedule of a name.
    Schedule(&'a str),
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match self {
            Self::Task(id) => {
                writeln!(f, "# What task {id} is to do, as long as it has not started.")?;
                format!("task edit {id}")
            }
            Self::Schedule(name) => {
                writeln!(
                    f,
                    "# When schedule {name} adds tasks (by `cron`, `every` or `at`), and what they are to do."
                )?;
                format!("schedule edit {name}")
            }
        };
        writeln!(f, "# What is taken away, or begins with `#`, is not set. Variables are changed with")?;
        writeln!(f, "# `apex {command} --set env.NAME=VALUE`: their values are in no file.\n")
    }
}

/// Writes a sheet.
pub fn text(head: Head<'_>, spec: &TaskSpec, sheet: &Sheet) -> String {
    let mut text = head.to_string();
    for (key, _, example) in sheet.keys.iter().copied().flatten().copied() {
        // Writing to a string does not fail.
        let _ = match sheet.values.get(key) {
            Some(value) => writeln!(text, "{key} = {}", written(key, value)),
            None if key == "argv" && sheet.values.contains_key("shell") => Ok(()),
            None if key == "shell" && sheet.values.contains_key("argv") => Ok(()),
            None if key == "stdin" && spec.stdin != Stdin::Empty => {
                writeln!(text, "# stdin stays what it is, unless a file is named here")
            }
            None if matches!(key, "argv" | "cwd") => writeln!(text, "# {key} is not UTF-8, and stays what it is"),
            None if key == "shell" => Ok(()),
            None => writeln!(text, "#{key} = {example}"),
        };
    }
    text
}

fn written(key: &str, value: &Value) -> String {
    let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        // Ids and codes are numbers.
        Value::List(texts) if !["argv", "rlimits"].contains(&key) => format!("[{}]", texts.join(", ")),
        Value::List(texts) => format!("[{}]", texts.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        Value::Labels(labels) => {
            // In one line, where a line end would end the value.
            let name = |name: &String| format!("\"{}\"", escaped(name));
            let pair = |(key, value): (&String, &String)| {
                format!("{} = \"{}\"", bare(key).unwrap_or_else(|| name(key)), escaped(value))
            };
            format!("{{ {} }}", labels.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Returns a name as it is if it needs no quotation marks.
fn bare(name: &str) -> Option<String> {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    is_bare.then(|| name.to_owned())
}

/// Returns a text as it stands between quotation marks, on a single line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Reads a sheet.
///
/// Errors: it is no TOML, has a key that there is not, or what no key can be; the line is named.
pub fn parse(keys: Keys, text: &str) -> Result<(Sheet, Lines), Failure> {
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        at_line(line(at), invalid(error.message().lines().collect::<Vec<_>>().join(", ")))
    })?;
    let mut entries: Vec<(&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)> = document.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let (mut sheet, mut lines) = (Sheet { keys, values: BTreeMap::new() }, Lines::new());
    for (name, value) in entries {
        let line = line(name.span().start);
        let (key, kind, example) = find(keys, name.get_ref()).map_err(|failure| at_line(line, failure))?;
        let value = read(value.get_ref(), kind).ok_or_else(|| {
            let failure = invalid(format!("`{key}` is not {}", wanted(kind)));
            at_line(line, failure.with_hint(format!("write it like `{key} = {example}`")))
        })?;
        sheet.values.insert(key, value);
        lines.insert(key, line);
    }
    Ok((sheet, lines))
}

/// Reads a value by itself.
pub fn single(typed: &str, kind: Kind) -> Option<Value> {
    let text = format!("x = {typed}");
    let document = DeTable::parse(&text).ok()?;
    let value = document.get_ref().iter().next()?.1;
    if document.get_ref().len() == 1 { read(value.get_ref(), kind) } else { None }
}

/// Names the line that something is wrong with.
pub fn at_line(line: usize, mut failure: Failure) -> Failure {
    failure.problem.message = format!("line {line}: {}", failure.problem.message);
    failure.with_exit(Exit::Refused)
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Number => "a whole number",
        Kind::Flag => "`true` or `false`",
        Kind::List => "a list",
        Kind::Labels => "a table of texts",
    }
}

fn read(value: &DeValue<'_>, kind: Kind) -> Option<Value> {
    let number = |value: &DeValue<'_>| match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    let text = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Datetime(at) => Some(at.to_string()),
        value => number(value).map(|number| number.to_string()),
    };
    match (kind, value) {
        (Kind::Text, value) => text(value).map(Value::Text),
        (Kind::Number, value) => number(value).map(Value::Number),
        (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
        (Kind::List, DeValue::Array(items)) => {
            items.iter().map(|item| text(item.get_ref())).collect::<Option<_>>().map(Value::List)
        }
        (Kind::Labels, DeValue::Table(table)) => {
            let pair = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                Some((key.get_ref().to_string(), text(value.get_ref())?))
            };
            table.iter().map(pair).collect::<Option<_>>().map(Value::Labels)
        }
        _ => None,
    }
}
