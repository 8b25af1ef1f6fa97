use super::*;
use crate::domain::setting::ChangedSetting;

fn change(key: &str, from: Option<&str>, to: Option<&str>, needs_restart: bool) -> ChangedSetting {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    ChangedSetting { key: key.to_owned(), from: owned(from), to: owned(to), needs_restart }
}

#[test]
fn what_is_shown_says_the_same_when_it_is_read() {
    for text in ["", EVERY_KEY, "[queues.\"a.b-ö\"]\nslots = 4\n[env]\nexclude = ['a\"', '[\\\\]', \"\\u009b*\"]"] {
        let config = of_project(text).unwrap();
        let shown = config.to_toml(None);
        assert_eq!(changed(&config, &of_project(&shown).unwrap()), [], "{shown}");
        let origins = config.to_toml(Some(&Origins::default()));
        assert_eq!(changed(&config, &of_project(&origins).unwrap()), [], "{origins}");
        let steers = |c: char| c != '\n' && crate::domain::text::is_unsafe(c);
        assert!(!shown.contains(steers), "{shown:?}");
    }
}

#[test]
fn every_value_says_where_it_comes_from() {
    let variables = [("APEX_LOG_LEVEL", "debug"), ("APEX_DAEMON_LOG_LEVEL", "trace"), ("APEX_SHUTDOWN_GRACE", "1m")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let user = Text { path: Path::new("/u/config.toml"), text: "[log]\nkeep = 1\nmax_size = \"1MiB\"\n" };
    let (config, origins) = resolve_with_origins(&Layers {
        user: Some(user),
        project: Some(file("\n[log]\nkeep = 2\n[queues]\ngpu.slots = 3\n")),
        variables: &variables,
        overrides: Overrides { max_concurrent: Some(8), poll_interval: None },
    })
    .unwrap();
    insta::assert_snapshot!(config.to_toml(Some(&origins)), @r#"
    [client]
    auto_start = true  # default

    [daemon]
    poll_interval = "5s"   # default
    max_concurrent = 8     # --max-concurrent
    log_level = "trace"    # APEX_DAEMON_LOG_LEVEL
    reserve_after = "30s"  # default
    max_hooks = 4          # default

    [shutdown]
    grace = "1m"       # APEX_SHUTDOWN_GRACE
    kill_grace = "5s"  # default

    [log]
    max_size = "1MiB"  # /u/config.toml:3
    keep = 2           # /p/.apex/config.toml:3

    [task]
    retries = 0          # default
    timeout = "0s"       # default
    output_limit = "0B"  # default
    nice = 0             # default
    memory = "0B"        # default
    leftovers = "kill"   # default

    [env]
    exclude = []  # default

    [retention]
    keep_for = "30d"  # default

    [queues.default]
    slots = 0  # default

    [queues.gpu]
    slots = 3  # /p/.apex/config.toml:5
    "#);
    assert_eq!(origins.of("log.max_size"), Some(&Place::File { path: "/u/config.toml".into(), line: 3 }));
    assert_eq!(origins.files(), [Path::new("/u/config.toml"), Path::new("/p/.apex/config.toml")]);
}

#[test]
fn a_key_that_reads_back_another_value_than_was_given_is_found() {
    let config = of_project(EVERY_KEY).unwrap();
    let default = Config::default();
    for key in &schema::KEYS {
        assert_ne!((key.get)(&config), (key.get)(&default), "{}.{}", key.section, key.name);
        let mut other = default.clone();
        (key.set)(&mut other, &(key.get)(&config).into()).unwrap();
        let name = format!("{}.{}", key.section, key.name);
        let (from, to) = ((key.get)(&default).to_string(), (key.get)(&config).to_string());
        let needs_restart = key.section == "log";
        assert_eq!(changed(&default, &other), [change(&name, Some(&from), Some(&to), needs_restart)]);
        assert_eq!(in_force(&default, &other), if needs_restart { default.clone() } else { other });
    }
}

#[test]
fn queues_come_and_go() {
    let gpu = of_project("[queues.gpu]\nslots = 1\n[queues.default]\nslots = 2\n").unwrap();
    let none = of_project("[queues.gpu]\n").unwrap();
    assert_eq!(
        changed(&none, &gpu),
        [
            change("queues.default.slots", Some("0"), Some("2"), false),
            change("queues.gpu.slots", None, Some("1"), false)
        ]
    );
    assert_eq!(
        changed(&gpu, &none),
        [
            change("queues.default.slots", Some("2"), Some("0"), false),
            change("queues.gpu.slots", Some("1"), None, false)
        ]
    );
    assert_eq!(changed(&gpu, &gpu), []);
    assert_eq!(none.explicit_queues(), BTreeMap::new());
}

#[test]
fn what_flags_say_holds_whatever_a_file_says_later() {
    let variables = BTreeMap::new();
    let overrides = Overrides { max_concurrent: Some(8), poll_interval: Some(Duration::from_secs(1)) };
    let of =
        |text| resolve(&Layers { user: None, project: Some(file(text)), variables: &variables, overrides }).unwrap();
    let (before, after) = (of(""), of("[daemon]\nmax_concurrent = 2\npoll_interval = \"9s\"\nlog_level = \"warn\"\n"));
    assert_eq!(changed(&before, &after), [change("daemon.log_level", Some("info"), Some("warn"), false)]);
    assert_eq!(after.daemon.max_concurrent, 8);
}

#[test]
fn a_file_alone_is_checked_whatever_else_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    assert!(check_file(&file).is_ok(), "a file that is not there is empty");
    std::fs::write(&file, EVERY_KEY).unwrap();
    assert!(check_file(&file).is_ok());
    std::fs::write(&file, "[log]\nkeeep = 1\n").unwrap();
    let message = check_file(&file).unwrap_err().to_string();
    assert!(message.ends_with("c.toml`, line 2: unknown key `log.keeep`; the nearest is `log.keep`"), "{message}");
    std::fs::write(&file, b"\xff").unwrap();
    assert!(matches!(check_file(&file), Err(Error::Read { .. })));
}
