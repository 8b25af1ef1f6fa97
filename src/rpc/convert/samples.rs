//! Arbitrary values of the domain, for round trips.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::domain::attempt::{Attempt, Output, Stream};
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::condition::{Comparison, Condition, Term};
use crate::domain::daemon::DaemonStatus;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::field::{Field, Kind, Sort, Value};
use crate::domain::hook::HookEvent;
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{ExitStatus, ReasonCode, Usage};
use crate::domain::progress::Progress;
use crate::domain::query::{Counts, PerQueue, PerSchedule, PerTask, TaskFilter, TaskPage};
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::resource::{Amount, Grant, Granted, Needs, ResourceState, ResourceWait, Resources};
use crate::domain::schedule::{Cron, Missed, NewSchedule, Overlap, Schedule, ScheduleEdit, SchedulePause, Terms, When};
use crate::domain::selection::{Deed, Selection, Span};
use crate::domain::setting::ChangedSetting;
use crate::domain::task::{
    Backoff, CPU_MILLIS_MAX, CPU_MILLIS_MIN, Confinement, CpuSet, Environment, Limit, MEMORY_MIN, NewTask, OnInterrupt,
    Resource, RetryPolicy, Rlimit, State, Stdin, Task, TaskSpec,
};
use crate::domain::time::Timestamp;
use crate::domain::window::{NextChange, OpenWindow, Standing};

/// Any bytes that the operating system takes, UTF-8 or not.
fn os_string() -> impl Strategy<Value = OsString> {
    vec(1_u8.., 0..12).prop_map(OsString::from_vec)
}

fn absolute_path() -> impl Strategy<Value = PathBuf> {
    os_string().prop_map(|name| PathBuf::from("/").join(name))
}

fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

/// Whole milliseconds, as on the wire.
fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

pub(in crate::rpc) fn id() -> impl Strategy<Value = TaskId> {
    (1..=u64::MAX >> 1).prop_map(|id| TaskId::new(id).expect("within the bounds of ids"))
}

/// Any state but `starting`, which has no word of its own on the wire.
fn state() -> impl Strategy<Value = State> {
    select(State::ALL.to_vec()).prop_map(State::shown)
}

fn exit() -> impl Strategy<Value = ExitStatus> {
    prop_oneof![(0..256).prop_map(ExitStatus::Code), (1..65).prop_map(ExitStatus::Signal)]
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let limit = (select(Resource::ALL.to_vec()), of(any::<u64>()));
    vec(limit.prop_map(|(resource, soft)| Limit { resource, soft }), 0..3)
}

fn confinement() -> impl Strategy<Value = Confinement> {
    let rlimit = (select(Resource::ALL.to_vec()), of(0..9_u64)).prop_map(|(resource, soft)| {
        let hard = soft.map(|soft| soft.saturating_add(1));
        Rlimit { resource, soft, hard }
    });
    let cpus = of(select(vec!["0", "0-3", "1,5-7"]).prop_map(|text| CpuSet::parse(text).unwrap()));
    let (memory, cpu) = (of(MEMORY_MIN..), of(CPU_MILLIS_MIN..=CPU_MILLIS_MAX));
    (of(-20..=19), cpus, vec(rlimit, 0..2), memory, cpu)
        .prop_map(|(nice, cpus, rlimits, memory, cpu_millis)| Confinement { nice, cpus, rlimits, memory, cpu_millis })
}

fn stdin() -> impl Strategy<Value = Stdin> {
    prop_oneof![
        Just(Stdin::Empty),
        absolute_path().prop_map(Stdin::File),
        uuid().prop_map(Stdin::Upload),
        Just(Stdin::Open),
        Just(Stdin::Terminal)
    ]
}

fn retry() -> impl Strategy<Value = RetryPolicy> {
    let codes = vec(any::<i32>(), 0..3);
    (1_u32.., duration(), any::<bool>(), duration(), codes, any::<bool>()).prop_map(
        |(max_attempts, delay, exponential, max_delay, on_codes, rerun)| RetryPolicy {
            max_attempts,
            delay,
            backoff: if exponential { Backoff::Exponential } else { Backoff::Fixed },
            max_delay,
            on_codes,
            on_interrupt: if rerun { OnInterrupt::Rerun } else { OnInterrupt::Stop },
        },
    )
}

