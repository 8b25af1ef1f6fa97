//! Tasks and daemons to show in tests, here and in the rooms that draw them.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::attempt::{Attempt, Output, Stream};
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::daemon::DaemonStatus;
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{ExitStatus, ReasonCode, Usage};
use crate::domain::progress::Progress;
use crate::domain::query::Counts;
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::resource::{Granted, Resources};
use crate::domain::schedule::{Cron, Missed, Overlap, Schedule, SchedulePause, When};
use crate::domain::task::{State, Task, TaskSpec};
use crate::domain::time::Timestamp;
use crate::domain::window::{NextChange, OpenWindow, Standing};

/// 2026-01-15T10:30:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_768_473_000_000);

pub(crate) fn task_id(n: u64) -> TaskId {
    TaskId::new(n).expect("tests name ids that exist")
}

/// Task 12, `cargo test`, waiting for a slot.
pub(crate) fn queued() -> Task {
    let spec = TaskSpec::command(vec!["cargo".into(), "test".into()], PathBuf::from("/home/project"));
    Task {
        id: task_id(12),
        uuid: TaskUuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_000c)),
        spec,
        env_names: ["PATH".to_owned()].into(),
        state: State::Queued,
        reason_code: None,
        reason: None,
        position: 1 << 20,
        parent: None,
        schedule: None,
        created_at: NOW,
        updated_at: NOW,
        attempt: 0,
        failures: 0,
        slot: None,
        cancel_requested_at: None,
        started_at: None,
        ended_at: None,
        exit: None,
        told: None,
        expected: None,
        time_left: None,
        attempts: Vec::new(),
    }
}

/// Task 13, a shell line that failed with code 3 after 40.3 s, with everything that can be known about it.
pub(crate) fn ended() -> Task {
    let mut task = queued();
    task.id = task_id(13);
    task.spec.argv = vec!["make && make check".into()];
    task.spec.shell = true;
    task.spec.name = Some("build".to_owned());
    task.spec.labels = [("team".to_owned(), "core".to_owned()), ("nightly".to_owned(), String::new())].into();
    task.spec.priority = -5;
    task.spec.timeout = Some(Duration::from_secs(90));
    task.spec.key = Some("main".to_owned());
    task.spec.run_at = Some(NOW);
    task.spec.after = vec![task_id(11)];
    task.spec.after_any = vec![task_id(9), task_id(10)];
    task.parent = Some(task_id(2));
    task.state = State::Failed;
    task.reason_code = Some(ReasonCode::Exit);
    task.reason = Some("exit code 3".to_owned());
    task.attempt = 1;
    task.failures = 1;
    task.slot = Some(0);
    task.cancel_requested_at = Some(NOW + Duration::from_secs(1));
    task.started_at = Some(NOW + Duration::from_millis(7));
    task.ended_at = Some(NOW + Duration::from_millis(40_307));
    task.updated_at = NOW + Duration::from_millis(40_307);
    task.exit = Some(ExitStatus::Code(3));
    task.attempts = vec![Attempt {
        number: 1,
        assignment: AssignmentId(Uuid::from_u128(0xa)),
        owner: GuardianId(Uuid::from_u128(0xb)),
        state: State::Failed,
        claimed_at: NOW,
        lease_until: NOW + Duration::from_secs(60),
        slot: 0,
        granted: Granted::default(),
        identity: Some(ProcessIdentity { boot: BootId(Uuid::from_u128(0xc)), pid: 4711, start_ticks: 99 }),
        started_at: task.started_at,
        ended_at: task.ended_at,
        exit: task.exit,
        reason_code: task.reason_code,
        reason: task.reason.clone(),
        paused_at: None,
        paused_for: Duration::ZERO,
        usage: Some(Usage { max_rss_bytes: 7 << 20, user_ms: 39_000, system_ms: 900 }),
        outputs: vec![Output {
            stream: Stream::Merged,
            path: PathBuf::from("output/0/13.1.log"),
            bytes: 1234,
            sha256: Some([0xab; 32]),
        }],
    }];
    task
}

/// Task `id` running `argv` since `since`.
pub(crate) fn running(id: u64, argv: &[&str], since: Timestamp) -> Task {
    let mut task = queued();
    task.id = task_id(id);
    task.spec.argv = argv.iter().map(Into::into).collect();
    task.state = State::Running;
    task.attempt = 1;
    task.slot = Some(0);
    task.started_at = Some(since);
    task
}

/// 40 of 200, with a message that would steer a terminal.
pub(crate) fn progress() -> Progress {
    Progress { attempt: 1, done: Some(40), total: Some(200), message: Some("a\u{1b}b".to_owned()), at: NOW }
}

