use super::*;
use crate::config::Config;
use crate::domain::task::{DEFAULT_QUEUE, OnInterrupt};

fn read_all(text: &str, flags: TaskFlags) -> Result<Vec<BulkTask>, Failure> {
    let config = Config::default();
    let env = Environment(vec![("PATH".into(), "/usr/bin:/bin".into())]);
    let common = Common { flags, here: Here::look(&config), env, exclusion: config.env.exclusion() };
    let mut reader = Reader::of(text.as_bytes(), common);
    let mut tasks = Vec::new();
    while let Some((task, _)) = reader.next_task()? {
        tasks.push(task);
    }
    Ok(tasks)
}

fn refused(text: &str) -> Failure {
    let failure = read_all(text, TaskFlags::default()).unwrap_err();
    assert_eq!(failure.exit, Exit::Refused, "{failure:?}");
    failure
}

#[test]
fn a_line_says_what_flags_say() {
    let line = r#"{"ref":"a","argv":["sh","-c","x"],"name":"n","labels":{"team":"core","bare":null},"queue":"gpu","priority":-5,
        "after":[3,"4"],"after_any":5,"in":"10m","hold":true,"retries":2,"retry_delay":"5s","retry_backoff":"fixed",
        "retry_max_delay":"1m","retry_on":[1,75],"on_interrupt":"stop","timeout":"1h","output_limit":"1MiB","nice":5,"cpus":"0-1","rlimits":["nofile=9","core=unlimited"],"memory":"1GiB","cpu_limit":1.5,"kill_signal":"INT",
        "kill_grace":"2s","cwd":"/tmp","env":{"A":"1"},"split_output":true,"key":"k"}"#
        .replace('\n', "");
    let task = read_all(&line, TaskFlags::default()).unwrap().remove(0);
    let (spec, id) = (task.spec, |n| TaskId::new(n).unwrap());
    assert_eq!((spec.argv, spec.shell), (["sh", "-c", "x"].map(Into::into).to_vec(), false));
    assert_eq!((spec.name.as_deref(), spec.key.as_deref(), &*spec.queue), (Some("n"), Some("k"), "gpu"));
    assert_eq!(spec.labels, [("team", "core"), ("bare", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert_eq!((spec.priority, spec.split_output, task.hold), (-5, true, true));
    assert_eq!((spec.after, spec.after_any), (vec![id(3), id(4)], vec![id(5)]));
    assert!(spec.run_at.is_some());
    assert_eq!((spec.retry.max_attempts, spec.retry.on_codes), (3, vec![1, 75]));
    assert_eq!(spec.retry.on_interrupt, OnInterrupt::Stop);
    assert_eq!((spec.timeout.unwrap().as_secs(), spec.kill_grace.unwrap().as_secs()), (3600, 2));
    assert_eq!(
        spec.confinement.to_word(),
        "nice=5;cpus=0-1;rlimit.nofile=9:9;rlimit.core=unlimited:unlimited;memory=1073741824;cpu=1500"
    );
    assert_eq!((spec.output_limit, spec.kill_signal), (Some(1 << 20), Some(2)));
    assert_eq!((spec.cwd, task.env), ("/tmp".into(), Environment(vec![("A".into(), "1".into())])));
}

#[test]
fn what_a_line_leaves_out_is_as_the_flags_say() {
    let mut flags = TaskFlags { priority: 3, labels: vec![("a".into(), Some("1".into()))], ..TaskFlags::default() };
    flags.waits.queue = Some("gpu".to_owned());
    flags.waits.after = vec![TaskId::new(9).unwrap()];
    let lines = "{\"shell\":\"true\"}\n{\"shell\":\"true\",\"priority\":0,\"queue\":\"default\",\"labels\":{\"b\":\"2\"},\"after\":[]}\n";
    let tasks = read_all(lines, flags).unwrap();
    let labels = |task: &BulkTask| task.spec.labels.keys().cloned().collect::<Vec<_>>();
    assert_eq!((tasks[0].spec.priority, &*tasks[0].spec.queue, labels(&tasks[0])), (3, "gpu", vec!["a".to_owned()]));
    assert_eq!((tasks[1].spec.priority, &*tasks[1].spec.queue), (0, DEFAULT_QUEUE));
    assert_eq!(labels(&tasks[1]), ["a", "b"]);
    assert_eq!((tasks[0].spec.after.len(), tasks[1].spec.after.len()), (1, 0));
}

#[test]
fn a_ref_is_the_place_of_an_earlier_line() {
    let text = "{\"ref\":\"a\",\"shell\":\"x\"}\n\n{\"shell\":\"y\"}\n{\"shell\":\"z\",\"after\":[\"a\",7],\"after_any\":\"a\"}\n";
    let tasks = read_all(text, TaskFlags::default()).unwrap();
    assert_eq!(tasks.iter().map(|task| task.line).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!((&tasks[2].after_places, &tasks[2].after_any_places), (&vec![0], &vec![0]));
    assert_eq!(tasks[2].spec.after, [TaskId::new(7).unwrap()]);
}

#[test]
fn what_is_wrong_is_said_of_the_line_in_the_words_of_the_flags() {
    for (line, message) in [
        (
            "{\"shell\":\"x\",\"after\":\"b\"}",
            "line 2: `after` is `b`, which is no id, and no line before it has that ref",
        ),
        ("{\"shell\":\"x\",\"ref\":\"b\",\"after\":\"b\"}", "line 2: `after` is its own ref `b`"),
        ("{\"shell\":\"x\",\"ref\":\"a\"}", "line 2: ref `a` is that of line 1 already"),
        ("{\"shell\":\"x\",\"ref\":\"12\"}", "line 2: invalid value `12` for `ref`"),
        ("{\"shell\":\"x\",\"timeout\":5}", "line 2: invalid value `5` for `timeout`"),
        ("{\"shell\":\"x\",\"retry_on\":0}", "line 2: invalid value `0` for `retry_on`"),
        ("{\"shell\":\"x\",\"retry_delay\":\"1s\"}", "line 2: `retry_delay` is of no use to a task that is tried once"),
        ("{\"shell\":\"x\",\"at\":\"tomorrow\",\"in\":\"1h\"}", "line 2: `at` and `in` cannot both be there"),
        ("{\"shell\":\"x\",\"argv\":[\"x\"]}", "line 2: `argv` and `shell` cannot both be there"),
        ("{\"shell\":\"x\",\"stdin\":\"-\"}", "line 2: `stdin` cannot be `-`, which can be read only once"),
        ("{\"argv\":[]}", "line 2: no command to run"),
        ("{}", "line 2: `argv` or `shell` is missing"),
    ] {
        let failure = refused(&format!("{{\"ref\":\"a\",\"shell\":\"x\"}}\n{line}\n{{\"shell\":\"y\"}}\n"));
        assert_eq!(failure.problem.message, message, "{line}");
    }
    let failure = refused("{\"shell\":\"x\",\"timeout\":5}");
    assert_eq!(failure.problem.hint.as_deref(), Some("write it like `5s`"));
}
