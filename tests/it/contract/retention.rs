//! What is kept no longer.

use std::fs;

use crate::support::{World, eventually};

/// Row: configuration keys / retention.keep_for
/// Row: configuration keys / retention.keep_for
#[test]
fn what_ended_long_ago_is_forgotten_with_all_it_wrote() {
    let world = World::with_config("[retention]\nkeep_for = \"1s\"\n");
    world.apex(["daemon", "start"]).expect(0);
    let needed = world.add("echo needed");
    let waiting = world.add_with(&["--hold", "--after", &needed.to_string()], "true");
    let old = world.add("echo old");
    world.ended(needed);
    let list = || -> Vec<u64> {
        let tasks = world.apex(["task", "list", "--all", "--json"]).expect(0).json();
        tasks.as_array().unwrap().iter().map(|task| task["id"].as_u64().unwrap()).collect()
    };
    eventually("what nobody needs is forgotten", || list() == [needed, waiting]);
    world.apex(["task", "show", &old.to_string()]).expect(4);
    eventually("its output is deleted", || {
        let outputs = fs::read_dir(world.dot_apex().join("output/0")).unwrap();
        outputs.count() == 1
    });
    assert_eq!(world.apex(["task", "logs", &needed.to_string()]).expect(0).stdout, "needed\n");
    eventually("old events are forgotten, and that is said", || {
        world.apex(["events", "--since", "0", "--json"]).expect(0).stdout.contains("gap")
    });
    assert_eq!(world.status()["tasks_processed"], 2, "they count since the project began");
    world.apex(["db", "check"]).expect(0);
    // Whoever waited is gone, and so is what it waited for.
    world.apex(["task", "cancel", &waiting.to_string()]).expect(0);
    eventually("nothing is left", || list().is_empty());
}
