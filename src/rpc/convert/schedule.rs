//! Schedules, and what came of commands for them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use crate::domain::error::Problem;
use crate::domain::id::TaskId;
use crate::domain::query::PerSchedule;
use crate::domain::schedule::{Cron, Missed, NewSchedule, Overlap, Schedule, ScheduleEdit, SchedulePause, Terms, When};
use crate::domain::time::Timestamp;
use crate::rpc::convert::query::{problem_from_proto, problem_to_proto};
use crate::rpc::convert::task::{env_from_proto, env_to_proto, spec_from_proto, spec_to_proto};
use crate::rpc::convert::{Error, Result, ms, task_id};
use crate::rpc::proto;

pub(in crate::rpc) fn new_to_proto(new: NewSchedule) -> proto::AddScheduleRequest {
    proto::AddScheduleRequest {
        name: new.name,
        times: Some(times_to_proto(&new.when)),
        time_zone: new.time_zone,
        missed: missed_to_proto(new.missed).into(),
        overlap: overlap_to_proto(new.overlap).into(),
        spec: Some(spec_to_proto(new.spec)),
        env: env_to_proto(new.env),
        paused: new.paused,
    }
}

/// Errors: whatever the domain does not accept of a new schedule.
pub(in crate::rpc) fn new_from_proto(request: proto::AddScheduleRequest) -> Result<NewSchedule> {
    let new = NewSchedule {
        name: request.name,
        when: times_from_proto(request.times)?,
        time_zone: request.time_zone,
        missed: missed_from_proto(request.missed)?,
        overlap: overlap_from_proto(request.overlap)?,
        spec: spec_from_proto(request.spec.ok_or(Error::Missing("spec"))?)?,
        env: env_from_proto(request.env),
        paused: request.paused,
    };
    new.check()?;
    Ok(new)
}

pub(in crate::rpc) fn edit_to_proto(edit: ScheduleEdit) -> proto::EditScheduleRequest {
    proto::EditScheduleRequest {
        name: edit.name,
        created_at_ms: edit.created_at.0,
        base: Some(terms_to_proto(edit.base)),
        terms: Some(terms_to_proto(edit.terms)),
        set_env: env_to_proto(edit.set_env),
        unset_env: edit.unset_env.into_iter().map(OsString::into_vec).collect(),
    }
}

pub(in crate::rpc) fn edit_from_proto(request: proto::EditScheduleRequest) -> Result<ScheduleEdit> {
    Ok(ScheduleEdit {
        name: request.name,
        created_at: Timestamp(request.created_at_ms),
        base: terms_from_proto(request.base.ok_or(Error::Missing("base"))?)?,
        terms: terms_from_proto(request.terms.ok_or(Error::Missing("terms"))?)?,
        set_env: env_from_proto(request.set_env),
        unset_env: request.unset_env.into_iter().map(OsString::from_vec).collect(),
    })
}

fn terms_to_proto(terms: Terms) -> proto::ScheduleTerms {
    proto::ScheduleTerms {
        times: Some(times_to_proto(&terms.when)),
        time_zone: terms.time_zone,
        missed: missed_to_proto(terms.missed).into(),
        overlap: overlap_to_proto(terms.overlap).into(),
        spec: Some(spec_to_proto(terms.spec)),
    }
}

fn terms_from_proto(terms: proto::ScheduleTerms) -> Result<Terms> {
    Ok(Terms {
        when: times_from_proto(terms.times)?,
        time_zone: terms.time_zone,
        missed: missed_from_proto(terms.missed)?,
        overlap: overlap_from_proto(terms.overlap)?,
        spec: spec_from_proto(terms.spec.ok_or(Error::Missing("terms.spec"))?)?,
    })
}

pub(in crate::rpc) fn to_proto(schedule: Schedule) -> proto::Schedule {
    proto::Schedule {
        name: schedule.name,
        times: Some(times_to_proto(&schedule.when)),
        time_zone: schedule.time_zone,
        missed: missed_to_proto(schedule.missed).into(),
        overlap: overlap_to_proto(schedule.overlap).into(),
        spec: Some(spec_to_proto(schedule.spec)),
        env_names: schedule.env_names.to_vec(),
        pause: schedule.pause.map(|pause| proto::SchedulePause { paused_at_ms: pause.at.0, reason: pause.reason }),
        next_at_ms: schedule.next_at.map(|at| at.0),
        last_at_ms: schedule.last_at.map(|at| at.0),
        last_task: schedule.last_task.map(TaskId::get),
        newest_task: schedule.newest_task.map(TaskId::get),
        created_at_ms: schedule.created_at.0,
    }
}