fn spec() -> impl Strategy<Value = TaskSpec> {
    let command = (vec(os_string(), 0..4), os_string(), any::<bool>(), absolute_path());
    let named = (of("[a-z]{1,8}"), btree_map("[a-z]{1,4}", text(), 0..3), "[a-z]{1,8}", any::<i32>());
    let most = (of(any::<u64>()), confinement());
    let run = (0..0o1000_u32, limits(), stdin(), any::<bool>(), retry(), of(duration()), most);
    let hooks = btree_map(select(HookEvent::OF_TASK.to_vec()), "[a-z]{1,9}", 0..3);
    let end = (of(1..65), of(duration()), of("[a-z]{1,8}"), of(timestamp()), vec(id(), 0..3), vec(id(), 0..3), hooks);
    (command, named, run, end, needs()).prop_map(|(command, named, run, end, needs)| {
        let (mut argv, mut program, shell, cwd) = command;
        program.push("x");
        argv.truncate(if shell { 0 } else { argv.len() });
        argv.insert(0, program);
        let (name, labels, queue, priority) = named;
        let (umask, limits, stdin, split_output, retry, timeout, (output_limit, confinement)) = run;
        let split_output = split_output && stdin != Stdin::Terminal;
        let (kill_signal, kill_grace, key, run_at, after, after_any, hooks) = end;
        TaskSpec {
            argv,
            shell,
            cwd,
            name,
            labels,
            queue,
            priority,
            umask,
            limits,
            stdin,
            split_output,
            retry,
            timeout,
            output_limit,
            confinement,
            kill_signal,
            kill_grace,
            key,
            run_at,
            after,
            after_any,
            needs,
            hooks,
        }
    })
}

fn amount() -> impl Strategy<Value = Amount> {
    (1..=u64::MAX, any::<bool>()).prop_map(|(number, is_size)| Amount::new(number, is_size))
}

fn needs() -> impl Strategy<Value = Needs> {
    btree_map("[a-z]{2}-[a-z0-9]{1,4}", amount(), 0..3).prop_map(Needs)
}

fn granted() -> impl Strategy<Value = Granted> {
    let indices = vec(any::<u32>(), 1..4).prop_map(Grant::Indices);
    let grant = prop_oneof![amount().prop_map(Grant::Amount), indices];
    btree_map("[a-z]{1,8}", grant, 0..3).prop_map(Granted)
}

fn resources() -> impl Strategy<Value = Resources> {
    let indices = || vec(any::<u32>(), 0..3);
    let state = ("[a-z]{1,8}", amount(), any::<u64>(), of((indices(), indices())));
    let state = state.prop_map(|(name, total, held, pieces)| ResourceState { name, total, held, pieces });
    let wait = (id(), timestamp(), timestamp());
    let wait = wait.prop_map(|(task, since, reserves_at)| ResourceWait { task, since, reserves_at });
    (vec(state, 0..3), vec(wait, 0..3)).prop_map(|(all, waiting)| Resources { all, waiting })
}

pub(in crate::rpc) fn env() -> impl Strategy<Value = Environment> {
    let name = os_string().prop_map(|name| {
        let mut bytes = name.into_vec();
        bytes.retain(|byte| *byte != b'=');
        bytes.push(b'X');
        OsString::from_vec(bytes)
    });
    vec((name, os_string()), 0..4).prop_map(Environment)
}

pub(in crate::rpc) fn new_task() -> impl Strategy<Value = NewTask> {
    (uuid(), spec(), env(), any::<bool>(), of(id())).prop_map(|(uuid, spec, env, hold, parent)| NewTask {
        uuid: TaskUuid(uuid),
        spec,
        env,
        hold,
        parent,
    })
}

fn output() -> impl Strategy<Value = Output> {
    let hash = of(any::<[u8; 32]>());
    (select(Stream::ALL.to_vec()), os_string(), any::<u64>(), hash).prop_map(|(stream, path, bytes, sha256)| Output {
        stream,
        path: path.into(),
        bytes,
        sha256,
    })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let who = (any::<u32>(), uuid(), uuid(), state(), timestamp(), timestamp(), any::<u32>());
    let process = of((uuid(), any::<u32>(), any::<u64>()));
    let reason = (of(exit()), of(select(ReasonCode::ALL.to_vec())), of(text()));
    let usage = of((any::<u64>(), any::<u64>(), any::<u64>()));
    (who, process, of(timestamp()), of(timestamp()), reason, usage, vec(output(), 0..3), granted()).prop_map(
        |(who, process, started_at, ended_at, (exit, reason_code, reason), usage, outputs, granted)| {
            let (number, assignment, owner, state, claimed_at, lease_until, slot) = who;
            Attempt {
                number,
                assignment: AssignmentId(assignment),
                owner: GuardianId(owner),
                state,
                claimed_at,
                lease_until,
                slot,
                granted,
                identity: process.map(|(boot, pid, start_ticks)| ProcessIdentity {
                    boot: BootId(boot),
                    pid,
                    start_ticks,
                }),
                started_at,
                ended_at,
                exit,
                reason_code,
                reason,
                usage: usage.map(|(max_rss_bytes, user_ms, system_ms)| Usage { max_rss_bytes, user_ms, system_ms }),
                paused_at: None,
                paused_for: std::time::Duration::ZERO,
                outputs,
            }
        },
    )
}

