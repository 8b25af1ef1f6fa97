use super::*;

fn spec() -> TaskSpec {
    TaskSpec::command(vec!["true".into()], "/".into())
}

#[test]
fn every_state_has_its_own_word() {
    for state in State::ALL {
        assert_eq!(State::from_word(state.as_str()), Some(state));
    }
    assert_eq!(State::from_word("done"), None);
}

#[test]
fn a_state_is_ended_active_waiting_or_queued_and_only_one_of_them() {
    for state in State::ALL {
        let kinds = [state.is_ended(), state.is_active(), state.is_waiting(), state == State::Queued];
        assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{state:?}");
    }
}

#[test]
fn no_state_becomes_itself_and_what_ended_only_starts_over() {
    for from in State::ALL {
        assert!(!from.may_become(from), "{from:?}");
        for to in State::ALL {
            if from.is_ended() && from.may_become(to) {
                assert!(to.is_waiting() || to == State::Queued, "{from:?} to {to:?}");
            }
            if to == State::Starting && from.may_become(to) {
                assert_eq!(from, State::Queued, "only what is queued is claimed");
            }
            if to == State::Running && from.may_become(to) {
                assert!(from.is_active(), "{from:?} to {to:?}");
            }
        }
    }
}

#[test]
fn every_state_can_be_reached_and_every_state_leads_to_an_end() {
    for state in State::ALL {
        let reached = State::ALL.into_iter().any(|from| from.may_become(state));
        assert!(reached, "nothing leads to {state:?}");
        let mut seen = vec![state];
        let mut open = vec![state];
        while let Some(from) = open.pop() {
            for to in State::ALL.into_iter().filter(|to| from.may_become(*to)) {
                if !seen.contains(&to) {
                    seen.push(to);
                    open.push(to);
                }
            }
        }
        assert!(seen.iter().any(|state| state.is_ended()), "{state:?} never ends");
    }
}

#[test]
fn specs_that_cannot_run_are_refused_by_name() {
    assert_eq!(spec().check(), Ok(()));
    let check = |change: fn(&mut TaskSpec)| {
        let mut spec = spec();
        change(&mut spec);
        spec.check().unwrap_err()
    };
    assert_eq!(check(|spec| spec.argv.clear()), InvalidSpec::NoCommand);
    assert_eq!(check(|spec| spec.argv = vec!["".into()]), InvalidSpec::NoCommand);
    assert_eq!(check(|spec| spec.argv.push("a\0b".into())), InvalidSpec::NulInArgument(1));
    assert_eq!(check(|spec| spec.cwd = "here".into()), InvalidSpec::Cwd("here".into()));
    assert_eq!(check(|spec| spec.retry.max_attempts = 0), InvalidSpec::NoAttempts);
    assert_eq!(check(|spec| spec.umask = 0o1000), InvalidSpec::Umask(0o1000));
    let two_lines = |spec: &mut TaskSpec| {
        spec.shell = true;
        spec.argv.push("x".into());
    };
    assert_eq!(check(two_lines), InvalidSpec::ShellArguments(2));
}

#[test]
fn a_name_cannot_be_read_as_ids() {
    for name in ["build", "3d", "7-up", "ä", " "] {
        assert_eq!(check_name(name), Ok(()), "{name:?}");
    }
    for name in ["", "12", "3-7", "1,2", "-"] {
        assert_eq!(check_name(name), Err(InvalidSpec::Name(name.to_owned())), "{name:?}");
    }
}

#[test]
fn environment_values_are_not_in_its_debug_form() {
    let env = Environment(vec![("TOKEN".into(), "planted-secret".into())]);
    let shown = format!("{env:?}");
    assert!(shown.contains("TOKEN") && !shown.contains("planted-secret"), "{shown}");
    for wrong in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
        assert!(Environment(vec![(wrong.0.into(), wrong.1.into())]).check().is_err(), "{wrong:?}");
    }
}

#[test]
fn only_the_exit_codes_asked_for_are_tried_again() {
    let all = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
    let some = RetryPolicy { on_codes: vec![75, 3], ..all.clone() };
    for exit in [None, Some(ExitStatus::Code(1)), Some(ExitStatus::Signal(9))] {
        assert_eq!((all.attempts_after(exit), some.attempts_after(exit)), (3, 1), "{exit:?}");
    }
    assert_eq!(some.attempts_after(Some(ExitStatus::Code(3))), 3);
}

#[test]
fn commands_are_shown_as_they_could_be_typed() {
    assert_eq!(quote("cargo"), "cargo");
    assert_eq!(quote("a b"), "'a b'");
    assert_eq!(quote("it's"), "'it'\\''s'");
    assert_eq!(quote(""), "''");
}
