//! `daemon restart` and upgrades do not touch running tasks.

use serde_json::json;

use crate::support::{World, eventually, long, stands_still};

/// Not one line of a task or of a follower is missed or repeated, whatever apexd and the guardian become meanwhile.
#[test]
fn restarts_touch_no_running_task() {
    let world = World::started();
    let line = "n=0; while [ ! -e go ]; do n=$((n+1)); echo line $n; sleep 0.002; done; exit 5";
    let id = world.add(line);
    let paused = world.add("echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; exit 6");
    for id in [id, paused] {
        world.until_state(id, "running");
    }
    eventually("it has begun", || std::fs::read_to_string(world.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
    let pid: i32 = std::fs::read_to_string(world.path("pid")).unwrap().trim().parse().unwrap();
    world.apex(["task", "pause", &paused.to_string()]).expect(0);
    let follower = world.spawn(["task", "logs", "-f", &id.to_string()]);
    let guardian = world.guardian_pid();
    let rounds = 10 * long();
    for round in 1..=rounds {
        let before = world.apexd_pid();
        world.apex(["daemon", "restart"]).expect(0);
        assert_ne!(world.apexd_pid(), before);
        let became = world.log().matches("going on as the guardian by another program").count();
        assert_eq!(u32::try_from(became).unwrap(), round, "the guardian is a new program, too");
        assert_eq!((world.state(id).as_str(), world.state(paused).as_str()), ("running", "paused"));
    }
    assert_eq!(world.guardian_pid(), guardian);
    eventually("it stands still", || stands_still(pid));
    world.apex(["task", "resume", &paused.to_string()]).expect(0);
    std::fs::write(world.path("go"), "").unwrap();
    for (id, code) in [(id, 5), (paused, 6)] {
        let task = world.ended(id);
        let seen = (&task["exit_code"], &task["attempt"], &task["state"]);
        assert_eq!(seen, (&json!(code), &json!(1), &json!("failed")), "{task}");
    }
    let followed = follower.wait();
    let written = world.apex(["task", "logs", &id.to_string()]).stdout;
    for (index, line) in written.lines().enumerate() {
        assert_eq!(line, format!("line {}", index + 1));
    }
    assert!(written.lines().count() > 3);
    assert_eq!((followed.code, followed.stdout), (5, written), "missed or repeated");
    assert_eq!(world.status()["restarts"], json!(rounds));
}
