//! `task add --from`.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::contract::{listed, output};
use crate::support::{Run, World, run};

fn add(world: &World, text: &[u8], flags: &[&str]) -> Run {
    std::fs::write(world.path("jobs"), text).unwrap();
    world.apex([&["task", "add", "--from", "jobs"][..], flags].concat())
}

/// Adds what is written to standard input.
fn fed(world: &World, text: &[u8], flags: &[&str]) -> Run {
    let mut command = world.command([&["task", "add", "--from", "-"][..], flags].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that refuses an early line does not read the rest.
    let _ = child.stdin.take().unwrap().write_all(text);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Row: flags of task add / --from
/// Row: flags of task add / --from, ref
#[test]
fn many_tasks_are_added_in_the_order_of_their_lines() {
    let world = World::started();
    let text = "\u{feff}{\"ref\":\"first\",\"argv\":[\"sh\",\"-c\",\"echo $A $B\"],\"env\":{\"A\":\"1\"}}\r\n\r\n\
                {\"shell\":\"echo two\",\"after\":[\"first\"],\"name\":\"second\"}\n{\"argv\":[\"true\"],\"hold\":true}";
    let added = add(&world, text.as_bytes(), &["--env", "B=2", "-l", "team=core"]).expect(0);
    assert_eq!(added.stdout, "3 tasks added: 1-3\n");
    assert_eq!((&*world.ended(1)["state"].to_string(), &*output(&world, 1)), ("\"succeeded\"", "1 2\n"));
    let second = world.ended(2);
    assert_eq!(
        (&second["after"], &second["name"], &second["labels"]["team"]),
        (&json!([1]), &json!("second"), &json!("core"))
    );
    assert_eq!(world.state(3), "held");

    assert_eq!(fed(&world, b"{\"shell\":\"true\"}\n{\"shell\":\"true\"}", &["-q"]).expect(0).stdout, "4\n5\n");
    let tasks = fed(&world, b"{\"shell\":\"true\",\"name\":\"x\"}", &["--json"]).expect(0).json();
    assert_eq!((&tasks[0]["id"], &tasks[0]["name"], tasks.as_array().unwrap().len()), (&json!(6), &json!("x"), 1));
    assert_eq!(fed(&world, b"", &["--json"]).expect(0).json(), json!([]));
    assert_eq!(fed(&world, b"\n", &[]).expect(0).stdout, "no task added\n");
}

/// Row: flags of task add / --from, all or nothing
#[test]
fn a_file_with_one_bad_line_adds_nothing_and_names_the_line() {
    let world = World::started();
    let good = "{\"shell\":\"true\"}\n";
    for (line, message) in [
        ("{\"shell\":\"true\"", "line 4: no JSON: "),
        ("{\"shel\":\"true\"}", "line 4: unknown field `shel`"),
        (
            "{\"shell\":\"true\",\"after\":\"nobody\"}",
            "line 4: `after` is `nobody`, which is no id, and no line before it has",
        ),
        ("{\"shell\":\"true\",\"ref\":\"self\",\"after\":\"self\"}", "line 4: `after` is its own ref `self`"),
        ("{\"shell\":\"true\",\"timeout\":\"5\"}", "line 4: invalid value `5` for `timeout`"),
        ("{\"shell\":\"true\",\"queue\":\"gpu\"}", "line 4: no queue `gpu`"),
        ("{\"shell\":\"true\",\"after\":99}", "line 4: no task `99` to depend on"),
    ] {
        let text = format!("{good}\n{good}{line}\n{good}");
        for run in [add(&world, text.as_bytes(), &["--json"]), fed(&world, text.as_bytes(), &["--json"])] {
            let run = run.expect(1);
            let error = run.error();
            assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
            assert_eq!(run.stdout, "");
        }
    }
    // A circle: the first of them names one that is not there yet.
    let circle = "{\"shell\":\"a\",\"ref\":\"a\",\"after\":\"b\"}\n{\"shell\":\"b\",\"ref\":\"b\",\"after\":\"a\"}\n";
    let refused = add(&world, circle.as_bytes(), &[]).expect(1);
    assert!(refused.stderr.starts_with("error: line 1: `after` is `b`"), "{refused:?}");
    assert!(refused.stderr.contains("circle"), "{refused:?}");
    let long = [b"{\"shell\":\"".as_slice(), &vec![b'x'; 10 << 20], b"\"}\n"].concat();
    let long = [good.as_bytes(), &long].concat();
    for run in [add(&world, &long, &[]), fed(&world, &long, &[])] {
        assert!(run.expect(1).stderr.starts_with("error: line 2: longer than the 4 MiB"));
    }
    add(&world, b"{\"shell\":\"\xff\"}", &[]).expect(1);
    world.apex(["task", "add", "--from", "nowhere"]).expect(1);

    assert_eq!(listed(&world, &["--all"]), Vec::<u64>::new());
    assert_eq!(world.add("true"), 1, "no number was used");
    let waiting = std::fs::read_dir(world.dot_apex().join("input")).unwrap().count();
    assert_eq!(waiting, 0, "nothing is left of what was sent");
}

/// Row: flags of task add / --from
#[test]
fn nothing_is_said_of_programs_of_tasks_that_are_not_added() {
    let world = World::started();
    let program = "{\"argv\":[\"no-such-program\"],\"hold\":true}\n";
    let refused = add(&world, format!("{program}{{\"shell\":\"x\",\"queue\":\"absent\"}}\n").as_bytes(), &[]).expect(1);
    assert!(refused.stderr.contains("absent") && !refused.stderr.contains("no-such-program"), "{refused:?}");
    let added = add(&world, program.as_bytes(), &[]).expect(0);
    assert!(added.stderr.contains("line 1: there is no program `no-such-program`"), "{added:?}");
}

/// Row: flags of task add / --from, usage
#[test]
fn a_file_stands_for_the_command() {
    let world = World::started();
    world.apex(["task", "add"]).expect(2);
    for flags in [&["--", "true"][..], &["--key", "k"], &["--wait"], &["--follow"], &["--stdin", "-"]] {
        let run = add(&world, b"{\"shell\":\"true\"}", flags);
        assert_eq!((run.code, &*run.stdout), (2, ""), "{flags:?} {run:?}");
    }
    world.apex(["run", "--from", "jobs"]).expect(2);
    assert_eq!(listed(&world, &["--all"]), Vec::<u64>::new());
}

/// Row: flags of task add / --from, key
#[test]
fn a_key_in_a_file_is_that_of_one_task() {
    let world = World::started();
    let text = b"{\"shell\":\"x\",\"key\":\"a\",\"hold\":true}\n{\"shell\":\"x\",\"hold\":true}\n{\"shell\":\"x\",\"key\":\"a\"}\n";
    assert_eq!(
        add(&world, text, &[]).expect(0).stdout,
        "2 tasks added: 1-2; one more line has the key of task 1 and adds none\n"
    );
    assert_eq!(add(&world, text, &["-q"]).expect(0).stdout, "1\n3\n1\n");
    let tasks = add(&world, text, &["--json"]).expect(0).json();
    let ids: Vec<&Value> = tasks.as_array().unwrap().iter().map(|task| &task["id"]).collect();
    assert_eq!(ids, [1, 4, 1]);
}

/// Row: flags of task add / --from
#[test]
fn a_file_of_2000_lines_is_run_to_its_end() {
    let world = World::with_config("[daemon]\nmax_concurrent = 8\n");
    let lines: Vec<String> = (0..2_000)
        .map(|n| match n % 500 {
            499 => format!("{{\"argv\":[\"true\"],\"after\":[\"r{}\"]}}", n - 1),
            _ => format!("{{\"ref\":\"r{n}\",\"argv\":[\"true\"]}}"),
        })
        .collect();
    let text = lines.join("\n");
    assert_eq!(fed(&world, text.as_bytes(), &[]).expect(0).stdout, "2000 tasks added: 1-2000\n");
    world.apex(["task", "wait", "2000", "1500", "1000", "500", "--timeout", "120s"]).expect(0);
    crate::support::eventually("all have ended", || world.status()["tasks_succeeded"] == 2_000);
}

/// Row: flags of task add / --from, all or nothing
#[test]
fn who_kills_apexd_in_the_midst_of_it_gets_all_or_nothing_once() {
    for point in ["apexd.add.written", "apexd.add.committed"] {
        let mut world = World::new();
        world.set_variable("APEX_FAULT_CRASH", point);
        world.set_variable("APEX_FAULT_ONCE", world.path("died").to_str().unwrap());
        world.apex(["daemon", "start"]).expect(0);
        let text: String = (0..300).map(|_| "{\"argv\":[\"true\"],\"hold\":true}\n").collect();
        // The client comes back by itself and asks again.
        let added = fed(&world, text.as_bytes(), &[]).expect(0);
        assert_eq!(added.stdout, "300 tasks added: 1-300\n", "{point}");
        if cfg!(debug_assertions) {
            assert!(world.path("died").exists(), "{point}");
        }
        assert_eq!(listed(&world, &["--state", "held"]).len(), 300, "{point}");
    }
}

/// Row: flags of task add / --from, all or nothing
#[test]
fn who_stops_sending_has_added_nothing() {
    let world = World::started();
    let mut command = world.command(["task", "add", "--from", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let line = "{\"argv\":[\"true\"]}\n".repeat(20_000);
    child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    // Whoever is slow to send holds nobody up.
    assert_eq!(world.add("true"), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.add("true"), 2);
    let input = world.dot_apex().join("input");
    crate::support::eventually("nothing is left", || std::fs::read_dir(&input).map_or(0, Iterator::count) == 0);
    assert_eq!(run(world.command(["task", "list", "--all", "-q"])).expect(0).stdout, "1\n2\n");
}
