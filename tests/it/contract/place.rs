//! Moving tasks, and pruning them.

use serde_json::json;

use crate::contract::shape::shape;
use crate::contract::{listed, output};
use crate::support::{World, eventually};
use crate::wire::add_many;

/// Row: commands on tasks / task move
#[test]
fn a_moved_task_is_started_where_it_was_put() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    world.apex(["queue", "pause", "default"]).expect(0);
    for n in 1..=4 {
        world.add(&format!("echo {n} >> order"));
    }
    let moved = world.apex(["task", "move", "4", "--top"]).expect(0);
    assert_eq!(moved.stderr, "task 4 moved to the top\n");
    let task = world.apex(["task", "move", "--json", "3", "--before", "2"]).expect(0).json();
    assert_eq!((&task["id"], &task["state"]), (&json!(3), &json!("queued")));
    let high = world.add_with(&["-p", "1"], "true").to_string();
    for (args, code) in [
        (&["1", "--before", high.as_str()][..], 1),
        (&["1", "--before", "1"], 1),
        (&["1", "--before", "99"], 4),
        (&["99", "--top"], 4),
        (&["1"], 2),
        (&["1", "--top", "--before", "2"], 2),
    ] {
        world.apex(["task", "move"].iter().chain(args)).expect(code);
    }
    world.apex(["queue", "resume", "default"]).expect(0);
    world.apex(["task", "wait", "1-5"]).expect(0);
    assert_eq!(std::fs::read_to_string(world.path("order")).unwrap(), "4\n1\n3\n2\n");
    world.apex(["task", "move", "1", "--top"]).expect(1);
    let events = world.apex(["events", "--since", "0"]).expect(0).stdout;
    assert_eq!(events.matches("task.moved").count(), 2, "{events}");
}

/// Row: commands on tasks / task prune
/// Row: json shapes / task prune
#[test]
fn what_has_ended_is_pruned_with_its_output() {
    let world = World::started();
    for code in [0, 3, 0, 3] {
        world.ended(world.add(&format!("echo x; exit {code}")));
    }
    let held = world.add_with(&["--hold", "--after-any", "1"], "true");
    assert_eq!(world.apex(["task", "prune", "--older-than", "1h"]).expect(0).stderr, "no task to remove\n");
    world.apex(["task", "prune", "--state", "running"]).expect(2);
    let path = world.show(2)["attempts"][0]["output"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(world.apex(["task", "prune", "--state", "failed", "--keep", "1"]).expect(0).stderr, "1 task removed\n");
    eventually("its output is gone", || !std::path::Path::new(&path).exists());
    assert_eq!(listed(&world, &["--all"]), [1, 3, 4, held]);
    insta::assert_snapshot!(shape(&world.apex(["task", "prune", "--json"]).expect(0).stdout), @r#"
    {
      removed: 2
      needed: 1
      hooks: 0
    }
    "#);
    assert_eq!((listed(&world, &["--all"]), output(&world, 1)), (vec![1, held], "x\n".to_owned()));
    world.apex(["task", "cancel", &held.to_string()]).expect(0);
    world.apex(["task", "prune"]).expect(0);
    assert_eq!(listed(&world, &["--all"]), [0; 0]);
}

/// Row: commands on tasks / task prune
#[test]
fn many_are_pruned_page_by_page() {
    let world = World::started();
    world.apex(["queue", "pause", "default"]).expect(0);
    let last = add_many(&world, "true", 1_200);
    world.apex(["task", "cancel", "-q", "--state", "queued"]).expect(0);
    let pruned = world.apex(["task", "prune", "--keep", "3"]).expect(0);
    assert_eq!(pruned.stderr, format!("{} tasks removed\n", last - 3));
    assert_eq!(listed(&world, &["--all"]).len(), 3);
}
