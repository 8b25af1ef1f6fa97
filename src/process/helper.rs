//! Short programs that apexd runs by itself, each with an input and a time limit.
//!
//! They are apexd's own children, not the guardian's: whoever has them run repeats what a kill of apexd cut off, so nothing of them has to
//! outlive it, and the guardian's table, its zombies and its drain stay what they are, for tasks alone.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::process::heritage::open_pid;

/// Between SIGTERM and SIGKILL for one that takes too long.
const KILL_GRACE: Duration = Duration::from_secs(1);
/// So long is waited for one that was killed; what hangs in the kernel longer is left to the reaper.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// A program to run, and with what.
#[derive(Debug, Clone)]
pub struct Helper {
    /// The program, found by `PATH`, and its arguments.
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its directory.
    pub cwd: PathBuf,
    /// What it can read. What it writes goes nowhere.
    pub input: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Why one did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// It could not be started.
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    /// It ended, and not with 0.
    #[error("it ended with {}", in_words(*.0))]
    Ended(ExitStatus),
    /// It took too long, and was killed.
    #[error("it took longer than {} s and was killed", .0.as_secs_f32())]
    TimedOut(Duration),
    /// Nobody knows how it ended.
    #[error("nobody knows how it ended: {0}")]
    Lost(io::Error),
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    }
}

impl Helper {
    /// Runs it to its end, or to that of its time.
    ///
    /// Shape: it has a process group of its own, which is what is killed; what it leaves behind at an end in order lives on.
    ///
    /// # Cancel safety
    /// Dropping the future kills it with its group.
    pub async fn run(self) -> Result<(), HelperError> {
        let limit = self.timeout;
        let input = self.input.clone();
        // On a thread of its own: a program or a directory on a disk that does not answer holds up nobody else.
        let started = timeout(limit, tokio::task::spawn_blocking(move || self.start())).await;
        let mut group = match started {
            Err(_) => return Err(HelperError::TimedOut(limit)),
            Ok(Err(panic)) => return Err(HelperError::Lost(io::Error::other(panic))),
            Ok(Ok(group)) => group.map_err(HelperError::Start)?,
        };
        let child = &mut group.0;
        let stdin = child.stdin.take();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // One that reads nothing of it may end all the same.
                let _ = stdin.write_all(&input).await;
            }
        };
        let ends = async {
            let mut feed = std::pin::pin!(feed);
            tokio::select! {
                status = child.wait() => status,
                () = &mut feed => child.wait().await,
            }
        };
        match timeout(limit, ends).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(HelperError::Ended(status)),
            Ok(Err(error)) => Err(HelperError::Lost(error)),
            Err(_) => {
                end(child).await;
                Err(HelperError::TimedOut(limit))
            }
        }
    }

    fn start(self) -> io::Result<Group> {
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command"));
        };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.env).current_dir(&self.cwd).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Group)
    }
}

/// A process that leads a group of its own. Dropped before it was waited for, it is killed with all of that.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = group_of(&self.0) {
            // All of them may have ended in this moment.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Returns the group of a process; `None` once that was waited for to its end: until then its number is its own.
fn group_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw)
}

/// Ends a process with its group.
async fn end(child: &mut Child) {
    let Some(group) = group_of(child) else { return };
    // All of them may have ended in this moment.
    let _ = killpg(group, Signal::SIGTERM);
    // Not waited for, or the group's number would be anybody's before the rest of it is killed.
    tokio::time::sleep(KILL_GRACE).await;
    let _ = killpg(group, Signal::SIGKILL);
    let _ = timeout(GONE_WITHIN, child.wait()).await;
}

