//! A task, its attempts and what they wrote.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::domain::attempt::{Attempt, Output};
use crate::domain::outcome::{ExitStatus, ReasonCode};
use crate::domain::resource::Grant;
use crate::domain::task::{Environment, Stdin, Task};
use crate::domain::time::Timestamp;
use crate::view::confine::ConfinementView;
use crate::view::progress::ProgressView;
use crate::view::time::rfc3339;

/// A task as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskView {
    id: u64,
    uuid: String,
    name: Option<String>,
    labels: BTreeMap<String, String>,
    queue: String,
    priority: i32,
    state: &'static str,
    reason_code: Option<&'static str>,
    reason: Option<String>,
    command: String,
    argv: Vec<String>,
    shell: bool,
    cwd: String,
    stdin: &'static str,
    env_names: Vec<String>,
    parent: Option<u64>,
    key: Option<String>,
    schedule: Option<String>,
    created_at: String,
    updated_at: String,
    run_at: Option<String>,
    after: Vec<u64>,
    after_any: Vec<u64>,
    needs: BTreeMap<String, u64>,
    max_attempts: u32,
    attempt: u32,
    failures: u32,
    timeout_ms: Option<u64>,
    output_limit: Option<u64>,
    #[serde(flatten)]
    confinement: ConfinementView,
    slot: Option<u32>,
    cancel_requested_at: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    progress: Option<ProgressView>,
    expected_ms: Option<u64>,
    eta_ms: Option<u64>,
    hooks: BTreeMap<&'static str, String>,
    attempts: Vec<AttemptView>,
    /// The one key that is left out when it was not asked for: a null here would read as an empty environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<BTreeMap<String, String>>,
}

/// One execution of a task as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    attempt: u32,
    assignment_id: String,
    worker_id: String,
    pid: Option<u32>,
    state: &'static str,
    started_at: Option<String>,
    ended_at: Option<String>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    reason: Option<String>,
    max_rss_bytes: Option<u64>,
    user_ms: Option<u64>,
    system_ms: Option<u64>,
    granted: BTreeMap<String, GrantView>,
    output: Vec<OutputView>,
}

/// What an attempt was granted of a resource: so much of it, or these pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum GrantView {
    /// So many pieces or bytes.
    Amount(u64),
    /// The numbers of the pieces.
    Indices(Vec<u32>),
}

impl GrantView {
    fn of(grant: &Grant) -> Self {
        match grant {
            Grant::Amount(amount) => Self::Amount(amount.get()),
            Grant::Indices(indices) => Self::Indices(indices.clone()),
        }
    }
}

/// What one stream of an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputView {
    stream: &'static str,
    path: String,
    bytes: u64,
    sha256: Option<String>,
}

impl TaskView {
    /// Returns the view of `task`, with paths of outputs under `apex_dir`, the project's `.apex/`.
    ///
    /// Shape: `attempts` is empty where the task came from a list.
    pub fn of(task: &Task, apex_dir: &Path) -> Self {
        let (exit_code, signal) = exit_of(task.exit);
        Self {
            id: task.id.get(),
            uuid: task.uuid.to_string(),
            name: task.spec.name.clone(),
            labels: task.spec.labels.clone(),
            queue: task.spec.queue.clone(),
            priority: task.spec.priority,
            state: task.state.shown().as_str(),
            reason_code: task.reason_code.map(ReasonCode::as_str),
            reason: task.reason.clone(),
            command: task.command_line(),
            argv: task.spec.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            shell: task.spec.shell,
            cwd: lossy(&task.spec.cwd),
            stdin: stdin(&task.spec.stdin),
            env_names: task.env_names.to_vec(),
            parent: task.parent.map(|id| id.get()),
            key: task.spec.key.clone(),
            schedule: task.schedule.clone(),
            created_at: rfc3339(task.created_at),
            updated_at: rfc3339(task.updated_at),
            run_at: task.spec.run_at.map(rfc3339),
            after: task.spec.after.iter().map(|id| id.get()).collect(),
            after_any: task.spec.after_any.iter().map(|id| id.get()).collect(),
            needs: task.spec.needs.0.iter().map(|(name, amount)| (name.clone(), amount.get())).collect(),
            max_attempts: task.spec.retry.max_attempts,
            attempt: task.attempt,
            failures: task.failures,
            timeout_ms: task.spec.timeout.map(millis),
            output_limit: task.spec.output_limit,
            confinement: ConfinementView::of(&task.spec.confinement),
            slot: task.slot,
            cancel_requested_at: task.cancel_requested_at.map(rfc3339),
            started_at: task.started_at.map(rfc3339),
            ended_at: task.ended_at.map(rfc3339),
            exit_code,
            signal,
            progress: task.progress().map(ProgressView::of),
            expected_ms: task.expected.map(millis),
            eta_ms: task.time_left.map(millis),
            hooks: task.spec.hooks.iter().map(|(event, line)| (event.as_str(), line.clone())).collect(),
            attempts: task.attempts.iter().map(|attempt| AttemptView::of(attempt, apex_dir)).collect(),
            env: None,
        }
    }

