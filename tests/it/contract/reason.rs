//! Why a task is in the state it is in, for programs. What a single state says of it is tested there.

use serde_json::json;

use crate::support::World;

/// Row: reason codes / null
#[test]
fn where_there_is_nothing_to_say_there_is_no_reason() {
    let world = World::started();
    let held = world.add_with(&["--hold"], "true");
    let ended = world.ended(world.add("true"));
    for task in [world.show(held), ended] {
        assert_eq!((&task["reason_code"], &task["reason"]), (&json!(null), &json!(null)), "{task}");
    }
}

/// Row: reason codes / exit
/// Row: reason codes / signal
/// Row: reason codes / spawn
/// Row: reason codes / cancelled
#[test]
fn a_reason_has_a_code_for_programs_and_a_sentence_for_people() {
    let world = World::started();
    world.add("exit 3");
    world.add("kill -USR1 $$");
    world.apex(["task", "add", "--", "no-such-program"]).expect(0);
    world.add_with(&["--hold"], "true");
    world.apex(["task", "cancel", "4"]).expect(0);
    for (id, code, part) in
        [(1, "exit", "3"), (2, "signal", "USR1"), (3, "spawn", "no-such-program"), (4, "cancelled", "")]
    {
        let task = world.ended(id);
        assert_eq!(task["reason_code"], code, "{task}");
        assert!(task["reason"].as_str().unwrap_or_default().contains(part), "{task}");
    }
}
