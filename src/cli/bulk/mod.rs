//! From lines of JSON to tasks that are added together.
//!
//! A line says the same as the flags of an add, in the same words; what it leaves out is as the flags say that stand
//! beside `--from`. Nothing is kept of a line but its `ref`.
//!
//! Reading order: `lines` (bytes) → `fields` (JSON) → here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::io::BufRead;
use std::path::PathBuf;

use crate::cli::args::task::TaskFlags;
use crate::cli::args::value;
use crate::cli::command::add::{Here, spec, warning};
use crate::cli::error::Failure;
use crate::cli::usage;
use crate::config::Exclusion;
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::task::{BulkTask, Environment, check_label_key, check_name};
use crate::exit::Exit;

mod fields;
mod lines;

use fields::{Fields, NAMES, Text, Texts};
use lines::Lines;

/// How many different programs are looked for, so that one that is not there can be warned of.
const LOOKED_FOR_MAX: usize = 256;

/// What all lines have in common.
pub struct Common {
    /// What a line leaves out.
    pub flags: TaskFlags,
    /// Where the tasks are added.
    pub here: Here,
    /// The environment.
    pub env: Environment,
    /// Variables that are never stored.
    pub exclusion: Exclusion,
}

/// Makes a task of each line.
pub struct Reader<R> {
    lines: Lines<R>,
    common: Common,
    /// What may be named: which place it has among the tasks, and on which line it stands.
    refs: HashMap<Box<str>, (u64, u64)>,
    place: u64,
    looked_for: HashSet<(OsString, PathBuf)>,
    left_out: HashSet<OsString>,
    warnings: Vec<String>,
}

impl<R: BufRead> Reader<R> {
    /// Begins with the first line.
    pub fn of(source: R, common: Common) -> Self {
        Self {
            lines: Lines::of(source),
            common,
            refs: HashMap::new(),
            place: 0,
            looked_for: HashSet::new(),
            left_out: HashSet::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns the next task, and how many bytes its line has; `None` at the end.
    ///
    /// Errors: what is wrong with the line, which is named.
    pub fn next_task(&mut self) -> Result<Option<(BulkTask, usize)>, Failure> {
        let (line, text) = match self.lines.next_line() {
            Ok(None) => return Ok(None),
            Ok(Some((line, text))) => (line, text),
            Err(lines::Error::Io(error)) => return Err(Failure::io("cannot read the tasks", &error)),
            Err(error @ lines::Error::Long { line }) => {
                return Err(at(line, Failure::new(ErrorKind::Invalid, error.to_string())));
            }
        };
        let bytes = text.len();
        // What is read borrows from the line, and the rest of this does not change while it does.
        let fields = Fields::read(text).map_err(|failure| at(line, failure))?;
        let asking = Asking { common: &self.common, refs: &self.refs };
        let (task, asked) = asking.task(fields, line).map_err(|failure| at(line, failure))?;
        self.warn(&task, asked.left_out);
        if let Some(reference) = asked.reference {
            if let Some((_, earlier)) = self.refs.get(reference.as_str()) {
                let message = format!("ref `{reference}` is that of line {earlier} already");
                return Err(at(line, Failure::new(ErrorKind::Invalid, message)));
            }
            self.refs.insert(reference.into_boxed_str(), (self.place, line));
        }
        self.place += 1;
        Ok(Some((task, bytes)))
    }

    /// Returns what is to be warned of.
    pub fn warnings(self) -> Vec<String> {
        self.warnings
    }

    fn warn(&mut self, task: &BulkTask, left_out: Vec<OsString>) {
        for name in left_out {
            if self.left_out.insert(name.clone()) {
                let name = name.to_string_lossy();
                self.warnings.push(format!("variable `{name}` is left out, as `[env] exclude` says"));
            }
        }
        let program = if task.spec.shell { None } else { task.spec.argv.first() };
        let looked_for = (program.cloned().unwrap_or_default(), task.spec.cwd.clone());
        if self.looked_for.len() < LOOKED_FOR_MAX && !self.looked_for.contains(&looked_for) {
            self.looked_for.insert(looked_for);
            let env = self.common.env.with(&task.env);
            self.warnings.extend(warning(&task.spec, &env).map(|text| format!("line {}: {text}", task.line)));
        }
    }
}

/// Names the line that something is wrong with. What is said of a flag is said of the field.
fn at(line: u64, mut failure: Failure) -> Failure {
    let in_fields = |text: &str| {
        // The longer ones first, of which another one is the beginning.
        NAMES
            .iter()
            .rev()
            .fold(text.to_owned(), |text, name| text.replace(&format!("--{}", name.replace('_', "-")), name))
    };
    failure.problem.message = format!("line {line}: {}", in_fields(&failure.problem.message));
    failure.problem.hint = failure.problem.hint.as_deref().map(in_fields);
    failure.with_exit(Exit::Refused)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Invalid, message)
}

/// Reads the value of a field as that of a flag is read.
fn read<T, E>(name: &str, text: Option<Text<'_>>, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, Failure>
where
    E: StdError + 'static,
{
    let Some(Text(text)) = text else { return Ok(None) };
    parse(&text).map(Some).map_err(|error| usage::invalid_value(name, &text, &error))
}

/// Why an exit code cannot be one to be tried again.
#[derive(Debug)]
struct NoCode;

impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("exit codes to be tried again are from 1 to 255")
    }
}

