//! How much of the machine a task may use. Here no control group is given to the daemon, so what needs one is refused; what
//! is written into a group is tried on a tree of plain files, beside the code.

use serde_json::json;

use crate::contract::output;
use crate::support::World;

/// Row: flags of task add / --nice
/// Row: flags of task add / --cpus
/// Row: flags of task add / --rlimit
#[test]
fn a_task_is_kept_to_what_it_may_use() {
    let world = World::started();
    let line = "nice; grep Cpus_allowed_list: /proc/self/status; ulimit -Sn; ulimit -Hn; ulimit -Sc";
    let id = world.add_with(&["--nice", "7", "--cpus", "0", "--rlimit", "nofile=50:60,core=0B"], line);
    let task = world.ended(id);
    assert_eq!(task["state"], "succeeded", "{task}");
    assert_eq!(output(&world, id), "7\nCpus_allowed_list:\t0\n50\n60\n0\n");
    assert_eq!((&task["nice"], &task["cpus"]), (&json!(7), &json!("0")));
    assert_eq!(task["rlimits"], json!({"core": {"soft": 0, "hard": 0}, "nofile": {"soft": 50, "hard": 60}}));
    assert_eq!((&task["memory"], &task["cpu_limit"]), (&json!(null), &json!(null)));
    let shown = world.apex(["task", "show", &id.to_string()]).expect(0).stdout;
    for part in ["nice", "processors   0", "nofile=50:60, core=0B"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let file = world.path("tasks");
    std::fs::write(&file, "{\"shell\":\"nice\",\"nice\":3,\"rlimits\":[\"nofile=99\"]}\n").unwrap();
    world.apex(["task", "add", "--from", file.to_str().unwrap()]).expect(0);
    let bulk = world.ended(id + 1);
    assert_eq!((output(&world, id + 1).as_str(), &bulk["nice"]), ("3\n", &json!(3)));
    let held = world.add_with(&["--hold"], "nice");
    world.apex(["task", "edit", &held.to_string(), "--set", "nice=4", "--set", "cpus=0"]).expect(0);
    world.apex(["task", "release", &held.to_string()]).expect(0);
    world.ended(held);
    assert_eq!(output(&world, held), "4\n");
}

/// Row: flags of task add / --nice, --cpus, --rlimit, wrong
/// Row: flags of task add / --memory, --cpu-limit, not to be had
#[test]
fn what_cannot_be_had_is_refused_by_name_and_adds_nothing() {
    let world = World::started();
    let refused = |flags: &[&str], code: i32, parts: &[&str]| {
        let run = world.apex([&["task", "add"], flags, &["--", "true"]].concat()).expect(code);
        for part in parts {
            assert!(run.stderr.contains(part), "{part}: {run:?}");
        }
    };
    refused(&["--cpus", "0-1023"], 1, &["there is no processor", "only `0"]);
    refused(&["--cpus", "x"], 2, &["`x`", "--cpus 0-3"]);
    refused(&["--nice", "20"], 2, &["`20`", "-20 to 19"]);
    refused(&["--rlimit", "nofiles=3"], 2, &["nofiles=3", "--rlimit nofile=1024"]);
    refused(&["--rlimit", "as=3"], 2, &["no unit"]);
    refused(&["--rlimit", "nofile=9:3"], 2, &["`nofile`", "hard limit"]);
    refused(&["--cpu-limit", "0"], 2, &["`0`", "1.5"]);
    refused(&["--memory", "1kB"], 2, &["memory limit", "1 MiB"]);
    refused(&["--memory", "1GiB"], 1, &["memory cannot be limited", "delegated", "apex daemon install"]);
    refused(&["--cpu-limit", "1.5"], 1, &["processor time cannot be limited", "delegated", "Delegate"]);
    assert_eq!(world.apex(["task", "list", "--all", "--json"]).expect(0).json(), json!([]));
}

/// Row: configuration keys / task.nice
/// Row: configuration keys / task.memory
#[test]
fn tasks_have_what_is_configured_unless_a_flag_says_otherwise() {
    let world = World::with_config("[task]\nnice = 6\nmemory = \"1GiB\"\n");
    let refused = world.apex(["task", "add", "--", "nice"]).expect(1);
    assert!(refused.stderr.contains("memory cannot be limited"), "{refused:?}");
    let six = world.add_with(&["--memory", "0B"], "nice");
    let two = world.add_with(&["--memory", "0B", "--nice", "2"], "nice");
    world.ended(six);
    world.ended(two);
    assert_eq!((output(&world, six).as_str(), output(&world, two).as_str()), ("6\n", "2\n"));
}

/// Row: flags of task add / --nice
#[test]
fn what_is_kept_open_is_kept_to_its_limits_as_well() {
    let world = World::started();
    let id = world.add_with(&["--pty", "--nice", "8"], "nice");
    let task = world.ended(id);
    assert_eq!(task["state"], "succeeded", "{task}");
    assert!(output(&world, id).starts_with('8'), "{}", output(&world, id));
}
