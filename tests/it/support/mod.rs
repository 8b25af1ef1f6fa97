//! A sealed world for each test: a project of its own, an environment of its own, and an end that leaves nothing behind.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Longer than anything takes on a loaded machine; only a test that fails gets there.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// By how much the tests that go through many rounds are to go through more: `APEX_LONG`, or 1.
pub fn long() -> u32 {
    std::env::var("APEX_LONG").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

/// The variable by which every process of a world is known.
const MARK: &str = "WORLD_MARK";

/// What a command came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The one JSON value that was printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The error object that was printed on stderr.
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().find(|line| line.starts_with("{\"error\"")).unwrap_or_default();
        let error: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no error object ({error}): {self:?}"));
        error["error"].clone()
    }

    /// Fails unless the command did.
    #[track_caller]
    pub fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// A project, and everything that runs in it.
pub struct World {
    home: tempfile::TempDir,
    mark: String,
    /// Variables that its commands, and the daemon they start, have besides the usual ones.
    variables: Vec<(String, String)>,
    /// As whom its commands run, if not as whoever runs the test.
    user: Option<u32>,
}

impl World {
    /// Makes an empty directory with nothing of apex in it.
    pub fn bare() -> World {
        let home = tempfile::Builder::new().prefix("apex-").tempdir().unwrap();
        std::fs::create_dir(home.path().join("project")).unwrap();
        let mut world = World { mark: uuid::Uuid::new_v4().to_string(), home, variables: Vec::new(), user: None };
        // What `promises` takes out is to be out in the daemon as well.
        if let Ok(sabotage) = std::env::var("APEX_SABOTAGE") {
            world.set_variable("APEX_SABOTAGE", &sabotage);
        }
        world
    }

    /// Makes a project.
    pub fn new() -> World {
        let world = World::bare();
        world.apex(["init"]).expect(0);
        world
    }

    /// Makes a project that belongs to another user, as whom its commands run; `None` where a test may not be anybody else.
    pub fn of_user(user: u32) -> Option<World> {
        let mut world = World::bare();
        for path in [world.home.path().to_owned(), world.root()] {
            std::os::unix::fs::chown(path, Some(user), Some(user)).ok()?;
        }
        world.user = Some(user);
        world.apex(["init"]).expect(0);
        Some(world)
    }

    /// Makes a project with this configuration.
    pub fn with_config(config: &str) -> World {
        let world = World::new();
        std::fs::write(world.dot_apex().join("config.toml"), config).unwrap();
        world
    }

    /// Makes a project and starts its daemon.
    pub fn started() -> World {
        let world = World::new();
        world.apex(["daemon", "start"]).expect(0);
        world
    }