impl StdError for NoCode {}

fn code(text: &str) -> Result<i32, NoCode> {
    text.parse().ok().filter(|code| (1..=255).contains(code)).ok_or(NoCode)
}

/// The most retries, as with the flag.
const RETRIES_MAX: u32 = 1_000_000;

/// What a line asks for beside its task.
struct Asked {
    reference: Option<String>,
    left_out: Vec<OsString>,
}

/// What a line is read with.
struct Asking<'a> {
    common: &'a Common,
    refs: &'a HashMap<Box<str>, (u64, u64)>,
}

impl Asking<'_> {
    fn task(&self, mut fields: Fields<'_>, line: u64) -> Result<(BulkTask, Asked), Failure> {
        let reference = match fields.reference.take() {
            None => None,
            Some(Text(text)) => {
                // So that no ref can be read as an id.
                check_name(&text).map_err(|error| usage::invalid_value("ref", &text, &error))?;
                Some(text.into_owned())
            }
        };
        let (after, after_places) = self.others("after", fields.after.take(), reference.as_deref())?;
        let (after_any, after_any_places) = self.others("after_any", fields.after_any.take(), reference.as_deref())?;
        let (env, left_out) = self.variables(fields.env.take().unwrap_or_default());
        let mut flags = self.common.flags.clone();
        set(&mut flags, fields)?;
        flags.waits.after = after.unwrap_or(flags.waits.after);
        flags.waits.after_any = after_any.unwrap_or(flags.waits.after_any);
        let (spec, reads_here) = spec(&flags, &self.common.here)?;
        if reads_here {
            return Err(
                invalid("`stdin` cannot be `-`, which can be read only once").with_hint("name a file, or `open`")
            );
        }
        let task = BulkTask { line, spec, env, hold: flags.waits.hold, after_places, after_any_places };
        Ok((task, Asked { reference, left_out }))
    }

    /// Returns the tasks that are named by their ids, and the places of those named by their refs.
    fn others(
        &self,
        name: &str,
        named: Option<Texts<'_>>,
        own: Option<&str>,
    ) -> Result<(Option<Vec<TaskId>>, Vec<u64>), Failure> {
        let Some(Texts(named)) = named else { return Ok((None, Vec::new())) };
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for Text(text) in named {
            if let Ok(id) = text.parse::<TaskId>() {
                ids.push(id);
            } else if let Some((place, _)) = self.refs.get(&*text) {
                places.push(*place);
            } else if own == Some(&*text) {
                return Err(invalid(format!("`{name}` is its own ref `{text}`")));
            } else {
                let message = format!("`{name}` is `{text}`, which is no id, and no line before it has that ref");
                let hint = "a line can wait only for those before it, so that none wait in a circle";
                return Err(invalid(message).with_hint(hint));
            }
        }
        Ok((Some(ids), places))
    }

    /// Returns the variables that are stored, and the names of the others.
    fn variables(&self, env: BTreeMap<String, String>) -> (Environment, Vec<OsString>) {
        let (mut kept, mut left_out) = (Vec::new(), Vec::new());
        for (name, value) in env {
            let name = OsString::from(name);
            if self.common.exclusion.matches(&name) {
                left_out.push(name);
            } else {
                kept.push((name, value.into()));
            }
        }
        (Environment(kept), left_out)
    }
}

