//! Ended means ended: when a task is cancelled, runs out of time or is drained, none of its processes is left. After a
//! normal end none of its session is.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, process_state, signal};

/// A tree of processes, most of which have left the session: a daemon that forked twice, one that stands still, one that
/// cares for no signal, one whose environment is empty, and one that never left. Each writes its pid into a file.
const TREE: &str = "setsid sh -c 'sh -c \"echo \\$\\$ > twice; exec sleep 1000\" & exit' \
    & setsid sh -c 'echo $$ > stopped; kill -STOP $$; exec sleep 1000' \
    & setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > deaf; exec sleep 1000' \
    & env -i setsid /bin/sh -c 'echo $$ > bare; exec /bin/sleep 1000' \
    & sleep 1000 & echo $! > near; wait";
const NAMES: [&str; 5] = ["twice", "stopped", "deaf", "bare", "near"];

const QUICK: &str = "[daemon]\nmax_concurrent = 3\n[shutdown]\ngrace = \"0s\"\nkill_grace = \"100ms\"\n";

/// Waits until the whole tree is there, and returns its processes.
fn grown(world: &World, names: &[&str]) -> Vec<i32> {
    let pid = |name: &str| {
        let text = std::fs::read_to_string(world.path(name)).unwrap_or_default();
        text.strip_suffix('\n').and_then(|pid| pid.parse::<i32>().ok())
    };
    let pids = names.iter().map(|name| {
        eventually(name, || pid(name).is_some());
        pid(name).unwrap()
    });
    pids.collect()
}

fn clear(world: &World, names: &[&str]) {
    for name in names {
        std::fs::remove_file(world.path(name)).unwrap();
    }
}

/// Asserts that nobody is left, and ends those who are.
#[track_caller]
fn assert_gone(pids: &[i32], when: &str) {
    let left: Vec<i32> = pids.iter().copied().filter(|pid| !matches!(process_state(*pid), None | Some('Z'))).collect();
    for pid in &left {
        signal(*pid, Signal::SIGKILL);
    }
    assert!(left.is_empty(), "of {pids:?} {left:?} are left {when}");
}

#[test]
fn what_is_ended_leaves_no_process_behind() {
    let world = World::with_config(QUICK);

    let id = world.add(TREE);
    let tree = grown(&world, &NAMES);
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    assert_eq!(world.ended(id)["state"], json!("cancelled"));
    assert_gone(&tree, "after a cancel");
    clear(&world, &NAMES);

    let id = world.add_with(&["--timeout", "1s"], TREE);
    let tree = grown(&world, &NAMES);
    assert_eq!(world.ended(id)["state"], json!("timed_out"));
    assert_gone(&tree, "after its time was over");
    clear(&world, &NAMES);

    // The apexd that began to cancel dies; the next one goes on with it.
    let id = world.add_with(&["--kill-grace", "300ms"], TREE);
    let tree = grown(&world, &NAMES);
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    signal(world.apexd_pid(), Signal::SIGKILL);
    assert_eq!(world.ended(id)["state"], json!("cancelled"));
    assert_gone(&tree, "after a cancel that was taken over");
    clear(&world, &NAMES);

    // What made a session of its own is left alone by a normal end, and known no more by a later drain.
    let line = "setsid sh -c 'echo $$ > left; exec sleep 1000' & sleep 1000 & echo $! > kept; \
        while [ ! -s left ]; do sleep 0.01; done";
    let id = world.add(line);
    let pids = grown(&world, &["left", "kept"]);
    assert_eq!(world.ended(id)["state"], json!("succeeded"));
    assert_gone(&pids[1..], "in the session after a normal end");
    assert_eq!(process_state(pids[0]), Some('S'));

    world.add(TREE);
    let tree = grown(&world, &NAMES);
    world.apex(["daemon", "stop", "--force"]).expect(0);
    assert_gone(&tree, "after a drain");
    assert_eq!(process_state(pids[0]), Some('S'), "a drain ends only what runs");
    signal(pids[0], Signal::SIGKILL);
    clear(&world, &NAMES);

    // The guardian ends the tasks without an apexd.
    world.apex(["daemon", "start"]).expect(0);
    world.add(TREE);
    let tree = grown(&world, &NAMES);
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    signal(guardian, Signal::SIGSTOP);
    signal(apexd, Signal::SIGKILL);
    signal(guardian, Signal::SIGTERM);
    world.forbid_starts();
    signal(guardian, Signal::SIGCONT);
    eventually("the guardian has ended", || process_state(guardian).is_none());
    world.allow_starts();
    assert_gone(&tree, "when the guardian was alone");
}