    /// Gives every further command a variable; the daemon has those of the command that starts it.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn root(&self) -> PathBuf {
        self.home.path().join("project")
    }

    pub fn dot_apex(&self) -> PathBuf {
        self.root().join(".apex")
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// Prepares an apex command in the project's root, with an environment that holds nothing of the machine's.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apex"));
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_STATE_HOME", self.home.path().join("state"))
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .env("TZ", "UTC")
            .env(MARK, &self.mark)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs an apex command to its end.
    pub fn apex<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        run(self.command(args))
    }

    /// Starts an apex command and leaves it running.
    pub fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running::new(child)
    }

    /// Adds a shell line and returns the task's id.
    pub fn add(&self, line: &str) -> u64 {
        self.add_with(&[], line)
    }

    /// Adds a shell line with flags and returns the task's id.
    pub fn add_with(&self, flags: &[&str], line: &str) -> u64 {
        let args = [&["task", "add", "-q"][..], flags, &["--", "sh", "-c", line]].concat();
        self.apex(args).expect(0).stdout.trim().parse().unwrap()
    }

    /// Returns everything about a task.
    pub fn show(&self, id: u64) -> Value {
        self.apex(["task", "show", "--json", &id.to_string()]).expect(0).json()
    }

    /// Returns the state of a task.
    pub fn state(&self, id: u64) -> String {
        self.show(id)["state"].as_str().unwrap().to_owned()
    }

    /// Waits until a task has a process, and returns its pid.
    pub fn pid(&self, id: u64) -> i32 {
        let pid = || self.show(id)["attempts"][0]["pid"].as_i64();
        eventually("it has a process", || pid().is_some());
        i32::try_from(pid().unwrap()).unwrap()
    }

    /// Waits until a task has ended, and returns it.
    pub fn ended(&self, id: u64) -> Value {
        let run = self.apex(["task", "wait", "--json", &id.to_string()]);
        let tasks = run.json();
        let task = if tasks.is_array() { tasks[0].clone() } else { tasks };
        assert!(task["ended_at"].is_string(), "{run:?}");
        self.show(id)
    }

    /// Waits until a task is in a state.
    pub fn until_state(&self, id: u64, state: &str) {
        self.apex(["task", "wait", "--state", state, &id.to_string()]);
        assert_eq!(self.state(id), state);
    }

    /// Makes every further apexd end before it serves: it finds a configuration that no restart mends.
    pub fn forbid_starts(&self) {
        let config = self.dot_apex().join("config.toml");
        std::fs::rename(&config, self.dot_apex().join("config.kept")).unwrap();
        std::fs::write(config, "[daemon\n").unwrap();
    }

    /// Takes [`World::forbid_starts`] back.
    pub fn allow_starts(&self) {
        std::fs::rename(self.dot_apex().join("config.kept"), self.dot_apex().join("config.toml")).unwrap();
    }

    /// Returns how the daemon stands.
    pub fn status(&self) -> Value {
        self.apex(["daemon", "status", "--json"]).json()
    }

    pub fn apexd_pid(&self) -> i32 {
        i32::try_from(self.status()["pid"].as_i64().expect("a running daemon")).unwrap()
    }

    pub fn guardian_pid(&self) -> i32 {
        std::fs::read_to_string(self.dot_apex().join("daemon.pid")).unwrap().trim().parse().unwrap()
    }

    /// Returns the daemon's log, the older files first.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for name in (1..20).rev().map(|n| format!("daemon.log.{n}")).chain(["daemon.log".to_owned()]) {
            text += &std::fs::read_to_string(self.dot_apex().join(name)).unwrap_or_default();
        }
        text
    }

    /// Returns how many connections the daemon has accepted.
    ///
    /// Source: proc_net_unix(5); state 03 is connected, and only the daemon's ends have the path, as it was when it was
    /// bound.
    pub fn connections(&self) -> usize {
        let socket = self.dot_apex().join("daemon.sock");
        let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
        let is_connection = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(5) == Some(&"03")
                && fields.get(7).is_some_and(|path| path.starts_with(&*socket.to_string_lossy()))
        };
        sockets.lines().filter(is_connection).count()
    }

    /// Returns the pids of all live processes of this world, zombies left out.
    pub fn processes(&self) -> Vec<i32> {
        let needle = format!("{MARK}={}", self.mark);
        let pid_file = self.dot_apex().join("daemon.pid");
        // A test may have put a named pipe there, which would be waited for.
        let is_file = std::fs::symlink_metadata(&pid_file).is_ok_and(|found| found.is_file());
        let guardian = is_file.then(|| std::fs::read_to_string(pid_file).ok()).flatten();
        let guardian: Option<i32> = guardian.and_then(|pid| pid.trim().parse().ok());
        let mut pids = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let has = |bytes: &[u8], word: &str| bytes.split(|byte| *byte == 0).any(|part| part == word.as_bytes());
            // Only root sees the environment of a daemon. Its arguments everybody sees; the guardian need not have any.
            let is_ours = has(&read("environ"), &needle)
                || has(&read("cmdline"), &self.root().to_string_lossy())
                || (guardian == Some(pid) && read("comm") == b"apex-guardian\n");
            if is_ours && process_state(pid) != Some('Z') {
                pids.push(pid);
            }
        }
        pids
    }

    /// Waits until no process of this world is left.
    #[track_caller]
    pub fn until_empty(&self) {
        self.until_empty_but(&[]);
    }

    /// Waits until no process of this world is left but these.
    #[track_caller]
    pub fn until_empty_but(&self, others: &[i32]) {
        eventually("no process is left", || self.processes().iter().all(|pid| others.contains(pid)));
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.dot_apex().is_dir() {
            let _ = self.command(["daemon", "stop", "--force"]).output();
        }
        let began = Instant::now();
        while !self.processes().is_empty() && began.elapsed() < Duration::from_secs(10) {
            pause();
        }
        let left = self.processes();
        for pid in &left {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        if !std::thread::panicking() {
            assert!(left.is_empty(), "processes were left behind: {left:?}");
        } else {
            eprintln!("--- daemon.log ---\n{}", self.log());
        }
    }
}

/// A command that runs on.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    pub fn new(child: Child) -> Running {
        Running { child: Some(child) }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Run {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        as_run(output)
    }

    /// Takes its standard output, to read while it runs.
    pub fn stdout(&mut self) -> impl Read + use<> {
        self.child.as_mut().unwrap().stdout.take().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Run {
    as_run(command.output().unwrap())
}

fn as_run(output: std::process::Output) -> Run {
    use std::os::unix::process::ExitStatusExt;
    Run {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until something is so; fails when it never is.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        pause();
    }
}

/// Lets others run for a moment between two looks at something that tells nobody when it changes.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(5));
}

/// Returns whether this test may look into daemons, at what files they have open for example: nobody but root may.
pub fn may_look_into_daemons() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A user who has no business here.
pub const STRANGER: u32 = 65_533;

/// Does something as another user; `None` where a test may not be anybody else, because it is not run by root.
pub fn as_user<T: Send + 'static>(user: u32, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    use nix::libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid, syscall};
    let done = std::thread::spawn(move || {
        // SAFETY: plain system calls. Made directly they are about this thread alone, which ends with the job.
        let is_other = unsafe {
            syscall(SYS_setgroups, 0, std::ptr::null::<u32>()) == 0
                && syscall(SYS_setresgid, user, user, user) == 0
                && syscall(SYS_setresuid, user, user, user) == 0
        };
        is_other.then(job)
    });
    done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs a command to its end, and fails if that does not come soon.
#[track_caller]
pub fn run_soon(mut command: Command) -> Run {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running::new(child);
    let began = Instant::now();
    while running.child.as_mut().unwrap().try_wait().unwrap().is_none() {
        assert!(began.elapsed() < SOON, "it does not end: {command:?}");
        pause();
    }
    running.wait()
}

/// Longer than a command takes that waits for nothing.
const SOON: Duration = Duration::from_secs(20);

/// Sends a signal to a process that this test knows.
pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Returns the state letter of a process (`S`, `T`, `Z` …), `None` if it is gone.
pub fn process_state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns whether a process stands still that was stopped. A shell whose child was stopped between vfork(2) and execve(2)
/// waits for it in a way that no signal but SIGKILL interrupts, and shows as `D`.
pub fn stands_still(pid: i32) -> bool {
    matches!(process_state(pid), Some('T' | 'D'))
}