pub(in crate::rpc) fn progress() -> impl Strategy<Value = Progress> {
    let numbers = (any::<u32>(), of(any::<u64>()), of(any::<u64>()));
    (numbers, of(text()), timestamp()).prop_map(|((attempt, done, total), message, at)| Progress {
        attempt,
        done,
        total,
        message,
        at,
    })
}

pub(in crate::rpc) fn task() -> impl Strategy<Value = Task> {
    let who = (id(), uuid(), spec(), vec(text(), 0..3), state(), any::<i64>(), of(id()), of(text()));
    let reason = (of(exit()), of(select(ReasonCode::ALL.to_vec())), of(text()));
    let counts = (any::<u32>(), any::<u32>(), of(any::<u32>()));
    let times = (timestamp(), timestamp(), of(timestamp()), of(timestamp()), of(timestamp()));
    let outlook = (of(progress()), of(duration()), of(duration()));
    let all = (who, reason, counts, times, outlook, vec(attempt(), 0..3));
    all.prop_map(|(who, reason, counts, times, outlook, attempts)| {
        let (told, expected, time_left) = outlook;
        let (id, uuid, spec, env_names, state, position, parent, schedule) = who;
        let (exit, reason_code, reason) = reason;
        let (attempt, failures, slot) = counts;
        let (created_at, updated_at, cancel_requested_at, started_at, ended_at) = times;
        Task {
            id,
            uuid: TaskUuid(uuid),
            spec,
            env_names: env_names.into(),
            state,
            reason_code,
            reason,
            position,
            parent,
            schedule,
            created_at,
            updated_at,
            attempt,
            failures,
            slot,
            cancel_requested_at,
            started_at,
            ended_at,
            exit,
            // What does not show is not sent.
            told: told
                .filter(|_| state.is_active() || state.is_ended())
                .map(|told: Progress| Progress { attempt, ..told }),
            expected,
            time_left,
            attempts,
        }
    })
}

pub(in crate::rpc) fn page() -> impl Strategy<Value = TaskPage> {
    (vec(task(), 0..3), any::<bool>()).prop_map(|(tasks, cut)| TaskPage { tasks, cut })
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![select(Field::PLAIN.to_vec()), "[a-z]{1,4}".prop_map(Field::Label)]
}

fn condition() -> impl Strategy<Value = Condition> {
    let text = |field: Field| text().prop_map(move |value| (field.clone(), Value::Text(value))).boxed();
    let test = field().prop_flat_map(move |field| match field.kind() {
        Kind::State => state().prop_map(|state| (Field::State, Value::Text(state.as_str().to_owned()))).boxed(),
        Kind::Text => text(field),
        _ => any::<i64>().prop_map(move |value| (field.clone(), Value::Number(value))).boxed(),
    });
    let test = test.prop_map(|(field, value)| Term::Test { field, how: Comparison::Equal, value });
    let leaf = prop_oneof![test, field().prop_map(Term::Has)];
    let term = leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Term::All),
            vec(inner.clone(), 0..3).prop_map(Term::Any),
            inner.prop_map(|term| Term::Not(Box::new(term)))
        ]
    });
    (timestamp(), term).prop_map(|(at, term)| Condition { at, term })
}

fn sort() -> impl Strategy<Value = Sort> {
    (field(), any::<bool>(), timestamp()).prop_map(|(by, descending, at)| Sort { by, descending, at })
}

pub(in crate::rpc) fn filter() -> impl Strategy<Value = TaskFilter> {
    let labels = vec((text(), of(text())), 0..3);
    let states = proptest::sample::subsequence(State::ALL.to_vec(), 0..State::ALL.len());
    let places = (of(text()), of(text()), of(condition()), of(sort()));
    (states, places, labels, of(text()), of(any::<u32>()), of(any::<u32>()), of(id()), any::<bool>()).prop_map(
        |(mut states, (queue, schedule, condition, sort), labels, name, recent, limit, below, next_first)| {
            on_the_wire(&mut states);
            let rest = TaskFilter::default();
            let rest = TaskFilter { condition, sort, ..rest };
            TaskFilter { states, queue, schedule, labels, name, recent, limit, below, next_first, ..rest }
        },
    )
}

