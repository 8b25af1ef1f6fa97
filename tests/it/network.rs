//! A project on a network file system: its data stand on this machine, and nothing of it is lost on the way.

use std::path::PathBuf;

use crate::support::World;

/// A project that passes for one on a network file system.
fn far_away() -> World {
    let mut world = World::bare();
    let root = world.root();
    world.set_variable("APEX_FAULT_NETWORK", root.to_str().unwrap());
    world.apex(["init"]).expect(0);
    world
}

fn location(world: &World) -> PathBuf {
    std::fs::read_to_string(world.dot_apex().join("location")).unwrap().trim_end().into()
}

fn names(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.dot_apex()).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn its_data_are_on_this_machine() {
    let world = far_away();
    assert_eq!(world.apex(["run", "--", "echo", "on"]).expect(0).stdout, "on\n");
    assert_eq!(names(&world), [".gitignore", "config.toml", "location"]);
    let data = location(&world);
    assert!(data.join("apex.db").exists() && data.join("daemon.pid").exists());
    let output = world.show(1)["attempts"][0]["output"][0]["path"].as_str().unwrap().to_owned();
    assert!(output.starts_with(data.to_str().unwrap()), "{output}");
    assert_eq!(std::fs::read_to_string(output).unwrap(), "on\n");
    world.apex(["daemon", "restart"]).expect(0);
    assert_eq!(world.apex(["task", "logs", "1"]).expect(0).stdout, "on\n");
    world.apex(["daemon", "stop"]).expect(0);
    assert!(world.apex(["status"]).expect(0).stdout.contains("not running"));
    assert_eq!(world.apex(["task", "logs", "1"]).expect(0).stdout, "on\n");
}

#[test]
fn it_is_not_begun_anew_elsewhere() {
    let mut world = far_away();
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    let other = world.path("../other-state");
    world.set_variable("XDG_STATE_HOME", other.to_str().unwrap());
    let refused = world.apex(["task", "list"]).expect(1);
    assert!(refused.stderr.contains(location(&world).to_str().unwrap()), "{refused:?}");
    assert!(refused.stderr.contains("XDG_STATE_HOME"), "{refused:?}");
    assert!(!other.exists(), "nothing was made");
}

#[test]
fn what_location_says_is_not_followed() {
    let mut world = World::new();
    // As it may come with a directory from elsewhere.
    std::fs::write(world.dot_apex().join("location"), "/nowhere\n").unwrap();
    assert_eq!(world.apex(["run", "--", "echo", "here"]).expect(0).stdout, "here\n");
    assert!(world.dot_apex().join("apex.db").exists());
    world.apex(["daemon", "stop"]).expect(0);
    let root = world.root();
    std::fs::remove_file(world.dot_apex().join("location")).unwrap();
    world.set_variable("APEX_FAULT_NETWORK", root.to_str().unwrap());
    let refused = world.apex(["task", "list"]).expect(1);
    assert!(refused.stderr.contains("apex.db") && refused.stderr.contains("network"), "{refused:?}");
}

#[test]
fn without_a_place_on_this_machine_it_is_refused() {
    let mut world = World::bare();
    world.set_variable("APEX_FAULT_NETWORK", "/");
    let refused = world.apex(["init"]).expect(1);
    assert!(refused.stderr.contains("network file system") && refused.stderr.contains("XDG_STATE_HOME"), "{refused:?}");
    assert!(!world.dot_apex().exists(), "nothing is left behind");
}
