use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::edit::Edit;
use crate::domain::id::Seq;
use crate::domain::place::Place;
use crate::domain::prune::{Prune, Pruned};
use crate::domain::task::{NewTask, State};
use crate::domain::time::Timestamp;
use crate::rpc::convert::samples;
use crate::rpc::proto;

/// Through bytes, as on the wire.
fn wire<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn new_tasks_survive_the_wire_bytes_that_are_not_utf8_included(new in samples::new_task()) {
        prop_assert_eq!(task::new_from_proto(wire(&task::new_to_proto(new.clone()))), Ok(new));
    }

    #[test]
    fn environments_survive_the_wire(env in samples::env()) {
        let message = proto::GetTaskResponse { task: None, env: task::env_to_proto(env.clone()) };
        prop_assert_eq!(task::env_from_proto(wire(&message).env), env);
    }

    #[test]
    fn tasks_survive_the_wire(known in samples::task()) {
        prop_assert_eq!(task::from_proto(wire(&task::to_proto(known.clone()))), Ok(known));
    }

    #[test]
    fn pages_survive_the_wire(page in samples::page()) {
        prop_assert_eq!(query::page_from_proto(wire(&query::page_to_proto(page.clone()))), Ok(page));
    }

    #[test]
    fn filters_survive_the_wire(filter in samples::filter()) {
        prop_assert_eq!(query::filter_from_proto(wire(&query::filter_to_proto(&filter))), Ok(filter));
    }

    #[test]
    fn results_survive_the_wire(results in samples::results()) {
        prop_assert_eq!(query::results_from_proto(wire(&query::results_to_proto(results.clone()))), Ok(results));
    }

    #[test]
    fn selections_survive_the_wire(chosen in samples::selection(), deed in samples::deed(), after in samples::id()) {
        let request = wire(&selection::request_to_proto(&chosen, &deed, Some(after)));
        prop_assert_eq!(selection::request_from_proto(request), Ok((chosen, deed, Some(after))));
    }

    #[test]
    fn what_is_to_be_forgotten_survives_the_wire(id in samples::id(), at in any::<i64>(), keep in any::<u64>()) {
        let below = Some((Timestamp(at), id));
        let wish = Prune { states: vec![State::Lost], until: Some(Timestamp(at)), keep, below };
        prop_assert_eq!(prune::from_proto(wire(&prune::to_proto(&wish))), Ok(wish));
        let pruned = Pruned { removed: keep, needed: 1, hooks: 2, next: below };
        prop_assert_eq!(prune::pruned_from_proto(wire(&prune::pruned_to_proto(pruned))), Ok(pruned));
        for to in [Place::Top, Place::Before(id)] {
            prop_assert_eq!(prune::move_from_proto(wire(&prune::move_to_proto(id, to))), Ok((id, to)));
        }
    }

    #[test]
    fn edits_survive_the_wire(base in samples::task(), new in samples::new_task(), name in "[A-Z]{1,3}") {
        let unset_env = vec![name.into()];
        let wish = Edit { id: base.id, base: base.spec, spec: new.spec, set_env: new.env, unset_env };
        prop_assert_eq!(edit::from_proto(wire(&edit::to_proto(wish.clone()))), Ok(wish));
    }

    #[test]
    fn the_status_survives_the_wire(status in samples::status()) {
        prop_assert_eq!(daemon::from_proto(wire(&daemon::to_proto(status.clone()))), status);
    }

    #[test]
    fn changed_settings_survive_the_wire(changed in samples::changed()) {
        prop_assert_eq!(setting::from_proto(wire(&setting::to_proto(changed.clone()))), changed);
    }

    #[test]
    fn queues_survive_the_wire(known in samples::queue(), results in samples::queue_results()) {
        prop_assert_eq!(queue::from_proto(wire(&queue::to_proto(known.clone()))), known);
        prop_assert_eq!(queue::results_from_proto(wire(&queue::results_to_proto(results.clone()))), results);
    }

    #[test]
    fn schedules_survive_the_wire(known in samples::schedule(), results in samples::schedule_results()) {
        prop_assert_eq!(schedule::from_proto(wire(&schedule::to_proto(known.clone()))), Ok(known));
        prop_assert_eq!(schedule::results_from_proto(wire(&schedule::results_to_proto(results.clone()))), results);
    }

    #[test]
    fn edits_of_schedules_survive_the_wire(edit in samples::schedule_edit()) {
        prop_assert_eq!(schedule::edit_from_proto(wire(&schedule::edit_to_proto(edit.clone()))), Ok(edit));
    }

    #[test]
    fn new_schedules_survive_the_wire(new in samples::new_schedule()) {
        prop_assert_eq!(schedule::new_from_proto(wire(&schedule::new_to_proto(new.clone()))), Ok(new));
    }

    #[test]
    fn changes_survive_the_wire_with_their_states_as_events_show_them(mut change in samples::change()) {
        let message = wire(&event::to_proto(change.clone()));
        (change.from, change.to) = change.states_shown();
        prop_assert_eq!(event::from_proto(message), Ok(Some(change)));
    }

    #[test]
    fn nothing_that_a_client_may_send_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = proto::AddTaskRequest::decode(bytes.as_slice()) {
            let _ = task::new_from_proto(request);
        }
        if let Ok(response) = proto::Task::decode(bytes.as_slice()) {
            let _ = task::from_proto(response);
        }
        if let Ok(request) = proto::AddScheduleRequest::decode(bytes.as_slice()) {
            let _ = schedule::new_from_proto(request);
        }
        if let Ok(response) = proto::Schedule::decode(bytes.as_slice()) {
            let _ = schedule::from_proto(response);
        }
        if let Ok(response) = proto::Event::decode(bytes.as_slice()) {
            let _ = event::from_proto(response);
        }
    }
}