/// The two states that are one on the wire come together.
fn on_the_wire(states: &mut Vec<State>) {
    states.retain(|state| *state != State::Starting);
    if let Some(place) = states.iter().position(|state| *state == State::Running) {
        states.insert(place, State::Starting);
    }
}

pub(in crate::rpc) fn selection() -> impl Strategy<Value = Selection> {
    let span = (id(), id()).prop_map(|(a, b)| Span { first: a.min(b), last: a.max(b) });
    let states = proptest::sample::subsequence(State::ALL.to_vec(), 0..State::ALL.len());
    let labels = vec((text(), of(text())), 0..3);
    (vec(id(), 1..3), vec(span, 0..3), states, of(text()), labels, of(text()), of(condition())).prop_map(
        |(ids, spans, mut states, queue, labels, name, condition)| {
            on_the_wire(&mut states);
            Selection { ids, spans, states, queue, labels, name, condition }
        },
    )
}

pub(in crate::rpc) fn deed() -> impl Strategy<Value = Deed> {
    let plain = [Deed::Release, Deed::Hold, Deed::Pause, Deed::Resume, Deed::Retry, Deed::Remove].to_vec();
    let (cancel, kill) =
        (of(text()).prop_map(|reason| Deed::Cancel { reason }), (1..65).prop_map(|signal| Deed::Kill { signal }));
    prop_oneof![select(plain), cancel, kill]
}

fn problem() -> impl Strategy<Value = Problem> {
    (select(ErrorKind::ALL.to_vec()), text(), of(text()), of(text())).prop_map(|(kind, message, hint, id)| Problem {
        kind,
        message,
        hint,
        id,
    })
}

pub(in crate::rpc) fn results() -> impl Strategy<Value = PerTask<bool, Problem>> {
    vec((id(), prop_oneof![any::<bool>().prop_map(Ok), problem().prop_map(Err)]), 0..4)
}

pub(in crate::rpc) fn queue() -> impl Strategy<Value = Queue> {
    let pause = of((timestamp(), of(text()), of(timestamp())));
    let pause = pause.prop_map(|pause| pause.map(|(at, reason, until)| QueuePause { at, reason, until }));
    (text(), any::<u32>(), of(any::<u32>()), pause, any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(name, slots, weight, pause, active, queued, waiting)| Queue {
            name,
            slots,
            weight,
            pause,
            active,
            queued,
            waiting,
        },
    )
}

pub(in crate::rpc) fn queue_results() -> impl Strategy<Value = PerQueue<Problem>> {
    vec((text(), prop_oneof![Just(Ok(())), problem().prop_map(Err)]), 0..4)
}

fn when() -> impl Strategy<Value = When> {
    let cron = select(vec!["@daily", "0 0 * * *", "*/5 1-3 1,15 jan mon-fri"]);
    let cron = cron.prop_map(|line| When::Cron(Cron::parse(line).expect("a cron line")));
    let every = (1_000_u64..).prop_map(|ms| When::Every(Duration::from_millis(ms)));
    prop_oneof![cron, every, timestamp().prop_map(When::At)]
}

fn policies() -> impl Strategy<Value = (Missed, Overlap)> {
    (select(Missed::ALL.to_vec()), select(Overlap::ALL.to_vec()))
}

pub(in crate::rpc) fn new_schedule() -> impl Strategy<Value = NewSchedule> {
    ("[a-z]{1,8}", when(), text(), policies(), spec(), env()).prop_map(
        |(name, when, time_zone, (missed, overlap), mut spec, env)| {
            (spec.run_at, spec.after, spec.after_any) = (None, Vec::new(), Vec::new());
            spec.key = spec.key.filter(|_| overlap != Overlap::CancelRunning);
            NewSchedule { name, when, time_zone, missed, overlap, spec, env, paused: missed == Missed::Skip }
        },
    )
}

