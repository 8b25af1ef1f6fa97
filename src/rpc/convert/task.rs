//! Tasks: what is asked, and how it stands.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use crate::domain::hook::{HookEvent, InvalidHook};
use crate::domain::id::TaskUuid;
use crate::domain::query::Added;
use crate::domain::resource::{Amount, Needs};
use crate::domain::task::{
    Backoff, DEFAULT_QUEUE, Environment, InvalidSpec, Limit, NewTask, OnInterrupt, Resource, RetryPolicy, Stdin, Task,
    TaskSpec,
};
use crate::domain::time::Timestamp;
use crate::rpc::convert::{
    Error, Result, attempt, ms, path, path_bytes, plain_ids, progress, signal, task_id, task_ids, uuid,
};
use crate::rpc::proto;

pub(in crate::rpc) fn new_to_proto(task: NewTask) -> proto::AddTaskRequest {
    proto::AddTaskRequest {
        uuid: task.uuid.to_string(),
        spec: Some(spec_to_proto(task.spec)),
        env: env_to_proto(task.env),
        hold: task.hold,
        parent: task.parent.map(|id| id.get()),
    }
}

/// Errors: whatever the domain does not accept of a new task.
pub(in crate::rpc) fn new_from_proto(request: proto::AddTaskRequest) -> Result<NewTask> {
    let task = NewTask {
        uuid: TaskUuid(uuid("uuid", &request.uuid)?),
        spec: spec_from_proto(request.spec.ok_or(Error::Missing("spec"))?)?,
        env: env_from_proto(request.env),
        hold: request.hold,
        parent: request.parent.map(task_id).transpose()?,
    };
    task.spec.check()?;
    task.env.check()?;
    Ok(task)
}

pub(in crate::rpc) fn added_to_proto(added: Added) -> proto::AddTaskResponse {
    proto::AddTaskResponse { task: Some(to_proto(added.task)), created: added.created }
}

pub(in crate::rpc) fn added_from_proto(response: proto::AddTaskResponse) -> Result<Added> {
    Ok(Added { task: required(response.task)?, created: response.created })
}

/// Returns the task in a field that must be there.
pub(in crate::rpc) fn required(task: Option<proto::Task>) -> Result<Task> {
    from_proto(task.ok_or(Error::Missing("task"))?)
}

pub(in crate::rpc) fn env_to_proto(env: Environment) -> Vec<proto::EnvironmentVariable> {
    env.0
        .into_iter()
        .map(|(name, value)| proto::EnvironmentVariable { name: name.into_vec(), value: value.into_vec() })
        .collect()
}

pub(in crate::rpc) fn env_from_proto(env: Vec<proto::EnvironmentVariable>) -> Environment {
    let pair =
        |variable: proto::EnvironmentVariable| (OsString::from_vec(variable.name), OsString::from_vec(variable.value));
    Environment(env.into_iter().map(pair).collect())
}

pub(in crate::rpc) fn to_proto(task: Task) -> proto::Task {
    proto::Task {
        id: task.id.get(),
        progress: task.progress().cloned().map(progress::to_proto),
        uuid: task.uuid.to_string(),
        spec: Some(spec_to_proto(task.spec)),
        env_names: task.env_names.to_vec(),
        state: attempt::state_to_proto(task.state).into(),
        reason_code: task.reason_code.map(|code| code.as_str().to_owned()),
        reason: task.reason,
        position: task.position,
        parent: task.parent.map(|id| id.get()),
        created_at_ms: task.created_at.0,
        updated_at_ms: task.updated_at.0,
        attempt: task.attempt,
        failures: task.failures,
        slot: task.slot,
        cancel_requested_at_ms: task.cancel_requested_at.map(|at| at.0),
        started_at_ms: task.started_at.map(|at| at.0),
        ended_at_ms: task.ended_at.map(|at| at.0),
        exit: task.exit.map(attempt::exit_to_proto),
        attempts: task.attempts.into_iter().map(attempt::to_proto).collect(),
        schedule: task.schedule,
        expected_ms: task.expected.map(ms),
        time_left_ms: task.time_left.map(ms),
    }
}