fn request() -> proto::AddTaskRequest {
    let spec = proto::TaskSpec { argv: vec![b"true".to_vec()], cwd: b"/".to_vec(), ..Default::default() };
    let uuid = Uuid::from_u128(1).to_string();
    proto::AddTaskRequest { uuid, spec: Some(spec), ..Default::default() }
}

#[test]
fn a_minimal_request_gets_the_defaults_of_the_domain() {
    let argv = vec!["true".into()];
    let new = task::new_from_proto(request()).unwrap();
    assert_eq!(new.spec, crate::domain::task::TaskSpec::command(argv, "/".into()));
}

#[test]
fn requests_are_refused_in_the_words_of_the_domain() {
    let refused = |change: fn(&mut proto::AddTaskRequest, &mut proto::TaskSpec)| {
        let (mut request, mut spec) = (request(), request().spec.unwrap());
        change(&mut request, &mut spec);
        request.spec = request.spec.map(|_| spec);
        task::new_from_proto(request).unwrap_err().problem()
    };
    let message = |change| {
        let problem = refused(change);
        assert_eq!(problem.kind, ErrorKind::Invalid);
        problem.message
    };
    assert_eq!(message(|request, _| request.uuid = "12".into()), "`uuid` is `12`, not a UUID");
    assert_eq!(message(|request, _| request.spec = None), "`spec` is missing");
    assert_eq!(message(|request, _| request.parent = Some(0)), "`0` is not a task id (a number from 1)");
    assert_eq!(message(|_, spec| spec.argv.clear()), InvalidSpec::NoCommand.to_string());
    assert_eq!(message(|_, spec| spec.cwd = b"here".to_vec()), InvalidSpec::Cwd("here".into()).to_string());
    assert_eq!(message(|_, spec| spec.name = Some("12".into())), InvalidSpec::Name("12".into()).to_string());
    assert_eq!(message(|_, spec| spec.kill_signal = Some(65)), "`65` is not a signal (a number from 1 to 64)");
    assert_eq!(message(|_, spec| spec.retry = Some(Default::default())), InvalidSpec::NoAttempts.to_string());
    let env = |request: &mut proto::AddTaskRequest, _: &mut proto::TaskSpec| {
        request.env.push(proto::EnvironmentVariable { name: b"A=B".to_vec(), value: Vec::new() });
    };
    assert_eq!(message(env), InvalidSpec::EnvName("A=B".into()).to_string());
    assert_eq!(refused(|_, spec| spec.after = vec![0]).id.as_deref(), Some("0"));
}

