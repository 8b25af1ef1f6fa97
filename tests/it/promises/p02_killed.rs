//! `kill -9` of apexd touches no running task: not one byte of output and not one exit code is lost, what is queued goes
//! on, clients reconnect by themselves, and an add sent twice is one task.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, process_state, signal};

/// Counts until `go` is there, writes down how far it came, and exits with a code of its own.
fn counting(code: u64) -> String {
    format!(
        "echo $$ > pid{code}; n=0; while [ ! -e go ]; do n=$((n+1)); echo line $n; sleep 0.005; done; echo $n > n{code}; exit {code}"
    )
}

#[test]
fn killing_apexd_touches_no_running_task_and_loses_nothing() {
    let mut world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    world.set_variable("APEX_FAULT_CRASH", "apexd.add.committed:5");
    world.set_variable("APEX_FAULT_ONCE", &world.path("killed").to_string_lossy());
    for code in 1..=4 {
        assert_eq!(world.add(&counting(code)), code);
    }
    // Apexd is killed when this one is stored and not answered. The client comes back by itself and sends it again.
    assert_eq!(world.add("echo went on"), 5);
    assert!(world.path("killed").exists());
    assert_eq!(world.apex(["task", "list", "--json", "--all"]).json().as_array().unwrap().len(), 5);
    // It is killed once more, and cannot have recorded that all of them have ended by then.
    let pids: Vec<i32> = (1..=4)
        .map(|code| {
            world.until_state(code, "running");
            std::fs::read_to_string(world.path(format!("pid{code}"))).unwrap().trim().parse().unwrap()
        })
        .collect();
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    std::fs::write(world.path("go"), "").unwrap();
    for pid in pids {
        eventually("it has ended", || process_state(pid).is_none_or(|state| state == 'Z'));
    }
    signal(apexd, Signal::SIGKILL);
    for code in 1..=4 {
        let task = world.ended(code);
        assert_eq!((&task["state"], &task["exit_code"]), (&json!("failed"), &json!(code)), "{task}");
        assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task}");
        let count: usize = std::fs::read_to_string(world.path(format!("n{code}"))).unwrap().trim().parse().unwrap();
        let expected: String = (1..=count).map(|n| format!("line {n}\n")).collect();
        assert_eq!(world.apex(["task", "logs", &code.to_string()]).stdout, expected);
    }
    assert_eq!(world.ended(5)["state"], "succeeded", "what was queued goes on");
}