/// Sets the flags that a line names; `ref`, `after`, `after_any` and `env` are none.
fn set(flags: &mut TaskFlags, fields: Fields<'_>) -> Result<(), Failure> {
    match (fields.argv, fields.shell) {
        (Some(_), Some(_)) => return Err(invalid("`argv` and `shell` cannot both be there")),
        (None, None) => return Err(invalid("`argv` or `shell` is missing")),
        (Some(argv), None) => {
            flags.words.argv = argv.into_iter().map(|Text(text)| text.into_owned().into()).collect();
            flags.words.separated = true;
        }
        (None, Some(Text(shell))) => {
            flags.words.argv = vec![shell.into_owned().into()];
            flags.words.separated = false;
        }
    }
    for (key, value) in fields.labels.unwrap_or_default() {
        check_label_key(&key).map_err(|error| usage::invalid_value("labels", &key, &error))?;
        flags.labels.retain(|(known, _)| *known != key);
        flags.labels.push((key, value));
    }
    if fields.at.is_some() && fields.delay.is_some() {
        return Err(invalid("`at` and `in` cannot both be there"));
    }
    let (waits, tries, limits) = (&mut flags.waits, &mut flags.tries, &mut flags.limits);
    if fields.at.is_some() || fields.delay.is_some() {
        waits.at = read("at", fields.at, value::future)?;
        waits.delay = read("in", fields.delay, value::duration)?;
    }
    let retries = fields.retries;
    if let Some(retries) = retries.filter(|retries| *retries > RETRIES_MAX) {
        return Err(invalid(format!("`retries` is {retries}, and at most {RETRIES_MAX} are possible")));
    }
    /// Sets what is there.
    fn put<T>(slot: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *slot = value;
        }
    }
    /// The same for what a flag may leave out.
    fn put_some<T>(slot: &mut Option<T>, value: Option<T>) {
        if value.is_some() {
            *slot = value;
        }
    }
    for (event, line) in fields.hooks.unwrap_or_default() {
        let typed = format!("{event}={line}");
        let (event, line) = value::hook(&typed).map_err(|error| usage::invalid_value("hooks", &typed, &error))?;
        flags.hooks.hooks.retain(|(known, _)| *known != event);
        flags.hooks.hooks.push((event, line));
    }
    put_some(&mut flags.name, read("name", fields.name, value::name)?);
    put_some(&mut flags.key, read("key", fields.key, value::key)?);
    put(&mut flags.priority, fields.priority);
    put(&mut flags.split_output, fields.split_output);
    put_some(&mut flags.cwd, fields.cwd.map(|Text(text)| text.into_owned().into()));
    put_some(&mut flags.stdin, fields.stdin.map(|Text(text)| text.into_owned().into()));
    put_some(&mut waits.queue, read("queue", fields.queue, value::queue)?);
    put(&mut waits.hold, fields.hold);
    for (name, Text(amount)) in fields.needs.unwrap_or_default() {
        let need = read("needs", Some(Text(format!("{name}={amount}").into())), value::need)?;
        waits.needs.retain(|(known, _)| *known != name);
        waits.needs.extend(need);
    }
    put_some(&mut tries.retries, retries);
    put_some(&mut tries.retry_delay, read("retry_delay", fields.retry_delay, value::duration)?);
    put_some(&mut tries.retry_backoff, read("retry_backoff", fields.retry_backoff, value::backoff)?);
    put_some(&mut tries.retry_max_delay, read("retry_max_delay", fields.retry_max_delay, value::duration)?);
    put_some(&mut tries.on_interrupt, read("on_interrupt", fields.on_interrupt, value::on_interrupt)?);
    if let Some(Texts(codes)) = fields.retry_on {
        let codes = codes.into_iter().map(|text| read("retry_on", Some(text), code));
        tries.retry_on = codes.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    }
    put_some(&mut limits.timeout, read("timeout", fields.timeout, value::duration)?);
    put_some(&mut limits.output_limit, read("output_limit", fields.output_limit, value::size)?);
    put_some(&mut limits.kill_signal, read("kill_signal", fields.kill_signal, value::signal)?);
    put_some(&mut limits.kill_grace, read("kill_grace", fields.kill_grace, value::duration)?);
    Ok(())
}

#[cfg(test)]
mod tests;