pub(in crate::rpc) fn from_proto(schedule: proto::Schedule) -> Result<Schedule> {
    let pause = |pause: proto::SchedulePause| SchedulePause { at: Timestamp(pause.paused_at_ms), reason: pause.reason };
    Ok(Schedule {
        name: schedule.name,
        when: times_from_proto(schedule.times)?,
        time_zone: schedule.time_zone,
        missed: missed_from_proto(schedule.missed)?,
        overlap: overlap_from_proto(schedule.overlap)?,
        spec: spec_from_proto(schedule.spec.ok_or(Error::Missing("schedule.spec"))?)?,
        env_names: schedule.env_names.into(),
        pause: schedule.pause.map(pause),
        next_at: schedule.next_at_ms.map(Timestamp),
        last_at: schedule.last_at_ms.map(Timestamp),
        last_task: schedule.last_task.map(task_id).transpose()?,
        newest_task: schedule.newest_task.map(task_id).transpose()?,
        created_at: Timestamp(schedule.created_at_ms),
    })
}

/// Returns the schedule in a field that must be there.
pub(in crate::rpc) fn required(schedule: Option<proto::Schedule>) -> Result<Schedule> {
    from_proto(schedule.ok_or(Error::Missing("schedule"))?)
}

fn times_to_proto(when: &When) -> proto::ScheduleTimes {
    use proto::schedule_times::When as Proto;
    let when = match when {
        When::Cron(cron) => Proto::Cron(cron.as_str().to_owned()),
        When::Every(every) => Proto::EveryMs(ms(*every)),
        When::At(at) => Proto::AtMs(at.0),
    };
    proto::ScheduleTimes { when: Some(when) }
}

fn times_from_proto(times: Option<proto::ScheduleTimes>) -> Result<When> {
    use proto::schedule_times::When as Proto;
    match times.and_then(|times| times.when).ok_or(Error::Missing("times"))? {
        Proto::Cron(line) => Ok(When::Cron(Cron::parse(&line)?)),
        Proto::EveryMs(every) => Ok(When::Every(Duration::from_millis(every))),
        Proto::AtMs(at) => Ok(When::At(Timestamp(at))),
    }
}

fn missed_to_proto(missed: Missed) -> proto::MissedPolicy {
    match missed {
        Missed::Skip => proto::MissedPolicy::Skip,
        Missed::Once => proto::MissedPolicy::Once,
        Missed::All => proto::MissedPolicy::All,
    }
}

fn missed_from_proto(value: i32) -> Result<Missed> {
    match proto::MissedPolicy::try_from(value) {
        Ok(proto::MissedPolicy::Unspecified) => Ok(Missed::default()),
        Ok(proto::MissedPolicy::Skip) => Ok(Missed::Skip),
        Ok(proto::MissedPolicy::Once) => Ok(Missed::Once),
        Ok(proto::MissedPolicy::All) => Ok(Missed::All),
        Err(_) => Err(Error::Unknown { field: "missed", value }),
    }
}

fn overlap_to_proto(overlap: Overlap) -> proto::OverlapPolicy {
    match overlap {
        Overlap::Skip => proto::OverlapPolicy::Skip,
        Overlap::Queue => proto::OverlapPolicy::Queue,
        Overlap::CancelRunning => proto::OverlapPolicy::CancelRunning,
    }
}

fn overlap_from_proto(value: i32) -> Result<Overlap> {
    match proto::OverlapPolicy::try_from(value) {
        Ok(proto::OverlapPolicy::Unspecified) => Ok(Overlap::default()),
        Ok(proto::OverlapPolicy::Skip) => Ok(Overlap::Skip),
        Ok(proto::OverlapPolicy::Queue) => Ok(Overlap::Queue),
        Ok(proto::OverlapPolicy::CancelRunning) => Ok(Overlap::CancelRunning),
        Err(_) => Err(Error::Unknown { field: "overlap", value }),
    }
}

pub(in crate::rpc) fn results_to_proto(results: PerSchedule<Problem>) -> proto::ScheduleResults {
    let result = |(name, result): (String, std::result::Result<(), Problem>)| {
        let problem = result.err().map(problem_to_proto);
        proto::ScheduleResult { name, problem }
    };
    proto::ScheduleResults { results: results.into_iter().map(result).collect() }
}

pub(in crate::rpc) fn results_from_proto(results: proto::ScheduleResults) -> PerSchedule<Problem> {
    let result = |result: proto::ScheduleResult| {
        (result.name, result.problem.map_or(Ok(()), |problem| Err(problem_from_proto(problem))))
    };
    results.results.into_iter().map(result).collect()
}
