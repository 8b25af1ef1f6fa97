//! How much a task may write.

use serde_json::json;

use crate::support::World;

/// Writes without end, and lives on when it is asked to end.
const STUBBORN: &str = "trap '' TERM; while :; do echo 0123456789012345678901234567890123456789; done";

/// Row: flags of task add / --output-limit
/// Row: reason codes / output_limit
#[test]
fn who_writes_more_than_it_may_is_ended_and_what_it_wrote_is_kept() {
    let world = World::started();
    for (flags, line) in [(&[][..], "exec yes"), (&["--split-output"], "yes & exec yes >&2")] {
        let id = world.add_with(&[&["--output-limit", "100kB"], flags].concat(), line);
        let task = world.ended(id);
        assert_eq!(
            (&task["state"], &task["reason_code"], &task["output_limit"], &task["failures"]),
            (&json!("failed"), &json!("output_limit"), &json!(100_000), &json!(1))
        );
        assert!(task["reason"].as_str().unwrap().contains("100000 bytes"), "{task}");
        let outputs = task["attempts"][0]["output"].as_array().unwrap();
        let bytes: u64 = outputs.iter().map(|output| output["bytes"].as_u64().unwrap()).sum();
        assert!(bytes >= 100_000, "{task}");
    }
    world.apex(["run", "--output-limit", "1B", "--", "sh", "-c", "echo more; exec sleep 1000"]).expect(128 + 15);
    let under = world.ended(world.add_with(&["--output-limit", "1MiB"], "echo little"));
    assert_eq!(under["state"], "succeeded");
}

/// Row: flags of task add / --output-limit, far beyond
#[test]
fn who_goes_on_writing_is_killed_long_before_its_grace_is_over() {
    let world = World::started();
    let id = world.add_with(&["--output-limit", "1KiB", "--kill-grace", "1h"], STUBBORN);
    let task = world.ended(id);
    assert_eq!((&task["reason_code"], &task["signal"]), (&json!("output_limit"), &json!(9)));
}

/// Row: configuration keys / task.output_limit
#[test]
fn tasks_have_the_limit_that_is_configured_unless_a_flag_says_otherwise() {
    let world = World::with_config("[task]\noutput_limit = \"1kB\"\n");
    world.apex(["daemon", "start"]).expect(0);
    let line = "head -c 5000 /dev/zero; exec sleep 1000";
    let task = world.ended(world.add(line));
    assert_eq!((&task["reason_code"], &task["output_limit"]), (&json!("output_limit"), &json!(1_000)));
    let task = world.ended(world.add_with(&["--output-limit", "0B"], "head -c 5000 /dev/zero"));
    assert_eq!((&task["state"], &task["output_limit"]), (&json!("succeeded"), &json!(null)));
    let shown = world.apex(["task", "show", "1"]).expect(0).stdout;
    assert!(shown.contains("output limit") && shown.contains("1000B"), "{shown}");
}
