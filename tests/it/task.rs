//! Tasks from their add to their end.

use serde_json::json;

use crate::support::{World, eventually};

#[test]
fn everything_about_a_task_is_told() {
    let world = World::started();
    let id = world
        .add_with(&["--name", "greet", "--label", "kind=test", "--label", "fast", "--priority", "7"], "echo hello");
    let task = world.ended(id);
    assert_eq!(task["state"], "succeeded");
    assert_eq!(task["name"], "greet");
    assert_eq!(task["labels"], json!({"kind": "test", "fast": ""}));
    assert_eq!(task["priority"], 7);
    assert_eq!(task["argv"], json!(["sh", "-c", "echo hello"]));
    assert_eq!(task["cwd"], world.root().to_str().unwrap());
    assert_eq!(task["attempt"], 1);
    assert_eq!(task["failures"], 0);
    let attempt = &task["attempts"][0];
    assert_eq!(attempt["state"], "succeeded");
    assert!(attempt["max_rss_bytes"].as_u64().unwrap() > 0);
    let output = &attempt["output"][0];
    assert_eq!((&output["stream"], &output["bytes"]), (&json!("merged"), &json!(6)));
    // sha256sum of "hello\n"
    assert_eq!(output["sha256"], "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    let path = output["path"].as_str().unwrap();
    assert!(path.ends_with(".apex/output/0/1.1.log"), "{path}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "hello\n");
}

#[test]
fn never_more_at_once_than_allowed_and_no_fewer() {
    let world = World::with_config("[daemon]\nmax_concurrent = 3\n");
    let ids: Vec<u64> = (0..7).map(|_| world.add("echo $APEX_SLOT; while [ ! -e go ]; do sleep 0.01; done")).collect();
    eventually("three run", || world.status()["active"] == 3);
    assert_eq!(world.status()["queued"], 4);
    std::fs::write(world.path("go"), "").unwrap();
    for id in &ids {
        world.ended(*id);
        let slot = world.apex(["task", "logs", &id.to_string()]).stdout;
        assert!(["0", "1", "2"].contains(&slot.trim()), "{slot}");
    }
    let status = world.status();
    assert_eq!(
        (&status["active"], &status["tasks_processed"], &status["tasks_succeeded"]),
        (&json!(0), &json!(7), &json!(7))
    );
}

#[test]
fn a_normal_end_leaves_no_process_of_its_session() {
    let world = World::started();
    let before = world.processes().len();
    let id = world.add("sleep 1000 & echo done");
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(world.processes().len(), before);
}

#[test]
fn many_files_are_compressed_each_by_its_own_task() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    let count = 40;
    for n in 0..count {
        std::fs::write(world.path(format!("file{n}")), format!("{n} ").repeat(1000 + n)).unwrap();
    }
    let ids: Vec<u64> = (0..count)
        .map(|n| {
            world
                .apex(["task", "add", "-q", "--", "gzip", &format!("file{n}")])
                .expect(0)
                .stdout
                .trim()
                .parse()
                .unwrap()
        })
        .collect();
    let all: Vec<String> =
        ["task", "wait"].iter().map(|word| (*word).to_owned()).chain(ids.iter().map(u64::to_string)).collect();
    world.apex(&all).expect(0);
    for n in 0..count {
        let output =
            std::process::Command::new("gzip").arg("-dc").arg(world.path(format!("file{n}.gz"))).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{n} ").repeat(1000 + n));
    }
    assert_eq!(world.status()["tasks_succeeded"], json!(count));
}
