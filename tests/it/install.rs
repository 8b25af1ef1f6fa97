//! The daemon as a service of the user; a script stands in for `systemctl`.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Run, Running, World, may_look_into_daemons, run, signal};

/// Writes down how it was called; knows what is enabled and active by files beside it, and does nothing where a file says
/// that no manager is there.
const SYSTEMCTL: &str = r#"#!/bin/sh
dir=${0%/*}
echo "$*" >> "$dir/calls"
if [ -e "$dir/no-manager" ]; then
    echo 'Failed to connect to bus: No medium found' >&2
    exit 1
fi
case $2 in
enable) : > "$dir/enabled" ;;
disable) rm -f "$dir/enabled" ;;
start) [ ! -e "$dir/broken" ] || { echo "Job for $3 failed." >&2; exit 1; }; : > "$dir/active" ;;
is-enabled) [ -e "$dir/enabled" ] && echo enabled || { echo disabled; exit 1; } ;;
is-active) [ -e "$dir/active" ] && echo active || { echo inactive; exit 3; } ;;
esac
"#;

/// Says that nobody lingers.
const LOGINCTL: &str = "#!/bin/sh\necho no\n";

struct Supervised {
    world: World,
}

impl Supervised {
    fn new() -> Supervised {
        let world = World::new();
        let supervised = Supervised { world };
        std::fs::create_dir(supervised.bin()).unwrap();
        for (name, script) in [("systemctl", SYSTEMCTL), ("loginctl", LOGINCTL)] {
            let path = supervised.bin().join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        supervised
    }

    fn bin(&self) -> PathBuf {
        self.world.root().with_file_name("bin")
    }

    fn set(&self, name: &str) {
        std::fs::write(self.bin().join(name), "").unwrap();
    }

    /// Runs an apex command that finds the scripts.
    fn apex(&self, args: &[&str]) -> Run {
        let path = format!("{}:{}", self.bin().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = self.world.command(args);
        command.env("PATH", path);
        run(command)
    }

    /// The verbs by which `systemctl` was called since this was asked last.
    fn calls(&self) -> Vec<String> {
        let path = self.bin().join("calls");
        let calls = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        calls
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                assert_eq!(words[0], "--user", "{line}");
                let unit = words.get(2).is_none_or(|unit| unit.starts_with("apex-project-"));
                assert!(unit, "{line}");
                words[1].to_owned()
            })
            .collect()
    }

    /// The files that systemd would find.
    fn units(&self) -> Vec<PathBuf> {
        let directory = self.world.root().with_file_name("config").join("systemd/user");
        let entries = std::fs::read_dir(directory).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
        entries.unwrap_or_default()
    }
}

#[test]
fn installing_writes_a_unit_and_starts_nothing() {
    let supervised = Supervised::new();
    let installed = supervised.apex(&["daemon", "install", "--json"]).expect(0).json();
    let [unit] = supervised.units().try_into().unwrap();
    assert_eq!(installed["path"].as_str(), unit.to_str());
    assert_eq!(installed["unit"].as_str(), unit.file_name().unwrap().to_str());
    for (key, value) in [("installed", true), ("changed", true), ("enabled", false), ("started", false)] {
        assert_eq!(installed[key], json!(value), "{key}");
    }
    assert_eq!(std::fs::metadata(&unit).unwrap().permissions().mode() & 0o777, 0o644);
    let text = std::fs::read_to_string(&unit).unwrap();
    let start = format!(
        "ExecStart=\"{}\" daemon run -C \"{}\"\n",
        env!("CARGO_BIN_EXE_apex"),
        supervised.world.root().display()
    );
    assert!(text.contains(&start), "{text}");
    // A daemon that the supervisor starts has another environment than whoever installs it.
    let state = supervised.world.root().with_file_name("state");
    assert!(text.contains(&format!("\nEnvironment=\"XDG_STATE_HOME={}\"\n", state.display())), "{text}");
    assert_eq!(supervised.calls(), ["daemon-reload", "is-enabled", "is-active"]);
    assert_eq!(supervised.world.processes(), [0; 0]);

    let written = std::fs::metadata(&unit).unwrap().modified().unwrap();
    let again = supervised.apex(&["daemon", "install"]).expect(0);
    assert!(again.stdout.starts_with("already installed: "), "{again:?}");
    assert_eq!(again.stderr, "");
    assert_eq!(std::fs::metadata(&unit).unwrap().modified().unwrap(), written);
    assert_eq!(supervised.calls(), [""; 0]);

    std::fs::write(&unit, "[Service]\n").unwrap();
    let again = supervised.apex(&["daemon", "install"]).expect(0);
    assert!(again.stdout.starts_with("installed "), "{again:?}");
    assert_eq!(std::fs::read_to_string(&unit).unwrap(), text);
}

#[test]
fn it_is_enabled_and_started_when_that_is_asked_for_and_removed_again() {
    let supervised = Supervised::new();
    let run = supervised.apex(&["daemon", "install", "--enable", "--now"]).expect(0);
    assert!(run.stdout.ends_with("it is started at login\ndaemon started\n"), "{run:?}");
    assert!(run.stderr.contains("loginctl enable-linger"), "{run:?}");
    assert_eq!(supervised.calls(), ["daemon-reload", "enable", "is-active", "start"]);
    let run = supervised.apex(&["daemon", "install", "--enable", "--now", "--json"]).expect(0).json();
    let stands = ["changed", "enabled", "started"].map(|key| run[key].clone());
    assert_eq!(stands, [json!(false), json!(true), json!(true)]);
    let asked = supervised.apex(&["daemon", "install", "--now"]).expect(0);
    assert!(asked.stdout.ends_with("\nthe daemon runs as this service\n"), "{asked:?}");
    supervised.calls();

    let run = supervised.apex(&["daemon", "uninstall"]).expect(0);
    assert!(run.stdout.ends_with("; the daemon and its tasks go on\n"), "{run:?}");
    assert!(run.stderr.contains("apex daemon stop"), "{run:?}");
    assert_eq!(supervised.calls(), ["is-active", "disable"], "it is neither stopped nor robbed of its settings");
    assert!(supervised.units().is_empty());

    let run = supervised.apex(&["daemon", "uninstall"]).expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("not installed\n", ""));
    assert_eq!(supervised.calls(), [""; 0]);
    let run = supervised.apex(&["daemon", "uninstall", "--json"]).expect(0).json();
    let stands = ["installed", "changed", "enabled", "started"].map(|key| run[key].clone());
    assert_eq!(stands, [json!(false), json!(false), json!(null), json!(null)]);
}

#[test]
fn a_unit_that_is_not_running_is_removed_and_forgotten() {
    let supervised = Supervised::new();
    supervised.apex(&["daemon", "install"]).expect(0);
    supervised.calls();
    let run = supervised.apex(&["daemon", "uninstall", "--json"]).expect(0).json();
    let stands = ["installed", "changed", "enabled", "started"].map(|key| run[key].clone());
    assert_eq!(stands, [json!(false), json!(true), json!(false), json!(false)]);
    assert_eq!(supervised.calls(), ["is-active", "disable", "daemon-reload"]);
}

#[test]
fn without_a_user_manager_the_unit_is_written_and_the_rest_is_an_error() {
    let supervised = Supervised::new();
    supervised.set("no-manager");
    let run = supervised.apex(&["daemon", "install", "--json"]).expect(0).json();
    assert_eq!((&run["enabled"], &run["started"]), (&json!(null), &json!(null)));
    for (flag, verb) in [("--enable", "enable"), ("--now", "start")] {
        let run = supervised.apex(&["daemon", "install", "--json", flag]).expect(1);
        let error = run.error();
        assert_eq!(error["kind"], json!("unavailable"));
        assert!(error["message"].as_str().unwrap().contains("Failed to connect to bus"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains(&format!("systemctl --user {verb} apex-project-")), "{error}");
        assert_eq!(supervised.units().len(), 1, "the unit stays");
    }
    // A link that an earlier manager made.
    let unit = &supervised.units()[0];
    let wanted = unit.with_file_name("default.target.wants");
    std::fs::create_dir(&wanted).unwrap();
    let link = wanted.join(unit.file_name().unwrap());
    std::os::unix::fs::symlink(unit, &link).unwrap();
    supervised.apex(&["daemon", "uninstall"]).expect(0);
    assert_eq!(supervised.units(), [wanted]);
    assert!(std::fs::symlink_metadata(link).is_err());
}

#[test]
fn a_daemon_that_runs_by_itself_is_not_joined_by_another() {
    let supervised = Supervised::new();
    supervised.apex(&["daemon", "start"]).expect(0);
    let guardian = supervised.world.guardian_pid();
    let run = supervised.apex(&["daemon", "install", "--now"]).expect(0);
    assert!(run.stderr.contains(&format!("pid {guardian}")) && run.stderr.contains("apex daemon stop"), "{run:?}");
    assert!(!supervised.calls().contains(&"start".to_owned()));
    assert_eq!(supervised.world.guardian_pid(), guardian);
    supervised.apex(&["daemon", "stop"]).expect(0);
    supervised.set("broken");
    let run = supervised.apex(&["daemon", "install", "--now"]).expect(1);
    assert!(run.stderr.contains("Job for apex-project-") && run.stderr.contains("apex daemon logs"), "{run:?}");
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    if Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let supervised = Supervised::new();
    for name in ["a b", "50% off", "$HOME ${x}", "it's \"quoted\" \\", "Größe", "line\nend"] {
        let root = supervised.world.path(name);
        std::fs::create_dir(&root).unwrap();
        supervised.apex(&["init", root.to_str().unwrap()]).expect(0);
        supervised.apex(&["-C", root.to_str().unwrap(), "daemon", "install"]).expect(0);
    }
    let units = supervised.units();
    assert_eq!(units.len(), 6);
    let runtime = supervised.world.root().with_file_name("runtime");
    std::fs::create_dir(&runtime).unwrap();
    // In the environment of the world, as what is installed there.
    let mut verify = Command::new("systemd-analyze");
    let variables = supervised.world.command([""; 0]);
    let variables = variables.get_envs().filter_map(|(name, value)| Some((name, value?)));
    verify.args(["--user", "--man=no", "verify"]).args(&units);
    verify.env_clear().envs(variables).env("XDG_RUNTIME_DIR", &runtime);
    let run = run(verify).expect(0);
    // Before 254 it passes over what it does not know, and says so.
    let is_known = |line: &&str| !line.contains("Unknown key") || !line.contains("'DelegateSubgroup'");
    let said: Vec<&str> = run.stderr.lines().filter(is_known).collect();
    assert_eq!((run.stdout.as_str(), said), ("", vec![]));
}

/// Returns what the supervisor was told until something of it begins like this.
fn told(socket: &UnixDatagram, beginning: &str) -> String {
    loop {
        let mut bytes = [0; 4096];
        let count = socket.recv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes[..count].to_vec()).unwrap();
        if text.starts_with(beginning) {
            return text;
        }
    }
}

fn in_foreground(world: &World, notify: &Path) -> Running {
    let mut command = world.command(["daemon", "run"]);
    Running::new(command.env("NOTIFY_SOCKET", notify).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_daemon_in_the_foreground_tells_its_supervisor_how_it_stands() {
    let world = World::new();
    let path = world.root().with_file_name("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let daemon = in_foreground(&world, &path);
    let pid = daemon.pid();
    assert_eq!(told(&socket, "READY=1"), format!("READY=1\nMAINPID={pid}\nSTATUS=ready\n"));
    let id = world.add("env; while [ ! -e go ]; do sleep 0.01; done");
    world.until_state(id, "running");
    if may_look_into_daemons() {
        let apexd = std::fs::read(format!("/proc/{}/environ", world.apexd_pid())).unwrap();
        assert!(!apexd.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"NOTIFY_SOCKET=")));
    }
    signal(pid, Signal::SIGTERM);
    let said = told(&socket, "STOPPING=1");
    assert!(said.contains("\nSTATUS=draining, running tasks: 1\nEXTEND_TIMEOUT_USEC="), "{said}");
    std::fs::write(world.path("go"), "").unwrap();
    daemon.wait().expect(0);
    let output = std::fs::read(world.dot_apex().join("output/0/1.1.log")).unwrap();
    let needle = path.as_os_str().as_bytes();
    assert!(!output.windows(needle.len()).any(|part| part == needle), "a task would speak for the daemon");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let world = World::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = world.apex(["completions", shell]).expect(0);
        assert!(
            (run.stdout.contains("split-output") || run.stdout.contains("apex __complete")) && run.stderr.is_empty(),
            "{shell}"
        );
    }
    let run = world.apex(["completions", "tcsh"]).expect(2);
    assert!(run.stderr.contains("tcsh") && run.stderr.contains("zsh"), "{run:?}");
}