pub(in crate::rpc) fn schedule() -> impl Strategy<Value = Schedule> {
    let pause = of((timestamp(), of(text())).prop_map(|(at, reason)| SchedulePause { at, reason }));
    let times = (of(timestamp()), of(timestamp()), of(id()), of(id()), timestamp());
    (text(), when(), text(), policies(), spec(), vec(text(), 0..3), pause, times).prop_map(
        |(name, when, time_zone, (missed, overlap), spec, env_names, pause, times)| {
            let (next_at, last_at, last_task, newest_task, created_at) = times;
            let env_names = env_names.into();
            Schedule {
                name,
                when,
                time_zone,
                missed,
                overlap,
                spec,
                env_names,
                pause,
                next_at,
                last_at,
                last_task,
                newest_task,
                created_at,
            }
        },
    )
}

pub(in crate::rpc) fn schedule_edit() -> impl Strategy<Value = ScheduleEdit> {
    let terms = || {
        (when(), text(), policies(), spec()).prop_map(|(when, time_zone, (missed, overlap), spec)| Terms {
            when,
            time_zone,
            missed,
            overlap,
            spec,
        })
    };
    (text(), timestamp(), terms(), terms(), env(), env()).prop_map(|(name, created_at, base, terms, set_env, unset)| {
        let unset_env = unset.0.into_iter().map(|(name, _)| name).collect();
        ScheduleEdit { name, created_at, base, terms, set_env, unset_env }
    })
}

pub(in crate::rpc) fn schedule_results() -> impl Strategy<Value = PerSchedule<Problem>> {
    vec((text(), prop_oneof![Just(Ok(())), problem().prop_map(Err)]), 0..4)
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        any::<u32>().prop_map(Actor::Cli),
        id().prop_map(Actor::Task),
        text().prop_map(Actor::Schedule),
        Just(Actor::Daemon)
    ]
}

pub(in crate::rpc) fn change() -> impl Strategy<Value = Change> {
    let places = (of(text()), of(text()));
    let what = (any::<u64>(), timestamp(), select(ChangeKind::ALL.to_vec()), of(id()), places, of(any::<u32>()));
    let states = (of(select(State::ALL.to_vec())), of(select(State::ALL.to_vec())));
    (what, states, actor(), of(text()), of(progress())).prop_map(
        |((seq, at, kind, task, (queue, schedule), attempt), (from, to), by, reason, progress)| Change {
            seq: Seq(seq),
            at,
            kind,
            task,
            queue,
            schedule,
            attempt,
            from,
            to,
            by,
            reason,
            progress,
        },
    )
}

fn windows() -> impl Strategy<Value = Standing> {
    let open = (text(), timestamp(), of(timestamp()), of(text()), of(any::<u32>()), vec(text(), 0..3));
    let open = open.prop_map(|(name, opened_at, closes_at, time_zone, max_concurrent, pause)| OpenWindow {
        name,
        opened_at,
        closes_at,
        time_zone,
        max_concurrent,
        pause,
    });
    let next = (timestamp(), of(text()), vec(text(), 0..3), vec(text(), 0..3));
    let next = next.prop_map(|(at, time_zone, opens, closes)| NextChange { at, time_zone, opens, closes });
    (vec(open, 0..3), of(next)).prop_map(|(open, next)| Standing { open, next })
}

pub(in crate::rpc) fn status() -> impl Strategy<Value = DaemonStatus> {
    let process = (any::<u32>(), any::<u32>(), any::<u32>(), text(), timestamp(), duration());
    let counts = (btree_map(state(), any::<u64>(), 0..5), any::<u64>(), any::<u64>(), any::<u64>());
    let flags = (any::<bool>(), any::<bool>(), of(text()), windows());
    let work = (any::<u32>(), any::<u32>(), resources(), vec(id(), 0..3));
    (process, absolute_path(), work, counts, of(timestamp()), flags).prop_map(
        |(process, project, work, counts, last_poll_at, (draining, untrusted, held_up, windows))| {
            let (max_concurrent, active, resources, lending) = work;
            let (pid, guardian_pid, restarts, version, started_at, uptime) = process;
            let (by_state, processed, succeeded, failed) = counts;
            DaemonStatus {
                pid,
                guardian_pid,
                restarts,
                version,
                started_at,
                uptime,
                project,
                max_concurrent,
                active,
                counts: Counts { by_state, processed, succeeded, failed },
                last_poll_at,
                draining,
                untrusted,
                held_up,
                resources,
                lending,
                windows,
            }
        },
    )
}

pub(in crate::rpc) fn changed() -> impl Strategy<Value = Vec<ChangedSetting>> {
    let one = (text(), of(text()), of(text()), any::<bool>());
    vec(one.prop_map(|(key, from, to, needs_restart)| ChangedSetting { key, from, to, needs_restart }), 0..4)
}