#[test]
fn starting_is_running_on_the_wire_and_who_asks_for_running_means_both() {
    assert_eq!(attempt::state_to_proto(State::Starting), proto::TaskState::Running);
    let both = query::states_from_proto(&[proto::TaskState::Running.into()]);
    assert_eq!(both, Ok(vec![State::Starting, State::Running]));
    assert!(query::states_from_proto(&[0]).is_err(), "unspecified is no state");
    assert!(query::states_from_proto(&[99]).is_err());
}

#[test]
fn an_attempt_that_starts_is_a_task_that_is_queued_until_it_runs() {
    let of = |kind, from, to| {
        let change = Change {
            seq: Seq(7),
            at: Timestamp(0),
            kind,
            task: TaskId::new(12),
            queue: None,
            schedule: None,
            attempt: Some(1),
            from: Some(from),
            to: Some(to),
            by: Actor::Daemon,
            reason: None,
            progress: None,
        };
        let event = event::to_proto(change);
        (event.from(), event.to())
    };
    use proto::TaskState as Wire;
    assert_eq!(of(ChangeKind::Claimed, State::Queued, State::Starting), (Wire::Queued, Wire::Queued));
    assert_eq!(of(ChangeKind::Started, State::Starting, State::Running), (Wire::Queued, Wire::Running));
    assert_eq!(of(ChangeKind::Ended, State::Starting, State::Failed), (Wire::Queued, Wire::Failed));
}

#[test]
fn what_a_later_version_may_have_added_does_no_harm() {
    let mut request = request();
    let limit = proto::ResourceLimit { resource: "rttime".into(), soft: Some(1) };
    request.spec.as_mut().unwrap().limits.push(limit);
    let new: NewTask = task::new_from_proto(request).unwrap();
    assert_eq!(new.spec.limits, []);
    let problem = proto::Problem { kind: "teapot".into(), message: "short and stout".into(), ..Default::default() };
    assert_eq!(query::problem_from_proto(problem).kind, ErrorKind::Internal);
    let known = proto::Event { kind: "task.added".into(), by: "daemon".into(), ..Default::default() };
    assert!(event::from_proto(known.clone()).unwrap().is_some());
    assert_eq!(event::from_proto(proto::Event { kind: "task.praised".into(), ..known.clone() }), Ok(None));
    assert_eq!(event::from_proto(proto::Event { by: "robot:1".into(), ..known }), Ok(None));
}

#[test]
fn a_condition_that_is_none_is_refused_whoever_sends_it() {
    let refused = |term: proto::Term| {
        let condition = proto::Condition { at_ms: 0, term: Some(term) };
        condition::from_proto(wire(&condition)).unwrap_err().to_string()
    };
    use proto::term::What;
    let has = |word: &str| proto::Term { what: Some(What::Has(word.to_owned())) };
    assert_eq!(refused(has("colour")), "`colour` is not a field of a task");
    assert_eq!(refused(proto::Term { what: None }), "`term` is missing");
    let deep = (0..40).fold(has("name"), |term, _| proto::Term { what: Some(What::Not(Box::new(term))) });
    assert!(refused(deep).contains("layers"));
    let test = |field: &str, how, value| proto::Term {
        what: Some(What::Test(proto::Test { field: field.to_owned(), how, value: Some(value) })),
    };
    use proto::test::Value;
    assert!(refused(test("id", 1, Value::Text("x".to_owned()))).contains("cannot be compared"));
    assert!(refused(test("state", 1, Value::Text("starting".to_owned()))).contains("no state"));
    assert!(refused(test("id", 9, Value::Number(1))).contains("unknown value"));
}

#[test]
fn a_selection_of_nothing_is_not_one_of_everything() {
    assert_eq!(selection::from_proto(Some(proto::Selection::default())), Err(Error::Missing("selection")));
    let backwards = proto::Selection { ranges: vec![proto::IdRange { first: 7, last: 3 }], ..Default::default() };
    assert_eq!(selection::from_proto(Some(backwards)), Err(Error::Backwards(7, 3)));
}