    /// Returns the task's number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Adds the values of the environment, which are shown only to whoever asked for them.
    #[must_use]
    pub fn with_env(mut self, env: &Environment) -> Self {
        let text = |raw: &std::ffi::OsString| raw.to_string_lossy().into_owned();
        self.env = Some(env.0.iter().map(|(name, value)| (text(name), text(value))).collect());
        self
    }
}

impl AttemptView {
    /// Returns the view of `attempt`, with paths of outputs under `apex_dir`.
    pub fn of(attempt: &Attempt, apex_dir: &Path) -> Self {
        let (exit_code, signal) = exit_of(attempt.exit);
        Self {
            attempt: attempt.number,
            assignment_id: attempt.assignment.to_string(),
            worker_id: attempt.owner.0.to_string(),
            pid: attempt.identity.map(|identity| identity.pid),
            state: attempt.state.shown().as_str(),
            started_at: attempt.started_at.map(rfc3339),
            ended_at: attempt.ended_at.map(rfc3339),
            exit_code,
            signal,
            reason: attempt.reason.clone(),
            max_rss_bytes: attempt.usage.map(|usage| usage.max_rss_bytes),
            user_ms: attempt.usage.map(|usage| usage.user_ms),
            system_ms: attempt.usage.map(|usage| usage.system_ms),
            granted: attempt.granted.0.iter().map(|(name, grant)| (name.clone(), GrantView::of(grant))).collect(),
            output: attempt.outputs.iter().map(|output| OutputView::of(output, apex_dir)).collect(),
        }
    }
}

