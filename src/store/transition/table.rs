//! The table of states and events in `ARCHITECTURE.md`, made by trying every pair.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::change::Actor;
use crate::domain::dependency::Standing;
use crate::domain::id::{AssignmentId, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{ExitStatus, Outcome, ReasonCode, StopCause};
use crate::domain::resource::Granted;
use crate::domain::task::{Environment, NewTask, OnInterrupt, RetryPolicy, State, Task, TaskSpec};
use crate::domain::time::{Moment, Timestamp};
use crate::store::task::{Add, Cancel, Claim, Finish, Pause, Start, Steer, Terms, Unclaim};

const NOW: Timestamp = Timestamp(1_000_000);
const BEGIN: &str = "<!-- states and events: begin -->\n";
const END: &str = "<!-- states and events: end -->\n";

/// What an event makes of a state: the next one; `=` if nothing changes, `–` if it is refused or means nothing there.
type Try = fn(State) -> Option<State>;

const EVENTS: [(&str, Try); 22] = [
    ("its time has come", |state| {
        let mut task = in_state(state);
        super::due(&mut task, NOW).map(|_| task.state)
    }),
    ("what it depends on has come about", |state| settled(state, Standing::Ready)),
    ("what it depends on is tried again", |state| settled(state, Standing::Waits)),
    ("what it depends on did not succeed", |state| settled(state, Standing::Broken(id(2)))),
    ("`hold`", |state| {
        let mut task = in_state(state);
        super::hold(&mut task, &steer()).ok().map(|_| task.state)
    }),
    ("`release`", |state| {
        let mut task = in_state(state);
        super::release(&mut task, Standing::Ready, &steer()).ok().map(|_| task.state)
    }),
    ("a slot is free", |state| {
        let mut task = in_state(state);
        (state == State::Queued).then(|| {
            super::claim(&mut task, &claim(), assignment(), 0, Granted::default());
            task.state.shown()
        })
    }),
    ("it was not started", |state| {
        let mut task = in_state(state);
        let unclaim = Unclaim { assignment: assignment(), reason: String::new(), now: NOW };
        (state == State::Starting).then(|| {
            super::unclaim(&mut task, None, None, &unclaim);
            task.state
        })
    }),
    ("`pause`", |state| {
        let mut task = in_state(state);
        let mut attempt = task.attempts.pop();
        super::pause(&mut task, attempt.as_mut(), &pause()).ok().map(|_| task.state)
    }),
    ("`resume`", |state| {
        let mut task = in_state(state);
        let mut attempt = task.attempts.pop();
        super::resume(&mut task, attempt.as_mut(), &pause()).ok().map(|_| task.state)
    }),
    ("exit code 0", |state| ended(state, 1, &exit(0, None))),
    ("another exit code", |state| ended(state, 1, &exit(3, None))),
    ("another exit code, retries left", |state| ended(state, 2, &exit(3, None))),
    ("its time limit is over", |state| ended(state, 1, &exit(0, Some(StopCause::Timeout)))),
    ("the same, retries left", |state| ended(state, 2, &exit(0, Some(StopCause::Timeout)))),
    ("it writes more than it may", |state| ended(state, 1, &exit(0, Some(StopCause::OutputLimit(9))))),
    ("a drain cuts it off", |state| ended(state, 1, &exit(0, Some(StopCause::Drain)))),
    ("nobody knows how it ended", |state| ended(state, 1, &Outcome::lost(ReasonCode::Reboot, NOW))),
    ("one of the two, with `--on-interrupt rerun`", |state| {
        ended_as(state, OnInterrupt::Rerun, 1, &exit(0, Some(StopCause::Drain)))
    }),
    ("`cancel`", |state| {
        let mut task = in_state(state);
        let current = state.is_active().then(assignment);
        let cancel = Cancel { ids: Vec::new(), only: None, reason: None, by: Actor::Daemon, now: NOW };
        super::cancel(&mut task, &mut None, current, &cancel).ok().map(|_| task.state)
    }),
    ("cancelled while it ran", |state| ended(state, 2, &exit(0, Some(StopCause::Cancel)))),
    ("`retry`", |state| {
        let mut task = in_state(state);
        super::retry(&mut task, &mut None, Standing::Ready, &steer()).ok().map(|_| task.state)
    }),
];

fn id(n: u64) -> TaskId {
    TaskId::new(n).unwrap()
}

fn assignment() -> AssignmentId {
    AssignmentId(Uuid::from_u128(1))
}

fn steer() -> Steer {
    Steer { ids: Vec::new(), only: None, by: Actor::Daemon, now: NOW }
}

fn pause() -> Pause {
    Pause { ids: Vec::new(), only: None, by: Actor::Daemon, now: NOW, at: Moment(5) }
}

fn claim() -> Claim {
    let (owner, boot) = (GuardianId(Uuid::from_u128(2)), BootId(Uuid::from_u128(3)));
    let (after, shut, terms) = (Vec::new(), Vec::new(), Terms::default());
    Claim { owner, boot, assignments: Vec::new(), after, shut, now: NOW, lease_until: NOW, terms }
}

fn exit(code: i32, cause: Option<StopCause>) -> Outcome {
    Outcome::of_exit(ExitStatus::Code(code), cause, None, NOW)
}

/// A task in a state, with its attempt if it has one under way.
fn in_state(state: State) -> Task {
    let task = NewTask {
        uuid: TaskUuid(Uuid::nil()),
        spec: TaskSpec::command(vec!["true".into()], "/".into()),
        env: Environment::default(),
        hold: false,
        parent: None,
    };
    let add = Add { task, by: Actor::Daemon, now: NOW, untrusted: false };
    let mut task = super::added(id(1), &add, None, Standing::Ready, None);
    if state.is_active() {
        let (mut attempt, _) = super::claim(&mut task, &claim(), assignment(), 0, Granted::default());
        let identity = ProcessIdentity { boot: claim().boot, pid: 1, start_ticks: 1 };
        if state != State::Starting {
            super::start(&mut task, &mut attempt, &Start { assignment: assignment(), identity, at: NOW });
        }
        attempt.state = state;
        task.attempts.push(attempt);
    }
    task.state = state;
    task
}

fn settled(state: State, standing: Standing) -> Option<State> {
    let mut task = in_state(state);
    super::settle(&mut task, standing, Some(State::Failed), NOW).map(|_| task.state)
}

fn ended(state: State, max_attempts: u32, outcome: &Outcome) -> Option<State> {
    ended_as(state, OnInterrupt::Stop, max_attempts, outcome)
}

fn ended_as(state: State, on_interrupt: OnInterrupt, max_attempts: u32, outcome: &Outcome) -> Option<State> {
    let mut task = in_state(state);
    let mut attempt = task.attempts.pop()?;
    task.spec.retry =
        RetryPolicy { max_attempts, on_interrupt, delay: Duration::from_secs(9), ..RetryPolicy::default() };
    let (assignment, outcome, outputs) = (assignment(), outcome.clone(), Vec::new());
    let finish = Finish { assignment, outcome, outputs, started: None, jitter: 1.0, now: NOW };
    super::finish(&mut task, &mut attempt, None, &finish);
    Some(task.state)
}

/// `starting` is an inner matter: it differs from `running` in that it can still be given back.
fn columns() -> Vec<State> {
    State::ALL.into_iter().filter(|state| *state != State::Starting).collect()
}

fn table() -> String {
    let mut text = String::from("| |");
    for state in columns() {
        text.push_str(&format!(" {} |", state.as_str()));
    }
    text.push_str(&format!("\n|---{}|\n", "|---".repeat(columns().len())));
    for (event, attempt) in EVENTS {
        text.push_str(&format!("| {event} |"));
        for state in columns() {
            let inner = (state == State::Running).then(|| attempt(State::Starting)).flatten();
            let cell = match attempt(state).or(inner) {
                Some(next) if next == state => "=",
                Some(next) => next.as_str(),
                None => "–",
            };
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_map_shows_what_every_event_makes_of_every_state() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let map = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = map.split_once(BEGIN).expect("ARCHITECTURE.md has a place for the table");
    let (shown, after) = rest.split_once(END).expect("the place has an end");
    if std::env::var_os("APEX_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(shown, table(), "make it anew with `APEX_BLESS=1 cargo test --lib transition`");
}

#[test]
fn nothing_becomes_what_the_states_do_not_allow() {
    for (event, attempt) in EVENTS {
        for state in State::ALL {
            if let Some(next) = attempt(state).filter(|next| *next != state && next.shown() != state.shown()) {
                let next = if event == "a slot is free" { State::Starting } else { next };
                assert!(state.may_become(next), "{event}: {state:?} to {next:?}");
            }
        }
    }
}
