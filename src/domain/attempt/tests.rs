use super::*;
use crate::domain::outcome::ExitStatus;
use crate::domain::task::State;

const GRACE: Duration = Duration::from_millis(5_000);
const POLICY: Policy = Policy { signal: SIGTERM, grace: GRACE, timeout: None, leftovers: Leftovers::Kill };
const AT: Timestamp = Timestamp(7);

fn at(ms: u64) -> Moment {
    Moment(ms)
}

fn exit(status: ExitStatus, leftovers: bool) -> Event {
    Event::Exited(Exit { status, usage: None, at: AT, leftovers, stopped: false })
}

fn recorded_state(effects: &[Effect]) -> Option<State> {
    effects.iter().find_map(|effect| match effect {
        Effect::Record(outcome) => Some(outcome.state),
        _ => None,
    })
}

fn running() -> Machine {
    let mut machine = Machine::starting(POLICY);
    assert_eq!(machine.step(at(0), Event::Started), [Effect::RecordStart]);
    machine
}

#[test]
fn a_process_that_ends_alone_is_recorded_then_forgotten() {
    let mut machine = running();
    let effects = machine.step(at(10), exit(ExitStatus::Code(0), false));
    assert_eq!(recorded_state(&effects), Some(State::Succeeded));
    assert_eq!(effects.len(), 1);
    assert!(!machine.is_ended());
    assert_eq!(machine.step(at(11), Event::Recorded), [Effect::Forget]);
    assert!(machine.is_ended());
}

#[test]
fn an_exit_seen_before_the_start_was_is_recorded_as_well() {
    let mut machine = Machine::starting(POLICY);
    let effects = machine.step(at(1), exit(ExitStatus::Code(3), false));
    assert_eq!(recorded_state(&effects), Some(State::Failed));
}

#[test]
fn want_of_processes_gives_the_task_back() {
    let mut machine = Machine::starting(POLICY);
    assert_eq!(machine.step(at(1), Event::Refused), [Effect::Release, Effect::Forget]);
    assert!(machine.is_ended());
}