impl OutputView {
    /// Returns the view of `output`, with its path under `apex_dir`.
    pub fn of(output: &Output, apex_dir: &Path) -> Self {
        Self {
            stream: output.stream.as_str(),
            path: lossy(&apex_dir.join(&output.path)),
            bytes: output.bytes,
            sha256: output.sha256.map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

/// Where its input comes from; the name of a file is not for everybody who sees a list.
pub(super) fn stdin(stdin: &Stdin) -> &'static str {
    match stdin {
        Stdin::Empty => "empty",
        Stdin::File(_) => "file",
        Stdin::Upload(_) => "given",
        Stdin::Open => "open",
        Stdin::Terminal => "terminal",
    }
}

fn exit_of(exit: Option<ExitStatus>) -> (Option<i32>, Option<i32>) {
    match exit {
        Some(ExitStatus::Code(code)) => (Some(code), None),
        Some(ExitStatus::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    }
}

pub(super) fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// Returns `at` as text if it is there.
pub(super) fn instant(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::domain::resource::{Granted, Needs};
    use crate::domain::task::State;
    use crate::view::{json, samples};

    fn shown(task: &Task) -> String {
        json::line(&TaskView::of(task, Path::new("/home/project/.apex"))).unwrap()
    }

    #[test]
    fn a_task_that_waits() {
        insta::assert_snapshot!(shown(&samples::queued()), @r#"{"id":12,"uuid":"01900000-0000-7000-8000-00000000000c","name":null,"labels":{},"queue":"default","priority":0,"state":"queued","reason_code":null,"reason":null,"command":"cargo test","argv":["cargo","test"],"shell":false,"cwd":"/home/project","stdin":"empty","env_names":["PATH"],"parent":null,"key":null,"schedule":null,"created_at":"2026-01-15T10:30:00.000Z","updated_at":"2026-01-15T10:30:00.000Z","run_at":null,"after":[],"after_any":[],"needs":{},"max_attempts":1,"attempt":0,"failures":0,"timeout_ms":null,"output_limit":null,"nice":null,"cpus":null,"rlimits":{},"memory":null,"cpu_limit":null,"slot":null,"cancel_requested_at":null,"started_at":null,"ended_at":null,"exit_code":null,"signal":null,"progress":null,"expected_ms":null,"eta_ms":null,"hooks":{},"attempts":[]}"#);
    }

    #[test]
    fn a_task_that_ended() {
        insta::assert_snapshot!(shown(&samples::ended()), @r#"{"id":13,"uuid":"01900000-0000-7000-8000-00000000000c","name":"build","labels":{"nightly":"","team":"core"},"queue":"default","priority":-5,"state":"failed","reason_code":"exit","reason":"exit code 3","command":"make && make check","argv":["make && make check"],"shell":true,"cwd":"/home/project","stdin":"empty","env_names":["PATH"],"parent":2,"key":"main","schedule":null,"created_at":"2026-01-15T10:30:00.000Z","updated_at":"2026-01-15T10:30:40.307Z","run_at":"2026-01-15T10:30:00.000Z","after":[11],"after_any":[9,10],"needs":{},"max_attempts":1,"attempt":1,"failures":1,"timeout_ms":90000,"output_limit":null,"nice":null,"cpus":null,"rlimits":{},"memory":null,"cpu_limit":null,"slot":0,"cancel_requested_at":"2026-01-15T10:30:01.000Z","started_at":"2026-01-15T10:30:00.007Z","ended_at":"2026-01-15T10:30:40.307Z","exit_code":3,"signal":null,"progress":null,"expected_ms":null,"eta_ms":null,"hooks":{},"attempts":[{"attempt":1,"assignment_id":"00000000-0000-0000-0000-00000000000a","worker_id":"00000000-0000-0000-0000-00000000000b","pid":4711,"state":"failed","started_at":"2026-01-15T10:30:00.007Z","ended_at":"2026-01-15T10:30:40.307Z","exit_code":3,"signal":null,"reason":"exit code 3","max_rss_bytes":7340032,"user_ms":39000,"system_ms":900,"granted":{},"output":[{"stream":"merged","path":"/home/project/.apex/output/0/13.1.log","bytes":1234,"sha256":"abababababababababababababababababababababababababababababababab"}]}]}"#);
    }

    #[test]
    fn needs_are_numbers_and_pieces_are_listed() {
        let mut task = samples::ended();
        task.spec.needs = Needs::parse("gpu=2,mem=8GiB").unwrap();
        task.attempts[0].granted = Granted::parse("gpu=#0+3,mem=8GiB").unwrap();
        let value = serde_json::to_value(TaskView::of(&task, Path::new("/"))).unwrap();
        assert_eq!(value["needs"], serde_json::json!({"gpu": 2, "mem": 8_589_934_592_u64}));
        assert_eq!(value["attempts"][0]["granted"], serde_json::json!({"gpu": [0, 3], "mem": 8_589_934_592_u64}));
    }

    #[test]
    fn starting_is_shown_as_running() {
        let mut task = samples::ended();
        task.state = State::Starting;
        task.attempts[0].state = State::Starting;
        let value = serde_json::to_value(TaskView::of(&task, Path::new("/"))).unwrap();
        assert_eq!(value["state"], "running");
        assert_eq!(value["attempts"][0]["state"], "running");
    }

    #[test]
    fn a_signal_is_no_exit_code() {
        let mut task = samples::ended();
        task.exit = Some(ExitStatus::Signal(9));
        let value = serde_json::to_value(TaskView::of(&task, Path::new("/"))).unwrap();
        assert_eq!((&value["exit_code"], &value["signal"]), (&serde_json::Value::Null, &9.into()));
    }

    #[test]
    fn bytes_that_are_no_text_and_escapes_are_harmless() {
        let mut task = samples::queued();
        task.spec.argv = vec![std::ffi::OsString::from_vec(vec![b'a', 0xff, 0x1b, b'[', b'm'])];
        let text = shown(&task);
        assert!(text.contains(r#""argv":["a�\u001b[m"]"#), "{text}");
        assert!(!text.chars().any(crate::domain::text::is_unsafe));
    }

    #[test]
    fn values_of_the_environment_are_there_only_when_asked_for() {
        let task = samples::queued();
        assert!(!shown(&task).contains("\"env\""));
        let env = Environment(vec![("PATH".into(), "/bin".into())]);
        let text = json::line(&TaskView::of(&task, Path::new("/")).with_env(&env)).unwrap();
        assert!(text.ends_with(r#","env":{"PATH":"/bin"}}"#), "{text}");
    }
}
