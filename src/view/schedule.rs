//! A schedule.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::id::TaskId;
use crate::domain::schedule::{Schedule, When};
use crate::domain::time::Timestamp;
use crate::view::confine::ConfinementView;
use crate::view::task::{instant, lossy, millis, stdin};
use crate::view::time::rfc3339;

/// A schedule as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleView {
    name: String,
    cron: Option<String>,
    every_ms: Option<u64>,
    at: Option<String>,
    time_zone: String,
    missed: &'static str,
    overlap: &'static str,
    paused: bool,
    paused_reason: Option<String>,
    next_at: Option<String>,
    last_at: Option<String>,
    last_task: Option<u64>,
    newest_task: Option<u64>,
    created_at: String,
    task: ScheduledTaskView,
    next: Vec<String>,
}

/// What the tasks of a schedule are to do; the keys are those of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduledTaskView {
    name: Option<String>,
    labels: BTreeMap<String, String>,
    queue: String,
    priority: i32,
    command: String,
    argv: Vec<String>,
    shell: bool,
    cwd: String,
    stdin: &'static str,
    env_names: Vec<String>,
    key: Option<String>,
    max_attempts: u32,
    timeout_ms: Option<u64>,
    output_limit: Option<u64>,
    needs: BTreeMap<String, u64>,
    #[serde(flatten)]
    confinement: ConfinementView,
    hooks: BTreeMap<&'static str, String>,
}

impl ScheduleView {
    /// Returns the view of `schedule`, whose next times are `next`.
    pub fn of(schedule: &Schedule, next: &[Timestamp]) -> Self {
        let (cron, every_ms, at) = match &schedule.when {
            When::Cron(cron) => (Some(cron.as_str().to_owned()), None, None),
            When::Every(every) => (None, Some(millis(*every)), None),
            When::At(at) => (None, None, Some(rfc3339(*at))),
        };
        let spec = &schedule.spec;
        Self {
            name: schedule.name.clone(),
            cron,
            every_ms,
            at,
            time_zone: schedule.time_zone.clone(),
            missed: schedule.missed.as_str(),
            overlap: schedule.overlap.as_str(),
            paused: schedule.pause.is_some(),
            paused_reason: schedule.pause.as_ref().and_then(|pause| pause.reason.clone()),
            next_at: instant(schedule.next_at),
            last_at: instant(schedule.last_at),
            last_task: schedule.last_task.map(TaskId::get),
            newest_task: schedule.newest_task.map(TaskId::get),
            created_at: rfc3339(schedule.created_at),
            task: ScheduledTaskView {
                name: spec.name.clone(),
                labels: spec.labels.clone(),
                queue: spec.queue.clone(),
                priority: spec.priority,
                command: spec.command_line(),
                argv: spec.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
                shell: spec.shell,
                cwd: lossy(&spec.cwd),
                stdin: stdin(&spec.stdin),
                env_names: schedule.env_names.to_vec(),
                key: spec.key.clone(),
                max_attempts: spec.retry.max_attempts,
                timeout_ms: spec.timeout.map(millis),
                output_limit: spec.output_limit,
                needs: spec.needs.0.iter().map(|(name, amount)| (name.clone(), amount.get())).collect(),
                confinement: ConfinementView::of(&spec.confinement),
                hooks: spec.hooks.iter().map(|(event, line)| (event.as_str(), line.clone())).collect(),
            },
            next: next.iter().copied().map(rfc3339).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hook::HookEvent;
    use crate::domain::resource::{Amount, Needs};
    use crate::view::samples::{NOW, paused_schedule, schedule};
    use crate::view::{json, samples};

    #[test]
    fn one_that_goes_on_and_one_that_is_paused() {
        let needy = |schedule: Schedule| {
            let mut schedule = schedule;
            let (gpu, mem) = (("gpu".to_owned(), Amount::new(1, false)), ("mem".to_owned(), Amount::new(2_048, true)));
            schedule.spec.needs = Needs::of([gpu, mem]).unwrap();
            schedule.spec.hooks = [(HookEvent::Failure, "./tell.sh".to_owned())].into();
            serde_json::to_value(ScheduleView::of(&schedule, &[])).unwrap()
        };
        let task = &needy(schedule())["task"];
        assert_eq!(task["needs"], serde_json::json!({"gpu": 1, "mem": 2048}));
        assert_eq!(task["hooks"], serde_json::json!({"failure": "./tell.sh"}));
        let next = [NOW, samples::NOW + std::time::Duration::from_secs(86_400)];
        insta::assert_snapshot!(json::line(&ScheduleView::of(&schedule(), &next)).unwrap(), @r#"{"name":"nightly","cron":"30 11 * * *","every_ms":null,"at":null,"time_zone":"Europe/Vienna","missed":"once","overlap":"skip","paused":false,"paused_reason":null,"next_at":"2026-01-15T10:30:00.000Z","last_at":"2026-01-14T10:30:00.000Z","last_task":12,"newest_task":12,"created_at":"2026-01-14T10:30:00.000Z","task":{"name":"nightly","labels":{},"queue":"default","priority":0,"command":"./backup.sh --all","argv":["./backup.sh","--all"],"shell":false,"cwd":"/home/project","stdin":"empty","env_names":["PATH"],"key":null,"max_attempts":1,"timeout_ms":null,"output_limit":null,"needs":{},"nice":null,"cpus":null,"rlimits":{},"memory":null,"cpu_limit":null,"hooks":{}},"next":["2026-01-15T10:30:00.000Z","2026-01-16T10:30:00.000Z"]}"#);
        insta::assert_snapshot!(json::line(&ScheduleView::of(&paused_schedule(), &[])).unwrap(), @r#"{"name":"poll","cron":null,"every_ms":600000,"at":null,"time_zone":"UTC","missed":"all","overlap":"cancel-running","paused":true,"paused_reason":"no time zone `UTC` is known here","next_at":null,"last_at":null,"last_task":null,"newest_task":null,"created_at":"2026-01-14T10:30:00.000Z","task":{"name":"nightly","labels":{},"queue":"default","priority":0,"command":"./backup.sh --all","argv":["./backup.sh","--all"],"shell":false,"cwd":"/home/project","stdin":"empty","env_names":["PATH"],"key":null,"max_attempts":1,"timeout_ms":null,"output_limit":null,"needs":{},"nice":null,"cpus":null,"rlimits":{},"memory":null,"cpu_limit":null,"hooks":{}},"next":[]}"#);
    }
}