#[test]
fn a_missing_program_is_a_failed_attempt() {
    let mut machine = Machine::starting(POLICY);
    let effects = machine.step(at(1), Event::NotStarted { code: 127, reason: "no `x`".into(), at: AT });
    let [Effect::Record(outcome)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((outcome.state, outcome.exit), (State::Failed, Some(ExitStatus::Code(127))));
    assert_eq!(outcome.reason_code, Some(ReasonCode::Spawn));
}

#[test]
fn a_cancel_is_a_signal_a_grace_and_a_kill() {
    let mut machine = running();
    assert_eq!(
        machine.step(at(100), Event::StopAsked(StopCause::Cancel)),
        [Effect::Signal(SIGTERM), Effect::Signal(SIGCONT), Effect::WakeAt(at(5_100))]
    );
    assert_eq!(machine.step(at(5_099), Event::Tick), [Effect::WakeAt(at(5_100))]);
    assert_eq!(machine.step(at(5_100), Event::Tick), [Effect::Signal(SIGKILL)]);
    assert_eq!(machine.step(at(5_200), Event::Tick), [], "one kill is enough");
    assert_eq!(machine.step(at(5_201), exit(ExitStatus::Signal(SIGKILL), false)), [Effect::Signal(SIGKILL)]);
    assert!(machine.ends_everything());
    let effects = machine.step(at(5_202), Event::Swept { empty: true });
    assert_eq!(recorded_state(&effects), Some(State::Cancelled));
}

#[test]
fn the_first_cause_stands() {
    for (first, state) in [
        (StopCause::Cancel, State::Cancelled),
        (StopCause::Timeout, State::TimedOut),
        (StopCause::Drain, State::Interrupted),
    ] {
        for second in [StopCause::Cancel, StopCause::Timeout, StopCause::Drain] {
            let mut machine = running();
            machine.step(at(1), Event::StopAsked(first));
            assert_eq!(machine.step(at(2), Event::StopAsked(second)), []);
            machine.step(at(2), Event::Swept { empty: false });
            assert_eq!(machine.step(at(3), exit(ExitStatus::Code(0), false)), [Effect::Signal(0)]);
            let effects = machine.step(at(4), Event::Swept { empty: true });
            assert_eq!(recorded_state(&effects), Some(state), "{first:?} then {second:?}");
        }
    }
}

#[test]
fn what_had_ended_before_the_signal_met_it_was_not_cut_off() {
    for cause in [StopCause::Timeout, StopCause::Drain] {
        // Its end was not heard of for a while: the machine slept.
        let mut machine = running();
        machine.step(at(1), Event::PauseAsked);
        machine.step(at(2), Event::ResumeAsked);
        machine.step(at(3), Event::StopAsked(cause));
        machine.step(at(4), Event::Swept { empty: false });
        machine.step(at(4), Event::Swept { empty: false });
        let effects = machine.clone().step(at(5), exit(ExitStatus::Code(0), false));
        assert_eq!(recorded_state(&effects), Some(State::Succeeded), "the answers are those of the pause");
        machine.step(at(5), Event::Swept { empty: true });
        let effects = machine.clone().step(at(6), exit(ExitStatus::Code(0), false));
        assert_eq!(recorded_state(&effects), Some(State::Succeeded), "there was nobody to meet");
    }
}

#[test]
fn what_somebody_before_had_stopped_was_cut_off() {
    let mut machine = running();
    machine.was_stopped(StopCause::Drain, at(1));
    let effects = machine.step(at(1), exit(ExitStatus::Signal(SIGTERM), true));
    assert_eq!(effects, [Effect::Signal(SIGTERM), Effect::Signal(SIGCONT)], "what it left has its grace");
    let effects = machine.step(at(2), Event::Swept { empty: true });
    assert_eq!(recorded_state(&effects), Some(State::Interrupted));
}

#[test]
fn a_stop_asked_before_the_start_comes_right_after_it() {
    let mut machine = Machine::starting(POLICY);
    assert_eq!(machine.step(at(1), Event::StopAsked(StopCause::Cancel)), []);
    assert_eq!(
        machine.step(at(2), Event::Started),
        [Effect::RecordStart, Effect::Signal(SIGTERM), Effect::Signal(SIGCONT), Effect::WakeAt(at(5_002))]
    );
}

#[test]
fn a_kill_asked_skips_the_grace() {
    let mut machine = running();
    machine.step(at(1), Event::StopAsked(StopCause::Drain));
    assert_eq!(machine.step(at(2), Event::KillAsked), [Effect::Signal(SIGKILL)]);

    let mut machine = Machine::starting(POLICY);
    machine.step(at(1), Event::KillAsked);
    assert_eq!(machine.step(at(2), Event::Started), [Effect::RecordStart, Effect::Signal(SIGKILL)]);
}

#[test]
fn what_a_normal_end_leaves_behind_is_ended_and_the_outcome_stands() {
    let mut machine = running();
    assert_eq!(
        machine.step(at(10), exit(ExitStatus::Code(0), true)),
        [Effect::Signal(SIGTERM), Effect::Signal(SIGCONT)]
    );
    assert_eq!(machine.step(at(11), Event::Swept { empty: false }), [], "the second signal is not answered yet");
    assert_eq!(machine.step(at(11), Event::Swept { empty: false }), [Effect::WakeAt(at(31))]);
    assert_eq!(machine.step(at(30), Event::Tick), [], "too early");
    assert_eq!(machine.step(at(31), Event::Tick), [Effect::Signal(0)]);
    assert_eq!(machine.step(at(31), Event::Tick), [], "the question is on its way");
    assert_eq!(machine.step(at(32), Event::Swept { empty: false }), [Effect::WakeAt(at(52))]);
    assert_eq!(machine.step(at(5_010), Event::Tick), [Effect::Signal(SIGKILL)]);
    assert_eq!(machine.step(at(5_011), Event::Swept { empty: false }), [Effect::WakeAt(at(5_031))]);
    assert_eq!(machine.step(at(5_031), Event::Tick), [Effect::Signal(SIGKILL)], "whoever was made meanwhile");
    assert!(!machine.ends_everything(), "it ended by itself");
    let effects = machine.step(at(5_032), Event::Swept { empty: true });
    assert_eq!(recorded_state(&effects), Some(State::Succeeded));
}

#[test]
fn what_cannot_be_killed_does_not_keep_an_outcome_for_ever() {
    let mut machine = running();
    machine.step(at(0), exit(ExitStatus::Code(0), true));
    machine.step(at(1), Event::Swept { empty: false });
    let mut now = 1;
    let mut effects = machine.step(at(now), Event::Swept { empty: false });
    while recorded_state(&effects).is_none() {
        assert!(now < 60_000, "it is swept for ever");
        now += 20;
        effects = machine.step(at(now), Event::Tick);
        if matches!(effects.as_slice(), [Effect::Signal(_)]) {
            machine.step(at(now), Event::Swept { empty: false });
        }
    }
    assert!(now >= 10_000, "it had its grace, and some time to die: {now}");
    assert_eq!(recorded_state(&effects), Some(State::Succeeded));
}

#[test]
fn what_was_killed_late_has_its_time_to_go() {
    let mut machine = running();
    machine.step(at(0), exit(ExitStatus::Code(0), true));
    machine.step(at(0), Event::Swept { empty: false });
    machine.step(at(0), Event::Swept { empty: false });
    assert_eq!(machine.step(at(60_000), Event::Tick), [Effect::Signal(SIGKILL)], "nobody looked for a minute");
    machine.step(at(60_001), Event::Swept { empty: false });
    assert_eq!(machine.step(at(60_100), Event::Tick), [Effect::Signal(SIGKILL)], "it is not given up yet");
}

#[test]
fn what_a_killed_process_leaves_behind_is_killed_at_once() {
    let mut machine = running();
    machine.step(at(1), Event::StopAsked(StopCause::Cancel));
    machine.step(at(5_001), Event::Tick);
    let effects = machine.step(at(5_002), exit(ExitStatus::Signal(SIGKILL), true));
    assert_eq!(effects, [Effect::Signal(SIGKILL)]);
    let effects = machine.step(at(5_003), Event::Swept { empty: true });
    assert_eq!(recorded_state(&effects), Some(State::Cancelled));
}

#[test]
fn leftovers_after_a_cancel_have_what_is_left_of_the_grace() {
    let mut machine = running();
    machine.step(at(1_000), Event::StopAsked(StopCause::Cancel));
    machine.step(at(2_000), exit(ExitStatus::Signal(SIGTERM), true));
    machine.step(at(2_001), Event::Swept { empty: false });
    machine.step(at(2_001), Event::Swept { empty: false });
    assert_eq!(machine.step(at(6_000), Event::Tick), [Effect::Signal(SIGKILL)]);
}

#[test]
fn what_left_the_session_of_a_cancelled_one_has_what_is_left_of_the_grace_too() {
    let mut machine = running();
    assert!(!machine.ends_everything());
    machine.step(at(0), Event::StopAsked(StopCause::Cancel));
    assert_eq!(machine.step(at(1_000), exit(ExitStatus::Signal(SIGTERM), false)), [Effect::Signal(0)]);
    assert_eq!(machine.step(at(1_001), Event::Swept { empty: false }), [Effect::WakeAt(at(1_021))]);
    assert_eq!(machine.step(at(5_000), Event::Tick), [Effect::Signal(SIGKILL)]);
    assert_eq!(machine.step(at(5_001), Event::Swept { empty: false }), [Effect::WakeAt(at(5_021))]);
    assert_eq!(machine.step(at(5_021), Event::Tick), [Effect::Signal(SIGKILL)]);
    let effects = machine.step(at(5_022), Event::Swept { empty: true });
    assert_eq!(recorded_state(&effects), Some(State::Cancelled));
}

#[test]
fn a_time_limit_is_a_stop_with_a_cause_of_its_own() {
    let mut machine = Machine::starting(Policy { timeout: Some(Duration::from_millis(1_000)), ..POLICY });
    assert_eq!(machine.step(at(50), Event::Started), [Effect::RecordStart, Effect::WakeAt(at(1_050))]);
    assert_eq!(machine.step(at(1_049), Event::Tick), [Effect::WakeAt(at(1_050))]);
    assert_eq!(
        machine.step(at(1_050), Event::Tick),
        [Effect::Signal(SIGTERM), Effect::Signal(SIGCONT), Effect::WakeAt(at(6_050))]
    );
    assert_eq!(machine.stop_cause(), Some(StopCause::Timeout));
    assert_eq!(machine.step(at(1_051), Event::Swept { empty: false }), []);
    assert_eq!(machine.step(at(6_050), Event::Tick), [Effect::Signal(SIGKILL)]);
    assert_eq!(machine.step(at(6_051), exit(ExitStatus::Signal(SIGKILL), false)), [Effect::Signal(SIGKILL)]);
    let effects = machine.step(at(6_052), Event::Swept { empty: true });
    assert_eq!(recorded_state(&effects), Some(State::TimedOut));
}

#[test]
fn a_pause_stops_the_processes_and_the_clock() {
    let mut machine = Machine::starting(Policy { timeout: Some(Duration::from_millis(1_000)), ..POLICY });
    machine.step(at(0), Event::Started);
    assert_eq!(machine.step(at(400), Event::PauseAsked), [Effect::Signal(SIGSTOP)]);
    assert_eq!(machine.step(at(1_000), Event::Tick), [], "the clock stands still");
    assert_eq!(machine.step(at(9_000), Event::ResumeAsked), [Effect::Signal(SIGCONT), Effect::WakeAt(at(9_600))]);
    assert_eq!(machine.step(at(9_600), Event::Tick).len(), 3, "its time is over");
}

#[test]
fn what_is_being_ended_is_not_paused_and_what_is_paused_can_be_ended() {
    let mut machine = running();
    machine.step(at(1), Event::StopAsked(StopCause::Cancel));
    assert_eq!(machine.step(at(2), Event::PauseAsked), []);
    let mut machine = running();
    machine.step(at(1), Event::PauseAsked);
    let effects = machine.step(at(2), Event::StopAsked(StopCause::Drain));
    assert_eq!(effects, [Effect::Signal(SIGTERM), Effect::Signal(SIGCONT), Effect::WakeAt(at(5_002))]);
}

#[test]
fn a_time_limit_that_passed_while_nobody_looked_is_enforced_at_the_first_look() {
    let policy = Policy { timeout: Some(Duration::from_millis(1_000)), ..POLICY };
    let mut machine = Machine::running(policy, Clock::of(at(0), Duration::ZERO, None, at(5_000)));
    assert_eq!(machine.step(at(5_000), Event::Tick).first(), Some(&Effect::Signal(SIGTERM)));
}

#[test]
fn leftovers_are_left_alone_if_asked_for_but_not_when_it_is_stopped() {
    let policy = Policy { leftovers: Leftovers::Leave, ..POLICY };
    let mut machine = Machine::running(policy, Clock::default());
    let effects = machine.step(at(1), exit(ExitStatus::Code(0), true));
    assert_eq!(recorded_state(&effects), Some(State::Succeeded));
    let mut machine = Machine::running(policy, Clock::default());
    machine.step(at(1), Event::StopAsked(StopCause::Cancel));
    let effects = machine.step(at(2), exit(ExitStatus::Signal(SIGTERM), true));
    assert_eq!(effects, [Effect::Signal(SIGTERM), Effect::Signal(SIGCONT)]);
}

#[test]
fn an_outcome_that_could_not_be_stored_is_offered_again() {
    let mut machine = running();
    let first = machine.step(at(10), exit(ExitStatus::Code(3), false));
    assert_eq!(machine.step(at(20), Event::NotRecorded), [Effect::WakeAt(at(520))]);
    assert_eq!(machine.step(at(519), Event::Tick), [Effect::WakeAt(at(520))]);
    assert_eq!(machine.step(at(520), Event::Tick), first);
    assert_eq!(machine.step(at(521), Event::Tick), [], "it is on its way");
    assert_eq!(machine.step(at(530), Event::Recorded), [Effect::Forget]);
}

#[test]
fn whatever_comes_in_whatever_order_an_attempt_is_recorded_once_and_forgotten_once() {
    let events = [
        Event::Started,
        Event::Refused,
        Event::NotStarted { code: 127, reason: "x".into(), at: AT },
        exit(ExitStatus::Code(0), false),
        exit(ExitStatus::Code(1), true),
        Event::Vanished { code: ReasonCode::Reboot, at: AT },
        Event::Swept { empty: true },
        Event::Swept { empty: false },
        Event::StopAsked(StopCause::Cancel),
        Event::PauseAsked,
        Event::ResumeAsked,
        Event::KillAsked,
        Event::Recorded,
        Event::NotRecorded,
        Event::Tick,
    ];
    // Every sequence of five events, from both beginnings.
    let length = 5;
    for code in 0..events.len().pow(length) {
        let timed = Policy { timeout: Some(Duration::from_millis(4_000)), leftovers: Leftovers::Leave, ..POLICY };
        for mut machine in [Machine::starting(POLICY), Machine::running(timed, Clock::default())] {
            let mut rest = code;
            let (mut first_outcome, mut forgotten, mut released) = (None, 0, 0);
            for step in 0..u64::from(length) {
                let event = events[rest % events.len()].clone();
                rest /= events.len();
                for effect in machine.step(at(step * 3_000), event.clone()) {
                    match effect {
                        Effect::Record(outcome) => {
                            assert_eq!(forgotten, 0, "recorded after it was forgotten");
                            let first = first_outcome.get_or_insert_with(|| outcome.clone());
                            assert_eq!(*first, outcome, "the outcome changed");
                        }
                        Effect::Forget => forgotten += 1,
                        Effect::Release => released += 1,
                        Effect::RecordStart => assert_eq!(event, Event::Started),
                        Effect::Signal(_) => assert_eq!(forgotten, 0, "a forgotten process was signalled"),
                        Effect::WakeAt(_) => {}
                    }
                }
            }
            assert!(forgotten <= 1 && released <= 1);
            assert_eq!(forgotten == 1, machine.is_ended());
            assert!(released == 0 || first_outcome.is_none(), "given back and recorded");
        }
    }
}
