//! Resources: what there is, what tasks need, and what those lend that wait.

use serde_json::json;

use super::{UNTIL_GO, go};
use crate::support::{World, eventually};

const RESOURCES: &str = "[daemon]\nmax_concurrent = 8\n[resources]\ngpu = [0, 1]\nmem = \"1GiB\"\n[resources.env]\ngpu = \
                         \"CUDA_VISIBLE_DEVICES\"\n";

/// Row: flags of task add / --need
/// Row: task environment / APEX_<RESOURCE>
/// Row: configuration keys / resources
/// Row: configuration keys / resources.env
/// Row: json shapes / needs and granted
#[test]
fn a_task_waits_for_what_it_needs_and_is_told_what_it_has() {
    let world = World::with_config(RESOURCES);
    let line = format!("echo $APEX_GPU $CUDA_VISIBLE_DEVICES $APEX_MEM; {UNTIL_GO}");
    let needs = ["--need", "gpu=1,mem=512MiB"];
    let ids = [world.add_with(&needs, &line), world.add_with(&needs, &line)];
    for id in ids {
        world.pid(id);
    }
    let third = world.add_with(&["--need", "gpu"], "true");
    eventually("it was found to wait", || {
        world.apex(["task", "why", &third.to_string()]).stdout.contains("until it reserves it")
    });
    let why = world.apex(["task", "why", &third.to_string()]).expect(0).stdout;
    assert!(why.contains("waits for resource `gpu`: it needs 1, and 0 of 2 is free"), "{why}");
    let free = world.add("true");
    assert_eq!(world.ended(free)["state"], "succeeded", "what needs nothing passes it");
    let status = world.apex(["status", "--json"]).expect(0).json();
    let gpu = json!({"name": "gpu", "unit": "count", "total": 2, "used": 2, "indices": [0, 1], "free_indices": []});
    assert_eq!(status["daemon"]["resources"][0], gpu);
    assert_eq!(status["daemon"]["resource_waits"][0]["task"], third);
    let screen = world.apex(["status"]).expect(0).stdout;
    assert!(screen.contains("gpu 2 of 2 used, mem 1GiB of 1GiB used"), "{screen}");
    go(&world);
    for (id, piece) in ids.iter().zip([0, 1]) {
        let task = world.ended(*id);
        let output = world.apex(["logs", &id.to_string()]).expect(0).stdout;
        assert_eq!(output, format!("{piece} {piece} 536870912\n"));
        assert_eq!(task["needs"], json!({"gpu": 1, "mem": 536_870_912}));
        assert_eq!(task["attempts"][0]["granted"], json!({"gpu": [piece], "mem": 536_870_912}));
    }
    let granted = &world.ended(third)["attempts"][0]["granted"]["gpu"];
    assert!([json!([0]), json!([1])].contains(granted), "{granted}");
}

/// Row: flags of task add / --need, never
#[test]
fn what_can_never_be_had_is_refused_by_name_and_nothing_is_added() {
    let world = World::with_config(RESOURCES);
    for (need, message, hint) in [
        ("gpu=3", "it needs 3 of resource `gpu`, of which there are 2", "`[resources] gpu`"),
        ("gpuu=1", "there is no resource `gpuu`", "there is `gpu`"),
        ("mem=512", "resource `mem` is a size, and `512` has no unit", "`--need mem=512GiB`"),
        ("gpu=1MiB", "resource `gpu` is counted, and `1MiB` is a size", "`--need gpu=1`"),
    ] {
        let error = world.apex(["add", "--json", "--need", need, "--", "true"]).expect(1).error();
        assert_eq!((&error["kind"], &error["message"]), (&json!("invalid"), &json!(message)));
        assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
    }
    for wrong in ["gpu=x", "gpu=0", "=1", "gpu=1,gpu=1"] {
        world.apex(["add", "--need", wrong, "--", "true"]).expect(2);
    }
    std::fs::write(world.path("jobs"), "{\"shell\":\"true\"}\n{\"shell\":\"true\",\"needs\":{\"gpu\":3}}\n").unwrap();
    let said = world.apex(["add", "--from", "jobs"]).expect(1).stderr;
    assert!(said.contains("line 2: it needs 3 of resource `gpu`"), "{said}");
    assert_eq!(world.apex(["ls", "--all", "--json"]).expect(0).json(), json!([]));
}

/// Row: configuration keys / resources, reloaded
#[test]
fn what_shrinks_stays_with_who_has_it_and_can_be_edited_by_who_waits() {
    let world = World::with_config("[resources]\ngpu = 2\n");
    let big = world.add_with(&["--need", "gpu=2"], UNTIL_GO);
    world.pid(big);
    let next = world.add_with(&["--need", "gpu=2"], "true");
    std::fs::write(world.dot_apex().join("config.toml"), "[resources]\ngpu = 1\n").unwrap();
    let said = world.apex(["daemon", "reload"]).expect(0).stdout;
    assert!(said.contains("resources.gpu: 2 -> 1"), "{said}");
    assert_eq!(world.state(big), "running");
    let why = world.apex(["task", "why", &next.to_string()]).expect(0).stdout;
    assert!(why.contains("can never start: it needs 2 of resource `gpu`, of which there is 1"), "{why}");
    world.apex(["task", "edit", &next.to_string(), "--set", "needs=gpu=1"]).expect(0);
    assert_eq!(world.state(next), "queued");
    go(&world);
    assert_eq!(world.ended(next)["attempts"][0]["granted"], json!({"gpu": 1}));
}

