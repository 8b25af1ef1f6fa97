//! The task store is emptied, or taken away under a daemon that runs: nothing is begun anew in silence, nothing that
//! would be gone is acknowledged, and the daemon can be stopped.

use crate::support::World;

#[test]
fn an_emptied_store_is_no_new_one() {
    let world = World::started();
    world.apex(["run", "--", "echo", "here"]).expect(0);
    world.apex(["daemon", "stop"]).expect(0);
    let store = world.dot_apex().join("apex.db");
    std::fs::write(&store, "").unwrap();
    let refused = world.apex(["task", "list"]).expect(3);
    assert!(refused.stderr.contains("is empty, although tasks have run here"), "{refused:?}");
    assert_eq!(std::fs::metadata(&store).unwrap().len(), 0);
    world.until_empty();
    // Moved away it is a new one.
    std::fs::remove_file(&store).unwrap();
    assert_eq!(world.apex(["run", "--", "echo", "anew"]).expect(0).stdout, "anew\n");
    let kept = std::fs::read_dir(world.dot_apex()).unwrap().flatten();
    let kept = kept.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("output.before-"));
    assert_eq!(std::fs::read_to_string(kept.unwrap().join("0/1.1.log")).unwrap(), "here\n");
}

#[test]
fn what_would_be_gone_is_not_acknowledged() {
    let world = World::started();
    world.apex(["run", "--", "true"]).expect(0);
    let (store, aside) = (world.dot_apex().join("apex.db"), world.dot_apex().join("aside.db"));
    std::fs::rename(&store, &aside).unwrap();
    let refused = world.apex(["task", "add", "--", "true"]).expect(1);
    assert!(refused.stderr.contains("was removed or replaced while the daemon runs"), "{refused:?}");
    std::fs::rename(&aside, &store).unwrap();
    assert_eq!(world.apex(["run", "--", "echo", "back"]).expect(0).stdout, "back\n");
    std::fs::remove_file(&store).unwrap();
    world.apex(["daemon", "stop", "--force"]).expect(0);
    world.until_empty();
}