pub(in crate::rpc) fn from_proto(task: proto::Task) -> Result<Task> {
    Ok(Task {
        id: task_id(task.id)?,
        uuid: TaskUuid(uuid("task.uuid", &task.uuid)?),
        spec: spec_from_proto(task.spec.ok_or(Error::Missing("task.spec"))?)?,
        env_names: task.env_names.into(),
        state: attempt::state_from_proto("task.state", task.state)?,
        reason_code: attempt::reason_code(task.reason_code),
        reason: task.reason,
        position: task.position,
        parent: task.parent.map(task_id).transpose()?,
        schedule: task.schedule,
        created_at: Timestamp(task.created_at_ms),
        updated_at: Timestamp(task.updated_at_ms),
        attempt: task.attempt,
        failures: task.failures,
        slot: task.slot,
        cancel_requested_at: task.cancel_requested_at_ms.map(Timestamp),
        started_at: task.started_at_ms.map(Timestamp),
        ended_at: task.ended_at_ms.map(Timestamp),
        exit: task.exit.and_then(attempt::exit_from_proto),
        told: task.progress.map(progress::from_proto),
        expected: task.expected_ms.map(Duration::from_millis),
        time_left: task.time_left_ms.map(Duration::from_millis),
        attempts: task.attempts.into_iter().map(attempt::from_proto).collect::<Result<_>>()?,
    })
}

pub(in crate::rpc) fn spec_to_proto(spec: TaskSpec) -> proto::TaskSpec {
    proto::TaskSpec {
        argv: spec.argv.into_iter().map(OsString::into_vec).collect(),
        shell: spec.shell,
        cwd: path_bytes(&spec.cwd),
        name: spec.name,
        labels: spec.labels.into_iter().collect(),
        queue: spec.queue,
        priority: spec.priority,
        umask: Some(spec.umask),
        limits: spec.limits.into_iter().map(limit_to_proto).collect(),
        stdin: stdin_to_proto(spec.stdin),
        split_output: spec.split_output,
        retry: Some(retry_to_proto(spec.retry)),
        timeout_ms: spec.timeout.map(ms),
        output_limit_bytes: spec.output_limit,
        kill_signal: spec.kill_signal,
        kill_grace_ms: spec.kill_grace.map(ms),
        key: spec.key,
        run_at_ms: spec.run_at.map(|at| at.0),
        after: plain_ids(&spec.after),
        after_any: plain_ids(&spec.after_any),
        hooks: spec.hooks.into_iter().map(|(event, line)| (event.as_str().to_owned(), line)).collect(),
        needs: needs_to_proto(spec.needs),
    }
}

pub(in crate::rpc) fn spec_from_proto(spec: proto::TaskSpec) -> Result<TaskSpec> {
    let argv = spec.argv.into_iter().map(OsString::from_vec).collect();
    let default = TaskSpec::command(argv, path(spec.cwd));
    Ok(TaskSpec {
        shell: spec.shell,
        name: spec.name,
        labels: spec.labels.into_iter().collect(),
        queue: if spec.queue.is_empty() { DEFAULT_QUEUE.to_owned() } else { spec.queue },
        priority: spec.priority,
        umask: spec.umask.unwrap_or(default.umask),
        limits: spec.limits.into_iter().filter_map(limit_from_proto).collect(),
        stdin: spec.stdin.map(stdin_from_proto).transpose()?.unwrap_or_default(),
        split_output: spec.split_output,
        retry: spec.retry.map(retry_from_proto).unwrap_or_default(),
        timeout: spec.timeout_ms.map(Duration::from_millis),
        output_limit: spec.output_limit_bytes,
        kill_signal: spec.kill_signal.map(signal).transpose()?,
        kill_grace: spec.kill_grace_ms.map(Duration::from_millis),
        key: spec.key,
        run_at: spec.run_at_ms.map(Timestamp),
        after: task_ids(&spec.after)?,
        after_any: task_ids(&spec.after_any)?,
        hooks: spec.hooks.into_iter().map(hook_from_proto).collect::<Result<_>>()?,
        needs: needs_from_proto(spec.needs)?,
        ..default
    })
}