/// Kills what an earlier apexd ran and did not live to see the end of: the processes whose environment is `meant`, of which it is told
/// the value of a variable. Reads the environment of every process there is, as far as it may. Blocks.
pub fn end_left(meant: impl Fn(&dyn Fn(&str) -> Option<String>) -> bool) {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        // Opened before it is looked at: what is signalled can be no other one that came after it.
        let Some(pidfd) = open_pid(pid) else { continue };
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        let variable = |name: &str| {
            let mut variables = environment.split(|byte| *byte == 0);
            let value = variables.find_map(|text| text.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        if meant(&variable) {
            // SAFETY: no memory is touched: the information about the signal is left to the kernel. It may have ended by now.
            unsafe {
                let (fd, info) = (pidfd.as_raw_fd(), std::ptr::null::<nix::libc::siginfo_t>());
                nix::libc::syscall(nix::libc::SYS_pidfd_send_signal, fd, nix::libc::SIGKILL, info, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(line: &str) -> Helper {
        let argv = ["sh", "-c", line].map(OsString::from).to_vec();
        let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())];
        Helper { argv, env, cwd: PathBuf::from("/"), input: b"hello\n".to_vec(), timeout: Duration::from_secs(60) }
    }

    #[tokio::test]
    async fn it_reads_its_input_in_its_directory() {
        let place = tempfile::tempdir().unwrap();
        let helper = Helper { cwd: place.path().to_owned(), ..helper("cat > got") };
        helper.run().await.unwrap();
        assert_eq!(std::fs::read(place.path().join("got")).unwrap(), b"hello\n");
    }

    #[tokio::test]
    async fn what_went_wrong_is_told() {
        let told = async |helper: Helper| helper.run().await.unwrap_err().to_string();
        assert_eq!(told(helper("exit 3")).await, "it ended with exit code 3");
        assert_eq!(told(helper("kill -9 $$")).await, "it ended with signal 9");
        let absent = Helper { argv: vec!["/no/such/program".into()], ..helper("") };
        assert!(told(absent).await.starts_with("it cannot be started: No such file"));
        assert!(told(Helper { argv: Vec::new(), ..helper("") }).await.contains("no command"));
    }

    #[tokio::test]
    async fn one_that_reads_nothing_of_a_long_input_may_end_all_the_same() {
        Helper { input: vec![b'x'; 1 << 20], ..helper("exit 0") }.run().await.unwrap();
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_ended_with_what_it_started() {
        let place = tempfile::tempdir().unwrap();
        let line = "trap '' TERM; sleep 1000 & echo $! > pid; wait; wait";
        let limit = Duration::from_millis(300);
        let helper = Helper { cwd: place.path().to_owned(), timeout: limit, ..helper(line) };
        assert!(matches!(helper.run().await, Err(HelperError::TimedOut(told)) if told == limit));
        let pid = std::fs::read_to_string(place.path().join("pid")).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // It may be a zombie until whoever is its parent now has noticed.
        assert!(state.as_ref().map_or(true, |stat| stat.contains(") Z ")), "{state:?}");
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_any_more_is_ended_with_what_it_started() {
        let place = tempfile::tempdir().unwrap();
        let (cwd, pid) = (place.path().to_owned(), place.path().join("pid"));
        let helper = Helper { cwd, ..helper("sleep 1000 & echo $! > new; mv new pid; wait") };
        let again = async || tokio::time::sleep(Duration::from_millis(5)).await;
        let has_begun = async {
            while !pid.exists() {
                again().await;
            }
        };
        tokio::select! {
            ended = helper.run() => panic!("{ended:?}"),
            () = has_begun => {}
        }
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(&pid).unwrap().trim());
        let is_gone = async {
            // It may be a zombie until whoever is its parent now has noticed.
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                again().await;
            }
        };
        timeout(Duration::from_secs(10), is_gone).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_earlier_one_left_behind_is_known_by_its_environment() {
        let mark = format!("{}-{:p}", std::process::id(), &KILL_GRACE);
        let start = |mark: &str| {
            let mut command = std::process::Command::new("sleep");
            command.arg("1000").env("HELPER_MARK", mark).spawn().unwrap()
        };
        let (mut left, mut other) = (start(&mark), start("another"));
        end_left(|variable| variable("HELPER_MARK").as_deref() == Some(&mark));
        assert!(!left.wait().unwrap().success());
        assert_eq!(other.try_wait().unwrap(), None);
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
