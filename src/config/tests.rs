use super::*;
use crate::domain::hook::{Deed, HookEvent};
use crate::domain::resource::Amount;

mod setting;
mod window;

fn file(text: &str) -> Text<'_> {
    Text { path: Path::new("/p/.apex/config.toml"), text }
}

fn of_project(text: &str) -> Result<Config, Error> {
    let layers =
        Layers { user: None, project: Some(file(text)), variables: &BTreeMap::new(), overrides: Overrides::default() };
    resolve(&layers)
}

fn of_variables(variables: &[(&str, &str)]) -> Result<Config, Error> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resolve(&Layers { user: None, project: None, variables: &variables, overrides: Overrides::default() })
}

fn message(text: &str) -> String {
    of_project(text).unwrap_err().to_string()
}

/// The template with every setting in force: settings are commented out by `#` alone, prose by `# `.
fn uncommented() -> String {
    let setting = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    TEMPLATE.lines().map(|line| if setting(line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

proptest::proptest! {
    #[test]
    fn nothing_that_stands_in_a_file_panics(text in "\\PC{0,80}", section in 0..schema::SECTIONS.len(), key in 0..schema::KEYS.len()) {
        let (section, key) = (schema::SECTIONS[section], &schema::KEYS[key]);
        let quoted = value::quoted(&text);
        for file in [
            text.clone(),
            format!("[{}]\n{} = {text}\n", key.section, key.name),
            format!("[{}]\n{} = {quoted}\n", key.section, key.name),
            format!("[{section}]\n{text} = 1\n"),
            format!("[queues.{quoted}]\nslots = 1\n"),
        ] {
            if let Err(error) = of_project(&file) {
                proptest::prop_assert!(error.to_string().starts_with("`/p/.apex/config.toml`, line "), "{error}");
            }
        }
        let name = format!("APEX_{}_{}", key.section, key.name).to_uppercase();
        if let Err(error) = of_variables(&[(&name, &text)]) {
            proptest::prop_assert!(error.to_string().contains(&name), "{error}");
        }
    }
}

#[test]
fn nothing_said_is_the_defaults() {
    assert_eq!(of_project("").unwrap(), Config::default());
    assert_eq!(of_project("[daemon]\n[queues.default]\n").unwrap(), Config::default());
}

#[test]
fn the_template_is_the_defaults_with_and_without_its_comments() {
    assert_eq!(of_project(TEMPLATE).unwrap(), Config::default());
    assert_eq!(changed(&Config::default(), &of_project(&uncommented()).unwrap()), []);
}

#[test]
fn the_template_shows_every_key() {
    let text = uncommented();
    let table: toml::Table = text.parse().unwrap();
    for key in schema::KEYS {
        let section =
            key.section.split('.').fold(&toml::Value::Table(table.clone()), |table, part| &table[part]).clone();
        assert!(section.get(key.name).is_some(), "{}.{}", key.section, key.name);
    }
    let shown = text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count();
    assert_eq!(shown, schema::KEYS.len());
}

/// Every key, each with another value than its default.
const EVERY_KEY: &str = r#"
[client]
auto_start = false
[daemon]
poll_interval = "250ms"
max_concurrent = 8
log_level = "debug"
max_hooks = 2
reserve_after = "1m"
[shutdown]
grace = "0s"
kill_grace = "1s"
[log]
max_size = "2KiB"
keep = 1
[task]
retries = 2
timeout = "1h30m"
output_limit = "1GiB"
leftovers = "leave"
[env]
exclude = ["*_TOKEN"]
[retention]
keep_for = "1d"
[resources]
gpu = [0, 3]
mem = "24GiB"
licence = 1
[resources.env]
gpu = "CUDA_VISIBLE_DEVICES"
mem = ["MEM", "RAM"]
[queues.default]
slots = 1
[queues.gpu]
slots = 2
weight = 3
"#;

#[test]
fn every_key_is_taken() {
    let config = of_project(EVERY_KEY);
    let expected = Config {
        client: Client { auto_start: false },
        daemon: Daemon {
            poll_interval: Duration::from_millis(250),
            max_concurrent: 8,
            log_level: Level::Debug,
            max_hooks: 2,
            reserve_after: Duration::from_secs(60),
        },
        shutdown: Shutdown { grace: Duration::ZERO, kill_grace: Duration::from_secs(1) },
        log: Log { max_size: 2048, keep: 1 },
        task: Task {
            retries: 2,
            timeout: Some(Duration::from_secs(5_400)),
            output_limit: Some(1 << 30),
            leftovers: Leftovers::Leave,
        },
        env: Env { exclude: vec!["*_TOKEN".into()] },
        retention: Retention { keep_for: Duration::from_secs(86_400) },
        windows: Vec::new(),
        hooks: Vec::new(),
        resources: [
            ("gpu".to_owned(), Capacity::Indices([0, 3].into())),
            ("mem".to_owned(), Capacity::Amount(Amount::Bytes(24 << 30))),
            ("licence".to_owned(), Capacity::Amount(Amount::Count(1))),
        ]
        .into(),
        resource_variables: [
            ("gpu".to_owned(), vec!["CUDA_VISIBLE_DEVICES".to_owned()]),
            ("mem".to_owned(), vec!["MEM".to_owned(), "RAM".to_owned()]),
        ]
        .into(),
        queues: [
            ("default".to_owned(), Queue { slots: Some(1), weight: None }),
            ("gpu".to_owned(), Queue { slots: Some(2), weight: Some(3) }),
        ]
        .into(),
    };
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn later_layers_win_key_by_key() {
    let variables = BTreeMap::from([("APEX_MAX_CONCURRENT".to_owned(), "7".to_owned())]);
    let mut layers = Layers {
        user: Some(file("[daemon]\nmax_concurrent = 5\nlog_level = \"warn\"\n[queues.a]\nslots = 1")),
        project: Some(file("[daemon]\nmax_concurrent = 6\n[queues.b]\nslots = 2")),
        variables: &BTreeMap::new(),
        overrides: Overrides::default(),
    };
    let config = resolve(&layers).unwrap();
    assert_eq!((config.daemon.max_concurrent, config.daemon.log_level), (6, Level::Warn));
    assert_eq!(config.explicit_queues(), [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    layers.variables = &variables;
    assert_eq!(resolve(&layers).unwrap().daemon.max_concurrent, 7);
    layers.overrides = Overrides { max_concurrent: Some(8), poll_interval: Some(Duration::from_millis(50)) };
    let config = resolve(&layers).unwrap();
    assert_eq!((config.daemon.max_concurrent, config.daemon.poll_interval.as_millis()), (8, 50));
}

#[test]
fn variables_have_a_long_name_and_some_a_short_one() {
    let config = of_variables(&[
        ("APEX_DAEMON_POLL_INTERVAL", "1s"),
        ("APEX_POLL_INTERVAL", "2s"),
        ("APEX_LOG_LEVEL", "TRACE"),
        ("APEX_CLIENT_AUTO_START", "0"),
        ("APEX_TASK_RETRIES", "4"),
        ("APEX_ENV_EXCLUDE", "A_*, B"),
        ("APEX_QUEUES_DEFAULT_SLOTS", "9"),
        ("APEX_LOG_KEEP", ""),
        ("APEX_TASK_ID", "12"),
        ("APEX_PROJECT_PATH", "/p"),
        ("APEX_WHATEVER", "x"),
    ])
    .unwrap();
    assert_eq!(config.daemon.poll_interval, Duration::from_secs(1));
    assert_eq!(config.daemon.log_level, Level::Trace);
    assert!(!config.client.auto_start);
    assert_eq!(config.task.retries, 4);
    assert_eq!(config.env.exclude, ["A_*", "B"]);
    assert_eq!(config.queues["default"].slots, Some(9));
    assert_eq!(config.log.keep, Config::default().log.keep);
}

#[test]
fn a_wrong_variable_is_named() {
    let of = |name, value| of_variables(&[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        of("APEX_MAX_CONCURRENT", "many"),
        "environment variable `APEX_MAX_CONCURRENT`: wrong value for `daemon.max_concurrent`: \
         expected a whole number such as `3`, found a string"
    );
    assert_eq!(
        of("APEX_SHUTDOWN_GRACE", "30"),
        "environment variable `APEX_SHUTDOWN_GRACE`: wrong value for `shutdown.grace`: \
         duration `30` has no unit; write `30s`, `30ms`, `30m`, `30h` or `30d`"
    );
}

#[test]
fn flags_are_checked_too() {
    let variables = BTreeMap::new();
    let overrides = Overrides { max_concurrent: Some(0), poll_interval: None };
    let error = resolve(&Layers { user: None, project: None, variables: &variables, overrides }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "flag `--max-concurrent`: wrong value for `daemon.max_concurrent`: `0` is not between 1 and 100000"
    );
}

#[test]
fn mistakes_name_file_line_and_the_nearest_key() {
    assert_eq!(
        message("# x\n[daemon]\nmax_concurent = 3\n"),
        "`/p/.apex/config.toml`, line 3: unknown key `daemon.max_concurent`; the nearest is `daemon.max_concurrent`"
    );
    assert_eq!(
        message("[demon]\n"),
        "`/p/.apex/config.toml`, line 1: unknown section `demon`; the nearest is `daemon`"
    );
    assert_eq!(
        message("\npoll_intervall = \"5s\"\n"),
        "`/p/.apex/config.toml`, line 2: unknown key `poll_intervall`; the nearest is `daemon.poll_interval`"
    );
    assert_eq!(
        message("[queues.gpu]\nslot = 1\n"),
        "`/p/.apex/config.toml`, line 2: unknown key `queues.gpu.slot`; the nearest is `queues.gpu.slots`"
    );
    assert_eq!(
        message("[daemon]\nmax_concurrent = \"3\"\n"),
        "`/p/.apex/config.toml`, line 2: wrong value for `daemon.max_concurrent`: \
         expected a whole number such as `3`, found a string"
    );
    assert_eq!(
        message("daemon = 3\n"),
        "`/p/.apex/config.toml`, line 1: wrong value for `daemon`: expected a section, found a number"
    );
    let syntax = message("[daemon]\nmax_concurrent = \n");
    assert!(syntax.starts_with("`/p/.apex/config.toml`, line 2: "), "{syntax}");
}

#[test]
fn the_first_mistake_in_the_file_is_told() {
    assert!(message("[log]\nkeeep = 1\n[daemon]\nx = 1\n").contains("line 2"));
}

#[test]
fn values_out_of_range_are_refused() {
    for text in [
        "[daemon]\nmax_concurrent = 0",
        "[daemon]\nmax_concurrent = -1",
        "[daemon]\nmax_concurrent = 99999999999999999999",
        "[daemon]\nmax_concurrent = 1.5",
        "[daemon]\npoll_interval = \"9ms\"",
        "[daemon]\npoll_interval = 5",
        "[daemon]\nlog_level = \"loud\"",
        "[log]\nmax_size = \"1023B\"",
        "[log]\nmax_size = 4096",
        "[log]\nkeep = 1001",
        "[task]\nleftovers = \"shoot\"",
        "[task]\ntimeout = \"forever\"",
        "[task]\noutput_limit = 4096",
        "[env]\nexclude = \"X\"",
        "[env]\nexclude = [1]",
        "[env]\nexclude = [\"[\"]",
        "[client]\nauto_start = 1",
        "[queues]\ngpu = 1",
        "[queues.gpu]\nslots = -1",
    ] {
        let error = of_project(text).unwrap_err();
        assert!(matches!(&error, Error::Value { .. } | Error::Syntax { .. }), "{text}: {error}");
        assert_eq!(error.kind(), crate::domain::error::ErrorKind::Invalid);
    }
}

#[test]
fn excluded_names_match_as_patterns_and_by_case() {
    let exclusion = Env { exclude: vec!["*_TOKEN".into(), "AWS_*".into(), "X".into()] }.exclusion();
    for name in ["GH_TOKEN", "AWS_SECRET", "X"] {
        assert!(exclusion.matches(OsStr::new(name)), "{name}");
    }
    for name in ["TOKEN", "gh_token", "XY", "PATH"] {
        assert!(!exclusion.matches(OsStr::new(name)), "{name}");
    }
}

#[test]
fn a_file_that_is_not_there_counts_as_empty_and_a_directory_does_not() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(&dir.path().join("config.toml")).unwrap(), None);
    assert!(matches!(read(dir.path()), Err(Error::Read { .. })));
}

#[test]
fn every_level_has_its_own_word() {
    for level in Level::ALL {
        assert_eq!(Level::from_word(level.as_str()), Some(level));
    }
    assert!(Level::Error < Level::Trace);
}

#[test]
fn only_a_plain_file_of_a_sane_size_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let refused = |reason: &str| {
        let error = check_file(&path).unwrap_err();
        let Error::Read { source, .. } = &error else { panic!("{error}") };
        assert!(source.to_string().contains(reason), "{source}");
        std::fs::remove_file(&path).unwrap();
    };
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused("no regular file");
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    refused("no regular file");
    std::fs::File::create(&path).unwrap().set_len(10 << 30).unwrap();
    refused("10737418240 bytes are more");
    std::fs::write(&path, b"[daemon]\nlog_level = \"\xff\"\n").unwrap();
    refused("UTF-8");
    let elsewhere = dir.path().join("dotfiles.toml");
    std::fs::write(&elsewhere, "[daemon]\n").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    check_file(&path).unwrap();
}

#[test]
fn a_hook_that_makes_no_sense_is_named_with_its_line() {
    for (text, wrong) in [
        ("command = [\"x\"]", "line 1: wrong value for `hooks.name`: a hook needs a name"),
        ("name = \"a\"\ncommand = [\"x\"]", "line 1: wrong value for `hooks.on`: a hook needs at least one event"),
        ("name = \"a\"\non = \"end\"", "line 1: wrong value for `hooks.command`: a hook needs something to run"),
        ("on = []", "line 2: wrong value for `hooks.on`: a hook needs at least one event"),
        ("on = [\"ended\"]", "line 2: wrong value for `hooks.on`: `ended` is not one of `start`"),
        ("command = []", "line 2: wrong value for `hooks.command`: the command of a hook needs 1 to"),
        ("command = \" \"", "line 2: wrong value for `hooks.command`: the command of a hook needs 1 to"),
        ("command = 5", "line 2: wrong value for `hooks.command`: expected a program"),
        ("queues = [\"a b\"]", "line 2: wrong value for `hooks.queues`: queue name `a b`"),
        ("timeout = \"2h\"", "line 2: wrong value for `hooks.timeout`: `2h` is not between 10ms and 1h"),
        ("timout = \"2h\"", "line 2: unknown key `hooks.timout`; the nearest is `hooks.timeout`"),
        ("name = \"a b\"", "line 2: wrong value for `hooks.name`: hook name `a b` needs"),
        (
            "name = \"a\"\non = \"end\"\ncommand = \"x\"\nnotify = true",
            "line 5: wrong value for `hooks.notify`: a hook runs",
        ),
    ] {
        let found = message(&format!("[[hooks]]\n{text}"));
        assert!(found.contains(wrong), "{text}: {found}");
    }
    let single = message("[hooks]\nname = \"a\"");
    assert!(single.contains("expected hooks, each of them below a line `[[hooks]]`"), "{single}");
    let good = "[[hooks]]\nname = \"a\"\non = \"end\"\ncommand = \"x\"\n";
    assert!(
        message(&format!("{good}{good}")).contains("line 6: wrong value for `hooks.name`: there are two hooks `a`")
    );
}

#[test]
fn a_hook_of_the_project_takes_the_place_of_the_users_as_a_whole() {
    let (user, project) = (
        "[[hooks]]\nname = \"a\"\non = \"end\"\ncommand = \"x\"\ntimeout = \"1s\"\n[[hooks]]\nname = \"b\"\non = \"end\"\nnotify = true",
        "[[hooks]]\nname = \"a\"\non = \"start\"\ncommand = [\"y\", \"z\"]",
    );
    let layers = Layers {
        user: Some(Text { path: Path::new("/u/config.toml"), text: user }),
        project: Some(file(project)),
        variables: &BTreeMap::new(),
        overrides: Overrides::default(),
    };
    let (config, origins) = resolve_with_origins(&layers).unwrap();
    let names: Vec<&str> = config.hooks.iter().map(|hook| hook.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let a = &config.hooks[0];
    assert_eq!((&a.on[..], &a.deed), (&[HookEvent::Start][..], &Deed::Run(vec!["y".into(), "z".into()])));
    assert_eq!((a.timeout, origins.in_short("hooks.a.timeout").as_str()), (Duration::from_secs(30), "default"));
    let shown = config.to_toml(None);
    assert!(
        shown.contains("[[hooks]]\nname = \"a\"\non = [\"start\"]\ncommand = [\"y\", \"z\"]\ntimeout = \"30s\""),
        "{shown}"
    );
    assert_eq!(changed(&config, &of_project(&shown).unwrap()), [], "{shown}");
}

#[test]
fn what_is_wrong_with_a_resource_is_named() {
    for (text, what) in [
        ("gpu = -1", "`-1` is not between 0 and"),
        ("gpu = 1.5", "expected a number such as `2`"),
        ("gpu = true", "found a boolean"),
        ("gpu = [0, 0]", "`0` is there twice"),
        ("gpu = [-1]", "`-1` is not between 0"),
        ("gpu = [\"a\"]", "a list such as `[0, 1]`"),
        ("mem = \"24\"", "a size with a unit such as `\"24GiB\"`"),
        ("mem = \"24 lightyears\"", "is not a size"),
        ("\"g pu\" = 1", "resource name `g pu` needs"),
        ("slot = 1", "no resource can be named `slot`: `APEX_SLOT` means"),
        ("log_level = 1", "`APEX_LOG_LEVEL` means"),
        ("daemon-x = 1", "`APEX_DAEMON_X` means"),
        ("env = 2", "expected a section"),
        ("[resources.env]\ngpu = \"X\"", "there is no resource `gpu`"),
        ("gpu = 1\n[resources.env]\ngpu = \"APEX_X\"", "`APEX_X` cannot be the name of a variable"),
        ("gpu = 1\n[resources.env]\ngpu = \"A=B\"", "`A=B` cannot be"),
        ("gpu = 1\n[resources.env]\ngpu = 1", "expected the name of a variable"),
        ("a-b = 1\na_b = 1", "is told by variable `APEX_A_B` already"),
        ("a = 1\nb = 1\n[resources.env]\na = \"X\"\nb = \"X\"", "resource `a` is told by variable `X` already"),
    ] {
        let found = message(&format!("[resources]\n{text}\n"));
        assert!(found.contains(what) && found.starts_with("`/p/.apex/config.toml`, line "), "{text}: {found}");
    }
    assert_eq!(of_project("[resources]\nx = 0\ngpu = []\n").unwrap().pools().total("gpu"), 0);
}
