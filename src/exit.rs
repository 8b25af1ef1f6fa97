//! Every exit code, and how one is found.
//!
//! The numbers are a contract with scripts. Codes up to 75 are the client's, 71 and 78 pass between the guardian and
//! apexd, and 124 and 125 are used only where the client otherwise exits with the code of a task.

use crate::domain::backoff;
use crate::domain::error::ErrorKind;
use crate::domain::outcome::ExitStatus;
use crate::domain::task::{State, Task};

/// How a process of apex ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: done. Of apexd: drained.
    Done,
    /// 1: refused, or failed for some of the ids named; also: what a file contains is wrong. Where tasks are waited
    /// for: one of them did not succeed, and there is no code of its own to pass on.
    Refused,
    /// 2: wrong usage of the command line.
    Usage,
    /// 3: the daemon is not running, cannot be reached, or does not answer within the deadline.
    Unreachable,
    /// 4: no such task, queue …; none of the ids named is known.
    NotFound,
    /// 71: apexd asks the guardian to start another binary in its place.
    Replace,
    /// 75: still running; the task goes on.
    StillRunning,
    /// 78: a configuration that no restart will mend. From `daemon run` also: another daemon serves the project.
    Config,
    /// 124: the task was ended by its time limit.
    TimedOut,
    /// 125: apex itself failed where it would otherwise exit with the code of a task.
    Broken,
}

impl Exit {
    /// Every way to end, by code.
    pub const ALL: [Exit; 10] = [
        Self::Done,
        Self::Refused,
        Self::Usage,
        Self::Unreachable,
        Self::NotFound,
        Self::Replace,
        Self::StillRunning,
        Self::Config,
        Self::TimedOut,
        Self::Broken,
    ];