/// The default queue, without a limit of its own, with a task of each kind.
pub(crate) fn queue() -> Queue {
    Queue { name: "default".to_owned(), slots: 0, weight: None, pause: None, active: 1, queued: 2, waiting: 2 }
}

/// Queue `gpu` with two slots, paused for an hour.
pub(crate) fn paused_queue() -> Queue {
    let until = Some(NOW + Duration::from_secs(3600));
    let pause = Some(QueuePause { at: NOW, reason: Some("new driver".to_owned()), until });
    Queue { name: "gpu".to_owned(), slots: 2, weight: None, pause, active: 1, queued: 5, waiting: 0 }
}

/// Schedule `nightly`, due now and each day at this time, which was added a day ago and added task 12 then.
pub(crate) fn schedule() -> Schedule {
    let day_ago = Timestamp(NOW.0 - 86_400_000);
    let mut spec = TaskSpec::command(vec!["./backup.sh".into(), "--all".into()], PathBuf::from("/home/project"));
    spec.name = Some("nightly".to_owned());
    Schedule {
        name: "nightly".to_owned(),
        when: When::Cron(Cron::parse("30 11 * * *").expect("a cron line")),
        time_zone: "Europe/Vienna".to_owned(),
        missed: Missed::Once,
        overlap: Overlap::Skip,
        spec,
        env_names: ["PATH".to_owned()].into(),
        pause: None,
        next_at: Some(NOW),
        last_at: Some(day_ago),
        last_task: Some(task_id(12)),
        newest_task: Some(task_id(12)),
        created_at: day_ago,
    }
}

/// Schedule `poll`, every ten minutes, which was paused by the daemon.
pub(crate) fn paused_schedule() -> Schedule {
    let reason = Some("no time zone `UTC` is known here".to_owned());
    Schedule {
        name: "poll".to_owned(),
        when: When::Every(Duration::from_secs(600)),
        time_zone: "UTC".to_owned(),
        missed: Missed::All,
        overlap: Overlap::CancelRunning,
        pause: Some(SchedulePause { at: NOW, reason }),
        next_at: None,
        last_at: None,
        last_task: None,
        newest_task: None,
        ..schedule()
    }
}

/// Change 7: task 12 started.
pub(crate) fn started() -> Change {
    Change {
        seq: Seq(7),
        at: NOW,
        kind: ChangeKind::Started,
        task: Some(task_id(12)),
        queue: None,
        schedule: None,
        attempt: Some(1),
        from: Some(State::Starting),
        to: Some(State::Running),
        by: Actor::Daemon,
        reason: None,
        progress: None,
    }
}

/// Change 8: queue `gpu` was paused.
pub(crate) fn queue_paused() -> Change {
    Change {
        seq: Seq(8),
        kind: ChangeKind::QueuePaused,
        task: None,
        queue: Some("gpu".to_owned()),
        attempt: None,
        from: None,
        to: None,
        by: Actor::Cli(4711),
        reason: Some("new driver".to_owned()),
        ..started()
    }
}

/// A window that is open until the evening.
pub(crate) fn windows() -> Standing {
    let evening = Timestamp(NOW.0 + 6 * 3_600_000 + 1_800_000);
    Standing {
        open: vec![OpenWindow {
            name: "day".to_owned(),
            opened_at: Timestamp(evening.0 - 9 * 3_600_000),
            closes_at: Some(evening),
            time_zone: Some("Europe/Vienna".to_owned()),
            max_concurrent: Some(1),
            pause: vec!["gpu".to_owned()],
        }],
        next: Some(NextChange {
            at: evening,
            time_zone: Some("Europe/Vienna".to_owned()),
            opens: vec!["night".to_owned()],
            closes: vec!["day".to_owned()],
        }),
    }
}

/// A daemon that has been up for an hour and runs one task.
pub(crate) fn daemon() -> DaemonStatus {
    DaemonStatus {
        pid: 4242,
        guardian_pid: 4241,
        restarts: 0,
        version: "0.1.0".to_owned(),
        started_at: NOW,
        uptime: Duration::from_secs(3600),
        project: PathBuf::from("/home/project"),
        max_concurrent: 3,
        active: 1,
        counts: Counts {
            by_state: [
                (State::Held, 1),
                (State::Retrying, 1),
                (State::Queued, 2),
                (State::Starting, 1),
                (State::Running, 0),
                (State::Succeeded, 40),
                (State::Failed, 2),
            ]
            .into(),
            processed: 42,
            succeeded: 40,
            failed: 2,
        },
        last_poll_at: Some(NOW + Duration::from_secs(3599)),
        draining: false,
        untrusted: false,
        held_up: None,
        resources: Resources::default(),
        lending: Vec::new(),
        windows: Standing::default(),
    }
}