/// Row: resources / lending
/// Row: resources / lending, nested
#[test]
fn three_tasks_that_each_run_three_more_under_a_limit_of_three_all_end() {
    let world = World::with_config("[daemon]\nmax_concurrent = 3\n[resources]\nlicence = 1\n");
    let apex = env!("CARGO_BIN_EXE_apex");
    let inner = format!("for n in 1 2 3; do {apex} run --need licence=1 -- echo inner $n || exit 1; done");
    let ids: Vec<u64> = (0..3).map(|_| world.add_with(&["--need", "licence=1"], &inner)).collect();
    for id in ids {
        let task = world.ended(id);
        assert_eq!(task["state"], "succeeded", "{task}");
    }
    let status = world.status();
    assert_eq!(status["tasks_succeeded"], 12);
    // The same by waiting for what was added, several at once, and as deep as one likes.
    let line = format!(
        "one=$({apex} add -q -- true) && two=$({apex} add -q -- true) && {apex} task wait $one $two && \
         {apex} run -- {apex} run -- {apex} add --wait -- {apex} run -- true"
    );
    let ids: Vec<u64> = (0..3).map(|_| world.add(&line)).collect();
    for id in ids {
        assert_eq!(world.ended(id)["state"], "succeeded");
    }
}

/// Row: resources / lending, crash
#[test]
fn who_waits_lends_again_after_a_crash_of_apexd() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let apex = env!("CARGO_BIN_EXE_apex");
    let outer = world.add(&format!("{apex} run -- sh -c '{UNTIL_GO}'; {apex} run -- true"));
    eventually("the inner one runs", || world.state(outer) == "running" && world.status()["active"] == 2);
    let pid = world.apexd_pid();
    crate::support::signal(pid, nix::sys::signal::Signal::SIGKILL);
    eventually("another one is there", || world.apexd_pid() != pid);
    go(&world);
    assert_eq!(world.ended(outer)["state"], "succeeded");
    assert_eq!(world.status()["tasks_succeeded"], 3);
}

/// Row: commands on tasks / queue set --weight
/// Row: configuration keys / queues.weight
#[test]
fn queues_with_weights_take_turns() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n[queues.a]\nweight = 3\n[queues.b]\nslots = 0\n");
    let queues = |world: &World| world.apex(["queue", "list", "--json"]).expect(0).json();
    world.apex(["queue", "pause", "a,b"]).expect(0);
    let ids: Vec<(u64, &str)> = ["b", "a"]
        .into_iter()
        .flat_map(|queue| (0..4).map(move |_| queue))
        .map(|queue| (world.add_with(&["-Q", queue], UNTIL_GO), queue))
        .collect();
    // The limit goes up when both are open, so that one claim fills all of it.
    world.apex(["queue", "pause", "default"]).expect(0);
    world.apex(["queue", "resume", "a,b"]).expect(0);
    eventually("four run", || world.status()["active"] == 4);
    let queue = |name: &str| queues(&world).as_array().unwrap().iter().find(|q| q["name"] == name).unwrap().clone();
    assert_eq!((&queue("a")["running"], &queue("b")["running"]), (&json!(3), &json!(1)));
    let set = world.apex(["queue", "set", "b", "--weight", "2", "--json"]).expect(0);
    assert_eq!((&set.json()["weight"], &set.json()["slots"]), (&json!(2), &json!(0)));
    world.apex(["queue", "set", "b"]).expect(2);
    world.apex(["queue", "set", "b", "--weight", "0"]).expect(0);
    assert_eq!(queue("b")["weight"], json!(null));
    go(&world);
    ids.iter().for_each(|(id, _)| drop(world.ended(*id)));
}

/// Row: configuration keys / daemon.reserve_after
#[test]
fn a_big_task_reserves_after_a_while() {
    let world = World::with_config("[daemon]\nmax_concurrent = 8\nreserve_after = \"0s\"\n[resources]\ngpu = 2\n");
    let small = world.add_with(&["--need", "gpu=1"], UNTIL_GO);
    world.pid(small);
    let big = world.add_with(&["--need", "gpu=2"], "true");
    eventually("it reserves", || world.apex(["task", "why", &big.to_string()]).stdout.contains("it reserves it since"));
    let late = world.add_with(&["--need", "gpu=1"], "true");
    let why = world.apex(["task", "why", &late.to_string()]).expect(0).stdout;
    assert!(why.contains(&format!("may have to wait for task {big}")), "{why}");
    assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    assert_eq!(world.state(late), "queued");
    go(&world);
    assert!(world.ended(big)["ended_at"].as_str() <= world.ended(late)["started_at"].as_str());
}