    /// Returns the number.
    pub fn code(self) -> i32 {
        match self {
            Self::Done => backoff::EXIT_DRAINED,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::NotFound => 4,
            Self::Replace => backoff::EXIT_REPLACE,
            Self::StillRunning => 75,
            Self::Config => backoff::EXIT_CONFIG,
            Self::TimedOut => 124,
            Self::Broken => 125,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        // Every code is below 128, as a test holds.
        Self::from(u8::try_from(exit.code()).unwrap_or(1))
    }
}

/// Returns how a command ends that met a failure of this kind.
///
/// Shape: `answered` tells whether a daemon said so; without an answer only that matters. A daemon that takes no new
/// work (`Unavailable`) has answered. `run`, `wait` and `logs -f` exit with [`Exit::Broken`] instead.
pub fn for_problem(kind: ErrorKind, answered: bool) -> Exit {
    match (answered, kind) {
        (false, _) => Exit::Unreachable,
        (true, ErrorKind::NotFound) => Exit::NotFound,
        (
            true,
            ErrorKind::Invalid
            | ErrorKind::Conflict
            | ErrorKind::Exhausted
            | ErrorKind::Unavailable
            | ErrorKind::Denied
            | ErrorKind::Internal,
        ) => Exit::Refused,
    }
}

/// Returns the exit code of a command that stayed until `task` had ended.
///
/// Shape: 0 for `succeeded` and for nothing else; 124 for `timed_out`; else the code of the task, or 128 plus the
/// signal that ended it; 1 if there is none, or if it is 0 though the task did not succeed (one that was cancelled
/// may well end with 0). A task that has not ended is [`Exit::StillRunning`].
pub fn for_task(task: &Task) -> i32 {
    match task.state {
        State::Succeeded => Exit::Done.code(),
        State::TimedOut => Exit::TimedOut.code(),
        State::Failed | State::Cancelled | State::Interrupted => match task.exit.map(ExitStatus::shell_code) {
            Some(0) | None => Exit::Refused.code(),
            Some(code) => code,
        },
        State::Skipped | State::Lost => Exit::Refused.code(),
        State::Scheduled
        | State::Blocked
        | State::Held
        | State::Queued
        | State::Starting
        | State::Running
        | State::Paused
        | State::Retrying => Exit::StillRunning.code(),
    }
}

/// Returns the exit code of a command that stayed until all of `tasks` had ended.
///
/// Shape: a single task's own code; with several, 0 if all succeeded, else 1, or 75 if one has not ended. None at all
/// is 0.
pub fn for_tasks(tasks: &[Task]) -> i32 {
    match tasks {
        [task] => for_task(task),
        tasks if tasks.iter().any(|task| !task.state.is_ended()) => Exit::StillRunning.code(),
        tasks if tasks.iter().all(|task| task.state == State::Succeeded) => Exit::Done.code(),
        _ => Exit::Refused.code(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::{TaskId, TaskUuid};
    use crate::domain::task::TaskSpec;
    use crate::domain::time::Timestamp;

    fn task(state: State, exit: Option<ExitStatus>) -> Task {
        Task {
            id: TaskId::new(1).unwrap(),
            uuid: TaskUuid(Uuid::nil()),
            spec: TaskSpec::command(vec!["true".into()], "/".into()),
            env_names: [].into(),
            state,
            reason_code: None,
            reason: None,
            position: 0,
            parent: None,
            schedule: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            attempt: 1,
            failures: 0,
            slot: None,
            cancel_requested_at: None,
            started_at: None,
            ended_at: None,
            exit,
            told: None,
            expected: None,
            time_left: None,
            attempts: Vec::new(),
        }
    }

    #[test]
    fn codes_are_the_contract_s_and_all_different() {
        let codes: Vec<i32> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 71, 75, 78, 124, 125]);
        assert!(codes.iter().all(|code| *code < 128));
    }

    #[test]
    fn every_kind_of_problem_has_its_code() {
        for kind in ErrorKind::ALL {
            assert_eq!(for_problem(kind, false), Exit::Unreachable, "{kind:?}");
            let expected = if kind == ErrorKind::NotFound { Exit::NotFound } else { Exit::Refused };
            assert_eq!(for_problem(kind, true), expected, "{kind:?}");
        }
    }

    #[test]
    fn only_success_is_zero_whatever_the_process_said() {
        let codes = (0..=255).map(ExitStatus::Code);
        let exits: Vec<_> = codes.chain((1..=64).map(ExitStatus::Signal)).map(Some).chain([None]).collect();
        for state in State::ALL {
            for exit in &exits {
                let code = for_task(&task(state, *exit));
                assert_eq!(code == 0, state == State::Succeeded, "{state:?} {exit:?}");
                let expected = match (state, exit) {
                    (State::Succeeded, _) => 0,
                    (State::TimedOut, _) => 124,
                    (State::Skipped | State::Lost, _) => 1,
                    (state, _) if !state.is_ended() => 75,
                    (_, None | Some(ExitStatus::Code(0))) => 1,
                    (_, Some(ExitStatus::Code(code))) => *code,
                    (_, Some(ExitStatus::Signal(signal))) => 128 + signal,
                };
                assert_eq!(code, expected, "{state:?} {exit:?}");
            }
        }
    }

    #[test]
    fn one_task_passes_its_code_on_and_several_are_all_or_nothing() {
        let seven = || task(State::Failed, Some(ExitStatus::Code(7)));
        let fine = || task(State::Succeeded, Some(ExitStatus::Code(0)));
        let runs = || task(State::Running, None);
        assert_eq!(for_tasks(&[]), 0);
        assert_eq!(for_tasks(&[seven()]), 7);
        assert_eq!(for_tasks(&[runs()]), 75);
        assert_eq!(for_tasks(&[fine(), fine()]), 0);
        assert_eq!(for_tasks(&[fine(), seven()]), 1);
        assert_eq!(for_tasks(&[seven(), seven()]), 1);
        assert_eq!(for_tasks(&[seven(), runs()]), 75);
    }
}