/// An event that nobody here knows is refused: its hook would never be run.
fn hook_from_proto((event, line): (String, String)) -> Result<(HookEvent, String)> {
    let known = HookEvent::from_word(&event).ok_or(InvalidSpec::Hook(InvalidHook::Event(event)))?;
    Ok((known, line))
}

fn needs_to_proto(needs: Needs) -> Vec<proto::ResourceNeed> {
    let need = |(name, amount): (String, Amount)| proto::ResourceNeed {
        name,
        amount: amount.get(),
        is_size: amount.is_size(),
    };
    needs.0.into_iter().map(need).collect()
}

/// Errors: whatever the domain does not accept of needs.
fn needs_from_proto(needs: Vec<proto::ResourceNeed>) -> Result<Needs> {
    let need = |need: proto::ResourceNeed| (need.name, Amount::new(need.amount, need.is_size));
    Ok(Needs::of(needs.into_iter().map(need)).map_err(InvalidSpec::from)?)
}

pub(in crate::rpc) fn limit_to_proto(limit: Limit) -> proto::ResourceLimit {
    proto::ResourceLimit { resource: limit.resource.as_str().to_owned(), soft: limit.soft }
}

/// A resource that a later version may have added is not limited.
pub(in crate::rpc) fn limit_from_proto(limit: proto::ResourceLimit) -> Option<Limit> {
    Resource::from_word(&limit.resource).map(|resource| Limit { resource, soft: limit.soft })
}

fn stdin_to_proto(stdin: Stdin) -> Option<proto::Stdin> {
    use proto::stdin::Source;
    let source = match stdin {
        Stdin::Empty => return None,
        Stdin::File(file) => Source::File(path_bytes(&file)),
        Stdin::Upload(upload) => Source::Upload(upload.to_string()),
        Stdin::Open => Source::Open(true),
        Stdin::Terminal => Source::Terminal(true),
    };
    Some(proto::Stdin { source: Some(source) })
}

fn stdin_from_proto(stdin: proto::Stdin) -> Result<Stdin> {
    use proto::stdin::Source;
    match stdin.source {
        None | Some(Source::Open(false) | Source::Terminal(false)) => Ok(Stdin::Empty),
        Some(Source::File(file)) => Ok(Stdin::File(path(file))),
        Some(Source::Upload(upload)) => Ok(Stdin::Upload(uuid("stdin.upload", &upload)?)),
        Some(Source::Open(true)) => Ok(Stdin::Open),
        Some(Source::Terminal(true)) => Ok(Stdin::Terminal),
    }
}

fn retry_to_proto(retry: RetryPolicy) -> proto::RetryPolicy {
    proto::RetryPolicy {
        max_attempts: retry.max_attempts,
        delay_ms: ms(retry.delay),
        exponential: retry.backoff == Backoff::Exponential,
        max_delay_ms: ms(retry.max_delay),
        on_codes: retry.on_codes,
        rerun_on_interrupt: retry.on_interrupt == OnInterrupt::Rerun,
    }
}

fn retry_from_proto(retry: proto::RetryPolicy) -> RetryPolicy {
    RetryPolicy {
        max_attempts: retry.max_attempts,
        delay: Duration::from_millis(retry.delay_ms),
        backoff: if retry.exponential { Backoff::Exponential } else { Backoff::Fixed },
        max_delay: Duration::from_millis(retry.max_delay_ms),
        on_codes: retry.on_codes,
        on_interrupt: if retry.rerun_on_interrupt { OnInterrupt::Rerun } else { OnInterrupt::Stop },
    }
}
